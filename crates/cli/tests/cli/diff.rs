//! `tidegate diff` and `tidegate reach`.

use serde_json::Value;

use crate::support::Folder;

const NEW: &str = r#"
policy = 1

[identity]
customer = "customer_name"
tags     = "customer_tags"

[customers.acme]
vars = { plan = "silver" }

[keys.platform]
alg    = "ES256"
secret = "TIDEGATE_KEY_PLATFORM"
kid    = "2026-12"
issuer = "https://platform.example"

[[rule]]
id      = "api"
effect  = "allow"
hosts   = ["api.example.com"]
methods = ["GET", "POST"]
remove  = ["x-debug"]
set     = { x-tenant = "{customer}", x-api-key = "{secret.API_KEY}" }
jwt     = { key = "platform", audience = "https://api.example.com", ttl = "5m", claims = { plan = "{vars.plan}" } }

[[rule]]
id      = "partner"
effect  = "allow"
tags    = ["paid"]
hosts   = ["*.partner.example.com"]

[[rule]]
id      = "campaign"
effect  = "allow"
hosts   = ["campaign.example.com"]
expires = 2026-12-31

[[rule]]
id      = "watched"
effect  = "deny"
mode    = "report"
domains = ["campaign.example.com"]
"#;

fn folder() -> Folder {
    let folder = Folder::with_policy();
    folder.write("new.toml", NEW);
    folder
}

#[test]
fn what_a_change_changes_is_shown_region_by_region() {
    let run = folder().run(&["diff", "policy.toml", "new.toml", "--at", "2026-11-22"]).ends(0);
    insta::assert_snapshot!("diff", format!("{}\n{}", run.stdout, run.stderr));
}

#[test]
fn no_difference_is_said_of_policies_that_decide_alike_however_they_are_written() {
    let folder = Folder::with_policy();
    let other = crate::support::POLICY.replace("\"api.example.com\"]\nremove", "\"API.example.com.\"]\nremove");
    folder.write("other.toml", other);
    for exit_code in [&[][..], &["--exit-code"]] {
        let args = [&["diff", "policy.toml", "other.toml"][..], exit_code].concat();
        assert_eq!(folder.run(&args).ends(0).stdout, "no difference\n");
    }
}

#[test]
fn a_difference_is_an_exit_code_where_that_is_asked_for() {
    let folder = folder();
    folder.run(&["diff", "policy.toml", "new.toml"]).ends(0);
    folder.run(&["diff", "policy.toml", "new.toml", "--exit-code"]).ends(1);
    folder.run(&["diff", "policy.toml", "missing.toml"]).ends(1);
    folder.run(&["diff", "policy.toml"]).ends(2);
}

#[test]
fn every_witness_shows_in_both_policies_what_it_was_found_for() {
    let folder = folder();
    let run = folder.run(&["diff", "policy.toml", "new.toml", "--at", "2026-11-22", "--format", "json"]).ends(0);
    let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (summary, changes) = lines.split_last().unwrap();
    assert_eq!((&summary["differs"], &summary["proved"]), (&Value::from(true), &Value::from(true)));
    assert!(changes.len() >= 4, "{changes:#?}");
    let requests: Vec<String> = changes.iter().map(|change| change["request"].to_string()).collect();
    folder.write("requests.jsonl", requests.join("\n"));
    for (policy, side) in [("policy.toml", "old"), ("new.toml", "new")] {
        let args = ["decide", "--policy", policy, "--requests", "requests.jsonl", "--at", "2026-11-22"];
        let answers = folder.run(&args).ends(0).stdout;
        for (answer, change) in answers.lines().zip(changes) {
            let answer: Value = serde_json::from_str(answer).unwrap();
            if answer["reason"] == "credential-unavailable" {
                continue; // variables are symbolic in a comparison
            }
            for member in ["effect", "reason", "rule"] {
                assert_eq!(answer[member], change[side][member], "{side} {change}");
            }
        }
    }
}

#[test]
fn a_comparison_for_one_customer_leaves_the_others_out() {
    let folder = Folder::new();
    let policy = |customers: &str| {
        format!(
            "policy = 1\n[identity]\ncustomer = \"customer_name\"\n[[rule]]\nid = \"a\"\neffect = \"allow\"\n\
             hosts = [\"a.example\"]\ncustomers = [{customers}]\n"
        )
    };
    folder.write("old.toml", policy("\"acme\""));
    folder.write("new.toml", policy("\"acme\", \"beta-*\""));
    let acme = folder.run(&["diff", "old.toml", "new.toml", "--customer", "acme"]).ends(0);
    assert_eq!(acme.stdout, "no difference\n");
    let beta = folder.run(&["diff", "old.toml", "new.toml", "--customer", "beta-7"]).ends(0);
    assert!(beta.stdout.contains("newly allowed: 1 region"), "{}", beta.stdout);
    assert!(beta.stdout.contains("of customer `beta-7`"), "{}", beta.stdout);
}

#[test]
fn a_customer_is_no_question_where_policies_know_none() {
    let folder = Folder::new();
    let policy = |host: &str| {
        format!("policy = 1\nidentity = \"none\"\n[[rule]]\nid = \"a\"\neffect = \"allow\"\nhosts = [\"{host}\"]\n")
    };
    folder.write("old.toml", policy("a.example"));
    folder.write("new.toml", policy("b.example"));
    folder.run(&["diff", "old.toml", "new.toml", "--customer", "acme"]).ends(3).says("know no customers", "leave");
    let run = folder.run(&["diff", "old.toml", "new.toml"]).ends(0);
    assert!(run.stdout.contains("newly allowed: 1 region"), "{}", run.stdout);
}

#[test]
fn what_a_rule_under_report_mode_records_is_part_of_the_difference() {
    let folder = Folder::new();
    let policy = "policy = 1\nmode = \"report\"\nidentity = \"none\"\n";
    folder.write("old.toml", policy);
    let rule = "[[rule]]\nid = \"no-evil\"\neffect = \"deny\"\ndomains = [\"evil.example\"]\n";
    folder.write("new.toml", format!("{policy}{rule}"));
    let run = folder.run(&["diff", "old.toml", "new.toml"]).ends(0);
    assert!(run.stdout.contains("`no-evil` is recorded"), "{}", run.stdout);
    // What the refused are told is no decision, and yet a difference.
    folder.write("told.toml", format!("{policy}{rule}reason = \"known for fraud\"\n"));
    let run = folder.run(&["diff", "new.toml", "told.toml", "--exit-code"]).ends(1);
    assert_eq!(run.stdout, "reason of `no-evil`: none → known for fraud\n");
}

#[test]
fn a_header_that_only_one_of_many_like_regions_loses_is_never_said_to_stay() {
    let folder = Folder::new();
    let header = "policy = 1\n[identity]\ncustomer = \"customer_name\"\n";
    let rule = |id: &str, hosts: &str, set: bool| {
        let set = if set { "set = { x-tenant = \"{customer}\" }\n" } else { "" };
        format!("[[rule]]\nid = \"{id}\"\neffect = \"allow\"\nhosts = [{hosts}]\n{set}")
    };
    let host = |n: usize| format!("\"a{n:02}.example\"");
    let shared: Vec<String> = (0..45).map(|n| rule(&format!("s{n}"), &host(n), true)).collect();
    let shared = format!("{}{}", shared.concat(), rule("w", "\"zz.example\"", false));
    let all: Vec<String> = (0..45).map(host).collect();
    let removed = rule("x", &format!("{}, \"zz.example\"", all.join(", ")), true);
    folder.write("old.toml", format!("{header}{shared}{removed}"));
    folder.write("new.toml", format!("{header}{shared}"));
    let run = folder.run(&["diff", "old.toml", "new.toml"]);
    assert!(!run.stdout.contains("no difference"), "{}", run.stdout);
}

#[test]
fn tags_that_the_policy_does_not_take_from_requests_change_nothing_of_what_is_reached() {
    let folder = Folder::new();
    folder.write(
        "policy.toml",
        "policy = 1\n[identity]\ncustomer = \"customer_name\"\n[customers.globex]\ntags = [\"paid\"]\n\
         [[rule]]\nid = \"paid\"\neffect = \"allow\"\ntags = [\"paid\"]\nhosts = [\"paid.example\"]\n\
         [[rule]]\nid = \"all\"\neffect = \"allow\"\nhosts = [\"api.example\"]\n",
    );
    let run = folder.run(&["reach", "--policy", "policy.toml", "--customer", "acme", "--tag", "paid"]).ends(0);
    assert!(run.stdout.starts_with("all ("), "{}", run.stdout);
    let globex = folder.run(&["reach", "--policy", "policy.toml", "--customer", "globex"]).ends(0);
    assert!(globex.stdout.starts_with("paid ("), "{}", globex.stdout);
}

#[test]
fn what_could_not_be_decided_is_named_and_no_success() {
    let folder = Folder::new();
    // Which names a share of a hundredth of a percent takes in is known only by trying.
    let policy = |percent: &str| {
        format!(
            "policy = 1\nmode = \"report\"\nenforce-for = [{{ customers = [\"*x\"], percent = {percent} }}]\n\
             [identity]\ncustomer = \"customer_name\"\n"
        )
    };
    folder.write("old.toml", policy("0.01"));
    folder.write("new.toml", policy("0.02"));
    let run = folder.run(&["diff", "old.toml", "new.toml"]).ends(3);
    assert!(!run.stdout.contains("no difference"), "{}", run.stdout);
    run.says("undecided: ", "--budget");
}

#[test]
fn where_a_customer_can_go_is_listed_by_rule_with_what_is_sent() {
    let folder = folder();
    let run = folder.run(&["reach", "--policy", "new.toml", "--customer", "acme", "--at", "2026-11-22"]).ends(0);
    insta::assert_snapshot!("reach", format!("{}\n{}", run.stdout, run.stderr));
    let tagless = folder.run(&["reach", "--policy", "new.toml", "--tag", "free"]).ends(0);
    assert!(!tagless.stdout.contains("partner"), "{}", tagless.stdout);
    let json = folder.run(&["reach", "--policy", "new.toml", "--format", "json"]).ends(0);
    assert!(json.stdout.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{}", json.stdout);
}

#[test]
fn what_goes_out_by_default_is_part_of_what_is_reached() {
    let folder = Folder::new();
    folder.write("open.toml", "policy = 1\ndefault = \"allow\"\nidentity = \"none\"\n");
    let run = folder.run(&["reach", "--policy", "open.toml"]).ends(0);
    assert!(run.stdout.contains("anything else that no rule denies, by the default"), "{}", run.stdout);
    folder.write("closed.toml", "policy = 1\nidentity = \"none\"\n");
    assert_eq!(folder.run(&["reach", "--policy", "closed.toml"]).ends(0).stdout, "nothing\n");
    folder.run(&["reach", "--policy", "closed.toml", "--customer", "acme"]).ends(3).says("knows no customers", "leave");
}
