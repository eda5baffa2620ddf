//! Sockets: WebSocket upgrades only where a rule says so, and never turned into a plain GET; raw TCP nowhere.

use anyhow::Result;
use tidegate_e2e::{Chain, Customer, Fetch};

#[tokio::test]
async fn an_upgrade_passes_where_a_rule_allows_it_and_is_refused_elsewhere() -> Result<()> {
    let chain = Chain::with_policy(
        r#"
        policy  = 1
        default = "deny"
        [[rule]]
        id        = "live"
        effect    = "allow"
        hosts     = ["live.example.com"]
        websocket = true
        set       = { x-tenant = "{customer}" }
        [[rule]]
        id        = "api"
        effect    = "allow"
        hosts     = ["api.example.com"]
        "#,
    )?
    .customer(Customer::new("acme"))
    .start()
    .await?;

    let talk = chain.converse("acme", &Fetch::get("https://live.example.com/feed").send("hello")).await?;
    assert_eq!((talk.status, talk.body.as_str()), (Some(101), "hello"), "{talk:?}");
    let captured = chain.upstream().take();
    assert_eq!(captured[0].url(), "https://live.example.com/feed");
    assert_eq!(captured[0].header("x-tenant").as_deref(), Some("acme"));

    let refused = chain.converse("acme", &Fetch::get("https://api.example.com/feed").send("hello")).await?;
    assert_eq!(refused.refusal().as_deref(), Some("default"), "{refused:?}");
    assert!(chain.upstream().captured().is_empty(), "an upgrade that is refused is no GET either");

    let plain = chain.fetch("acme", Fetch::get("https://live.example.com/feed")).await?;
    assert_eq!(plain.status, Some(200), "the rule meets plain requests too");
    Ok(())
}

#[tokio::test]
async fn a_raw_tcp_connection_leads_nowhere_even_where_everything_is_allowed() -> Result<()> {
    let chain = Chain::with_policy("policy = 1\ndefault = \"allow\"")?.customer(Customer::new("acme")).start().await?;
    let refused = chain.connect("acme", &chain.upstream().address().to_string()).await?;
    assert!(refused.error.is_some(), "{refused:?}");
    assert!(chain.upstream().captured().is_empty(), "nothing may arrive");
    Ok(())
}
