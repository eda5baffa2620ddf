//! Three bugs of published sample code for outbound Workers, each shown to be impossible here.

use anyhow::{Context, Result};
use serde_json::json;
use tidegate_e2e::{Chain, Customer, Fetch};

/// The sample asks whether the host ends with `api.example.com`, and so lets `evilapi.example.com` pass.
#[tokio::test]
async fn a_host_that_only_ends_like_an_allowed_one_is_refused() -> Result<()> {
    let chain = Chain::with_policy(
        r#"
        policy  = 1
        default = "deny"
        [[rule]]
        id      = "api"
        effect  = "allow"
        domains = ["api.example.com"]
        "#,
    )?
    .customer(Customer::new("acme"))
    .start()
    .await?;

    let refused = chain.fetch("acme", Fetch::get("https://evilapi.example.com/")).await?;
    assert_eq!(refused.refusal().as_deref(), Some("default"));
    assert!(chain.upstream().captured().is_empty(), "nothing may arrive");

    chain.fetch("acme", Fetch::get("https://v2.api.example.com/")).await?;
    assert_eq!(chain.upstream().captured()[0].url(), "https://v2.api.example.com/");
    Ok(())
}

/// The sample looks at the URL that the tenant was called with, a parameter, where it means the one that the tenant
/// fetches; whoever is called as `api.example.com` gets the token for every host.
#[tokio::test]
async fn the_fetched_url_decides_and_not_the_url_that_the_tenant_was_called_with() -> Result<()> {
    let chain = Chain::with_policy(
        r#"
        policy  = 1
        default = "deny"
        [[rule]]
        id      = "api"
        effect  = "allow"
        hosts   = ["api.example.com"]
        set     = { authorization = "Bearer {secret.API_TOKEN}" }
        [[rule]]
        id      = "elsewhere"
        effect  = "allow"
        hosts   = ["elsewhere.example"]
        "#,
    )?
    .customer(Customer::new("acme").parameters(Some(json!({
        "customer_name": "acme",
        "url": "https://api.example.com/",
    }))))
    .secret("API_TOKEN", "s3cret")
    .start()
    .await?;

    let refused = chain.fetch("acme", Fetch::get("https://evil.example/")).await?;
    assert_eq!(refused.refusal().as_deref(), Some("default"));
    chain.fetch("acme", Fetch::get("https://elsewhere.example/")).await?;
    chain.fetch("acme", Fetch::get("https://api.example.com/")).await?;

    let captured = chain.upstream().captured();
    let arrived: Vec<_> = captured.iter().map(|request| (request.url(), request.header("authorization"))).collect();
    let expected = [
        ("https://elsewhere.example/".to_owned(), None),
        ("https://api.example.com/".to_owned(), Some("Bearer s3cret".to_owned())),
    ];
    assert_eq!(arrived, expected);
    Ok(())
}

/// The sample reads `env.customer_name` while the binding declares `params_object`: the customer is `undefined`, and so says
/// the token.
#[tokio::test]
async fn a_parameter_that_the_binding_does_not_declare_is_no_identity() -> Result<()> {
    let policy = |customer: &str| {
        format!(
            r#"
            policy  = 1
            default = "deny"
            [identity]
            customer = "{customer}"
            [[rule]]
            id      = "api"
            effect  = "allow"
            hosts   = ["api.example.com"]
            set     = {{ x-tenant = "{{customer}}" }}
            "#
        )
    };
    let acme = Customer::new("acme").parameters(Some(json!({ "params_object": { "customer_name": "acme" } })));
    let fetch = Fetch::get("https://api.example.com/");

    let chain = Chain::with_policy(&policy("customer_name"))?.customer(acme.clone()).start().await?;
    let refused = chain.fetch("acme", fetch.clone()).await?;
    assert_eq!(refused.refusal().as_deref(), Some("unknown-customer"));
    assert!(chain.upstream().captured().is_empty(), "nothing may arrive");

    let chain = Chain::with_policy(&policy("params_object.customer_name"))?.customer(acme).start().await?;
    chain.fetch("acme", fetch).await?;
    let captured = chain.upstream().captured();
    let arrived = captured.first().context("nothing arrived")?;
    assert_eq!(arrived.header("x-tenant").as_deref(), Some("acme"));
    Ok(())
}
