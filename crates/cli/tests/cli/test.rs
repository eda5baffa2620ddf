//! `tidegate test`.

use crate::support::Folder;

fn folder_with(cases: &str) -> Folder {
    let folder = Folder::new();
    folder.write("policies/policy.toml", crate::support::POLICY);
    folder.write("policies/policy.test.toml", cases);
    folder
}

const CASES: &str = r#"
[[case]]
name     = "everything that can be expected, met"
method   = "post"
url      = "HTTPS://api.example.com:443/v1"
customer = "acme"
tags     = []
headers  = { x-debug = "1" }
at       = 2026-11-22T00:00:00Z

[case.expect]
effect      = "allow"
reason      = "rule"
rule        = "api"
rules       = ["api"]
url         = "https://api.example.com/v1"
enforced    = true
would_deny  = []
would_allow = []
set         = { X-Tenant = "acme", x-api-key = "<secret:API_KEY>" }
remove      = ["X-Debug"]
jwt         = { key = "platform", kid = "2026-11", alg = "ES256", header = "authorization", scheme = "Bearer", claims = { iss = "https://platform.example", sub = "acme", aud = "https://api.example.com", plan = "gold" } }

[[case]]
name     = "no token, no header, a watching rule"
url      = "https://campaign.example.com/"
customer = "acme"
tags     = []
at       = 2026-12-30
expect   = { effect = "allow", set = {}, remove = [], jwt = false, would_deny = ["watched"] }

[[case]]
name     = "the campaign ends"
url      = "https://campaign.example.com/"
customer = "acme"
tags     = []
at       = 2026-12-31
expect   = { effect = "deny", reason = "default", rules = [] }
"#;

#[test]
fn cases_that_hold_are_counted() {
    let folder = folder_with(CASES);
    assert_eq!(folder.run(&["test"]).ends(0).stdout, "3 passed, 0 failed\n");
    assert_eq!(folder.run(&["test", "policies/policy.test.toml"]).ends(0).stdout, "3 passed, 0 failed\n");
    assert_eq!(folder.run(&["test", "policies", "policies"]).ends(0).stdout, "6 passed, 0 failed\n");
}

#[test]
fn each_failing_case_is_one_line_with_what_was_expected_and_what_happened() {
    let failing = r#"
[[case]]
name     = "fails\nin several ways"
url      = "https://api.example.com/v1"
customer = "acme"
tags     = []
at       = 2026-11-22
expect   = { effect = "deny", rule = "no-admin", set = {}, jwt = { kid = "2025" } }

[[case]]
name   = "fails by default"
url    = "https://api.example.com/"
expect = { effect = "deny", reason = "default" }
"#;
    let folder = folder_with(&format!("{CASES}{failing}"));
    let run = folder.run(&["test"]).ends(1);
    assert_eq!(run.stdout.lines().count(), 3, "{}", run.stdout);
    assert!(run.stdout.ends_with("\n3 passed, 2 failed\n"));
    insta::assert_snapshot!("failing_cases", run.stdout);

    let lines = folder.run(&["test", "--format", "json"]).ends(1);
    assert!(lines.stderr.contains("3 passed, 2 failed"));
    let lines = lines.json();
    assert_eq!(lines.len(), 5);
    assert_eq!((&lines[0]["passed"], &lines[4]["passed"]), (&true.into(), &false.into()));
    assert_eq!(lines[4]["mismatches"][0]["found"], "unknown-customer");
}

#[test]
fn a_test_file_is_as_strict_as_a_policy() {
    let folder = folder_with(
        r#"
polcy = "x.toml"

[[case]]
name   = "misspelt"
url    = "https://api.example.com/"
custmer = "acme"
tags   = "paid"
at     = "2026-11-22"
headers = { "a b" = "1" }
expect = { efect = "deny", reason = "because", jwt = { kidd = "1" } }

[[case]]
expect = "deny"
"#,
    );
    let run = folder.run(&["test"]).ends(1);
    assert!(run.stdout.ends_with("0 passed, 1 failed\n"), "{}", run.stdout);
    insta::assert_snapshot!("strict_test_file", run.stderr);
    let check = folder.run(&["check", "policies/policy.test.toml", "--format", "json"]).ends(1).json();
    assert!(check.iter().any(|found| found["code"] == "unknown-key" && found["line"] == 7 && found["column"] == 1));
}

#[test]
fn a_policy_that_does_not_compile_fails_its_tests() {
    let folder = folder_with(CASES);
    folder.write("policies/policy.toml", "policy = 1\nbogus = 1\n");
    folder.write("policies/other.test.toml", format!("policy = \"good.toml\"\n{CASES}"));
    folder.write("policies/good.toml", crate::support::POLICY);
    let run = folder.run(&["test"]).ends(1);
    assert!(run.stderr.contains("error[unknown-key]"));
    let policy = "policies/policy.toml";
    assert_eq!(
        run.stdout,
        format!("FAIL policies/policy.test.toml: the policy `{policy}` has errors\n3 passed, 1 failed\n")
    );
}

#[test]
fn no_case_is_an_error() {
    let folder = Folder::new();
    folder.run(&["test"]).ends(3).says("no folder `policies`", "tidegate init");
    folder.write("policies/policy.toml", crate::support::POLICY);
    folder.run(&["test"]).ends(3).says("holds no test file", "--help");
    folder.write("policies/policy.test.toml", "");
    let run = folder.run(&["test"]).ends(1);
    assert!(run.stderr.contains("error[missing-key]: a test file needs `case`"), "{}", run.stderr);
    folder.write("policies/policy.test.toml", "case = []");
    assert!(folder.run(&["test"]).ends(1).stderr.contains("error[empty-array]"));
}

#[test]
fn what_is_no_test_file_is_named_with_the_way_out() {
    let folder = folder_with(CASES);
    let run = folder.run(&["test", "policies/policy.toml"]).ends(3);
    run.says("is no test file", "did you mean `policies/policy.test.toml`?");
    folder.run(&["test", "absent.test.toml"]).ends(3).says("cannot read `absent.test.toml`", "spelling");
    folder.write("bad.test.toml", b"name = \"\xff\"");
    let run = folder.run(&["test", "bad.test.toml"]).ends(1);
    assert!(run.stderr.contains("error[not-utf8]"), "{}", run.stderr);
    folder.write("broken.test.toml", "[[case\n");
    let run = folder.run(&["test", "broken.test.toml"]).ends(1);
    assert!(run.stderr.contains("error[syntax]"), "{}", run.stderr);
}
