//! What is refused, how it is told, and that nothing of it leaves.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tidegate_e2e::{Chain, Customer, Fetch};

const POLICY: &str = r#"
policy  = 1
default = "deny"

[identity]
customer = "customer_name"
tags     = "customer_tags"

[[rule]]
id      = "no-malware"
effect  = "deny"
domains = ["malware.example"]
reason  = "known malware host"

[[rule]]
id        = "acme-only"
effect    = "allow"
customers = ["acme"]
hosts     = ["acme.example.com"]

[[rule]]
id     = "paid-only"
effect = "allow"
tags   = ["paid"]
hosts  = ["paid.example.com"]

[[rule]]
id      = "reading"
effect  = "allow"
hosts   = ["read.example.com"]
methods = ["GET"]

[[rule]]
id      = "everything-there"
effect  = "allow"
domains = ["malware.example"]
"#;

fn customer(name: &str, tags: &Value) -> Customer {
    Customer::new(name).parameters(Some(json!({ "customer_name": name, "customer_tags": tags })))
}

async fn chain() -> Result<Chain> {
    Chain::with_policy(POLICY)?
        .customer(customer("acme", &json!(["paid"])))
        .customer(customer("beta", &json!("trial, eu")))
        .start()
        .await
}

#[tokio::test]
async fn a_refusal_is_a_problem_document_that_says_why_and_names_the_decision_in_the_log() -> Result<()> {
    let chain = chain().await?;
    let refused = chain.fetch("acme", Fetch::get("https://cdn.malware.example/x?token=1")).await?;
    assert_eq!(refused.refusal().as_deref(), Some("rule"));
    let problem = refused.problem().context("no problem document")?;
    assert_eq!(problem["status"], 403);
    assert_eq!(problem["rule"], "no-malware");
    assert_eq!(problem["detail"], "known malware host");
    let decision = problem["decision"].as_str().context("no decision id")?;
    assert!(problem["type"].is_string() && problem["title"].is_string(), "{problem}");
    assert!(chain.upstream().captured().is_empty(), "nothing may arrive");

    let records = chain.decisions_when(|records| !records.is_empty()).await?;
    assert_eq!(records[0]["decision"], decision);
    let log = chain.log().join("\n");
    assert!(log.contains("cdn.malware.example") && !log.contains("token=1"), "a query is never logged:\n{log}");
    Ok(())
}

#[tokio::test]
async fn customers_tags_and_methods_decide() -> Result<()> {
    let chain = chain().await?;
    for (customer, method, host, refusal) in [
        ("acme", "GET", "acme.example.com", None),
        ("beta", "GET", "acme.example.com", Some("default")),
        ("acme", "GET", "paid.example.com", None),
        ("beta", "GET", "paid.example.com", Some("default")),
        ("beta", "GET", "read.example.com", None),
        ("beta", "POST", "read.example.com", Some("default")),
        ("beta", "PURGE", "read.example.com", Some("default")),
        ("beta", "GET", "other.example.com", Some("default")),
    ] {
        let outcome = chain.fetch(customer, Fetch::new(method, format!("https://{host}/"))).await?;
        assert_eq!(outcome.refusal().as_deref(), refusal, "{customer} {method} {host}: {outcome:?}");
        assert_eq!(chain.upstream().take().len(), usize::from(refusal.is_none()), "{customer} {method} {host}");
    }
    Ok(())
}

#[tokio::test]
async fn addresses_and_internal_names_are_refused_unless_a_rule_names_them_exactly() -> Result<()> {
    let chain = chain().await?;
    for url in [
        "https://169.254.169.254/",
        "https://localhost/",
        "https://intranet/",
        "https://metadata.google.internal/",
        "https://[::1]/",
    ] {
        let refused = chain.fetch("acme", Fetch::get(url)).await?;
        assert_eq!(refused.refusal().as_deref(), Some("special-host"), "{url}: {refused:?}");
    }
    assert!(chain.upstream().captured().is_empty(), "nothing may arrive");
    Ok(())
}

#[tokio::test]
async fn report_mode_lets_a_denied_request_out_and_says_so_in_the_record() -> Result<()> {
    let chain = Chain::with_policy(&format!("mode = \"report\"\n{POLICY}"))?
        .customer(customer("acme", &json!(["paid"])))
        .customer(Customer::new("anonymous").parameters(None))
        .start()
        .await?;
    let outcome = chain.fetch("acme", Fetch::get("https://malware.example/").header("tidegate-x", "1")).await?;
    assert_eq!(outcome.status, Some(200), "{outcome:?}");
    let captured = chain.upstream().take();
    assert_eq!(captured[0].url(), "https://malware.example/");
    assert_eq!(captured[0].header("tidegate-x"), None, "hygiene is not waived");

    let record = chain.decisions_when(|records| !records.is_empty()).await?.remove(0);
    assert_eq!(record["enforced"], false, "{record}");
    assert!(record["would_deny"].to_string().contains("no-malware"), "{record}");

    for (customer, url, reason) in [
        ("anonymous", "https://read.example.com/", "unknown-customer"),
        ("acme", "https://localhost/", "special-host"),
        ("acme", "https://a..b.example/", "invalid-request"),
    ] {
        let refused = chain.fetch(customer, Fetch::get(url)).await?;
        assert_eq!(refused.refusal().as_deref(), Some(reason), "{url}");
    }
    assert!(chain.upstream().captured().is_empty(), "all else is enforced");
    Ok(())
}
