//! Identity: who a request is from is read from the outbound parameters alone, exactly as they stand, or it is refused.

use anyhow::{Result, ensure};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tidegate_e2e::{Chain, Customer, Fetch};

use crate::{ACME, arrives, is_refused};

/// A policy that finds the customer at a path of its own, takes tags, and lets everybody reach one host.
fn policy(customer: &str) -> String {
    format!(
        r#"
policy  = 1
default = "deny"

[identity]
customer = "{customer}"
tags     = "params.tags"

[[rule]]
id     = "everybody"
effect = "allow"
hosts  = ["api.example.com"]
set    = {{ x-tenant = "{{customer}}" }}

[[rule]]
id     = "paid"
effect = "allow"
tags   = ["paid"]
hosts  = ["paid.example.com"]

[[rule]]
id        = "some"
effect    = "allow"
customers = ["acme", "zo\u00e9", "beta-*"]
hosts     = ["some.example.com"]
"#
    )
}

fn api() -> Fetch {
    Fetch::get("https://api.example.com/")
}

/// A chain of customers `c0`, `c1`, … each with outbound parameters of its own.
async fn chain(customer: &str, parameters: &[Value]) -> Result<Chain> {
    let mut chain = Chain::with_policy(&policy(customer))?;
    for (number, parameters) in parameters.iter().enumerate() {
        chain = chain.customer(Customer::new(&format!("c{number}")).parameters(Some(parameters.clone())));
    }
    chain.start().await
}

#[tokio::test]
async fn h052_a_binding_without_parameters_is_nobody() -> Result<()> {
    let chain = Chain::with_policy(&policy("customer_name"))?
        .customer(Customer::new("no-parameters").parameters(None))
        .customer(Customer::new("empty").parameters(Some(json!({}))))
        .start()
        .await?;
    for customer in ["no-parameters", "empty"] {
        is_refused(&chain, customer, api(), "unknown-customer").await?;
    }
    Ok(())
}

#[tokio::test]
async fn h052_the_worker_hit_directly_answers_403_and_forwards_nothing() -> Result<()> {
    let chain = chain("customer_name", &[]).await?;
    let answer = chain.hit_directly("/").await?;
    assert_eq!(answer.status(), 403);
    let problem: Value = serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
    assert_eq!(problem["reason"], "unknown-customer");
    assert!(chain.upstream().captured().is_empty(), "nothing may arrive");
    Ok(())
}

#[tokio::test]
async fn h053_a_name_of_another_kind_or_out_of_bounds_names_no_customer() -> Result<()> {
    let names = [
        json!(null),
        json!(7),
        json!(true),
        json!([ACME]),
        json!({ "name": ACME }),
        json!(""),
        json!("a\nb"),
        json!("a\u{7f}"),
        json!("x".repeat(257)),
    ];
    let mut parameters: Vec<_> =
        names.iter().map(|name| json!({ "params": { "customer": name, "tags": ["paid"] } })).collect();
    parameters.push(json!({ "params": { "tags": ["paid"] } }));
    parameters.push(json!({ "params": ACME, "customer": ACME }));
    let chain = chain("params.customer", &parameters).await?;
    for number in 0..parameters.len() {
        is_refused(&chain, &format!("c{number}"), api(), "unknown-customer").await?;
    }
    Ok(())
}

/// A policy that reads tags must be told them: an absent list is no empty one.
#[tokio::test]
async fn h053_tags_of_another_kind_leave_the_customer_unknown() -> Result<()> {
    let tags = [json!(null), json!(7), json!([7]), json!(["paid", null]), json!({ "0": "paid" })];
    let mut parameters: Vec<_> =
        tags.iter().map(|tags| json!({ "params": { "customer": ACME, "tags": tags } })).collect();
    parameters.push(json!({ "params": { "customer": ACME } }));
    let chain = chain("params.customer", &parameters).await?;
    for number in 0..parameters.len() {
        is_refused(&chain, &format!("c{number}"), api(), "unknown-customer").await?;
    }
    Ok(())
}

/// Variables are an object of texts, or they are not there at all; of anything else nobody can say what was meant.
#[tokio::test]
async fn h053_variables_of_another_kind_leave_the_customer_unknown_and_absent_ones_are_none() -> Result<()> {
    let none = [json!({}), json!({ "vars": {} })];
    let some = [json!({ "vars": { "plan": "gold", "seats": "12" } })];
    let nobody = [
        json!(null),
        json!(7),
        json!(true),
        json!("plan"),
        json!([]),
        json!(["plan"]),
        json!([["plan", "gold"]]),
        json!({ "plan": 7 }),
        json!({ "plan": null }),
        json!({ "plan": ["gold"] }),
        json!({ "plan": { "name": "gold" } }),
        json!({ "plan": "gold", "seats": 12 }),
    ];
    let nobody = nobody.map(|vars| json!({ "vars": vars }));
    let mut chain = Chain::with_policy(
        r#"
        policy   = 1
        default  = "deny"
        identity = { customer = "customer_name", vars = "params.vars" }
        [[rule]]
        id     = "open"
        effect = "allow"
        hosts  = ["api.example.com"]
        [[rule]]
        id     = "plan"
        effect = "allow"
        hosts  = ["plan.example.com"]
        set    = { x-plan = "{vars.plan}" }
        "#,
    )?;
    for (number, params) in none.iter().chain(&some).chain(&nobody).enumerate() {
        let parameters = json!({ "customer_name": ACME, "params": params });
        chain = chain.customer(Customer::new(&format!("c{number}")).parameters(Some(parameters)));
    }
    let chain = chain.start().await?;
    let plan = || Fetch::get("https://plan.example.com/");
    for number in 0..none.len() + some.len() + nobody.len() {
        let customer = format!("c{number}");
        if number >= none.len() + some.len() {
            is_refused(&chain, &customer, api(), "unknown-customer").await?;
            is_refused(&chain, &customer, plan(), "unknown-customer").await?;
        } else if number >= none.len() {
            arrives(&chain, &customer, api()).await?;
            assert_eq!(arrives(&chain, &customer, plan()).await?.header("x-plan").as_deref(), Some("gold"));
        } else {
            arrives(&chain, &customer, api()).await?;
            is_refused(&chain, &customer, plan(), "credential-unavailable").await?;
        }
    }
    Ok(())
}

/// Each of these paths leads to a text in any JavaScript object, or to one beneath a name that no parameter should have.
#[tokio::test]
async fn h053_what_every_object_inherits_names_no_customer() -> Result<()> {
    let planted = json!({ "customer": ACME, "name": ACME });
    let parameters = json!({
        "params": { "customer": ACME, "tags": ["paid"], "__proto__": planted, "constructor": planted },
        "constructor": planted,
    });
    for path in [
        "toString.name",
        "params.toString.name",
        "params.constructor.name",
        "params.hasOwnProperty.name",
        "params.__proto__.customer",
        "__proto__.customer",
        "constructor.customer",
        "params.customer.length",
        "params.customer.constructor.name",
        "customer",
    ] {
        let chain = chain(path, std::slice::from_ref(&parameters)).await?;
        is_refused(&chain, "c0", api(), "unknown-customer").await?;
    }
    // At the top it cannot even be planted: no binding declares it.
    let Err(refused) = chain("__proto__.customer", &[json!({ "__proto__": planted })]).await else {
        anyhow::bail!("`__proto__` was declared")
    };
    ensure!(format!("{refused:#}").contains("`__proto__` cannot be the name of a binding"), "{refused:#}");
    Ok(())
}

#[tokio::test]
async fn h054_names_are_compared_exactly() -> Result<()> {
    let others = [
        "Acme",
        "ACME",
        "acme ",
        " acme",
        "acme.",
        "acme/",
        "../acme",
        "acme/../acme",
        "acme%00",
        "%61cme",
        "acm\u{435}",
        "\u{ff41}cme",
        "acme\u{200b}",
        "acme\u{feff}",
        "zoe\u{301}",
        "BETA-1",
        "beta",
        "x-beta-1",
    ];
    let same = ["acme", "zo\u{e9}", "beta-1", "beta-/../acme"];
    let named = |name: &&str| json!({ "params": { "customer": name, "tags": [] } });
    let parameters: Vec<_> = same.iter().chain(&others).map(named).collect();
    let chain = chain("params.customer", &parameters).await?;
    let fetch = || Fetch::get("https://some.example.com/");
    for number in 0..parameters.len() {
        let customer = format!("c{number}");
        if number < same.len() {
            arrives(&chain, &customer, fetch()).await?;
        } else {
            is_refused(&chain, &customer, fetch(), "default").await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn h054_a_name_arrives_as_it_is() -> Result<()> {
    let names =
        ["Acme", "../acme", "Acme/7?x=1#y", "a%2e%2e", "{customer}", "x".repeat(256).as_str()].map(str::to_owned);
    let parameters = names.clone().map(|name| json!({ "params": { "customer": name, "tags": [] } }));
    let chain = chain("params.customer", &parameters).await?;
    for (number, name) in names.into_iter().enumerate() {
        let request = arrives(&chain, &format!("c{number}"), api()).await?;
        assert_eq!(request.header("x-tenant"), Some(name));
    }
    Ok(())
}

/// A published sample looks at the URL that the tenant was called with, a parameter, where it means the one that the
/// tenant fetches; whoever is called as `api.example.com` gets the token for every host.
#[tokio::test]
async fn h056_the_fetched_url_decides_and_not_the_url_that_the_tenant_was_called_with() -> Result<()> {
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
    .customer(Customer::new(ACME).parameters(Some(json!({
        "customer_name": ACME,
        "url": "https://api.example.com/",
    }))))
    .secret("API_TOKEN", "s3cret")
    .start()
    .await?;

    is_refused(&chain, ACME, Fetch::get("https://evil.example/"), "default").await?;
    let request = arrives(&chain, ACME, Fetch::get("https://elsewhere.example/")).await?;
    assert_eq!(request.header("authorization"), None);
    let request = arrives(&chain, ACME, api()).await?;
    assert_eq!(request.header("authorization").as_deref(), Some("Bearer s3cret"));
    Ok(())
}

/// A published sample reads `env.customer_name` while the binding declares `params_object`: the customer is `undefined`,
/// and so says the token.
#[tokio::test]
async fn h057_a_parameter_that_the_binding_does_not_declare_is_no_identity() -> Result<()> {
    let parameters = [json!({ "params_object": { "customer_name": ACME }, "params": { "tags": [] } })];
    is_refused(&chain("customer_name", &parameters).await?, "c0", api(), "unknown-customer").await?;
    let request = arrives(&chain("params_object.customer_name", &parameters).await?, "c0", api()).await?;
    assert_eq!(request.header("x-tenant").as_deref(), Some(ACME));
    Ok(())
}

#[tokio::test]
async fn tags_are_an_array_or_one_comma_separated_text() -> Result<()> {
    let paid = [json!(["eu", "paid"]), json!(" eu, paid ,")];
    let unpaid = [json!([]), json!(""), json!(["Paid"]), json!("unpaid")];
    let tagged = |tags: &Value| json!({ "params": { "customer": ACME, "tags": tags } });
    let parameters: Vec<_> = paid.iter().chain(&unpaid).map(tagged).collect();
    let chain = chain("params.customer", &parameters).await?;
    let fetch = || Fetch::get("https://paid.example.com/");
    for number in 0..parameters.len() {
        let customer = format!("c{number}");
        if number < paid.len() {
            arrives(&chain, &customer, fetch()).await?;
        } else {
            is_refused(&chain, &customer, fetch(), "default").await?;
        }
    }
    Ok(())
}
