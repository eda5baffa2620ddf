//! `tidegate doctor`: configurations in `tests/doctor`, each in a folder named for what it shows.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Folder, Run};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctor");

/// The folders that are `good`, `bad` or `unreadable`, in order.
fn cases(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(FIXTURES).join(kind);
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder).expect("cases").map(|entry| entry.expect("an entry").path()).collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

/// Runs the doctor in a folder on all that is in it, with its policy and its arguments if it has them.
fn doctor(case: &Path, more: &[&str]) -> Run {
    let mut arguments: Vec<String> = vec!["doctor".to_owned()];
    let mut names: Vec<PathBuf> =
        fs::read_dir(case).expect("files").map(|entry| entry.expect("an entry").path()).collect();
    names.sort();
    for path in names {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        match name.as_str() {
            "policy.toml" => arguments.extend(["--policy".to_owned(), name]),
            "arguments" => arguments.extend(fs::read_to_string(path).expect("arguments").lines().map(str::to_owned)),
            "src" => {}
            _ => arguments.push(name),
        }
    }
    arguments.extend(more.iter().map(|&argument| argument.to_owned()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Folder::new().run_in(case, &arguments)
}

fn name(case: &Path) -> &str {
    case.file_name().and_then(|name| name.to_str()).expect("a name")
}

#[test]
fn each_bad_configuration_is_found_and_explained() {
    let mut shown = String::new();
    for case in cases("bad") {
        let run = doctor(&case, &[]).ends(1);
        assert_eq!(run.stdout, "", "{}", name(&case));
        writeln!(shown, "## {}\n\n{}", name(&case).replace('-', " "), run.stderr).expect("a string");
    }
    insta::assert_snapshot!("bad_configurations", shown);
}

#[test]
fn what_cannot_be_read_is_no_clean_bill() {
    let mut shown = String::new();
    for case in cases("unreadable") {
        let run = doctor(&case, &[]).ends(3);
        writeln!(shown, "## {}\n\n{}", name(&case).replace('-', " "), run.stderr).expect("a string");
    }
    insta::assert_snapshot!("unreadable_configurations", shown);
}

#[test]
fn good_configurations_have_no_findings() {
    for case in cases("good") {
        let run = doctor(&case, &[]).ends(0);
        assert!(run.stderr.ends_with("no findings\n"), "{}", run.stderr);
        assert_eq!(doctor(&case, &["--format", "json"]).ends(0).stdout, "");
    }
}

#[test]
fn every_code_has_a_configuration_that_shows_it() {
    let mut shown = BTreeSet::new();
    for case in cases("bad").into_iter().chain(cases("unreadable")) {
        for finding in doctor(&case, &["--format", "json"]).json() {
            shown.insert(finding["code"].as_str().expect("a code").to_owned());
            for text in ["message", "why", "help"] {
                let text = finding[text].as_str().expect("text");
                assert!(!text.is_empty() && !text.ends_with('.'), "{text}");
            }
            assert!(finding["line"].as_u64() >= Some(1), "{finding}");
        }
    }
    let checks = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctor/checks")).expect("checks");
    let mut wanted: BTreeSet<String> = checks
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .filter_map(|name| name.strip_suffix(".rs").map(|code| code.replace('_', "-")))
        .filter(|code| code != "mod")
        .collect();
    wanted.extend(["malformed", "unreadable"].map(str::to_owned));
    assert_eq!(shown, wanted);
}

/// Finds exactly one code, on one line of one file.
#[track_caller]
fn finds(case: &str, code: &str, line: u64) {
    let findings = doctor(&Path::new(FIXTURES).join("bad").join(case), &["--format", "json"]).ends(1).json();
    let of_code: Vec<_> = findings.iter().filter(|finding| finding["code"] == code).collect();
    assert!(of_code.iter().any(|finding| finding["line"] == line), "{code}, line {line}: {findings:#?}");
}

#[test]
fn h020_an_outbound_worker_on_an_old_date_is_found() {
    finds("an-old-compatibility-date", "outbound-compatibility", 4);
}

#[test]
fn h047_an_outbound_worker_that_lets_tcp_through_is_found() {
    finds("raw-tcp", "connect-pass-through", 8);
}

#[test]
fn h050_a_user_worker_with_a_durable_object_is_found() {
    finds("a-durable-object", "durable-object", 6);
}

#[test]
fn h051_a_user_worker_with_a_client_certificate_is_found() {
    finds("a-client-certificate", "mtls-certificate", 6);
}

#[test]
fn h052_a_dispatch_binding_without_an_outbound_worker_is_found() {
    finds("no-outbound-worker", "dispatch-without-outbound", 5);
}

#[test]
fn h055_an_identity_that_visitors_choose_is_found() {
    finds("an-identity-that-visitors-choose", "identity-from-request", 8);
}

#[test]
fn without_a_path_the_current_folder_and_those_beneath_are_looked_at() {
    let folder = Folder::new();
    folder.run(&["doctor"]).ends(3).says("there is no wrangler configuration in `.`", "wrangler.toml");
    folder.write("node_modules/other/wrangler.toml", "not ours");
    folder.run(&["doctor"]).ends(3);
    folder.write("apps/acme/wrangler.toml", "name = \"acme\"\nbrowser = { binding = \"B\" }\n");
    let findings = folder.run(&["doctor", "--format", "json"]).ends(1).json();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0]["file"], "apps/acme/wrangler.toml");
    assert_eq!(findings[0]["code"], "reaching-binding");
}

#[test]
fn one_file_that_cannot_be_read_hides_nothing_in_the_others() {
    let folder = Folder::new();
    folder.write("a/wrangler.toml", "name = ");
    folder.write("b/wrangler.toml", "name = \"acme\"\nbrowser = { binding = \"B\" }\n");
    let findings = folder.run(&["doctor", "--format", "json"]).ends(3).json();
    let codes: Vec<_> = findings.iter().map(|finding| finding["code"].as_str().expect("a code")).collect();
    assert_eq!(codes, ["unreadable", "reaching-binding"]);
    folder.run(&["doctor", "missing.toml", "--format", "json"]).ends(3);
}

#[test]
fn our_own_configurations_have_no_errors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let args = ["doctor", "wrangler.toml", "examples", "--policy", "policies/example.toml", "--format", "json"];
    let run = Folder::new().run_in(&root, &args);
    for finding in run.json() {
        assert_eq!(finding["severity"], "warning", "{finding:#}");
    }
}

#[test]
fn what_a_configuration_holds_cannot_steer_a_terminal() {
    let folder = Folder::new();
    folder.write("wrangler.json", "{\"name\":\"a\\u001b[31m\",\"services\":[{\"binding\":\"\\u001b]0;x\\u0007\"}]}");
    let run = folder.run(&["doctor"]).ends(1);
    assert!(!run.stderr.contains(['\u{1b}', '\u{7}']), "{:?}", run.stderr);
}
