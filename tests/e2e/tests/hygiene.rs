//! What is dropped from requests and answers, and what passes as it is.

use std::io::Write;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use tidegate_e2e::{Captured, Chain, Customer, Fetch, Reply};

const POLICY: &str = r#"
policy  = 1
default = "deny"

[[rule]]
id     = "api"
effect = "allow"
hosts  = ["api.example.com"]
remove = ["x-debug"]
set    = { x-tenant = "{customer}", x-api-key = "{secret.API_KEY}" }

[[rule]]
id     = "plain"
effect = "allow"
hosts  = ["plain.example.com"]

[[rule]]
id     = "plain-with-via"
effect = "allow"
hosts  = ["via.example.com"]
keep   = ["x-forwarded-for"]
"#;

const KEY: &str = "k3y-of-the-platform";

async fn chain() -> Result<Chain> {
    Chain::with_policy(POLICY)?.customer(Customer::new("acme")).secret("API_KEY", KEY).start().await
}

async fn arrived(chain: &Chain, fetch: Fetch) -> Result<Captured> {
    let outcome = chain.fetch("acme", fetch).await?;
    assert_eq!(outcome.status, Some(200), "{outcome:?}");
    let mut captured = chain.upstream().take();
    assert_eq!(captured.len(), 1);
    Ok(captured.remove(0))
}

#[tokio::test]
async fn nobody_can_pose_as_the_platform() -> Result<()> {
    let chain = chain().await?;
    let fetch = Fetch::get("https://api.example.com/")
        .header("x-tenant", "somebody-else")
        .header("X_Tenant", "somebody-else")
        .header("x-api-key", "guessed")
        .header("x_api_key", "guessed")
        .header("authorization", "Bearer of.the.tenant")
        .header("cookie", "session=1")
        .header("x-debug", "1")
        .header("x-own", "stays");
    let request = arrived(&chain, fetch).await?;
    assert_eq!(request.header("x-tenant").as_deref(), Some("acme"));
    assert_eq!(request.header("x-api-key").as_deref(), Some(KEY));
    assert_eq!(request.header("x-own").as_deref(), Some("stays"));
    for name in ["x_tenant", "x_api_key", "authorization", "cookie", "x-debug"] {
        assert_eq!(request.header(name), None, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn headers_that_only_platforms_and_proxies_may_send_are_dropped() -> Result<()> {
    let chain = chain().await?;
    let dropped = [
        "cf-connecting-ip",
        "cf-worker",
        "cf-ew-via",
        "cdn-loop",
        "tidegate-decision",
        "proxy-authorization",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-real-ip",
        "true-client-ip",
        "via",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "te",
        "keep-alive",
        "x-named-by-connection",
    ];
    let fetch = |host: &str| {
        let fetch = Fetch::get(format!("https://{host}/")).header("connection", "x-named-by-connection");
        dropped.iter().fold(fetch, |fetch, name| fetch.header(name, "1"))
    };
    let request = arrived(&chain, fetch("plain.example.com").header("authorization", "Bearer of.the.tenant")).await?;
    for name in dropped {
        assert_eq!(request.header(name), None, "{name}");
    }
    assert_eq!(
        request.header("authorization").as_deref(),
        Some("Bearer of.the.tenant"),
        "no credential of ours, so it stays"
    );

    let request = arrived(&chain, fetch("via.example.com")).await?;
    assert_eq!(request.header("x-forwarded-for").as_deref(), Some("1"), "the rule keeps it");
    assert_eq!(request.header("via"), None);
    Ok(())
}

#[tokio::test]
async fn a_request_is_sent_as_the_url_says_whatever_cf_and_host_say() -> Result<()> {
    let chain = chain().await?;
    let fetch = Fetch::get("https://user:pass@PLAIN.example.com:443/a/%2e%2e/b%7e?q#f")
        .header("host", "evil.test")
        .cf(json!({ "resolveOverride": "evil.test", "cacheEverything": true }));
    let request = arrived(&chain, fetch).await?;
    assert_eq!(request.url(), "https://plain.example.com/b%7e?q");
    assert_eq!(request.header("authorization"), None, "userinfo is dropped");
    Ok(())
}

#[tokio::test]
async fn methods_arrive_as_they_were_sent() -> Result<()> {
    let chain = chain().await?;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "PURGE", "PROPFIND", "QUERY"] {
        let mut fetch = Fetch::new(method, "https://plain.example.com/");
        if method != "GET" {
            fetch = fetch.body("body");
        }
        let request = arrived(&chain, fetch).await?;
        assert_eq!(request.method, method);
        assert_eq!(request.body, if method == "GET" { &b""[..] } else { b"body" }, "{method}");
    }
    let outcome = chain.fetch("acme", Fetch::new("HEAD", "https://plain.example.com/")).await?;
    assert_eq!(outcome.status, Some(200));
    assert_eq!(chain.upstream().take()[0].method, "HEAD");
    Ok(())
}

#[tokio::test]
async fn an_answer_cannot_forge_our_headers_nor_give_an_injected_value_back() -> Result<()> {
    let chain = chain().await?;
    chain.upstream().on("https://api.example.com/", |request| {
        let key = request.header("x-api-key").unwrap_or_default();
        Reply::text("ok")
            .header("x-seen", &format!("key={key};"))
            .header("location", &format!("https://elsewhere.example/?k={key}"))
            .header("set-cookie", "session=upstream")
            .header("tidegate-decision", "forged")
            .header("x-upstream", "stays")
    });
    let outcome = chain.fetch("acme", Fetch::get("https://api.example.com/")).await?;
    assert_eq!(outcome.status, Some(200));
    assert!(outcome.headers.iter().all(|(_, value)| !value.contains(KEY)), "{:?}", outcome.headers);
    assert_eq!(outcome.header("set-cookie"), None, "a credential is attached, so cookies stay out");
    assert_ne!(outcome.header("tidegate-decision"), Some("forged"));
    assert_eq!(outcome.header("x-upstream"), Some("stays"));
    Ok(())
}

#[tokio::test]
async fn cookies_pass_both_ways_where_no_credential_is_attached() -> Result<()> {
    let chain = chain().await?;
    chain.upstream().on("https://plain.example.com/", |_| {
        Reply::text("ok").header("set-cookie", "a=1").header("set-cookie", "b=2")
    });
    let outcome = chain.fetch("acme", Fetch::get("https://plain.example.com/").header("cookie", "c=3")).await?;
    assert_eq!(chain.upstream().captured()[0].header("cookie").as_deref(), Some("c=3"));
    let cookies: Vec<&str> =
        outcome.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.as_str()).collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    Ok(())
}

#[tokio::test]
async fn requests_with_an_injected_header_meet_no_cache() -> Result<()> {
    let chain = chain().await?;
    let request = arrived(&chain, Fetch::get("https://api.example.com/")).await?;
    assert_eq!(request.header("cache-control").as_deref(), Some("no-cache"));
    let request = arrived(&chain, Fetch::get("https://plain.example.com/")).await?;
    assert_eq!(request.header("cache-control"), None);
    Ok(())
}

#[tokio::test]
async fn compressed_answers_and_statuses_pass() -> Result<()> {
    let chain = chain().await?;
    chain.upstream().on("https://plain.example.com/gzip", |_| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        let _ = gzip.write_all(b"squeezed");
        Reply::text(gzip.finish().unwrap_or_default()).header("content-encoding", "gzip")
    });
    chain.upstream().on("https://plain.example.com/teapot", |_| Reply::text("short and stout").status(418));
    let outcome = chain.fetch("acme", Fetch::get("https://plain.example.com/gzip")).await?;
    assert_eq!((outcome.status, outcome.body.as_str()), (Some(200), "squeezed"));
    let outcome = chain.fetch("acme", Fetch::get("https://plain.example.com/teapot")).await?;
    assert_eq!((outcome.status, outcome.body.as_str()), (Some(418), "short and stout"));
    Ok(())
}
