//! Sockets: raw TCP nowhere; WebSocket upgrades only where a rule says so, and never turned into a plain GET.

use anyhow::Result;
use tidegate_e2e::{Chain, Customer, Fetch};

use crate::{ACME, arrives, is_refused};

const POLICY: &str = r#"
policy  = 1
default = "deny"

[[rule]]
id        = "live"
effect    = "allow"
hosts     = ["live.example.com"]
websocket = true
set       = { x-api-key = "{secret.API_KEY}" }

[[rule]]
id     = "api"
effect = "allow"
hosts  = ["api.example.com"]
set    = { x-api-key = "{secret.API_KEY}" }
"#;

const KEY: &str = "k3y-of-the-platform";

async fn chain() -> Result<Chain> {
    Chain::with_policy(POLICY)?.customer(Customer::new(ACME)).secret("API_KEY", KEY).start().await
}

/// Asks for a WebSocket, which must be refused for this reason; of it nothing may arrive, as an upgrade or as a GET.
async fn upgrade_is_refused(chain: &Chain, url: &str, reason: &str) -> Result<()> {
    let refused = chain.converse(ACME, &Fetch::get(url).send("hello")).await?;
    assert_eq!(refused.refusal().as_deref(), Some(reason), "{url}: {refused:?}");
    assert!(chain.upstream().captured().is_empty(), "{url}: nothing may arrive");
    Ok(())
}

#[tokio::test]
async fn h046_a_raw_tcp_connection_leads_nowhere_even_where_everything_is_allowed() -> Result<()> {
    let chain = Chain::with_policy("policy = 1\ndefault = \"allow\"")?.customer(Customer::new(ACME)).start().await?;
    for to in ["evil.test:443", "api.example.com:443", &chain.upstream().address().to_string()] {
        let refused = chain.connect(ACME, to).await?;
        assert!(refused.error.is_some(), "{to}: {refused:?}");
        assert!(chain.upstream().captured().is_empty(), "{to}: nothing may arrive");
    }
    Ok(())
}

#[tokio::test]
async fn h048_an_upgrade_at_a_denied_host_is_refused() -> Result<()> {
    let chain = chain().await?;
    upgrade_is_refused(&chain, "https://evil.test/feed", "default").await?;
    upgrade_is_refused(&chain, "https://169.254.169.254/feed", "special-host").await
}

#[tokio::test]
async fn h049_an_upgrade_at_an_allowed_host_is_refused_unless_the_rule_says_otherwise() -> Result<()> {
    let chain = chain().await?;
    upgrade_is_refused(&chain, "https://api.example.com/feed", "default").await?;
    upgrade_is_refused(&chain, "http://live.example.com/feed", "default").await?;

    let fetch = Fetch::get("https://live.example.com/feed").header("x-api-key", "theirs").header("x-own", "1");
    let talk = chain.converse(ACME, &fetch.send("hello")).await?;
    assert_eq!((talk.status, talk.body.as_str()), (Some(101), "hello"), "{talk:?}");
    let captured = chain.upstream().take();
    assert_eq!(captured.len(), 1);
    assert_eq!(captured[0].url(), "https://live.example.com/feed");
    assert_eq!(captured[0].header("x-api-key").as_deref(), Some(KEY), "the handshake carries what the rule sets");
    assert_eq!(captured[0].header("x-own").as_deref(), Some("1"));

    // The rule meets plain requests too.
    let request = arrives(&chain, ACME, Fetch::get("https://live.example.com/feed")).await?;
    assert_eq!(request.header("x-api-key").as_deref(), Some(KEY));
    Ok(())
}

/// The header that asks for one is a list, in any case.
#[tokio::test]
async fn h049_no_spelling_of_an_upgrade_makes_it_a_plain_request() -> Result<()> {
    let chain = chain().await?;
    for value in ["WebSocket", "h2c, websocket", "websocket,", "\twebsocket "] {
        is_refused(&chain, ACME, Fetch::get("https://api.example.com/").header("upgrade", value), "default").await?;
    }
    Ok(())
}
