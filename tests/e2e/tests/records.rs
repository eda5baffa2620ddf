//! What the operator finds in the log, and what must never stand there.

use anyhow::{Context, Result};
use serde_json::Value;
use tidegate_e2e::jwt::{Algorithm, SigningKey};
use tidegate_e2e::{Chain, Customer, Fetch, Reply};

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
set    = { x-api-key = "{secret.API_KEY}" }
jwt    = { key = "platform", audience = "api", ttl = "5m" }

[[rule]]
id     = "forgotten"
effect = "allow"
hosts  = ["forgotten.example.com"]
set    = { x-api-key = "{secret.FORGOTTEN}" }
"#;

const KEY: &str = "k3y+of/the=platform";

async fn chain() -> Result<Chain> {
    Chain::with_policy(POLICY)?
        .customer(Customer::new("acme"))
        .secret("API_KEY", KEY)
        .secret("SIGNING_KEY", &SigningKey::new(Algorithm::EdDsa, "k1")?.private_pem)
        .start()
        .await
}

/// The token that a request arrived with.
fn token(chain: &Chain) -> Result<String> {
    let captured = chain.upstream().take();
    let value = captured.first().context("nothing arrived")?.header("authorization").context("no token")?;
    Ok(value.trim_start_matches("Bearer ").to_owned())
}

#[tokio::test]
async fn every_request_leaves_one_record_and_no_secret() -> Result<()> {
    let chain = chain().await?;
    chain.upstream().on("https://api.example.com/hop", |_| Reply::redirect(302, "https://api.example.com/end"));
    let fetch = Fetch::get("https://api.example.com/hop?q=s3cret-query").header("x-own", "s3cret-header");
    assert_eq!(chain.fetch("acme", fetch).await?.status, Some(200));

    let records = chain.decisions_when(|records| records.len() >= 2).await?;
    let seen: Vec<_> = records.iter().map(|record| (&record["host"], &record["path"], &record["rule"])).collect();
    assert_eq!(seen.len(), 2, "one for each hop: {records:?}");
    assert_eq!(records[0]["path"], "/hop");
    assert_eq!(records[1]["path"], "/end");
    for record in &records {
        assert_eq!(record["customer"], "acme");
        assert_eq!(record["effect"], "allow");
        assert_eq!(record["rule"], "api");
        assert_eq!(record["policy"].as_str().context("no digest")?.len(), 64);
        assert_eq!(record["isolate"], records[0]["isolate"]);
        // Enough for another policy to judge the request by.
        assert_eq!(record["scheme"], "https");
        assert_eq!(record["port"], 443);
        assert!(record["at"].as_i64().is_some_and(|at| at > 1_700_000_000), "{record}");
    }
    assert_ne!(records[0]["decision"], records[1]["decision"]);

    let token = token(&chain)?;
    let log = chain.log().join("\n");
    for secret in ["s3cret", KEY, &token] {
        assert!(!log.contains(secret), "`{secret}` is in the log:\n{log}");
    }
    Ok(())
}

#[tokio::test]
async fn a_refusal_for_want_of_a_secret_tells_the_operator_which_and_the_tenant_nothing() -> Result<()> {
    let chain = chain().await?;
    let refused = chain.fetch("acme", Fetch::get("https://forgotten.example.com/")).await?;
    assert_eq!(refused.refusal().as_deref(), Some("credential-unavailable"), "{refused:?}");
    assert!(!refused.body.contains("FORGOTTEN"), "{refused:?}");
    let records = chain.decisions_when(|records| !records.is_empty()).await?;
    assert!(records[0]["fault"].as_str().is_some_and(|fault| fault.contains("FORGOTTEN")), "{records:?}");
    assert!(chain.upstream().captured().is_empty(), "nothing may arrive");
    Ok(())
}

#[tokio::test]
async fn an_answer_that_cannot_be_passed_on_is_a_502_of_ours_and_no_refusal() -> Result<()> {
    let chain = chain().await?;
    // No `Response` can have this status; a connection that breaks takes the same way.
    chain.upstream().on("https://api.example.com/", |_| Reply::text(KEY).status(600));
    let outcome = chain.fetch("acme", Fetch::get("https://api.example.com/")).await?;
    assert_eq!(outcome.status, Some(502), "{outcome:?}");
    assert_eq!(outcome.header("content-type"), Some("application/problem+json"));
    assert_eq!(outcome.header("tidegate-reason"), Some("upstream-failed"));
    assert!(!outcome.body.contains(KEY), "{outcome:?}");

    let decision = outcome.header("tidegate-decision").context("no decision id")?.to_owned();
    let logged = |event: &str| {
        let lines = chain.log();
        let events = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|logged| logged["event"] == event && logged["decision"] == *decision).count()
    };
    chain.decisions_when(|_| logged("upstream-failed") == 1).await?;
    assert_eq!(logged("decision"), 1);
    Ok(())
}
