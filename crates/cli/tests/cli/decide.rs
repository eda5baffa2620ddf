//! `tidegate decide`.

use serde_json::{Value, json};

use crate::support::{Folder, Run};

fn ask(folder: &Folder, args: &[&str]) -> Run {
    folder.run(&[&["decide", "--policy", "policy.toml", "--at", "2026-11-22"], args].concat())
}

#[test]
fn the_answer_has_the_shape_that_scripts_hold() {
    let folder = Folder::with_policy();
    let args = ["--customer", "acme", "POST", "https://API.example.com./v1?q#f", "--format", "json"];
    let run = ask(&folder, &args).ends(0);
    let digest = run.json()[0]["policy"].as_str().unwrap().to_owned();
    assert_eq!(digest.len(), 64);
    // The order of the fields counts, too.
    assert_eq!(
        run.stdout,
        format!(
            concat!(
                r#"{{"id":null,"effect":"allow","reason":"rule","rule":"api","rules":["api"],"#,
                r#""url":"https://api.example.com/v1?q","mode":"enforce","enforced":true,"would_deny":[],"would_allow":[],"#,
                r#""set":{{"x-api-key":"<secret:API_KEY>","x-tenant":"acme"}},"remove":["x-debug"],"#,
                r#""jwt":{{"key":"platform","kid":"2026-11","alg":"ES256","header":"authorization","scheme":"Bearer","#,
                r#""claims":{{"iss":"https://platform.example","sub":"acme","aud":"https://api.example.com","plan":"gold"}}}},"#,
                r#""policy":"{}"}}"#,
                "\n"
            ),
            digest
        )
    );
    assert_eq!(run.stderr, "");
}

#[test]
fn the_reference_interpreter_writes_the_same_answers_byte_for_byte() {
    let folder = Folder::with_policy();
    let requests = [
        r#"{"id":"allowed","method":"post","url":"https://API.example.com./v1?q#f","customer":"acme"}"#,
        r#"{"id":"no rule","url":"https://b.example/","customer":"acme"}"#,
        r#"{"id":"invalid","url":"ftp://api.example.com/","customer":"acme"}"#,
        r#"{"id":"nobody","url":"https://api.example.com/"}"#,
        r#"{"id":"special","url":"https://localhost/","customer":"acme"}"#,
        r#"{"id":"unreadable"}"#,
    ];
    folder.write("r.jsonl", requests.join("\n"));
    let table = ask(&folder, &["--requests", "r.jsonl", "--engine", "table"]).ends(3);
    let reference = ask(&folder, &["--requests", "r.jsonl", "--engine", "reference"]).ends(3);
    assert_eq!(table.stdout.lines().count(), requests.len());
    assert_eq!(table.stdout, reference.stdout);
}

#[test]
fn where_no_rule_decided_there_is_none() {
    let folder = Folder::with_policy();
    let answer =
        &ask(&folder, &["--customer", "acme", "GET", "https://b.example/", "--format", "json"]).ends(0).json()[0];
    assert_eq!(answer["reason"], "default");
    assert_eq!((&answer["rule"], &answer["rules"]), (&Value::Null, &json!([])));
    assert_eq!((&answer["set"], &answer["remove"], &answer["jwt"]), (&json!({}), &json!([]), &Value::Null));
}

#[test]
fn an_invalid_request_has_no_url() {
    let folder = Folder::with_policy();
    for request in
        [["GET", "ftp://api.example.com/"], ["TRACE", "https://api.example.com/"], ["G T", "https://a.example/"]]
    {
        let answer =
            &ask(&folder, &["--customer", "acme", "--format", "json", request[0], request[1]]).ends(0).json()[0];
        assert_eq!((&answer["reason"], &answer["url"]), (&json!("invalid-request"), &Value::Null), "{request:?}");
    }
}

#[test]
fn a_customer_without_tags_has_none_and_nobody_is_nobody() {
    let folder = Folder::with_policy();
    let reason = |args: &[&str]| {
        let args = [args, &["GET", "https://b.example/", "--format", "json"]].concat();
        ask(&folder, &args).ends(0).json()[0]["reason"].clone()
    };
    assert_eq!(reason(&["--customer", "acme"]), "default");
    assert_eq!(reason(&["--customer", "acme", "--tag", "a", "--tag", "b", "--var", "k=v"]), "default");
    assert_eq!(reason(&[]), "unknown-customer");
    assert_eq!(reason(&["--tag", "a"]), "unknown-customer");
    assert_eq!(reason(&["--customer", ""]), "unknown-customer");
}

#[test]
fn repeated_headers_are_one() {
    let folder = Folder::new();
    folder.write(
        "policy.toml",
        "policy = 1\nidentity = \"none\"\n[[rule]]\nid = \"a\"\neffect = \"allow\"\nheaders = { x-a = \"1, 2\" }\n",
    );
    let effect = |args: &[&str]| {
        let args = [args, &["GET", "https://b.example/", "--format", "json"]].concat();
        ask(&folder, &args).ends(0).json()[0]["effect"].clone()
    };
    assert_eq!(effect(&["--header", "x-a: 1", "--header", "X-A:2"]), "allow");
    assert_eq!(effect(&["--header", "x-a: 1"]), "deny");
}

#[test]
fn time_can_be_set_in_both_forms() {
    let folder = Folder::with_policy();
    folder.write("r.jsonl", r#"{"url":"https://campaign.example.com/","customer":"acme","tags":[]}"#);
    for (at, effect) in [
        ("2026-12-30", "allow"),
        ("2026-12-30T23:59:59Z", "allow"),
        ("2026-12-31", "deny"),
        ("2026-12-31T00:00:00Z", "deny"),
    ] {
        let one = ["--customer", "acme", "GET", "https://campaign.example.com/"];
        for form in [&one[..], &["--requests", "r.jsonl"]] {
            let args = [&["decide", "--policy", "policy.toml", "--at", at, "--format", "json"], form].concat();
            assert_eq!(folder.run(&args).ends(0).json()[0]["effect"], effect, "{args:?}");
        }
    }
}

#[test]
fn a_missed_expectation_exits_1() {
    let folder = Folder::with_policy();
    let one = |expect: &str| {
        let args = ["--customer", "acme", "--expect", expect, "--format", "json", "GET", "https://api.example.com/"];
        ask(&folder, &args)
    };
    one("allow").ends(0);
    let missed = one("deny").ends(1);
    assert_eq!(missed.json()[0]["effect"], "allow", "the answer is given all the same");
    assert_eq!(missed.stderr, "expected `deny`\n");

    folder.write("r.jsonl", "{\"url\":\"https://b.example/\"}\n{\"url\":\"x\"}\n");
    ask(&folder, &["--requests", "r.jsonl", "--expect", "deny"]).ends(0);
    let missed = ask(&folder, &["--requests", "r.jsonl", "--expect", "allow"]).ends(1);
    assert_eq!(missed.stderr, "2 of 2 decisions are not `allow`\n");
}

#[test]
fn request_lines_are_answered_one_by_one_in_their_order() {
    let folder = Folder::with_policy();
    let lines = [
        r#"{"id":"1","url":"https://api.example.com/","customer":"acme","tags":[]}"#,
        r#"{"id":2,"method":"DELETE","url":"https://api.example.com/x/admin","customer":"acme","tags":["paid"],"headers":{"k":"v"},"vars":{}}"#,
        r#"{"id":"no tags","url":"https://api.example.com/","customer":"acme"}"#,
        r#"{"url":"https://api.example.com/"}"#,
    ];
    for input in [lines.join("\n"), lines.join("\r\n") + "\r\n"] {
        folder.write("r.jsonl", &input);
        for run in [
            ask(&folder, &["--requests", "r.jsonl"]),
            folder.run_with_input(&["decide", "--policy", "policy.toml", "--requests", "-"], input.as_bytes()),
        ] {
            let answers = run.ends(0).json();
            let told: Vec<_> =
                answers.iter().map(|answer| json!([answer["id"], answer["effect"], answer["reason"]])).collect();
            assert_eq!(
                told,
                [
                    json!(["1", "allow", "rule"]),
                    json!([2, "deny", "rule"]),
                    json!(["no tags", "deny", "unknown-customer"]),
                    json!([null, "deny", "unknown-customer"]),
                ]
            );
        }
    }
}

#[test]
fn a_line_that_cannot_be_read_is_answered_in_its_place() {
    let folder = Folder::with_policy();
    let mut input = Vec::new();
    for line in [
        &br#"{"id":"a","url":"https://b.example/"}"#[..],
        b"not json",
        b"",
        br#"{"id":"b"}"#,
        b"{\"id\":\"c\",\"url\":\"\xff\"}",
        br#"{"id":"d","url":"https://b.example/","custmer":"acme"}"#,
        br#"{"id":"e","url":"https://b.example/"}"#,
    ] {
        input.extend_from_slice(line);
        input.push(b'\n');
    }
    folder.write("r.jsonl", input);
    let run = ask(&folder, &["--requests", "r.jsonl"]).ends(3);
    let answers = run.json();
    assert_eq!(answers.len(), 7);
    for (index, answer) in answers.iter().enumerate() {
        if [0, 6].contains(&index) {
            assert_eq!(answer["effect"], "deny");
        } else {
            let object = answer.as_object().unwrap();
            assert_eq!(object.keys().collect::<Vec<_>>(), ["error", "id"], "{answer}");
            assert_eq!(answer["id"], Value::Null);
            assert!(answer["error"].as_str().is_some_and(|error| !error.is_empty()));
        }
    }
    assert!(run.stdout.lines().nth(1).unwrap().starts_with(r#"{"id":null,"error":""#));
    assert!(run.stderr.contains("5 of 7 lines in `r.jsonl` cannot be read"));
}

#[test]
fn what_cannot_be_asked_is_named() {
    let folder = Folder::with_policy();
    ask(&folder, &["--requests", "absent.jsonl"]).ends(3).says("cannot read `absent.jsonl`", "spelling");
    ask(&folder, &["--requests", "."]).ends(3).says("is a directory", "name a file");
    folder.write("policy.toml", "bogus = 1\n");
    ask(&folder, &["GET", "https://b.example/"]).ends(1).says("error[unknown-key]", "does not compile");
}

#[test]
fn people_read_what_happens_and_why() {
    let folder = Folder::with_policy();
    let answers = [
        ["POST", "https://api.example.com/v1"],
        ["GET", "https://api.example.com/x/admin"],
        ["GET", "https://campaign.example.com/"],
        ["GET", "https://b.example/"],
        ["GET", "http://localhost:8080/"],
    ]
    .map(|[method, url]| ask(&folder, &["--customer", "acme", method, url]).ends(0).stdout);
    let digest = ask(&folder, &["GET", "https://b.example/", "--format", "json"]).json()[0]["policy"].clone();
    insta::assert_snapshot!("decisions", answers.join("\n").replace(digest.as_str().unwrap(), "<digest>"));
}

#[test]
fn variables_of_the_request_go_before_those_of_the_policy() {
    let folder = Folder::new();
    let policy = "policy = 1\n[identity]\nvars = \"customer_vars\"\n[customers.acme]\nvars = { plan = \"gold\", seats = \"12\" }\n\
                  [[rule]]\nid = \"api\"\neffect = \"allow\"\nhosts = [\"api.example.com\"]\n\
                  set = { x-plan = \"{vars.plan}\", x-seats = \"{vars.seats}\" }\n";
    folder.write("policy.toml", policy);
    let url = "https://api.example.com/";
    let set = |args: &[&str]| {
        let args = [&["--customer", "acme"], args, &["GET", url, "--format", "json"]].concat();
        let table = ask(&folder, &args).ends(0).stdout;
        assert_eq!(ask(&folder, &[&args[..], &["--engine", "reference"]].concat()).ends(0).stdout, table);
        serde_json::from_str::<Value>(&table).unwrap()["set"].clone()
    };
    assert_eq!(set(&[]), json!({ "x-plan": "gold", "x-seats": "12" }));
    assert_eq!(set(&["--var", "plan=a=b", "--var", "other="]), json!({ "x-plan": "a=b", "x-seats": "12" }));

    let line = |vars: &str| format!(r#"{{"url":"{url}","customer":"acme","vars":{vars}}}"#);
    folder.write("r.jsonl", [line(r#"{"plan":"free"}"#), line("{}"), line(r#"{"seats":12}"#)].join("\n"));
    let answers = ask(&folder, &["--requests", "r.jsonl"]).ends(0).json();
    let said: Vec<_> = answers.iter().map(|answer| (&answer["reason"], &answer["set"]["x-plan"])).collect();
    assert_eq!(
        json!(said),
        json!([["rule", "free"], ["rule", "gold"], ["unknown-customer", null]]),
        "what is no object of strings is no identity"
    );
}
