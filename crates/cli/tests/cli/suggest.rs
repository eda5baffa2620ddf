//! `tidegate suggest`.

use serde_json::{Value, json};

use crate::support::{Folder, Run};

/// In force when the log was written.
const CURRENT: &str = r#"
policy = 1
mode   = "report"

[identity]
customer = "customer_name"
tags     = "customer_tags"

[[rule]]
id     = "no-malware"
effect = "deny"
hosts  = ["bad.example"]

[[rule]]
id     = "api-example-com"
effect = "allow"
hosts  = ["api.example.com"]
paths  = ["/v1/**"]
"#;

/// 2026-11-22T00:55:40Z.
const AT: i64 = 1_795_308_940;

/// A denial that report mode waived.
fn denied(customer: &str, method: &str, host: &str, path: &str) -> Value {
    json!({"event": "decision", "at": AT, "decision": "5e0c1f3a", "policy": "9f86d0", "mode": "report",
        "customer": customer, "tags": if customer == "acme" { json!(["paid"]) } else { json!([]) }, "method": method,
        "scheme": "https", "host": host, "port": 443, "path": path, "effect": "allow", "reason": "default", "rule": null,
        "rules": [], "enforced": false, "would_deny": [], "would_allow": [], "isolate": "c3b1"})
}

fn but(mut record: Value, changes: &Value) -> Value {
    record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    record
}

fn log() -> Vec<Value> {
    let mut log = vec![
        denied("acme", "GET", "api.example.com", "/users/17"),
        denied("acme", "GET", "api.example.com", "/users/42"),
        denied("globex", "POST", "api.example.com", "/users/42/keys"),
        but(denied("acme", "GET", "api.example.com", "/v1/x"), &json!({"at": AT + 3600})),
        but(denied("acme", "GET", "ws.example.com", "/live"), &json!({"upgrade": true})),
        but(denied("acme", "GET", "plain.example.com", "/"), &json!({"scheme": "http", "port": 8080})),
        denied("acme", "GET", "registry.npmjs.org", "/@scope%2Fname"),
        but(denied("acme", "GET", "registry.npmjs.org", "/a//b"), &json!({"ambiguous": true})),
        but(denied("globex", "GET", "bad.example", "/x"), &json!({"would_deny": ["no-malware"]})),
        but(
            denied("globex", "GET", "10.0.0.1", "/"),
            &json!({"effect": "deny", "reason": "special-host", "enforced": true}),
        ),
        but(
            denied("acme", "GET", "api.example.com", "/v1/y"),
            &json!({"reason": "rule", "rule": "api-example-com", "enforced": true}),
        ),
        but(
            denied("x", "GET", "a.example", "/"),
            &json!({"effect": "deny", "reason": "unknown-customer", "customer": null, "tags": null, "enforced": true}),
        ),
    ];
    for shop in ["one", "two", "three"] {
        log.push(denied("acme", "GET", &format!("{shop}.shops.example"), "/"));
    }
    log
}

fn folder(log: &[Value]) -> Folder {
    let folder = Folder::new();
    folder.write("current.toml", CURRENT);
    folder.write("log.jsonl", log.iter().map(Value::to_string).collect::<Vec<_>>().join("\n") + "\n");
    folder
}

fn suggest(folder: &Folder, args: &[&str]) -> Run {
    folder.run(&[&["suggest", "log.jsonl"], args].concat())
}

#[test]
fn a_proposal_is_as_narrow_as_what_was_seen_and_says_why() {
    let run = suggest(&folder(&log()), &["--policy", "current.toml", "--fold", "3"]).ends(0);
    insta::assert_snapshot!("proposal", format!("{}---\n{}", run.stdout, run.stderr));
}

#[test]
fn a_proposal_passes_check_and_allows_what_it_was_made_from() {
    for args in [&[][..], &["--fold", "2"], &["--by", "customer"], &["--by", "tag", "--policy", "current.toml"]] {
        let folder = folder(&log());
        let run = suggest(&folder, args).ends(0);
        folder.write("suggested.toml", &run.stdout);
        folder.run(&["check", "suggested.toml"]).ends(0);
        let replay = ["replay", "log.jsonl", "--policy", "suggested.toml", "--format", "json"];
        let told = folder.run(&replay).ends(0).json();
        let summary = told.last().unwrap();
        assert_eq!(
            summary["changes"]["no-longer-reported"],
            if args.contains(&"tag") { 9 } else { 10 },
            "{run:?}",
            run = run.stdout
        );
        assert_eq!(summary["changes"]["newly-allowed"], 0, "nothing that was refused for another reason");
    }
}

#[test]
fn a_proposal_can_be_taken_over_by_extends() {
    let folder = folder(&log());
    let run = suggest(&folder, &["--policy", "current.toml"]).ends(0);
    folder.write("suggested.toml", &run.stdout);
    folder.write("next.toml", CURRENT.replacen("policy = 1", "policy = 1\nextends = [\"suggested.toml\"]", 1));
    folder.run(&["check", "next.toml"]).ends(0);
    let args = ["replay", "log.jsonl", "--policy", "next.toml", "--format", "json"];
    let told = folder.run(&args).ends(0).json();
    assert_eq!(told.last().unwrap()["changes"]["no-longer-reported"], 10);
}

#[test]
fn a_rule_can_be_for_those_who_asked() {
    let rules = |args: &[&str]| -> Vec<String> {
        let text = suggest(&folder(&log()), args).ends(0).stdout;
        let lines = text.lines().filter(|line| line.starts_with("customers") || line.starts_with("tags "));
        lines.map(|line| line.split_once("= ").unwrap().1.to_owned()).collect()
    };
    assert_eq!(rules(&[]), [""; 0]);
    // Both ask `api.example.com`: nobody is left whom a rule for it could leave out.
    assert_eq!(rules(&["--by", "customer"]), [r#"["acme"]"#; 6]);
    let by_tag = rules(&["--by", "tag", "--policy", "current.toml"]);
    assert!(by_tag.contains(&r#"["paid"]"#.to_owned()), "{by_tag:?}");
}

#[test]
fn requests_are_judged_by_the_policy_that_the_rules_will_join() {
    let folder = folder(&[]);
    folder.write(
        "log.jsonl",
        concat!(
            r#"{"url":"https://api.example.com/v1/x?k=s3cret","customer":"acme","tags":[]}"#,
            "\n",
            r#"{"url":"https://new.example.com/x?k=s3cret","customer":"acme","tags":[]}"#,
        ),
    );
    suggest(&folder, &[]).ends(2).says("line 1 of `log.jsonl` is a request", "--policy CURRENT");
    let run = suggest(&folder, &["--policy", "current.toml"]).ends(0);
    assert!(run.stdout.contains("hosts     = [\"new.example.com\"]") && !run.stdout.contains("api.example.com"));
    assert!(!run.stdout.contains("s3cret"), "{}", run.stdout);
}

#[test]
fn a_policy_without_customers_gets_rules_without_customers() {
    let nobody = but(denied("x", "GET", "a.example.com", "/"), &json!({"customer": null, "tags": null}));
    let folder = folder(&[nobody]);
    folder.write("none.toml", "policy = 1\nidentity = \"none\"\n");
    for args in [&[][..], &["--policy", "none.toml"]] {
        let run = suggest(&folder, args).ends(0);
        assert!(run.stdout.contains("\nidentity = \"none\"\n"), "{}", run.stdout);
        folder.write("suggested.toml", &run.stdout);
        let told =
            folder.run(&["replay", "log.jsonl", "--policy", "suggested.toml", "--format", "json"]).ends(0).json();
        assert_eq!(told.last().unwrap()["changes"]["no-longer-reported"], 1);
    }
    suggest(&folder, &["--policy", "none.toml", "--by", "customer"])
        .ends(2)
        .says("identity = \"none\"", "leave `--by` out");
    suggest(&folder, &["--by", "tag"]).ends(2).says("needs a policy whose requests have tags", "--policy");
    suggest(&folder, &["--fold", "1"]).ends(2);
}

#[test]
fn nothing_in_a_log_can_write_a_rule() {
    let evil = "\"]\n[[rule]]\nid = \"evil\"\neffect = \"allow\"\nhosts = [\"**\"]\n#";
    let folder = folder(&[
        denied(evil, "GET", "a.example.com", "/x"),
        but(denied("acme\u{85}[[rule]]", "GET", "a.example.com", "/x"), &json!({"tags": [evil]})),
        but(denied("acme", "GET", "a.example.com", "/x"), &json!({"would_deny": [evil]})),
        but(denied("acme", evil, "a.example.com", "/x"), &json!({})),
        but(denied("acme", "GET", "a.example.com", "/x"), &json!({"effect": "deny", "reason": "rule", "rule": evil})),
        denied("\"] [[rule]] #\u{202e}", "GET", "a.example.com", "/x"),
        denied("acme", "GET", "a.example.com", "/x';%22"),
    ]);
    let run = suggest(&folder, &["--by", "customer"]).ends(0);
    let table: toml::Table = run.stdout.parse().unwrap();
    let ids: Vec<_> = table["rule"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a-example-com"], "{}", run.stdout);
    assert!(!run.stdout.contains(['\u{85}', '\r']));
    for line in run.stdout.lines() {
        assert!(line.starts_with('#') || !line.contains("evil"), "{line}");
    }
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_proposed() {
    let folder = folder(&[denied("acme", "GET", "a.example.com", "/x")]);
    let mut log = folder.read("log.jsonl");
    log.extend_from_slice(b"nonsense \x1b[31m\n{\"url\":\"\xff\"}\n\0\n");
    log.extend_from_slice(format!("{}1{}\n", r#"{"a":"#.repeat(5_000), "}".repeat(5_000)).as_bytes());
    log.extend_from_slice(format!("{}\n", "x".repeat(5 << 20)).as_bytes());
    folder.write("log.jsonl", log);
    let run = suggest(&folder, &[]).ends(3);
    assert!(run.stdout.contains("a.example.com"));
    assert!(run.stderr.contains("5 entries of `log.jsonl` cannot be read") && !run.stderr.contains('\u{1b}'));

    folder.write("log.jsonl", "\n");
    let run = suggest(&folder, &[]).ends(3);
    assert!(run.stderr.contains("holds no decision record and no request"));
    folder.run(&["suggest", "absent.jsonl"]).ends(3).says("cannot read `absent.jsonl`", "spelling");
}

#[test]
fn programs_read_one_object() {
    let told = &suggest(&folder(&log()), &["--format", "json"]).ends(0).json()[0];
    assert_eq!((&told["rules"], &told["denied"], &told["requests"]), (&json!(8), &json!(14), &json!(15)));
    assert!(told["toml"].as_str().unwrap().parse::<toml::Table>().is_ok());
}
