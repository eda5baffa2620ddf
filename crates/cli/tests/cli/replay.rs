//! `tidegate replay`.

use serde_json::{Value, json};

use crate::support::{Folder, Run};

/// In force when the log was written, in report mode.
const OLD: &str = r#"
policy = 1
mode   = "report"

[identity]
customer = "customer_name"
tags     = "customer_tags"

[[rule]]
id     = "no-admin"
effect = "deny"
hosts  = ["api.example.com"]
paths  = ["/admin/**"]

[[rule]]
id     = "api"
effect = "allow"
hosts  = ["api.example.com"]
"#;

/// To be tried.
const NEW: &str = r#"
policy = 1

[identity]
customer = "customer_name"
tags     = "customer_tags"

[[rule]]
id     = "no-admin"
effect = "deny"
hosts  = ["api.example.com"]
paths  = ["/admin/**"]

[[rule]]
id     = "api-v1"
effect = "allow"
hosts  = ["api.example.com"]
paths  = ["/v1/**"]

[[rule]]
id      = "billing"
effect  = "allow"
tags    = ["paid"]
hosts   = ["billing.example.com"]
expires = 2026-12-01

[[rule]]
id      = "preview"
effect  = "allow"
hosts   = ["preview.example.com"]
headers = { x-preview = "on" }
"#;

/// 2026-11-22T00:55:40Z.
const AT: i64 = 1_795_308_940;

fn record(customer: &str, host: &str, path: &str, decision: &Value) -> Value {
    let mut record = json!({"event": "decision", "at": AT, "decision": "5e0c1f3a", "policy": "9f86d0", "mode": "report",
        "customer": customer, "tags": ["paid"], "method": "GET", "scheme": "https", "host": host, "port": 443,
        "path": path, "effect": "allow", "reason": "rule", "rule": "api", "rules": ["api"], "enforced": true,
        "would_deny": [], "would_allow": [], "isolate": "c3b1"});
    record.as_object_mut().unwrap().extend(decision.as_object().unwrap().clone());
    record
}

fn waived() -> Value {
    json!({"reason": "default", "rule": null, "rules": [], "enforced": false})
}

/// A folder with both policies and a log of every kind of line.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("old.toml", OLD);
    folder.write("new.toml", NEW);
    let tail = json!({"scriptName": "gate", "eventTimestamp": AT * 1000, "outcome": "ok", "event": {"request": {}},
        "logs": [{"level": "log", "timestamp": AT * 1000, "message": [
            record("globex", "api.example.com", "/v2/x", &json!({})).to_string()]}]});
    let logpush = json!({"ScriptName": "gate", "EventTimestampMs": AT * 1000, "Event": {}, "DispatchNamespace": "",
        "Logs": [{"Level": "log", "TimestampMs": AT * 1000, "Message": [
            record("acme", "billing.example.com", "/", &waived()).to_string()]}]});
    let forged = json!({"scriptName": "evil", "dispatchNamespace": "customers",
        "logs": [{"message": [record("acme", "evil.example", "/", &waived()).to_string()]}]});
    let denied = json!({"effect": "deny", "reason": "default", "rule": null, "rules": []});
    let mut dev = record("acme", "billing.example.com", "/v1", &denied);
    dev["worker"] = json!("tidegate-outbound");
    let lines = [
        record("acme", "api.example.com", "/v1/x", &json!({})).to_string(),
        record("acme", "api.example.com", "/v2/x", &json!({})).to_string(),
        record("acme", "api.example.com", "/v2/x", &json!({})).to_string(),
        record("acme", "api.example.com", "/v2/y", &json!({})).to_string(),
        serde_json::to_string_pretty(&tail).unwrap(),
        logpush.to_string(),
        forged.to_string(),
        dev.to_string(),
        record("acme", "preview.example.com", "/", &waived()).to_string(),
        record("acme", "other.example.com", "/", &waived()).to_string(),
        record("acme", "api.example.com", "/admin/x", &json!({"enforced": false, "would_deny": ["no-admin"]}))
            .to_string(),
        record("acme", "x", "/", &json!({"host": null, "path": null, "effect": "deny", "reason": "invalid-request"}))
            .to_string(),
        r#"{"event":"upstream-failed","decision":"5e0c1f3a"}"#.to_owned(),
        String::new(),
    ];
    folder.write("log.jsonl", lines.join("\n"));
    folder
}

fn replay(folder: &Folder, args: &[&str]) -> Run {
    folder.run(&[&["replay", "log.jsonl", "--policy", "new.toml"], args].concat())
}

/// Change, count, verdict before and after.
fn groups(run: &Run) -> Vec<String> {
    let told = run.json();
    let verdict = |verdict: &Value| match verdict {
        Value::Null => "?".to_owned(),
        _ => [&verdict["effect"], &verdict["reason"], &verdict["rule"]]
            .iter()
            .filter_map(|part| part.as_str())
            .collect::<Vec<_>>()
            .join(" "),
    };
    let of_group = |group: &Value| {
        let (before, after) = (verdict(&group["before"]), verdict(&group["after"]));
        format!("{} {}: {before} -> {after}", group["change"].as_str().unwrap(), group["count"])
    };
    told.iter().filter(|line| line["kind"] == "group").map(of_group).collect()
}

#[test]
fn people_read_what_would_change_for_whom() {
    let run = replay(&folder(), &[]).ends(0);
    insta::assert_snapshot!("changes", format!("{}---\n{}", run.stdout, run.stderr));
}

#[test]
fn programs_read_a_group_a_line_and_the_sum() {
    let run = replay(&folder(), &["--format", "json"]).ends(0);
    assert_eq!(
        groups(&run),
        [
            "newly-denied 4: allow rule api -> deny default",
            "newly-denied 1: allow default -> deny default",
            "newly-denied 1: allow rule no-admin -> deny rule no-admin",
            "newly-allowed 1: deny default -> allow rule billing",
            "no-longer-reported 1: allow default -> allow rule billing",
            "other-rule 1: allow rule api -> allow rule api-v1",
            "undecided 1: allow default -> ?",
        ]
    );
    let told = run.json();
    assert_eq!(told[0]["customers"], json!([{"customer": "acme", "count": 3}, {"customer": "globex", "count": 1}]));
    assert_eq!(
        told[0]["samples"],
        json!([
            {"customer": "acme", "method": "GET", "url": "https://api.example.com/v2/x"},
            {"customer": "acme", "method": "GET", "url": "https://api.example.com/v2/y"},
        ])
    );
    assert_eq!(told[6]["why"], "rule `preview` looks at the header `x-preview`, and records hold none");
    assert_eq!(
        told[7],
        json!({"kind": "summary", "requests": 11, "unchanged": 1, "ungrouped": 0, "without_time": 0,
            "other_entries": 2, "unreadable": 0, "first_unreadable": [],
            "changes": {"newly-denied": 6, "newly-allowed": 1, "newly-reported": 0, "no-longer-reported": 1,
                "other-rule": 1, "undecided": 1}})
    );
}

#[test]
fn each_record_is_judged_as_of_its_own_day() {
    let folder = folder();
    let allowed = |args: &[&str]| {
        let run = replay(&folder, &[args, &["--format", "json"]].concat()).ends(0);
        groups(&run).iter().any(|group| group.contains("rule billing"))
    };
    assert!(allowed(&[]));
    assert!(allowed(&["--at", "2026-11-30T23:59:59Z"]));
    assert!(!allowed(&["--at", "2026-12-01"]));
}

#[test]
fn requests_are_compared_under_two_policies() {
    let folder = folder();
    let requests = [
        r#"{"url":"https://api.example.com/v1/x?token=s3cret","customer":"acme","tags":[]}"#,
        r#"{"url":"https://user:s3cret@api.example.com/v2/x?token=s3cret","customer":"acme","tags":[]}"#,
        r#"{"url":"https://preview.example.com/","customer":"acme","tags":[],"headers":{"X-Preview":"on"}}"#,
        r#"{"url":"https://preview.example.com/","customer":"acme","tags":[]}"#,
        r#"{"url":"https://preview.example.com/"}"#,
        r#"{"url":"nonsense","customer":"acme","tags":[]}"#,
    ];
    folder.write("requests.jsonl", requests.join("\n"));
    let args = ["replay", "requests.jsonl", "--policy", "new.toml", "--format", "json"];
    folder.run(&args).ends(2).says("line 1 of `requests.jsonl` is a request", "--against OLD");
    let run = folder.run(&[&args[..], &["--against", "old.toml"]].concat()).ends(0);
    assert_eq!(
        groups(&run),
        [
            "newly-denied 1: allow default -> deny default",
            "newly-denied 1: allow rule api -> deny default",
            "no-longer-reported 1: allow default -> allow rule preview",
            "other-rule 1: allow rule api -> allow rule api-v1",
        ]
    );
    assert_eq!(run.json()[4]["unchanged"], 2);
    assert!(!run.stdout.contains("s3cret"), "{}", run.stdout);
}

#[test]
fn records_can_be_compared_under_two_policies_as_well() {
    let run = replay(&folder(), &["--against", "new.toml", "--format", "json"]).ends(0);
    // What depends on a header is not known of either.
    assert_eq!(groups(&run), ["undecided 1: ? -> ?"]);
}

#[test]
fn a_record_of_the_same_policy_changes_nothing_whatever_it_lacks() {
    let folder = folder();
    let digest = folder
        .run(&["decide", "--policy", "new.toml", "--format", "json", "GET", "https://a.example/"])
        .json()[0]["policy"]
        .clone();
    let mut old = record("acme", "preview.example.com", "/", &json!({"rule": "preview", "policy": digest}));
    for name in ["scheme", "port", "tags"] {
        old.as_object_mut().unwrap().remove(name);
    }
    folder.write("log.jsonl", old.to_string());
    let run = replay(&folder, &["--format", "json", "--exit-code"]).ends(0);
    assert_eq!(run.json()[0]["unchanged"], 1);
    let later = replay(&folder, &["--format", "json", "--at", "2027-01-01"]).ends(0);
    assert_eq!(groups(&later), ["undecided 1: allow rule preview -> ?"]);
}

#[test]
fn the_exit_code_says_whether_anything_changes() {
    let folder = folder();
    replay(&folder, &["--exit-code"]).ends(1);
    folder.write("log.jsonl", record("acme", "api.example.com", "/v1/x", &json!({"rule": "api-v1"})).to_string());
    replay(&folder, &["--exit-code"]).ends(0);
    folder.write("log.jsonl", record("acme", "preview.example.com", "/", &waived()).to_string());
    replay(&folder, &["--exit-code"]).ends(3);
}

#[test]
fn one_worker_can_be_asked_for() {
    let folder = folder();
    let count = |worker: &str| {
        replay(&folder, &["--format", "json", "--worker", worker]).ends(0).json().last().unwrap()["requests"].clone()
    };
    // Bare records do not say who wrote them.
    assert_eq!((count("gate"), count("other")), (json!(10), json!(8)));
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_replayed() {
    let folder = folder();
    let mut log = folder.read("log.jsonl");
    log.extend_from_slice(b"\nnonsense \x1b[31m\n{\"url\":\"\xff\"}\n\0\n");
    log.extend_from_slice(format!("{}1{}\n", r#"{"a":"#.repeat(5_000), "}".repeat(5_000)).as_bytes());
    log.extend_from_slice(format!("{}\n", "x".repeat(5 << 20)).as_bytes());
    log.extend_from_slice(br#"{"event":"decision","effect":"allow","reason":"rule","method":"GET","host":"a.example\n[[rule]]","path":"/"}"#);
    folder.write("log.jsonl", log);
    let run = replay(&folder, &["--format", "json"]).ends(3);
    assert_eq!(groups(&run).len(), 7, "the rest is there");
    let summary = &run.json()[7];
    assert_eq!((&summary["requests"], &summary["unreadable"]), (&json!(11), &json!(6)));
    assert_eq!(summary["first_unreadable"].as_array().unwrap().len(), 5);
    assert!(run.stderr.contains("log.jsonl:") && run.stderr.contains("6 entries of `log.jsonl` cannot be read"));
    assert!(!run.stderr.contains('\u{1b}'));
}

#[test]
fn names_that_tenants_chose_are_shown_as_text() {
    let folder = folder();
    folder.write("log.jsonl", record("\u{1b}[31macme\n\u{9b}2J", "api.example.com", "/v2", &json!({})).to_string());
    let run = replay(&folder, &[]).ends(0);
    assert!(!run.stdout.contains(['\u{1b}', '\u{9b}']), "{}", run.stdout);
    assert_eq!(run.stdout.lines().count(), 3, "{}", run.stdout);
}

#[test]
fn what_there_is_nothing_to_say_about_is_said() {
    let folder = folder();
    folder.write("log.jsonl", "\n{\"event\":\"ready\"}\n");
    let run = replay(&folder, &[]).ends(3);
    assert!(run.stderr.contains("holds no decision record and no request"), "{}", run.stderr);
    folder
        .run(&["replay", "absent.jsonl", "--policy", "new.toml"])
        .ends(3)
        .says("cannot read `absent.jsonl`", "spelling");
    folder.write("new.toml", "bogus = 1\n");
    replay(&folder, &[]).ends(1).says("error[unknown-key]", "does not compile");
}

#[test]
fn stdin_is_a_log_too() {
    let folder = folder();
    let log = folder.read("log.jsonl");
    let run = folder.run_with_input(&["replay", "-", "--policy", "new.toml", "--format", "json"], &log).ends(0);
    assert_eq!(groups(&run).len(), 7);
}
