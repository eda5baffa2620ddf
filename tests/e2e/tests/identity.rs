//! Where the customer's name may stand among the outbound parameters, and where it may not.

use anyhow::Result;
use serde_json::{Value, json};
use tidegate_e2e::{Chain, Customer, Fetch};

/// A policy that finds the customer at a path of its own, and takes tags.
fn policy(customer: &str) -> String {
    format!(
        r#"
policy  = 1
default = "deny"

[identity]
customer = "{customer}"
tags     = "params.tags"

[[rule]]
id     = "paid"
effect = "allow"
tags   = ["paid"]
hosts  = ["paid.example.com"]
set    = {{ x-tenant = "{{customer}}" }}
"#
    )
}

async fn chain(customer: &str, parameters: Value) -> Result<Chain> {
    Chain::with_policy(&policy(customer))?.customer(Customer::new("acme").parameters(Some(parameters))).start().await
}

#[tokio::test]
async fn a_path_reaches_into_an_object_and_tags_may_be_one_comma_separated_text() -> Result<()> {
    for tags in [json!(["eu", "paid"]), json!(" eu, paid ,")] {
        let chain = chain("params.customer", json!({ "params": { "customer": "Acme/7", "tags": tags } })).await?;
        let outcome = chain.fetch("acme", Fetch::get("https://paid.example.com/")).await?;
        assert_eq!(outcome.status, Some(200), "{outcome:?}");
        assert_eq!(chain.upstream().take()[0].header("x-tenant").as_deref(), Some("Acme/7"));
    }
    Ok(())
}

#[tokio::test]
async fn what_every_object_inherits_names_no_customer() -> Result<()> {
    // Each of these paths leads to a text in any JavaScript object; none of them is a parameter that somebody passed.
    for path in ["params.toString.name", "params.hasOwnProperty.name", "params.customer.length"] {
        let chain = chain(path, json!({ "params": { "customer": "acme", "tags": ["paid"] } })).await?;
        let refused = chain.fetch("acme", Fetch::get("https://paid.example.com/")).await?;
        assert_eq!(refused.refusal().as_deref(), Some("unknown-customer"), "{path}: {refused:?}");
        assert!(chain.upstream().captured().is_empty(), "{path}: nothing may arrive");
    }
    Ok(())
}

#[tokio::test]
async fn a_name_of_another_kind_or_out_of_bounds_names_no_customer() -> Result<()> {
    let names = [
        json!(null),
        json!(7),
        json!(["acme"]),
        json!({ "name": "acme" }),
        json!(""),
        json!("a\nb"),
        json!("x".repeat(257)),
    ];
    for name in names {
        let chain = chain("params.customer", json!({ "params": { "customer": name, "tags": ["paid"] } })).await?;
        let refused = chain.fetch("acme", Fetch::get("https://paid.example.com/")).await?;
        assert_eq!(refused.refusal().as_deref(), Some("unknown-customer"), "{name}: {refused:?}");
        assert!(chain.upstream().captured().is_empty(), "{name}: nothing may arrive");
    }
    Ok(())
}
