//! What is refused, how it is told, and that nothing of it leaves.

use anyhow::{Context, Result};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tidegate_e2e::{Chain, Customer, Fetch, OutboundWorker, compile};

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
        .customer(Customer::new("anonymous").parameters(None))
        .customer(Customer::new("no-tags"))
        .customer(customer("nobody", &json!([])).parameters(Some(json!({ "customer_name": "", "customer_tags": [] }))))
        .customer(Customer::new("number").parameters(Some(json!({ "customer_name": 7, "customer_tags": [] }))))
        .customer(Customer::new("odd-tags").parameters(Some(json!({ "customer_name": "odd", "customer_tags": [7] }))))
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
async fn whoever_does_not_say_who_he_is_is_refused_everything() -> Result<()> {
    let chain = chain().await?;
    for customer in ["anonymous", "no-tags", "nobody", "number", "odd-tags"] {
        let refused = chain.fetch(customer, Fetch::get("https://read.example.com/")).await?;
        assert_eq!(refused.refusal().as_deref(), Some("unknown-customer"), "{customer}: {refused:?}");
    }
    assert!(chain.upstream().captured().is_empty(), "nothing may arrive");
    Ok(())
}

#[tokio::test]
async fn the_worker_hit_directly_answers_403_and_forwards_nothing() -> Result<()> {
    let chain = chain().await?;
    let answer = chain.hit_directly("read.example.com", "/").await?;
    assert_eq!(answer.status(), 403);
    let problem: Value = serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
    assert_eq!(problem["reason"], "unknown-customer");
    assert!(chain.upstream().captured().is_empty(), "nothing may arrive");
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
async fn a_request_over_the_limits_is_invalid() -> Result<()> {
    let chain = chain().await?;
    let long_url = Fetch::get(format!("https://read.example.com/?{}", "x".repeat(16 * 1024)));
    let heavy = Fetch::get("https://read.example.com/").header("x-heavy", "x".repeat(128 * 1024));
    let trace = Fetch::new("TRACE", "https://read.example.com/");
    for fetch in [long_url, heavy, trace] {
        let refused = chain.fetch("acme", fetch).await?;
        assert_eq!(refused.refusal().as_deref(), Some("invalid-request"), "{refused:?}");
    }
    assert!(chain.upstream().captured().is_empty(), "nothing may arrive");
    Ok(())
}

#[tokio::test]
async fn a_missing_or_damaged_table_refuses_everything() -> Result<()> {
    let table = compile(POLICY)?;
    let mut flipped = table.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let workers = [
        ("no section", OutboundWorker::without_policy()?),
        ("a flipped bit", OutboundWorker::with_table(&flipped)?),
        ("half a table", OutboundWorker::with_table(&table[..middle])?),
        ("an empty section", OutboundWorker::with_table(&[])?),
    ];
    for (name, worker) in workers {
        let chain = Chain::around(worker).customer(customer("acme", &json!(["paid"]))).start().await?;
        let refused = chain.fetch("acme", Fetch::get("https://acme.example.com/")).await?;
        assert_eq!(refused.refusal().as_deref(), Some("policy-unavailable"), "{name}: {refused:?}");
        assert!(chain.upstream().captured().is_empty(), "{name}: nothing may arrive");
        let records = chain.decisions_when(|records| !records.is_empty()).await?;
        assert!(records[0]["fault"].is_string(), "{name}: the log says what is wrong: {}", records[0]);
    }
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
