//! Answers: what an upstream sends back passes, but for our secrets in its headers and for headers that are ours to send.
//! Bodies are not searched.

use std::io::Write;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use tidegate_e2e::jwt::{Algorithm, SigningKey};
use tidegate_e2e::{Act, Chain, ChainBuilder, Customer, Fetch, RawUpstream, Reply};

use crate::ACME;

const POLICY: &str = r#"
policy  = 1
default = "deny"

[keys.platform]
alg    = "EdDSA"
secret = "SIGNING_KEY"
kid    = "k1"

[[rule]]
id     = "api"
effect = "allow"
hosts  = ["api.example.com"]
keep   = ["set-cookie"]
set    = { x-api-key = "{secret.API_KEY}", x-tenant = "{customer}" }
jwt    = { key = "platform", audience = "api", ttl = "5m" }

[[rule]]
id     = "plain"
effect = "allow"
hosts  = ["plain.example.com"]
"#;

/// It has characters that a URL encodes.
const KEY: &str = "k3y+of/the=platform";

fn with_secrets() -> Result<ChainBuilder> {
    let key = SigningKey::new(Algorithm::EdDsa, "k1")?.private_pem;
    Ok(Chain::with_policy(POLICY)?.customer(Customer::new(ACME)).secret("API_KEY", KEY).secret("SIGNING_KEY", &key))
}

async fn chain() -> Result<Chain> {
    with_secrets()?.start().await
}

/// Every character percent-encoded, needed or not.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02x}"))
}

#[tokio::test]
async fn h061_a_secret_that_is_echoed_in_a_header_is_blanked() -> Result<()> {
    let chain = chain().await?;
    chain.upstream().on("https://api.example.com/", |request| {
        let key = request.header("x-api-key").unwrap_or_default();
        let token = request.header("authorization").unwrap_or_default().replace("Bearer ", "");
        Reply::text("ok")
            .status(401)
            .header("location", &format!("/login?key={}&token={token}", key.replace('/', "%2F").replace('+', "%2b")))
            .header("set-cookie", &format!("key={key}; Path=/"))
            .header("set-cookie", &format!("token={token}; HttpOnly"))
            .header("www-authenticate", &format!("Bearer realm=\"{}\", error=\"{token}{key}\"", encoded(&key)))
            .header("x-debug", &encoded(&token))
            .header("x-tenant", &request.header("x-tenant").unwrap_or_default())
            .header("etag", "\"e\"")
    });
    let outcome = chain.fetch(ACME, Fetch::get("https://api.example.com/")).await?;
    let captured = chain.upstream().take();
    assert_eq!(captured[0].header("x-api-key").as_deref(), Some(KEY));
    let token = captured[0].header("authorization").context("no token")?;

    assert_eq!(outcome.status, Some(401), "{outcome:?}");
    let all = |name: &str| -> Vec<&str> {
        outcome.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(all("location"), ["/login?key=***&token=***"]);
    assert_eq!(all("set-cookie"), ["key=***; Path=/", "token=***; HttpOnly"]);
    assert_eq!(all("www-authenticate"), [r#"Bearer realm="***", error="******""#]);
    assert_eq!(all("x-debug"), ["***"]);
    assert_eq!((all("x-tenant"), all("etag")), (vec![ACME], vec!["\"e\""]), "what is no secret stays");
    for secret in [KEY, token.trim_start_matches("Bearer ")] {
        assert!(!format!("{outcome:?}").contains(secret), "{outcome:?}");
    }
    Ok(())
}

#[tokio::test]
async fn h061_a_secret_that_is_echoed_in_a_status_text_is_blanked() -> Result<()> {
    let upstream = RawUpstream::start(|request| {
        let key = request.header("x-api-key").unwrap_or_default();
        let token = request.header("authorization").unwrap_or_default();
        vec![Act::send(format!("HTTP/1.1 401 No {key} nor {token}\r\ncontent-length: 0\r\n\r\n"))]
    })?;
    let chain = with_secrets()?.upstream(upstream.address()).start().await?;
    let outcome = chain.fetch(ACME, Fetch::get("https://api.example.com/")).await?;
    let captured = upstream.captured();
    assert_eq!(captured[0].header("x-api-key").as_deref(), Some(KEY), "it was there to be echoed");
    assert!(captured[0].header("authorization").is_some());
    assert_eq!((outcome.status, outcome.status_text.as_deref()), (Some(401), Some("No *** nor Bearer ***")));
    Ok(())
}

/// What is refused now may be allowed in a minute, and an upstream may be back: nobody is to be told of it from a cache.
#[tokio::test]
async fn an_answer_that_is_made_here_is_never_cached() -> Result<()> {
    let upstream = RawUpstream::start(|request| {
        let status = if request.path == "/none" { "600 None" } else { "200 OK" };
        vec![Act::send(format!("HTTP/1.1 {status}\r\ncache-control: max-age=60\r\ncontent-length: 0\r\n\r\n"))]
    })?;
    let chain = with_secrets()?.upstream(upstream.address()).start().await?;
    for (url, status, cache_control) in [
        ("https://evil.test/", 403, "no-store"),
        ("https://localhost/", 403, "no-store"),
        ("https://plain.example.com/none", 502, "no-store"),
        ("https://api.example.com/none", 502, "no-store"),
        ("https://plain.example.com/", 200, "max-age=60"),
    ] {
        let outcome = chain.fetch(ACME, Fetch::get(url)).await?;
        assert_eq!((outcome.status, outcome.header("cache-control")), (Some(status), Some(cache_control)), "{url}");
    }
    Ok(())
}

#[tokio::test]
async fn h063_an_upstream_cannot_speak_as_tidegate() -> Result<()> {
    const FORGED: &str = r#"{"status":403,"reason":"default","decision":"forged"}"#;
    let chain = chain().await?;
    for url in ["https://api.example.com/", "https://plain.example.com/"] {
        chain.upstream().on(url, |_| {
            Reply::text(FORGED)
                .status(403)
                .header("content-type", "application/problem+json")
                .header("tidegate-decision", "forged")
                .header("tidegate-reason", "default")
                .header("tidegate_decision", "forged")
                .header("tidegate-anything", "forged")
                .header("x-upstream", "stays")
        });
        let outcome = chain.fetch(ACME, Fetch::get(url)).await?;
        let marks = outcome.headers.iter().filter(|(name, _)| name.replace('_', "-").starts_with("tidegate-"));
        assert_eq!(marks.count(), 0, "{url}: an answer without the header is none of ours: {outcome:?}");
        assert_eq!((outcome.status, outcome.body.as_str()), (Some(403), FORGED), "{url}");
        assert_eq!(outcome.header("x-upstream"), Some("stays"), "{url}");
    }
    let refused = chain.fetch(ACME, Fetch::get("https://evil.test/")).await?;
    assert!(refused.header("tidegate-decision").is_some(), "and ours has it: {refused:?}");
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
    let outcome = chain.fetch(ACME, Fetch::get("https://plain.example.com/gzip")).await?;
    assert_eq!((outcome.status, outcome.body.as_str()), (Some(200), "squeezed"));
    let outcome = chain.fetch(ACME, Fetch::get("https://plain.example.com/teapot")).await?;
    assert_eq!((outcome.status, outcome.body.as_str()), (Some(418), "short and stout"));
    Ok(())
}
