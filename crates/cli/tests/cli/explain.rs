//! `tidegate explain`.

use crate::support::Folder;

#[test]
fn an_unknown_code_is_a_usage_error_with_the_one_that_was_meant() {
    let folder = Folder::new();
    for written in ["unknwon-key", "error[unknwon-key]", "UNKNOWN_KEY"] {
        folder.run(&["explain", written]).ends(2).says("there is no diagnostic code", "did you mean `unknown-key`?");
    }
    folder.run(&["explain", "weather"]).ends(2).says("there is no diagnostic code `weather`", "--policy");
}

#[test]
fn a_request_needs_a_policy_and_a_policy_needs_a_request() {
    let folder = Folder::with_policy();
    for args in [
        &["explain"][..],
        &["explain", "GET", "https://a.example/"],
        &["explain", "--policy", "policy.toml"],
        &["explain", "--policy", "policy.toml", "GET"],
        &["explain", "--customer", "acme", "unknown-key"],
    ] {
        let run = folder.run(args).ends(2);
        assert!(run.stderr.contains("Usage: tidegate explain CODE"), "{args:?}: {}", run.stderr);
    }
}
