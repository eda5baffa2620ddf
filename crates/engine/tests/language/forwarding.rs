//! Obligations and hygiene: what becomes of an allowed request's headers.

use crate::support::{NoSecrets, Request, get, said, table};
use tidegate_engine::{Forwarding, Policy, Secrets};

const POLICY: &str = r#"
    tenant-domains = ["apps.example"]
    [identity]
    customer = "customer_name"
    [customers.acme]
    vars = { plan = "gold", motto = "größer" }
    [keys.platform]
    alg = "ES256"
    secret = "KEY"
    kid = "k1"
    issuer = "https://platform.example"
    [[rule]]
    id = "billing"
    effect = "allow"
    hosts = ["api.billing.example"]
    remove = ["x-debug"]
    keep = ["x-forwarded-for"]
    set = { x-tenant = "t-{customer}", x-plan = "{{{vars.plan}}}", x-api-key = "{secret.BILLING}" }
    jwt = { key = "platform", audience = "https://api.billing.example", ttl = "5m", claims = { plan = "{vars.plan}", motto = "{vars.motto}" } }
    [[rule]]
    id = "billing-get"
    effect = "allow"
    hosts = ["api.billing.example"]
    methods = ["GET"]
    remove = ["x-trace"]
    [[rule]]
    id = "clear"
    effect = "allow"
    hosts = ["api.billing.example"]
    schemes = ["http"]
    paths = ["/health"]
    [[rule]]
    id = "plain"
    effect = "allow"
    hosts = ["plain.example"]
    [[rule]]
    id = "motto"
    effect = "allow"
    hosts = ["motto.example"]
    set = { x-motto = "{vars.motto}" }
    [[rule]]
    id = "tenant"
    effect = "allow"
    hosts = ["tenant.example"]
    set = { x-tenant = "{customer}" }
"#;

/// A secret that would write a header of its own.
struct Broken;

impl Secrets for Broken {
    fn secret(&self, _: &str) -> Option<String> {
        Some("a\r\nx-admin: 1".into())
    }
}

fn forwarding(request: &Request<'_>) -> Forwarding {
    let bytes = table(POLICY);
    let policy = Policy::from_bytes(&bytes).unwrap();
    let judgement = request.judge(&policy);
    let said = said(&judgement);
    judgement.forwarding.unwrap_or_else(|| panic!("{said}"))
}

fn outcome(request: &Request<'_>, secrets: &dyn Secrets) -> String {
    let bytes = table(POLICY);
    let policy = Policy::from_bytes(&bytes).unwrap();
    said(&request.judge_with(&policy, secrets))
}

#[test]
fn all_matching_rules_have_their_say() {
    let forwarding = forwarding(&get("https://api.billing.example/"));
    assert_eq!(forwarding.remove, ["x-debug", "x-trace"]);
    let set: Vec<_> = forwarding.set.iter().map(|header| (header.name.as_str(), header.value.as_str())).collect();
    assert_eq!(set, [("x-api-key", "<secret:BILLING>"), ("x-plan", "{gold}"), ("x-tenant", "t-acme")]);
    assert_eq!(forwarding.set[0].secrets, ["<secret:BILLING>"]);
    assert!(forwarding.no_store);
    let jwt = forwarding.jwt.unwrap();
    assert_eq!((jwt.key.as_str(), jwt.kid.as_str(), jwt.secret.as_str(), jwt.ttl), ("platform", "k1", "KEY", 300));
    assert_eq!((jwt.header.as_str(), jwt.scheme.as_str()), ("authorization", "Bearer"));
    let claims: Vec<_> = jwt.claims.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        claims,
        [
            ("iss", "https://platform.example"),
            ("sub", "acme"),
            ("aud", "https://api.billing.example"),
            ("motto", "größer"),
            ("plan", "gold"),
        ]
    );
}

#[test]
fn options_carries_no_credential_and_keeps_the_rest() {
    let forwarding = forwarding(&Request { method: "options", ..get("https://api.billing.example/") });
    assert!(forwarding.jwt.is_none());
    let set: Vec<_> = forwarding.set.iter().map(|header| header.name.as_str()).collect();
    assert_eq!(set, ["x-plan", "x-tenant"]);
    assert_eq!(forwarding.remove, ["x-debug"]);
    assert!(forwarding.no_store && !forwarding.has_credential());
}

#[test]
fn a_request_whose_obligations_cannot_be_met_is_refused_and_the_rules_are_named() {
    let billing = get("https://api.billing.example/");
    assert_eq!(outcome(&billing, &NoSecrets), "deny credential-unavailable billing");
    let stranger = Request { customer: Some("globex"), ..billing.clone() };
    assert_eq!(outcome(&stranger, &crate::support::Placeholders), "deny credential-unavailable billing");
    let foreign = Request { customer: Some("größer"), ..billing };
    assert_eq!(outcome(&foreign, &crate::support::Placeholders), "deny credential-unavailable billing");
    assert_eq!(outcome(&get("https://motto.example/"), &NoSecrets), "deny credential-unavailable motto");
    assert_eq!(outcome(&get("https://plain.example/"), &NoSecrets), "allow rule plain");

    assert_eq!(outcome(&get("https://api.billing.example/"), &Broken), "deny credential-unavailable billing");
}

#[test]
fn nobody_but_the_platform_speaks_with_its_headers_on_its_hosts() {
    for request in [
        get("https://api.billing.example/"),
        get("http://api.billing.example/health"),
        Request { customer: Some("nobody"), ..get("http://api.billing.example/health") },
    ] {
        let forwarding = forwarding(&request);
        for name in ["x-tenant", "X-Tenant", "x_tenant", "X_Api_Key", "authorization"] {
            assert!(!forwarding.passes(name), "{name} on {}", request.url);
        }
        assert!(forwarding.passes("x-other"));
    }
    let elsewhere = forwarding(&get("https://plain.example/"));
    assert!(elsewhere.passes("x-tenant") && elsewhere.passes("authorization") && elsewhere.passes("cookie"));
}

#[test]
fn framing_loops_and_the_platforms_own_names_never_pass() {
    let request = get("https://plain.example/").header("Connection", "close, X_Hop");
    let plain = forwarding(&request);
    for name in [
        "Host",
        "connection",
        "x-hop",
        "keep-alive",
        "TE",
        "trailer",
        "transfer-encoding",
        "transfer_encoding",
        "Content-Length",
        "upgrade",
        "sec-websocket-key",
        "CF-Connecting-IP",
        "cf_ray",
        "cdn-loop",
        "tidegate-decision",
        "expect",
    ] {
        assert!(!plain.passes(name), "{name}");
    }
    for name in [
        "Proxy-Authorization",
        "forwarded",
        "X-Forwarded-Host",
        "x_forwarded_for",
        "x-real-ip",
        "true-client-ip",
        "via",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
    ] {
        assert!(!plain.passes(name), "{name}");
    }
    let billing = forwarding(&get("https://api.billing.example/"));
    assert!(
        billing.passes("X-Forwarded-For") && billing.passes("x_forwarded_for") && !billing.passes("x-forwarded-host")
    );
    assert!(!billing.passes("cookie"), "the tenant's own credentials stay behind where the platform attaches one");
}

#[test]
fn an_answer_keeps_its_cookies_unless_a_credential_went_out() {
    let billing = forwarding(&get("https://api.billing.example/"));
    assert!(
        !billing.answer_passes("Set-Cookie")
            && !billing.answer_passes("tidegate-reason")
            && billing.answer_passes("etag")
    );
    let plain = forwarding(&get("https://plain.example/"));
    assert!(plain.answer_passes("set-cookie") && !plain.answer_passes("Tidegate_Reason"));
}

#[test]
fn a_customer_whose_name_the_wire_would_change_gets_no_header_with_it() {
    // HTTP takes white space off the ends of a value: the upstream would see another customer.
    for name in [" acme", "acme ", "\u{20}acme\u{20}"] {
        let request = Request { customer: Some(name), ..get("https://tenant.example/") };
        assert_eq!(outcome(&request, &NoSecrets), "deny credential-unavailable tenant", "{name:?}");
    }
    let within = Request { customer: Some("ac me"), ..get("https://tenant.example/") };
    assert_eq!(outcome(&within, &NoSecrets), "allow rule tenant");
}

#[test]
fn values_that_no_request_could_carry_are_not_rendered() {
    // Each value is a few bytes in the table and gigabytes when rendered.
    let table = table(&format!(
        "[identity]\ncustomer = \"customer_name\"\n[customers.acme]\nvars = {{ big = \"{}\" }}\n\
         [[rule]]\nid = \"big\"\neffect = \"allow\"\nhosts = [\"a.example\"]\nset = {{ x-big = \"{}\" }}",
        "b".repeat(64 << 10),
        "{vars.big}".repeat(3),
    ));
    let policy = Policy::from_bytes(&table).unwrap();
    assert_eq!(said(&get("https://a.example/").judge(&policy)), "deny credential-unavailable big");
}

#[test]
fn a_connection_header_may_name_everything() {
    let tokens: Vec<_> = (0..30_000).map(|number| format!("h{number}")).collect();
    let request = get("https://plain.example/").header("connection", &tokens[..10_000].join(","));
    let forwarding = forwarding(&request);
    let dropped = tokens.iter().filter(|name| !forwarding.passes(name)).count();
    assert_eq!(dropped, 10_000);
}

#[test]
fn a_secret_within_a_token_must_not_come_back_either() {
    let table = table(
        r#"
        [identity]
        customer = "customer_name"
        [keys.k]
        alg = "ES256"
        secret = "KEY"
        kid = "k"
        [[rule]]
        id = "r"
        effect = "allow"
        hosts = ["a.example"]
        jwt = { key = "k", audience = "a", ttl = "5m", claims = { ref = "r-{secret.REF}" } }
        "#,
    );
    let policy = Policy::from_bytes(&table).unwrap();
    let forwarding = get("https://a.example/").judge(&policy).forwarding.unwrap();
    assert_eq!(forwarding.secrets().collect::<Vec<_>>(), ["<secret:REF>"]);
}
