//! Whatever stands in a log, a proposal is a policy, and allows what it was made from.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tidegate_compiler::Output;
use tidegate_compiler::diagnostic::Severity;
use tidegate_differential::Folder;
use tidegate_engine::canonical::{PathReading, Scheme};
use tidegate_engine::{Effect, Target};
use tidegate_test::request::Request;

use super::evidence::Taken;
use super::*;
use crate::log::Record;
use crate::replay::{Judge, Judged, Outcome, Question, Tables, Verdict};

/// What somebody writes who wants to write into the proposal.
const HARM: [&str; 19] = [
    "*",
    "a*",
    "acme\"]\n[[rule]]\nid = \"x",
    "a\\",
    "a\"b",
    "# x",
    "a\r\nb = 1",
    "\u{85}x = 1",
    "\u{2028}x = 1",
    "\u{202e}x",
    "\u{0}",
    "'''",
    "\"\"\"",
    "{customer}",
    "{{",
    "zoë",
    "../..",
    "x y",
    "",
];

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![3 => select(HARM.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

fn host() -> impl Strategy<Value = String> {
    let odd = vec!["10.0.0.1", "[::1]", "localhost", "a.internal", "github.io", "xn--zo-jma.example"];
    prop_oneof![
        8 => r"(a|b|c|d|e|x_1)\.(x|y)\.(example|co\.uk|github\.io)",
        2 => r"(x|y)\.example",
        1 => select(odd).prop_map(str::to_owned),
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "(/(v1|users|[0-9]{1,3}|me|[a-f0-9]{12}|)){1,4}",
        1 => "/[a-z]{2}/x",
        1 => r#"/(\*\*|a\*b|%2f|%25|%5c|;|\.\.;|%zz|'|"|#|\[|%0a|é){1,3}(/x)?"#,
        1 => hostile().prop_map(|text| format!("/{text}")),
        1 => "/([a-z]{1,60}/){1,20}",
    ]
}

fn customer() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        6 => select(vec!["acme", "globex"]).prop_map(|name| Some(name.to_owned())),
        1 => hostile().prop_map(Some),
        1 => Just(None),
    ]
}

fn method() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        8 => select(vec!["GET", "POST", "DELETE"]),
        1 => select(vec!["*", "TRACE", "A*B", "G T", "\"]\nx = 1", "a!#$%&'+-.^_`|~", ""]),
    ]
}

fn decision() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(json!({"effect": "allow", "reason": "default", "enforced": false})),
        4 => Just(json!({"effect": "deny", "reason": "default"})),
        1 => Just(json!({"effect": "deny", "reason": "special-host"})),
        1 => Just(json!({"effect": "allow", "reason": "rule", "rule": "api"})),
        1 => Just(json!({"effect": "allow", "reason": "default", "enforced": false, "would_deny": ["no\n[[rule]]"]})),
        1 => Just(json!({"effect": "deny", "reason": "rule", "rule": "no-malware"})),
        1 => Just(json!({"effect": "deny", "reason": "unknown-customer"})),
    ]
}

/// A decision record, as the outbound Worker would write it.
fn record() -> impl Strategy<Value = Value> {
    let origin = select(vec![("https", ""), ("https", ""), ("https", ""), ("http", ""), ("https", ":8443"), ("", "")]);
    let tags = select(vec![json!(null), json!([]), json!(["paid"]), json!(["paid", "a\"b"])]);
    (host(), path(), customer(), method(), decision(), origin, tags, any::<bool>()).prop_filter_map(
        "no URL",
        |(host, path, customer, method, decision, (scheme, port), tags, upgrade)| {
            let assumed = if scheme.is_empty() { "https" } else { scheme };
            let target = Target::parse(&format!("{assumed}://{host}{port}{path}")).ok()?;
            let mut record = json!({"at": 7, "customer": customer, "tags": tags, "method": method,
                "host": target.host().as_str(), "path": target.path(),
                "ambiguous": target.path_reading() == PathReading::Ambiguous});
            let object = record.as_object_mut()?;
            object.extend(decision.as_object()?.clone());
            if !scheme.is_empty() {
                let scheme = if target.scheme() == Scheme::Http { "http" } else { "https" };
                object
                    .extend(json!({"scheme": scheme, "port": target.port(), "upgrade": upgrade}).as_object()?.clone());
            }
            Some(record)
        },
    )
}

fn compile(text: &str) -> Result<Output, String> {
    let compilation = Folder::new().unwrap().compile(text, &BTreeMap::new()).unwrap();
    let errors = compilation.diagnostics.iter().filter(|finding| finding.severity == Severity::Error);
    let errors: Vec<_> = errors.map(|finding| finding.message.clone()).collect();
    compilation.output.ok_or_else(|| format!("{errors:?}\n{text}"))
}

/// A policy that the proposal joins.
const CURRENT: &str = r#"
policy = 1
identity = { customer = "params.customer", tags = "params.tags" }
[[rule]]
id = "a-x-example"
effect = "deny"
hosts = ["a.x.example"]
"#;

fn asked(record: &Record) -> Asked<'_> {
    Asked {
        at: record.at,
        customer: record.customer.as_deref(),
        tags: record.tags.as_deref(),
        method: record.method.as_deref().unwrap(),
        place: record.place.as_ref().unwrap(),
        upgrade: record.upgrade,
        would_deny: &record.would_deny,
    }
}

/// What was asked, in full.
fn request(record: &Record) -> Request {
    let upgrade = || vec![("upgrade".to_owned(), "websocket".to_owned())];
    Request {
        method: record.method.clone().unwrap(),
        url: record.place.as_ref().unwrap().url(),
        customer: record.customer.clone(),
        tags: record.tags.clone(),
        vars: Some(Vec::new()),
        headers: if record.upgrade { upgrade() } else { Vec::new() },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_proposed_is_allowed(
        objects in prop::collection::vec(record(), 1..50),
        at_least in 2_usize..5,
        scope in select(vec![Scope::Everybody, Scope::Customers, Scope::Tags]),
    ) {
        let current = (scope == Scope::Tags).then(|| Tables::new(compile(CURRENT).unwrap()));
        let policy = current.as_ref().map(Tables::policy);
        let mut evidence = Evidence::new(scope, policy.is_none());
        let (mut proposed, mut denied) = (Vec::new(), 0);
        for object in objects {
            let record = Record::read(object, None).unwrap();
            let taken = evidence.take(&asked(&record), &Verdict::of_record(&record));
            prop_assert_eq!(taken == Taken::NotDenied, record.effect == Effect::Allow && record.enforced);
            denied += u64::from(taken != Taken::NotDenied);
            if taken == Taken::In {
                proposed.push(request(&record));
            }
        }
        prop_assert_eq!(evidence.denied, denied);
        let Suggestion { toml, rules } = suggestion(evidence, "log\n[[rule]]", policy, at_least);
        let output = compile(&toml).map_err(TestCaseError::fail)?;
        prop_assert_eq!(output.policy.rules.len(), rules, "{}", toml);
        prop_assert_eq!(rules > 0, !proposed.is_empty());
        for rule in &output.policy.rules {
            let named = &rule.condition;
            prop_assert!(named.hosts.is_some() && named.methods.is_some() && named.paths.is_some(), "{}", rule.id);
            prop_assert!(rule.id != "a-x-example" || policy.is_none());
        }
        let tables = Tables::new(output);
        let mut judge = Judge::new(&tables).unwrap();
        for request in proposed {
            let question = Question::of_request(request);
            let judged = judge.judge(&question, 7).unwrap();
            let is_allowed = matches!(&judged, Judged::Certain(verdict) if verdict.outcome == Outcome::Allowed);
            prop_assert!(is_allowed, "{:?}\n{:?}\n{}", question, judged, toml);
        }
    }
}

#[test]
fn tenants_who_ask_for_anything_at_all_make_no_end_of_rules() {
    let mut evidence = Evidence::new(Scope::Everybody, true);
    for number in 0..30_000 {
        let object = json!({"customer": format!("c{number}"), "method": format!("M{}", number % 100),
            "scheme": "https", "port": 443, "host": format!("h{number}.d{}.example", number % 5_000),
            "path": format!("/p{number}/{number}/x"), "effect": "deny", "reason": "default"});
        let record = Record::read(object, None).unwrap();
        evidence.take(&asked(&record), &Verdict::of_record(&record));
    }
    let left: u64 = evidence.left_out.values().sum();
    assert!(left > 20_000 && evidence.sites.len() == 2_000, "{left}");
    let proposal = suggestion(evidence, "log", None, 5);
    assert!(proposal.toml.contains("there are too many hosts to tell apart"));
}
