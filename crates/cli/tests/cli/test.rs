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

/// A policy of which [`COVERING`] tries some rules, and of their alternatives fewer.
const COVERED: &str = r#"
policy = 1
identity = "none"

[lists.bad]
file   = "bad.txt"
format = "domains"

[[rule]]
id     = "no-bad-hosts"
effect = "deny"
lists  = ["bad"]
except = [{ hosts = ["fine.bad.example"] }, { methods = ["HEAD"], paths = ["/health"] }]

[[rule]]
id      = "api"
effect  = "allow"
hosts   = ["api.example.com", "*.eu.example.com"]
domains = ["example.net"]
methods = ["GET", "POST"]
headers = { x-env = ["prod-*", "test"] }
paths   = ["/v1/**", "/v2"]

[[rule]]
id      = "fine"
effect  = "allow"
domains = ["fine.bad.example"]

[[rule]]
id      = "overruled"
effect  = "allow"
domains = ["x.bad.example"]

[[rule]]
id     = "watched"
effect = "deny"
mode   = "report"
hosts  = ["api.example.com"]

[[rule]]
id     = "never"
effect = "allow"
hosts  = ["never.example"]
"#;

const COVERING: &str = r#"
[[case]]
name    = "the api answers"
url     = "https://api.example.com/v1/x"
headers = { x-env = "prod-1" }
expect  = { effect = "allow" }

[[case]]
name   = "an environment is needed"
url    = "https://eu.example.net/v2"
method = "POST"
expect = { effect = "deny" }

[[case]]
name   = "bad hosts are bad"
url    = "https://x.bad.example/"
expect = { effect = "deny" }

[[case]]
name   = "but one"
url    = "https://fine.bad.example/"
expect = { effect = "allow" }
"#;

fn covered_folder() -> Folder {
    let folder = Folder::new();
    folder.write("policies/policy.toml", COVERED);
    folder.write("policies/bad.txt", "bad.example\n");
    folder.write("policies/policy.test.toml", COVERING);
    folder
}

#[test]
fn coverage_names_the_rules_and_alternatives_that_no_case_tried() {
    let folder = covered_folder();
    let run = folder.run(&["test", "--coverage"]).ends(0);
    insta::assert_snapshot!("coverage", run.stdout);

    let lines = folder.run(&["test", "--coverage", "--format", "json"]).ends(0).json();
    let coverage = &lines[4];
    assert_eq!((&coverage["decided"], &coverage["percent"]), (&4.into(), &66.into()));
    let rules = coverage["coverage"]["rules"].as_array().expect("rules");
    assert_eq!((&rules[5]["id"], &rules[5]["matched"], &rules[5]["line"]), (&"never".into(), &0.into(), &41.into()));
    let except = &rules[0]["alternatives"][1];
    assert_eq!((&except["except"], &except["key"], &except["met"]), (&1.into(), &"hosts".into(), &true.into()));
}

#[test]
fn coverage_is_of_a_policy_by_all_its_test_files_and_can_be_asked_for() {
    let folder = covered_folder();
    folder.run(&["test", "--min-coverage", "66"]).ends(0);
    let run = folder.run(&["test", "--min-coverage", "67"]).ends(1);
    assert!(run.stderr.contains("4 of 6 rules decided (66 %); `--min-coverage` asks for 67 %"), "{}", run.stderr);
    assert!(run.stdout.ends_with("\n4 passed, 0 failed\n"), "{}", run.stdout);

    let never = "[[case]]\nname = \"n\"\nurl = \"https://never.example/\"\nexpect = { effect = \"allow\" }\n";
    folder.write("policies/more.test.toml", format!("policy = \"../policies/policy.toml\"\n{never}"));
    let run = folder.run(&["test", "--min-coverage", "83"]).ends(0);
    assert_eq!(run.stdout.matches("coverage of ").count(), 1, "{}", run.stdout);
    folder.run(&["test", "--min-coverage", "101"]).ends(2);
}

#[test]
fn a_filter_runs_the_cases_that_are_called_so() {
    let folder = covered_folder();
    assert_eq!(folder.run(&["test", "--filter", "bad hosts"]).ends(0).stdout, "1 passed, 0 failed\n");
    folder.run(&["test", "--filter", "weather"]).ends(3).says("no case is called so: `weather`", "part of the name");
}

#[test]
fn the_reference_interpreter_can_answer_in_the_place_of_the_table() {
    let folder = folder_with(CASES);
    assert_eq!(folder.run(&["test", "--target", "reference"]).ends(0).stdout, "3 passed, 0 failed\n");
    assert_eq!(folder.run(&["test", "--target", "native"]).ends(0).stdout, "3 passed, 0 failed\n");
    folder.run(&["test", "--target", "moon"]).ends(2);
}

#[cfg(unix)]
#[test]
fn the_worker_answers_only_where_workerd_and_a_worker_are() {
    let folder = folder_with(CASES);
    let run = folder.run(&["test", "--target", "wasm"]).ends(3);
    run.says("there is no workerd in `node_modules`", "--workerd");
    let run = folder.run(&["test", "--target", "wasm", "--workerd", "nowhere/workerd"]).ends(3);
    run.says("there is no built Worker", "--worker");
    let run = folder.run(&["test", "--target", "wasm", "--workerd", "nowhere/workerd", "--worker", "w"]).ends(3);
    run.says("nowhere/workerd", "needs no workerd");
}

#[test]
fn a_case_that_fails_is_explained() {
    let folder = folder_with(
        "[[case]]\nname = \"no\"\nurl = \"https://api.example.org/\"\ncustomer = \"acme\"\ntags = []\nat = 2026-11-22\n\
         expect = { effect = \"allow\" }\n",
    );
    let run = folder.run(&["test"]).ends(1);
    insta::assert_snapshot!("explained_case", run.stderr);
    let line = &folder.run(&["test", "--format", "json"]).ends(1).json()[0];
    assert!(line["explanation"].as_str().is_some_and(|text| text.contains("nearest allow rules")), "{line}");
}

#[test]
fn a_junit_report_has_a_suite_for_each_file_and_a_test_for_each_case() {
    let folder = folder_with(&format!(
        "{CASES}\n[[case]]\nname = \"fails <here>\"\nurl = \"https://a.example/\"\nexpect = {{ effect = \"allow\" }}\n"
    ));
    folder.write("policies/broken.test.toml", "bogus = 1\n");
    folder.run(&["test", "--junit", "report.xml"]).ends(1);
    let report = String::from_utf8(folder.read("report.xml")).expect("UTF-8");
    for wanted in [
        r#"<testsuites name="tidegate" tests="5" skipped="0" failures="1" errors="1""#,
        r#"<testsuite name="policies/policy.test.toml" tests="4" skipped="0" errors="0" failures="1""#,
        r#"<testcase name="the campaign ends" classname="policies/policy.test.toml" time=""#,
        r#"<testcase name="fails &lt;here&gt;" classname="policies/policy.test.toml" time=""#,
        r#"<failure message="effect: expected &quot;allow&quot;, found &quot;deny&quot;">deny GET https://a.example/ (unknown-customer)"#,
        r#"<error message="the file has errors"/>"#,
    ] {
        assert!(report.contains(wanted), "no {wanted} in:\n{report}");
    }
    folder.run(&["test", "--junit", "nowhere/report.xml"]).ends(3);
}

#[cfg(unix)]
#[test]
fn tests_are_run_again_when_a_file_changes() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    /// Reads until a line is what it is waited for; no other end is right.
    #[track_caller]
    fn wait_for(lines: &Receiver<String>, wanted: &str) {
        // Long enough for a machine under load.
        let patience = Duration::from_mins(1);
        let found = std::iter::from_fn(|| lines.recv_timeout(patience).ok()).find(|line| line == wanted);
        assert_eq!(found.as_deref(), Some(wanted));
    }

    let folder = covered_folder();
    let mut child =
        folder.command(&["test", "--watch"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("runs");
    let stdout = BufReader::new(child.stdout.take().expect("stdout"));
    let (sender, lines) = channel();
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    wait_for(&lines, "4 passed, 0 failed");
    folder.write("policies/policy.test.toml", COVERING.replace("effect = \"deny\"", "effect = \"allow\""));
    wait_for(&lines, "2 passed, 2 failed");
    folder.write("policies/policy.toml", "policy = 1\n");
    folder.write("policies/more.test.toml", "bogus = 1\n");
    wait_for(&lines, "FAIL policies/more.test.toml: the file has errors");
    child.kill().expect("killed");
    child.wait().expect("ends");
}
