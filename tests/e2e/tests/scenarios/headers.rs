//! What of a tenant's headers, cookies and `cf` arrives, and what of the platform's.

use anyhow::{Context, Result};
use serde_json::json;
use tidegate_e2e::{Chain, Customer, Fetch, Reply};

use crate::{ACME, arrives, is_refused, throws};

const POLICY: &str = r#"
policy  = 1
default = "deny"

[[rule]]
id     = "bearer"
effect = "allow"
hosts  = ["bearer.example.com"]
set    = { authorization = "Bearer {secret.API_KEY}" }

[[rule]]
id     = "key"
effect = "allow"
hosts  = ["key.example.com"]
remove = ["x-debug"]
set    = { x-api-key = "{secret.API_KEY}", x-tenant = "{customer}" }

[[rule]]
id     = "key-with-cookies"
effect = "allow"
hosts  = ["cookies.example.com"]
keep   = ["cookie", "set-cookie"]
set    = { x-api-key = "{secret.API_KEY}" }

[[rule]]
id     = "plain"
effect = "allow"
hosts  = ["plain.example.com"]

[[rule]]
id     = "behind-a-proxy"
effect = "allow"
hosts  = ["proxied.example.com"]
keep   = ["x-forwarded-for", "x-original-url"]
"#;

const KEY: &str = "k3y-of-the-platform";

async fn chain() -> Result<Chain> {
    Chain::with_policy(POLICY)?.customer(Customer::new(ACME)).secret("API_KEY", KEY).start().await
}

/// A GET of `https://HOST/` that has all these headers, each with the value `theirs`.
fn with_headers(host: &str, names: &[&str]) -> Fetch {
    names.iter().fold(Fetch::get(format!("https://{host}/")), |fetch, name| fetch.header(name, "theirs"))
}

/// None of these headers arrives, whether the host gets a credential or not, and under whatever alias they are sent.
async fn never_arrive(names: &[&str]) -> Result<()> {
    let chain = chain().await?;
    let aliases: Vec<String> = names.iter().flat_map(|name| [name.replace('-', "_"), name.to_uppercase()]).collect();
    let all: Vec<&str> = names.iter().copied().chain(aliases.iter().map(String::as_str)).collect();
    for host in ["plain.example.com", "key.example.com"] {
        // One at a time: what the runtime does of itself about one must not hide another.
        for name in &all {
            let request = arrives(&chain, ACME, with_headers(host, &[name, "x-own"])).await?;
            let theirs: Vec<_> = request.headers.iter().filter(|(_, value)| value.contains("theirs")).collect();
            assert_eq!(theirs, [&("x-own".to_owned(), "theirs".to_owned())], "{name} at {host}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn h022_an_injected_header_replaces_the_tenants_own() -> Result<()> {
    let chain = chain().await?;
    for name in ["authorization", "Authorization", "AUTHORIZATION"] {
        let request = arrives(&chain, ACME, with_headers("bearer.example.com", &[name])).await?;
        assert_eq!(request.header("authorization"), Some(format!("Bearer {KEY}")), "{name}");
    }
    let request = arrives(&chain, ACME, with_headers("key.example.com", &["X-Tenant", "x-debug"])).await?;
    assert_eq!(request.header("x-tenant").as_deref(), Some(ACME));
    assert_eq!(request.header("x-debug"), None, "what the rule removes");
    Ok(())
}

#[tokio::test]
async fn h023_of_two_headers_of_one_name_none_is_left_beside_ours() -> Result<()> {
    let chain = chain().await?;
    let twice = with_headers("bearer.example.com", &["authorization", "Authorization"]);
    let request = arrives(&chain, ACME, twice).await?;
    assert_eq!(request.header("authorization"), Some(format!("Bearer {KEY}")));

    let twice = with_headers("plain.example.com", &["x-own", "X-Own"]);
    let request = arrives(&chain, ACME, twice).await?;
    assert_eq!(request.header("x-own").as_deref(), Some("theirs, theirs"), "two were sent indeed");
    Ok(())
}

#[tokio::test]
async fn h024_an_injected_header_has_no_aliases() -> Result<()> {
    let chain = chain().await?;
    let aliases = ["x_api_key", "x-api_key", "X_API-KEY", "x_tenant"];
    let request = arrives(&chain, ACME, with_headers("key.example.com", &aliases)).await?;
    assert!(request.headers.iter().all(|(_, value)| value != "theirs"), "{request:?}");
    assert_eq!(request.header("x-api-key").as_deref(), Some(KEY));
    assert_eq!(request.header("x-tenant").as_deref(), Some(ACME));
    Ok(())
}

#[tokio::test]
async fn h025_where_a_credential_goes_the_tenants_own_does_not() -> Result<()> {
    let chain = chain().await?;
    let request = arrives(&chain, ACME, with_headers("key.example.com", &["authorization"])).await?;
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.header("x-api-key").as_deref(), Some(KEY));

    let request = arrives(&chain, ACME, with_headers("plain.example.com", &["authorization"])).await?;
    assert_eq!(request.header("authorization").as_deref(), Some("theirs"), "elsewhere it passes");
    Ok(())
}

#[tokio::test]
async fn h026_credentials_for_proxies_never_arrive() -> Result<()> {
    never_arrive(&["proxy-authorization", "proxy-authenticate", "proxy-connection"]).await
}

#[tokio::test]
async fn h027_the_host_header_is_that_of_the_url() -> Result<()> {
    let chain = chain().await?;
    for host in ["plain.example.com", "key.example.com"] {
        let fetch = Fetch::get(format!("https://{host}/")).header("host", "evil.test").header("Host", "evil.test");
        let request = arrives(&chain, ACME, fetch).await?;
        assert_eq!(request.header("host").as_deref(), Some(host));
    }
    // And it decides nothing.
    is_refused(&chain, ACME, Fetch::get("https://evil.test/").header("host", "plain.example.com"), "default").await
}

#[tokio::test]
async fn h028_headers_in_which_proxies_say_who_asks_never_arrive() -> Result<()> {
    never_arrive(&[
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "forwarded",
        "cf-connecting-ip",
        "true-client-ip",
        "x-real-ip",
        "via",
    ])
    .await
}

#[tokio::test]
async fn h029_headers_of_the_network_and_of_tidegate_never_arrive() -> Result<()> {
    never_arrive(&["cf-worker", "cf-ew-via", "cf-ray", "cdn-loop", "tidegate-decision"]).await
}

/// Whatever the rule names: an upstream that obeys one of these serves another path or method than was judged.
#[tokio::test]
async fn h030_headers_that_override_path_or_method_never_arrive() -> Result<()> {
    never_arrive(&["x-original-url", "x-rewrite-url", "x-http-method", "x-http-method-override", "x-method-override"])
        .await
}

#[tokio::test]
async fn a_rule_may_keep_some_of_them() -> Result<()> {
    let chain = chain().await?;
    let names = ["x-forwarded-for", "x-forwarded-host", "x-original-url", "x-rewrite-url"];
    let request = arrives(&chain, ACME, with_headers("proxied.example.com", &names)).await?;
    let arrived = names.map(|name| request.header(name).is_some());
    assert_eq!(arrived, [true, false, true, false]);
    Ok(())
}

#[tokio::test]
async fn h031_connection_takes_no_injected_header_along() -> Result<()> {
    let chain = chain().await?;
    let fetch =
        with_headers("key.example.com", &["x-named"]).header("connection", "x-api-key, x_tenant, X-Named, close");
    let request = arrives(&chain, ACME, fetch).await?;
    assert_eq!(request.header("x-api-key").as_deref(), Some(KEY));
    assert_eq!(request.header("x-tenant").as_deref(), Some(ACME));
    assert_eq!(request.header("x-named"), None, "of the tenant's own it does");
    assert_eq!(request.header("connection"), None);
    Ok(())
}

#[tokio::test]
async fn h032_headers_about_one_connection_never_arrive() -> Result<()> {
    never_arrive(&["te", "trailer", "keep-alive", "expect"]).await
}

#[tokio::test]
async fn h032_a_body_is_framed_by_the_runtime_whatever_the_tenant_says_of_it() -> Result<()> {
    const BODY: &str = "GET /smuggled HTTP/1.1\r\nhost: key.example.com\r\n\r\n";
    let chain = chain().await?;
    for (name, value) in [
        ("content-length", "3"),
        ("content-length", "4096"),
        ("content_length", "3"),
        ("transfer-encoding", "identity"),
        ("transfer-encoding", "chunked"),
    ] {
        let fetch = Fetch::new("POST", "https://key.example.com/").header(name, value).body(BODY);
        let request = arrives(&chain, ACME, fetch).await?;
        assert_eq!(request.body, BODY.as_bytes(), "{name}: {value}");
        assert_eq!(request.header("content-length"), Some(BODY.len().to_string()), "{name}: {value}");
        assert_eq!(request.header("transfer-encoding"), None, "{name}: {value}");
        assert_eq!(request.header("content_length"), None, "{name}: {value}");
    }
    Ok(())
}

/// The runtime takes such a header for a body that is still to come, and hands a stream to the outbound Worker.
#[tokio::test]
async fn h032_a_get_that_claims_a_body_leaves_without_one() -> Result<()> {
    let chain = chain().await?;
    for (name, value) in [
        ("content-length", "0"),
        ("content-length", "5"),
        ("content-length", "not a number"),
        ("transfer-encoding", "chunked"),
        ("Transfer_Encoding", "chunked"),
    ] {
        for method in ["GET", "HEAD"] {
            for host in ["plain.example.com", "key.example.com"] {
                let fetch = Fetch::new(method, format!("https://{host}/")).header(name, value);
                let request = arrives(&chain, ACME, fetch).await?;
                assert_eq!((request.method.as_str(), request.body.as_slice()), (method, &b""[..]), "{name}: {value}");
                for framing in ["content-length", "transfer-encoding", "transfer_encoding"] {
                    assert_eq!(request.header(framing), None, "{method} with {name}: {value}");
                }
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn h033_a_value_with_line_breaks_is_refused_by_the_runtime() -> Result<()> {
    let chain = chain().await?;
    for value in ["a\r\nx-api-key: guessed", "a\nb", "a\rb", "a\0b"] {
        throws(&chain, ACME, Fetch::get("https://key.example.com/").header("x-own", value)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn h034_a_value_beyond_latin_1_passes_and_is_matched_like_any_other() -> Result<()> {
    let chain = Chain::with_policy(
        r#"
        policy  = 1
        default = "deny"
        [[rule]]
        id      = "not-these"
        effect  = "deny"
        headers = { x-team = "evil*" }
        [[rule]]
        id      = "those"
        effect  = "allow"
        hosts   = ["api.example.com"]
        headers = { x-team = "*-team" }
        "#,
    )?
    .customer(Customer::new(ACME))
    .start()
    .await?;
    let fetch = |team: &str| Fetch::get("https://api.example.com/").header("x-team", team);
    for team in ["中-team", "\u{e9}-team", "\u{1f30a}-team"] {
        assert_eq!(arrives(&chain, ACME, fetch(team)).await?.header("x-team").as_deref(), Some(team));
    }
    is_refused(&chain, ACME, fetch("evil 中-team"), "rule").await?;
    is_refused(&chain, ACME, fetch("中"), "default").await
}

/// A value that would not arrive as it is rendered is not sent, and neither is the request.
#[tokio::test]
async fn h035_a_value_that_breaks_out_of_its_header_is_not_sent() -> Result<()> {
    let named = |id: &str, name: &str| Customer::new(id).parameters(Some(json!({ "customer_name": name })));
    let chain = Chain::with_policy(
        r#"
        policy  = 1
        default = "deny"
        [customers.injects]
        vars = { plan = "gold\r\nx-admin: 1" }
        [customers.cuts]
        vars = { plan = "gold\u0000" }
        [customers.honest]
        vars = { plan = "gold" }
        [[rule]]
        id     = "customer"
        effect = "allow"
        hosts  = ["customer.example.com"]
        set    = { x-tenant = "{customer}" }
        [[rule]]
        id     = "plan"
        effect = "allow"
        hosts  = ["plan.example.com"]
        set    = { x-plan = "plan={vars.plan}" }
        [[rule]]
        id     = "key"
        effect = "allow"
        hosts  = ["key.example.com"]
        set    = { x-api-key = "{secret.API_KEY}" }
        "#,
    )?
    .customer(named("breaks", "acme\r\nx-admin: 1"))
    .customer(named("spaces", " acme"))
    .customer(named("accents", "acmé"))
    .customer(Customer::new("injects"))
    .customer(Customer::new("cuts"))
    .customer(Customer::new("honest"))
    .secret("API_KEY", "k3y\nx-admin: 1")
    .start()
    .await?;

    let to = |host: &str| Fetch::get(format!("https://{host}.example.com/"));
    is_refused(&chain, "breaks", to("customer"), "unknown-customer").await?;
    for (customer, host) in
        [("spaces", "customer"), ("accents", "customer"), ("injects", "plan"), ("cuts", "plan"), ("honest", "key")]
    {
        is_refused(&chain, customer, to(host), "credential-unavailable").await?;
    }
    assert_eq!(arrives(&chain, "honest", to("plan")).await?.header("x-plan").as_deref(), Some("plan=gold"));
    Ok(())
}

#[tokio::test]
async fn h037_a_name_that_is_no_token_arrives_nowhere() -> Result<()> {
    let chain = chain().await?;
    for name in ["x-api-key ", " x-api-key", "x-api-key\0", "x-api-key:", "x-api\r\nkey"] {
        throws(&chain, ACME, Fetch::get("https://key.example.com/").header(name, "theirs")).await?;
    }
    // These the runtime takes from a tenant; it does not write them to the wire.
    for name in ["", "x-ápi-key"] {
        let request = arrives(&chain, ACME, with_headers("key.example.com", &[name])).await?;
        assert!(request.headers.iter().all(|(_, value)| value != "theirs"), "{name:?}: {request:?}");
    }
    Ok(())
}

#[tokio::test]
async fn h038_cookies_stay_out_where_a_credential_goes_unless_the_rule_keeps_them() -> Result<()> {
    let chain = chain().await?;
    for (host, pass) in [("key.example.com", false), ("cookies.example.com", true), ("plain.example.com", true)] {
        let url = format!("https://{host}/");
        chain.upstream().on(&url, |_| Reply::text("ok").header("set-cookie", "a=1").header("set-cookie", "b=2"));
        let outcome = chain.fetch(ACME, Fetch::get(&url).header("cookie", "c=3")).await?;
        let captured = chain.upstream().take();
        let there = captured.first().context("nothing arrived")?.header("cookie");
        assert_eq!(there.as_deref(), pass.then_some("c=3"), "{host}");
        let back = outcome.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.as_str());
        let expected: &[&str] = if pass { &["a=1", "b=2"] } else { &[] };
        assert_eq!(back.collect::<Vec<_>>(), expected, "{host}");
    }
    Ok(())
}

/// Whatever a tenant says in `cf`, the request leaves with the `cf` that it leaves with when he says nothing.
async fn is_without_effect(cf: serde_json::Value) -> Result<()> {
    let chain = chain().await?;
    for host in ["plain.example.com", "key.example.com"] {
        let silent = arrives(&chain, ACME, Fetch::get(format!("https://{host}/"))).await?;
        let request = arrives(&chain, ACME, Fetch::get(format!("https://{host}/")).cf(cf.clone())).await?;
        assert_eq!((&request.url(), &request.cf), (&silent.url(), &silent.cf));
    }
    Ok(())
}

#[tokio::test]
async fn h039_a_tenant_cannot_say_where_a_name_leads() -> Result<()> {
    is_without_effect(json!({ "resolveOverride": "evil.test" })).await
}

#[tokio::test]
async fn h040_a_tenant_cannot_say_what_is_cached() -> Result<()> {
    is_without_effect(json!({ "cacheKey": "https://key.example.com/theirs", "cacheEverything": true })).await
}

/// One tenant's answer is not for the next: what the platform stamps is part of no cache's key.
#[tokio::test]
async fn a_request_with_an_injected_header_meets_no_cache() -> Result<()> {
    let chain = chain().await?;
    let request = arrives(&chain, ACME, Fetch::get("https://key.example.com/")).await?;
    assert_eq!(request.header("cache-control").as_deref(), Some("no-cache"));
    assert!(request.cf.as_deref().is_some_and(|cf| cf.contains(r#""cacheLevel":"bypass""#)), "{request:?}");
    let request = arrives(&chain, ACME, Fetch::get("https://plain.example.com/")).await?;
    assert_eq!((request.header("cache-control"), request.cf), (None, None));
    Ok(())
}
