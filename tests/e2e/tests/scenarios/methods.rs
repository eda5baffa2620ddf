//! Methods: which are judged, under which name, and which get no credential.

use anyhow::Result;
use tidegate_e2e::{Chain, Fetch};

use crate::{ACME, OLD, arrives, is_refused, new_and_old, throws};

const POLICY: &str = r#"
policy  = 1
default = "deny"

[keys.platform]
alg    = "ES256"
secret = "SIGNING_KEY"
kid    = "k1"

[[rule]]
id     = "token"
effect = "allow"
hosts  = ["token.example.com"]
jwt    = { key = "platform", audience = "token", ttl = "5m" }

[[rule]]
id     = "key"
effect = "allow"
hosts  = ["key.example.com"]
set    = { x-api-key = "{secret.API_KEY}", x-tenant = "{customer}" }

[[rule]]
id      = "get-and-post"
effect  = "allow"
hosts   = ["narrow.example.com"]
methods = ["GET", "POST"]

[[rule]]
id      = "get-and-patch"
effect  = "allow"
hosts   = ["patch.example.com"]
methods = ["get", "PATCH"]

[[rule]]
id     = "any"
effect = "allow"
hosts  = ["any.example.com"]
"#;

async fn chain() -> Result<Chain> {
    new_and_old(POLICY)?.secret("API_KEY", "k3y-of-the-platform").start().await
}

/// An upstream that answers TRACE sends the credential back in the body.
#[tokio::test]
async fn h041_trace_goes_nowhere() -> Result<()> {
    let chain = chain().await?;
    for host in ["key.example.com", "any.example.com", "evil.test"] {
        for (tenant, method) in [(ACME, "TRACE"), (ACME, "Trace"), (OLD, "TRACE")] {
            is_refused(&chain, tenant, Fetch::new(method, format!("https://{host}/")), "invalid-request").await?;
        }
    }
    Ok(())
}

/// Neither ours nor the tenant's own. It needs no secret then, and the one of the token is not even set.
#[tokio::test]
async fn h042_no_credential_goes_out_on_options() -> Result<()> {
    let chain = chain().await?;
    for (host, names) in
        [("key.example.com", &["x-api-key", "x_api_key"][..]), ("token.example.com", &["authorization"])]
    {
        let fetch = Fetch::new("OPTIONS", format!("https://{host}/"));
        let fetch = names.iter().fold(fetch, |fetch, name| fetch.header(name, "theirs"));
        let request = arrives(&chain, ACME, fetch).await?;
        assert_eq!(request.method, "OPTIONS");
        for name in names {
            assert_eq!(request.header(name), None, "{name} at {host}");
        }
    }
    let request = arrives(&chain, ACME, Fetch::new("OPTIONS", "https://key.example.com/")).await?;
    assert_eq!(request.header("x-tenant").as_deref(), Some(ACME), "what is no credential stays");
    is_refused(&chain, ACME, Fetch::get("https://token.example.com/"), "credential-unavailable").await
}

#[tokio::test]
async fn h043_methods_are_judged_and_sent_in_upper_case() -> Result<()> {
    let chain = chain().await?;
    for (tenant, written) in
        [(ACME, "get"), (ACME, "Get"), (ACME, "patch"), (ACME, "PaTCH"), (OLD, "get"), (OLD, "PATCH")]
    {
        let request = arrives(&chain, tenant, Fetch::new(written, "https://patch.example.com/")).await?;
        assert_eq!(request.method, written.to_ascii_uppercase(), "{tenant}");
    }
    is_refused(&chain, ACME, Fetch::new("patch", "https://narrow.example.com/"), "default").await?;
    is_refused(&chain, ACME, Fetch::new("put", "https://patch.example.com/"), "default").await?;
    // An old date knows no such spelling; it makes no other method of it either.
    throws(&chain, OLD, Fetch::new("patch", "https://patch.example.com/")).await
}

#[tokio::test]
async fn h044_connect_is_refused_by_the_runtime() -> Result<()> {
    let chain = chain().await?;
    for tenant in [ACME, OLD] {
        for method in ["CONNECT", "connect", "GET / HTTP/1.1\r\nx-injected: 1"] {
            throws(&chain, tenant, Fetch::new(method, "https://any.example.com/")).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn h045_a_rule_for_get_and_post_is_for_no_other_method() -> Result<()> {
    let chain = chain().await?;
    for method in ["QUERY", "PURGE", "PROPFIND", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        is_refused(&chain, ACME, Fetch::new(method, "https://narrow.example.com/"), "default").await?;
    }
    for method in ["GET", "POST"] {
        arrives(&chain, ACME, Fetch::new(method, "https://narrow.example.com/")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn every_method_arrives_as_it_was_sent() -> Result<()> {
    let chain = chain().await?;
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PURGE", "PROPFIND", "QUERY"] {
        let fetch = Fetch::new(method, "https://any.example.com/");
        let has_body = !["GET", "HEAD"].contains(&method);
        let request = arrives(&chain, ACME, if has_body { fetch.body("body") } else { fetch }).await?;
        assert_eq!(request.method, method);
        assert_eq!(request.body, if has_body { &b"body"[..] } else { b"" }, "{method}");
    }
    Ok(())
}
