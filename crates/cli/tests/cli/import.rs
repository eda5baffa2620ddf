//! `tidegate import`: access lists in `tests/import`, each named for what it shows.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Folder, Run};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/import");

fn cases(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(FIXTURES).join(kind);
    let entries = fs::read_dir(folder).expect("cases").map(|entry| entry.expect("an entry").path());
    let mut cases: Vec<PathBuf> = entries.collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

fn name(case: &Path) -> &str {
    case.file_name().and_then(|name| name.to_str()).expect("a name")
}

fn import(case: &Path) -> Run {
    Folder::new().run_in(case.parent().expect("a folder"), &["import", "smokescreen", name(case)])
}

#[test]
fn access_lists_come_to_policies_that_say_what_is_different() {
    let mut shown = String::new();
    for case in cases("good") {
        let run = import(&case).ends(0);
        assert_eq!(run.stderr, "", "{}", name(&case));
        writeln!(shown, "## {}\n\n{}", name(&case), run.stdout).expect("a string");

        let folder = Folder::new();
        folder.write("policy.toml", &run.stdout);
        let check = folder.run(&["check", "policy.toml", "--format", "json"]).ends(0);
        assert!(!check.stdout.contains("\"error\""), "{}", check.stdout);
    }
    insta::assert_snapshot!("imported_policies", shown);
}

#[test]
fn what_is_no_access_list_comes_to_nothing_and_is_shown() {
    let mut shown = String::new();
    for case in cases("bad") {
        let run = import(&case).ends(1);
        assert_eq!(run.stdout, "", "{}", name(&case));
        writeln!(shown, "## {}\n\n{}", name(&case), run.stderr).expect("a string");
    }
    insta::assert_snapshot!("bad_access_lists", shown);
}

/// Asks the policy that a list comes to.
#[track_caller]
fn decides(list: &str, customer: &str, url: &str, effect: &str) {
    let folder = Folder::new();
    folder.write("policy.toml", import(&Path::new(FIXTURES).join("good").join(list)).ends(0).stdout);
    let args = ["decide", "--policy", "policy.toml", "--customer", customer, "--expect", effect, "GET", url];
    folder.run(&args).ends(0);
}

#[test]
fn a_wildcard_is_every_name_beneath_and_not_the_name_itself() {
    let list = "enforce-report-and-open.yaml";
    decides(list, "webhooks", "https://a.b.partner.example.net/", "allow");
    decides(list, "webhooks", "https://partner.example.net/", "deny");
}

#[test]
fn a_services_own_list_beats_the_global_deny_list_as_it_did() {
    let list = "a-list-that-beats-the-global-deny-list.yaml";
    decides(list, "mailer", "https://tracker.example.com/", "allow");
    decides(list, "billing", "https://tracker.example.com/", "deny");
    decides(list, "somebody", "https://tracker.example.com/", "deny");
    decides(list, "somebody", "https://pixel.ads.example.com/", "allow");
    decides(list, "mailer", "https://pixel.ads.example.com/", "deny");
}

#[test]
fn internal_hosts_stay_closed_unless_they_were_named_exactly() {
    let list = "headers-and-what-cannot-be-carried-over.yaml";
    decides(list, "Web Hooks", "https://10.0.0.1/", "allow");
    decides(list, "Web Hooks", "https://localhost/", "allow");
    decides(list, "Web Hooks", "https://db.internal/", "deny");
    decides("enforce-report-and-open.yaml", "sandbox", "https://10.0.0.1/", "deny");
}

#[test]
fn a_policy_goes_to_a_file_that_was_not_there() {
    let folder = Folder::new();
    folder.write("acl.yaml", "version: v1\nservices: []\n");
    let run = folder.run(&["import", "smokescreen", "acl.yaml", "-o", "policy.toml"]).ends(0);
    assert_eq!(run.stdout, "");
    folder.run(&["check", "policy.toml"]).ends(0);
    folder.write("policy.toml", "mine");
    let again = folder.run(&["import", "smokescreen", "acl.yaml", "-o", "policy.toml"]).ends(3);
    again.says("exists already", "nothing was written");
    assert_eq!(folder.read("policy.toml"), b"mine");
    folder.run(&["import", "smokescreen", "missing.yaml"]).ends(3).says("cannot read `missing.yaml`", "spelling");
    folder.run(&["import"]).ends(2);
}

#[test]
fn findings_are_written_for_programs_too() {
    let folder = Folder::new();
    folder.write("acl.yaml", "version: v1\nservices: []\nglobal_denylist: []\n");
    let findings = folder.run(&["import", "smokescreen", "acl.yaml", "--format", "json"]).ends(1).json();
    assert_eq!(findings[0]["code"], "unknown-key");
    assert_eq!(findings[0]["line"], 3);
}
