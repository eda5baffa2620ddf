//! What the language means, through the compiled table: one policy a test, many requests.

use crate::support::{NOW, Request, get, said, table};
use tidegate_engine::Policy;

/// Asserts on what each request comes to.
fn expect<'a>(policy: &str, cases: impl IntoIterator<Item = (Request<'a>, &'a str)>) {
    let bytes = table(policy);
    let policy = Policy::from_bytes(&bytes).unwrap();
    for (request, expected) in cases {
        assert_eq!(said(&request.judge(&policy)), expected, "{} {}", request.method, request.url);
    }
}

#[test]
fn names_reach_as_far_as_they_are_written_to() {
    let policy = r#"
        [[rule]]
        id = "domains"
        effect = "allow"
        domains = ["d.example"]
        [[rule]]
        id = "hosts"
        effect = "allow"
        hosts = ["h.example", "*.one.example", "**.many.example", "api-*.part.example"]
        [[rule]]
        id = "regex"
        effect = "allow"
        host-regex = ["r[0-9]+\\.example"]
    "#;
    expect(
        policy,
        [
            (get("https://d.example/"), "allow rule domains"),
            (get("https://a.b.d.example/"), "allow rule domains"),
            (get("https://xd.example/"), "deny default"),
            (get("https://dx.example/"), "deny default"),
            (get("https://h.example./"), "allow rule hosts"),
            (get("https://a.h.example/"), "deny default"),
            (get("https://a.one.example/"), "allow rule hosts"),
            (get("https://one.example/"), "deny default"),
            (get("https://a.b.one.example/"), "deny default"),
            (get("https://a.many.example/"), "allow rule hosts"),
            (get("https://a.b.many.example/"), "allow rule hosts"),
            (get("https://many.example/"), "deny default"),
            (get("https://api-7.part.example/"), "allow rule hosts"),
            (get("https://api-.part.example/"), "allow rule hosts"),
            (get("https://api.part.example/"), "deny default"),
            (get("https://r42.example/"), "allow rule regex"),
            (get("https://xr42.example/"), "deny default"),
            (get("https://r42.example.test/"), "deny default"),
        ],
    );
}

#[test]
fn an_allow_rule_that_says_nothing_means_https_on_its_own_port() {
    let policy = r#"
        [[rule]]
        id = "plain"
        effect = "allow"
        hosts = ["a.example"]
        [[rule]]
        id = "http-too"
        effect = "allow"
        hosts = ["b.example"]
        schemes = ["http", "https"]
        [[rule]]
        id = "odd-port"
        effect = "allow"
        hosts = ["c.example"]
        ports = [8443]
        [[rule]]
        id = "never"
        effect = "deny"
        hosts = ["d.example"]
    "#;
    expect(
        policy,
        [
            (get("https://a.example/"), "allow rule plain"),
            (get("wss://a.example/"), "allow rule plain"),
            (get("http://a.example/"), "deny default"),
            (get("https://a.example:8443/"), "deny default"),
            (get("http://b.example/"), "allow rule http-too"),
            (get("http://b.example:443/"), "deny default"),
            (get("https://c.example:8443/"), "allow rule odd-port"),
            (get("https://c.example/"), "deny default"),
            (get("http://d.example:99/"), "deny rule never"),
        ],
    );
}

#[test]
fn a_path_with_two_readings_is_allowed_by_nobody_and_denied_by_anybody() {
    let policy = r#"
        [[rule]]
        id = "public"
        effect = "allow"
        hosts = ["a.example"]
        paths = ["/public/**"]
        [[rule]]
        id = "secret"
        effect = "deny"
        hosts = ["b.example"]
        paths = ["/secret/**"]
        [[rule]]
        id = "all-of-b"
        effect = "allow"
        hosts = ["b.example"]
        [[rule]]
        id = "npm"
        effect = "allow"
        hosts = ["c.example"]
        paths = ["/@*%2F*"]
        encoded = "literal"
        [[rule]]
        id = "all-but"
        effect = "allow"
        hosts = ["d.example"]
        except = [{ paths = ["/secret/**"] }]
        [[rule]]
        id = "deny-but"
        effect = "deny"
        hosts = ["e.example"]
        except = [{ paths = ["/open/**"] }]
        [[rule]]
        id = "all-of-e"
        effect = "allow"
        hosts = ["e.example"]
    "#;
    expect(
        policy,
        [
            (get("https://a.example/public/x"), "allow rule public"),
            (get("https://a.example/%70ublic/x"), "allow rule public"),
            (get("https://a.example/public/"), "allow rule public"),
            (get("https://a.example/public"), "deny default"),
            (get("https://a.example/public/..%2fx"), "deny default"),
            (get("https://a.example/public//x"), "deny default"),
            (get("https://b.example/x"), "allow rule all-of-b"),
            (get("https://b.example/x%2f"), "deny rule secret"),
            (get("https://c.example/@scope%2fname"), "allow rule npm"),
            (get("https://c.example/@scope%2Fname%5c"), "deny default"),
            (get("https://d.example/x"), "allow rule all-but"),
            (get("https://d.example/secret/x"), "deny default"),
            (get("https://d.example/x%2f"), "deny default"),
            (get("https://e.example/open/x"), "allow rule all-of-e"),
            (get("https://e.example/open/x%2f"), "deny rule deny-but"),
        ],
    );
}

#[test]
fn deny_wins_whatever_the_order_and_the_rules_that_decided_are_all_named() {
    let policy = r#"
        [[rule]]
        id = "one"
        effect = "allow"
        domains = ["a.example"]
        [[rule]]
        id = "no"
        effect = "deny"
        hosts = ["x.a.example"]
        [[rule]]
        id = "two"
        effect = "allow"
        hosts = ["*.a.example"]
        [[rule]]
        id = "no-more"
        effect = "deny"
        domains = ["x.a.example"]
    "#;
    expect(
        policy,
        [
            (get("https://a.example/"), "allow rule one"),
            (get("https://y.a.example/"), "allow rule one,two"),
            (get("https://x.a.example/"), "deny rule no,no-more"),
        ],
    );
}

#[test]
fn every_dimension_that_is_named_must_match() {
    let policy = r#"
        [identity]
        customer = "customer_name"
        tags = "customer_tags"
        [customers.acme]
        tags = ["gold"]
        [[rule]]
        id = "narrow"
        effect = "allow"
        customers = ["acme", "beta-*"]
        tags = ["gold", "canary"]
        hosts = ["a.example"]
        methods = ["get", "QUERY"]
        headers = { x-env = ["prod-*", "dev"] }
    "#;
    let ok = || get("https://a.example/").header("X-Env", " prod-7 ");
    expect(
        policy,
        [
            (ok(), "allow rule narrow"),
            (Request { method: "get", ..ok() }, "allow rule narrow"),
            (Request { method: "query", ..ok() }, "allow rule narrow"),
            (Request { method: "POST", ..ok() }, "deny default"),
            (Request { customer: Some("beta-7"), ..ok() }, "deny default"),
            (Request { customer: Some("beta-7"), ..ok() }.tags(&["canary"]), "allow rule narrow"),
            (Request { customer: Some("Acme"), ..ok() }.tags(&["canary"]), "deny default"),
            (get("https://a.example/"), "deny default"),
            (get("https://a.example/").header("x-env", "dev"), "allow rule narrow"),
            (get("https://a.example/").header("x-env", "development"), "deny default"),
        ],
    );
}

#[test]
fn who_asks_must_be_said() {
    let policy = r#"
        [identity]
        customer = "customer_name"
        tags = "customer_tags"
        [[rule]]
        id = "all"
        effect = "allow"
        domains = ["a.example"]
    "#;
    let url = "https://a.example/";
    let long = "x".repeat(257);
    expect(
        policy,
        [
            (get(url), "allow rule all"),
            (Request { customer: None, ..get(url) }, "deny unknown-customer"),
            (Request { customer: Some(""), ..get(url) }, "deny unknown-customer"),
            (Request { customer: Some("a\nb"), ..get(url) }, "deny unknown-customer"),
            (Request { customer: Some("a\u{85}b"), ..get(url) }, "deny unknown-customer"),
            (Request { customer: Some(&long), ..get(url) }, "deny unknown-customer"),
            (Request { customer: Some("__proto__"), ..get(url) }, "allow rule all"),
            (Request { tags: None, ..get(url) }, "deny unknown-customer"),
            (Request { customer: None, ..get("ftp://a.example/") }, "deny invalid-request"),
        ],
    );
}

#[test]
fn what_is_no_request_is_refused_as_such() {
    let policy = "[[rule]]\nid = \"all\"\neffect = \"allow\"\nschemes = [\"http\", \"https\"]\n";
    let url = "https://a.example/";
    let half = "x".repeat(64 * 1024);
    expect(
        policy,
        [
            (get(url), "allow rule all"),
            (Request { method: "trace", ..get(url) }, "deny invalid-request"),
            (Request { method: "", ..get(url) }, "deny invalid-request"),
            (Request { method: "GE T", ..get(url) }, "deny invalid-request"),
            (Request { method: "CONNECT", ..get(url) }, "allow rule all"),
            (get(url).header("a", &half).header("b", &half), "deny invalid-request"),
            (get("https://a..example/"), "deny invalid-request"),
        ],
    );
}

#[test]
fn special_hosts_open_only_to_a_rule_that_names_them() {
    let rules = r#"
        [[rule]]
        id = "wide"
        effect = "allow"
        hosts = ["**"]
        schemes = ["http", "https"]
        [[rule]]
        id = "named"
        effect = "allow"
        hosts = ["10.0.0.7", "[::1]", "metadata.internal"]
        schemes = ["http"]
    "#;
    for default in ["deny", "allow"] {
        let otherwise = if default == "allow" { "allow default" } else { "deny default" };
        expect(
            &format!("default = \"{default}\"\n{rules}"),
            [
                (get("http://127.0.0.1/"), "deny special-host"),
                (get("http://10.0.0.7/"), "allow rule wide,named"),
                (get("http://167772167/"), "allow rule wide,named"),
                (get("https://10.0.0.7/"), "deny special-host"),
                (get("http://[0:0::1]/"), "allow rule wide,named"),
                (get("http://metadata.internal/"), "allow rule wide,named"),
                (get("https://svc.internal/"), "deny special-host"),
                (get("https://intranet/"), "deny special-host"),
                (get("ftp://a.example/"), "deny invalid-request"),
                (get("https://a.example:99/"), otherwise),
            ],
        );
    }
}

#[test]
fn an_upgrade_needs_a_rule_that_says_so() {
    let rules = r#"
        [[rule]]
        id = "plain"
        effect = "allow"
        hosts = ["a.example"]
        [[rule]]
        id = "sockets"
        effect = "allow"
        hosts = ["b.example"]
        websocket = true
    "#;
    let upgrade = |url| get(url).header("Upgrade", "h2c, WebSocket");
    expect(
        rules,
        [
            (upgrade("https://a.example/"), "deny default"),
            (upgrade("https://b.example/"), "allow rule sockets"),
            (get("https://b.example/"), "allow rule sockets"),
            (get("https://a.example/").header("upgrade", "websocket2"), "allow rule plain"),
        ],
    );
    expect(&format!("default = \"allow\"\n{rules}"), [(upgrade("https://a.example/"), "allow default")]);
}

#[test]
fn a_rule_expires_at_the_first_second_of_its_day() {
    let policy = r#"
        [[rule]]
        id = "until"
        effect = "allow"
        hosts = ["a.example"]
        expires = 2026-11-23
    "#;
    let midnight = NOW + 12 * 60 * 60;
    expect(
        policy,
        [
            (Request { now: midnight - 1, ..get("https://a.example/") }, "allow rule until"),
            (Request { now: midnight, ..get("https://a.example/") }, "deny default"),
        ],
    );
}

const REPORTED: &str = r#"
    [identity]
    customer = "customer_name"
    tags = "customer_tags"
    [[rule]]
    id = "no"
    effect = "deny"
    hosts = ["no.example"]
    [[rule]]
    id = "no-yet"
    effect = "deny"
    mode = "report"
    hosts = ["yet.example"]
    [[rule]]
    id = "yes"
    effect = "allow"
    hosts = ["no.example", "yet.example", "yes.example"]
    set = { x-tenant = "{customer}" }
    [[rule]]
    id = "yes-yet"
    effect = "allow"
    mode = "report"
    hosts = ["no.example", "trial.example"]
"#;

/// `said`, whether it is enforced, what report mode waived, and how many headers are set.
fn reported(policy: &str, request: &Request<'_>) -> String {
    let bytes = table(policy);
    let policy = Policy::from_bytes(&bytes).unwrap();
    let judgement = request.judge(&policy);
    let ids = |rules: &[tidegate_engine::RuleRef<'_>]| rules.iter().map(|rule| rule.id).collect::<Vec<_>>().join(",");
    let set = judgement.forwarding.as_ref().map_or(0, |forwarding| forwarding.set.len());
    format!(
        "{}; enforced {}; would deny [{}]; would allow [{}]; sets {set}",
        said(&judgement),
        judgement.enforced,
        ids(&judgement.would_deny),
        ids(&judgement.would_allow)
    )
}

#[test]
fn a_rule_in_report_mode_changes_nothing_but_the_record() {
    let cases = [
        ("https://no.example/", "deny rule no; enforced true; would deny []; would allow [yes-yet]; sets 0"),
        ("https://yet.example/", "allow rule yes; enforced false; would deny [no-yet]; would allow []; sets 1"),
        ("https://yes.example/", "allow rule yes; enforced true; would deny []; would allow []; sets 1"),
        ("https://trial.example/", "deny default; enforced true; would deny []; would allow [yes-yet]; sets 0"),
    ];
    for (url, expected) in cases {
        assert_eq!(reported(REPORTED, &get(url)), expected, "{url}");
    }
}

#[test]
fn a_policy_in_report_mode_waives_rules_and_default_and_nothing_else() {
    let policy = format!("mode = \"report\"\n{REPORTED}");
    let cases = [
        ("https://no.example/", "allow rule yes; enforced false; would deny [no]; would allow [yes-yet]; sets 0"),
        ("https://yet.example/", "allow rule yes; enforced false; would deny [no-yet]; would allow []; sets 1"),
        ("https://yes.example/", "allow rule yes; enforced true; would deny []; would allow []; sets 1"),
        ("https://other.example/", "allow default; enforced false; would deny []; would allow []; sets 0"),
        ("http://localhost/", "deny special-host; enforced true; would deny []; would allow []; sets 0"),
        ("ftp://yes.example/", "deny invalid-request; enforced true; would deny []; would allow []; sets 0"),
    ];
    for (url, expected) in cases {
        assert_eq!(reported(&policy, &get(url)), expected, "{url}");
    }
    let nobody = Request { customer: None, ..get("https://yes.example/") };
    assert!(reported(&policy, &nobody).starts_with("deny unknown-customer"));
}

#[test]
fn a_rollout_enforces_for_some_while_others_are_only_recorded() {
    let policy = format!(
        "mode = \"report\"\nenforce-for = [{{ tags = [\"canary\"], customers = [\"a*\"] }}, {{ percent = 0.5 }}]\n{REPORTED}"
    );
    let outcome = |request: Request<'_>| reported(&policy, &request).split(';').next().unwrap().to_owned();
    let url = "https://no.example/";
    assert_eq!(outcome(get(url).tags(&["canary"])), "deny rule no");
    assert_eq!(outcome(get(url)), "allow rule yes");
    assert_eq!(outcome(Request { customer: Some("beta"), ..get(url) }.tags(&["canary"])), "allow rule yes");
    // SHA-256("customer-103") begins with 8 bytes that are 46 modulo 10,000; those of "customer-1" are not below 50.
    let share = |n: u32| outcome(Request { customer: Some(&format!("customer-{n}")), ..get(url) });
    let enforced = (0..2000).filter(|&n| share(n) == "deny rule no").count();
    assert!((2..=25).contains(&enforced), "{enforced} of 2,000 customers at 0.5 %");
}
