//! Explanations: for every rule, where it parts from the request.

use tidegate_engine::{Dimension, InvalidTarget, Policy, RuleTrace, Target, Truth, Unexplained, Unjudged};

use crate::support::{NOW, Request, get, table};

const POLICY: &str = r#"
    [identity]
    customer = "customer_name"
    tags = "customer_tags"
    [[rule]]
    id = "no-admin"
    effect = "deny"
    domains = ["example.com"]
    paths = ["/admin/**"]
    except = [{ tags = ["staff"] }, { methods = ["GET"], paths = ["/admin/help"] }]
    [[rule]]
    id = "api"
    effect = "allow"
    customers = ["acme", "beta-*"]
    tags = ["paid"]
    hosts = ["api.example.com"]
    methods = ["GET"]
    headers = { x-env = "prod-*", accept = "*" }
    paths = ["/v1/**"]
    expires = 2026-12-01
    [[rule]]
    id = "plain"
    effect = "allow"
    hosts = ["old.example.net"]
    schemes = ["http"]
    ports = [8080]
"#;

#[track_caller]
fn explained(policy: &Policy<'_>, request: &Request<'_>, rule: &str) -> String {
    let target = Target::parse(request.url);
    let traces = policy.explain(&request.view(&target), &mut policy.scratch()).unwrap();
    said(traces.iter().find(|trace| trace.rule.id == rule).unwrap())
}

/// `truth: dimension=truth …; excepted by …`.
fn said(trace: &RuleTrace<'_>) -> String {
    let misses: Vec<_> =
        trace.condition.misses().map(|(dimension, truth)| format!("{dimension:?}={}", truth.as_str())).collect();
    let excepted: Vec<_> = trace.excepted_by().map(|place| place.to_string()).collect();
    format!("{} [{}] [{}]", trace.truth.as_str(), misses.join(" "), excepted.join(" "))
}

#[test]
fn every_dimension_that_fails_is_named_and_no_other() {
    let bytes = table(POLICY);
    let policy = Policy::from_bytes(&bytes).unwrap();
    let good = get("https://api.example.com/v1/x").tags(&["paid"]).header("x-env", "prod-1").header("accept", "x");
    let api = |request: &Request<'_>| explained(&policy, request, "api");
    assert_eq!(api(&good), "true [] []");
    assert_eq!(api(&Request { customer: Some("gamma"), ..good.clone() }), "false [Customer=false] []");
    assert_eq!(api(&good.clone().tags(&["free"])), "false [Tag=false] []");
    assert_eq!(api(&Request { url: "https://api.example.org/v1/x", ..good.clone() }), "false [Host=false] []");
    assert_eq!(api(&Request { url: "http://api.example.com/v1/x", ..good.clone() }), "false [DefaultScheme=false] []");
    assert_eq!(
        api(&Request { url: "https://api.example.com:444/v1/x", ..good.clone() }),
        "false [DefaultPort=false] []"
    );
    assert_eq!(api(&Request { method: "PUT", ..good.clone() }), "false [Method=false] []");
    assert_eq!(api(&Request { url: "https://api.example.com/v2/x", ..good.clone() }), "false [Path=false] []");
    assert_eq!(api(&Request { url: "https://api.example.com/v1/%2f", ..good.clone() }), "unknown [Path=unknown] []");
    assert_eq!(api(&good.clone().header("upgrade", "websocket")), "false [Upgrade=false] []");
    assert_eq!(api(&Request { now: NOW + 10 * 86_400, ..good.clone() }), "false [Expiry=false] []");
    assert_eq!(
        api(&get("http://a.example:1/")),
        r#"false [Tag=false Host=false DefaultScheme=false DefaultPort=false Path=false Header("accept")=false Header("x-env")=false] []"#
    );
    assert_eq!(
        explained(&policy, &get("https://old.example.net/"), "plain"),
        "false [Scheme=false Port=false] []",
        "what a rule names takes the place of its effect's defaults"
    );
}

#[test]
fn exceptions_that_keep_a_rule_from_matching_are_named() {
    let bytes = table(POLICY);
    let policy = Policy::from_bytes(&bytes).unwrap();
    let no_admin = |request: &Request<'_>| explained(&policy, request, "no-admin");
    assert_eq!(no_admin(&get("https://example.com/admin/x")), "true [] []");
    assert_eq!(no_admin(&get("https://example.com/admin/help")), "false [] [1]");
    assert_eq!(no_admin(&get("https://example.com/admin/help").tags(&["staff"])), "false [] [0 1]");
    // What may be excepted is not certainly so, and a deny rule counts unless it certainly does not hold.
    assert_eq!(no_admin(&get("https://example.com/admin%2fhelp")), "unknown [Path=unknown] []");
}

#[test]
fn what_is_explained_is_what_was_decided() {
    let bytes = table(POLICY);
    let policy = Policy::from_bytes(&bytes).unwrap();
    let mut scratch = policy.scratch();
    for url in [
        "https://api.example.com/v1/x",
        "https://api.example.com/admin/x",
        "https://api.example.com/admin%2fx",
        "http://old.example.net:8080/",
        "https://old.example.net/",
    ] {
        for tags in [&["paid"][..], &["staff"], &[]] {
            let request = get(url).tags(tags).header("x-env", "prod-1").header("accept", "x");
            let target = Target::parse(url);
            let view = request.view(&target);
            let matching = policy.explain(&view, &mut scratch).unwrap().into_iter().filter(RuleTrace::matches);
            let (denied, allowed): (Vec<_>, Vec<_>) =
                matching.partition(|trace| trace.effect == tidegate_engine::Effect::Deny);
            let deciding = if denied.is_empty() { allowed } else { denied };
            let deciding: Vec<_> = deciding.iter().map(|trace| trace.rule.index).collect();
            let decided: Vec<_> = policy.decide(&view, &mut scratch).rules().collect();
            assert_eq!(decided, deciding, "{url} {tags:?}");
        }
    }
}

#[test]
fn a_rule_that_names_a_special_host_says_so() {
    let bytes = table(
        "[[rule]]\nid = \"here\"\neffect = \"allow\"\nhosts = [\"localhost\", \"a.example\"]\n\
         [[rule]]\nid = \"all\"\neffect = \"allow\"\nhosts = [\"**\"]\n",
    );
    let policy = Policy::from_bytes(&bytes).unwrap();
    let target = Target::parse("https://localhost/");
    let traces = policy.explain(&get("https://localhost/").view(&target), &mut policy.scratch()).unwrap();
    let named: Vec<_> = traces.iter().map(|trace| (trace.rule.id, trace.truth, trace.names_host)).collect();
    assert_eq!(named, [("here", Truth::True, true), ("all", Truth::True, false)]);
}

#[test]
fn a_request_that_never_comes_to_the_rules_says_why() {
    let bytes = table(POLICY);
    let policy = Policy::from_bytes(&bytes).unwrap();
    let why = |request: &Request<'_>| {
        let target = Target::parse(request.url);
        match policy.explain(&request.view(&target), &mut policy.scratch()) {
            Err(Unexplained::Unjudged(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    let good = get("https://api.example.com/v1/x");
    assert_eq!(why(&Request { customer: None, ..good.clone() }), Unjudged::UnknownCustomer);
    assert_eq!(why(&Request { tags: None, ..good.clone() }), Unjudged::UnknownCustomer);
    assert_eq!(why(&Request { method: "TRACE", ..good.clone() }), Unjudged::Trace);
    assert_eq!(why(&Request { method: "G T", ..good.clone() }), Unjudged::Method);
    assert_eq!(why(&good.clone().header("x", &"x".repeat(129 << 10))), Unjudged::Headers);
    assert_eq!(why(&get("ftp://a.example/")), Unjudged::Target(InvalidTarget::Scheme));
}

#[test]
fn dimensions_come_in_the_order_in_which_people_read_a_rule() {
    assert!(Dimension::Customer < Dimension::Host && Dimension::Host < Dimension::DefaultPort);
    assert!(Dimension::Path < Dimension::Header("a") && Dimension::Header("a") < Dimension::Upgrade);
}
