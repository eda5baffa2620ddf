//! Tokens and secrets: who gets them, and what happens when there are none.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tidegate_e2e::jwt::{Algorithm, SigningKey, VerifyingKeys};
use tidegate_e2e::{Chain, Customer, Fetch, Reply};
use tokio::sync::Barrier;

const SHARED: &str = "a shared key of more than thirty-two bytes";

/// A policy with one key of each algorithm, each for a host of its own.
const POLICY: &str = r#"
policy  = 1
default = "deny"

[customers.acme]
vars = { plan = "gold" }

[keys.es]
alg    = "ES256"
secret = "KEY_ES"
kid    = "es-1"
issuer = "https://platform.example"

[keys.ed]
alg    = "EdDSA"
secret = "KEY_ED"
kid    = "ed-1"

[keys.hs]
alg    = "HS256"
secret = "KEY_HS"
kid    = "hs-1"

[[rule]]
id     = "es"
effect = "allow"
hosts  = ["es.example.com"]
jwt    = { key = "es", audience = "https://es.example.com", ttl = "5m", claims = { plan = "{vars.plan}" } }

[[rule]]
id     = "ed"
effect = "allow"
hosts  = ["ed.example.com"]
jwt    = { key = "ed", audience = "ed", ttl = "60s", header = "x-token", scheme = "" }

[[rule]]
id     = "hs"
effect = "allow"
hosts  = ["hs.example.com"]
jwt    = { key = "hs", audience = "hs", ttl = "1h" }

[[rule]]
id     = "open"
effect = "allow"
hosts  = ["open.example.com"]
"#;

#[tokio::test]
async fn a_token_of_every_algorithm_arrives_and_verifies_with_the_jwks() -> Result<()> {
    let (es, ed) = (SigningKey::new(Algorithm::Es256, "es-1")?, SigningKey::new(Algorithm::EdDsa, "ed-1")?);
    let keys = VerifyingKeys::default().public(&es).public(&ed).shared("hs-1", SHARED);
    let chain = Chain::with_policy(POLICY)?
        .customer(Customer::new("acme"))
        .secret("KEY_ES", &es.private_pem)
        .secret("KEY_ED", &ed.private_pem)
        .secret("KEY_HS", SHARED)
        .start()
        .await?;
    for (host, header, alg, kid, ttl) in [
        ("es.example.com", "authorization", "ES256", "es-1", 300),
        ("ed.example.com", "x-token", "EdDSA", "ed-1", 60),
        ("hs.example.com", "authorization", "HS256", "hs-1", 3600),
    ] {
        let url = format!("https://{host}/");
        // The tenant's own token must not survive beside ours.
        let fetch = Fetch::get(&url).header(header, "Bearer of.the.tenant");
        let outcome = chain.fetch("acme", fetch).await?;
        assert_eq!(outcome.status, Some(200), "{outcome:?}");
        let captured = chain.upstream().take();
        let arrived = captured[0].header(header).context("no token arrived")?;
        assert_eq!(arrived.starts_with("Bearer "), header == "authorization", "{arrived}");
        let token = keys.verify_header(Some(&arrived))?;
        assert_eq!((token.header["alg"].as_str(), token.header["kid"].as_str()), (Some(alg), Some(kid)));
        assert_eq!(token.claim("sub"), Some("acme"));
        assert_eq!(
            token.claims["exp"].as_i64().zip(token.claims["iat"].as_i64()).map(|(exp, iat)| exp - iat),
            Some(ttl)
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_claims_are_those_of_the_rule_and_the_key() -> Result<()> {
    let es = SigningKey::new(Algorithm::Es256, "es-1")?;
    let chain =
        Chain::with_policy(POLICY)?.customer(Customer::new("acme")).secret("KEY_ES", &es.private_pem).start().await?;
    chain.fetch("acme", Fetch::get("https://es.example.com/")).await?;
    let captured = chain.upstream().captured();
    let token = VerifyingKeys::default().public(&es).verify_header(captured[0].header("authorization").as_deref())?;
    assert_eq!(token.claim("iss"), Some("https://platform.example"));
    assert_eq!(token.claim("aud"), Some("https://es.example.com"));
    assert_eq!(token.claim("plan"), Some("gold"));
    let names: BTreeSet<&str> = token.claims.as_object().context("no claims")?.keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["aud", "exp", "iat", "iss", "plan", "sub"]));
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_missing_or_malformed_refuses_its_own_requests_and_no_others() -> Result<()> {
    let other_curve = SigningKey::new(Algorithm::EdDsa, "x")?.private_pem;
    for secret in [
        None,
        Some(""),
        Some("not a key"),
        Some("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        Some(&other_curve),
    ] {
        let mut chain = Chain::with_policy(POLICY)?.customer(Customer::new("acme")).secret("KEY_HS", "too short");
        if let Some(secret) = secret {
            chain = chain.secret("KEY_ES", secret);
        }
        let chain = chain.start().await?;
        for host in ["es.example.com", "hs.example.com"] {
            let refused = chain.fetch("acme", Fetch::get(format!("https://{host}/"))).await?;
            assert_eq!(refused.refusal().as_deref(), Some("credential-unavailable"), "{secret:?} {refused:?}");
        }
        assert!(chain.upstream().captured().is_empty(), "nothing may arrive without its token");
        chain.fetch("acme", Fetch::get("https://open.example.com/")).await?;
        assert_eq!(chain.upstream().captured().len(), 1, "rules without that key go on");
    }
    Ok(())
}

#[tokio::test]
async fn a_customer_without_the_variable_of_a_claim_is_refused() -> Result<()> {
    let es = SigningKey::new(Algorithm::Es256, "es-1")?;
    let chain =
        Chain::with_policy(POLICY)?.customer(Customer::new("beta")).secret("KEY_ES", &es.private_pem).start().await?;
    let refused = chain.fetch("beta", Fetch::get("https://es.example.com/")).await?;
    assert_eq!(refused.refusal().as_deref(), Some("credential-unavailable"));
    assert!(chain.upstream().captured().is_empty());
    Ok(())
}

#[tokio::test]
async fn no_credential_goes_out_on_options() -> Result<()> {
    let es = SigningKey::new(Algorithm::Es256, "es-1")?;
    let chain =
        Chain::with_policy(POLICY)?.customer(Customer::new("acme")).secret("KEY_ES", &es.private_pem).start().await?;
    chain.fetch("acme", Fetch::new("OPTIONS", "https://es.example.com/")).await?;
    let captured = chain.upstream().captured();
    assert_eq!((captured[0].method.as_str(), captured[0].header("authorization")), ("OPTIONS", None));
    Ok(())
}

#[tokio::test]
async fn a_token_is_used_again_for_its_own_customer_and_for_nobody_else() -> Result<()> {
    let ed = SigningKey::new(Algorithm::EdDsa, "ed-1")?;
    let chain = Chain::with_policy(POLICY)?
        .customer(Customer::new("acme"))
        .customer(Customer::new("beta"))
        .secret("KEY_ED", &ed.private_pem)
        .start()
        .await?;
    for customer in ["acme", "beta"] {
        chain.fetch(customer, Fetch::get("https://ed.example.com/")).await?;
    }
    // Signatures are deterministic: only in another second does a newly signed token differ from a kept one.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for customer in ["acme", "beta"] {
        chain.fetch(customer, Fetch::get("https://ed.example.com/")).await?;
    }
    let tokens: Vec<_> = chain.upstream().captured().iter().map(|request| request.header("x-token")).collect();
    assert!(tokens.iter().all(Option::is_some), "{tokens:?}");
    assert_eq!((&tokens[0], &tokens[1]), (&tokens[2], &tokens[3]), "the same token as long as it lives");
    assert_ne!(tokens[0], tokens[1], "never another customer's");
    Ok(())
}

const CUSTOMERS: usize = 50;
const EACH: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_concurrent_requests_of_fifty_customers_through_one_isolate_carry_each_its_own_customers_token()
-> Result<()> {
    let es = SigningKey::new(Algorithm::Es256, "platform-1")?;
    let mut chain = Chain::with_policy(
        r#"
        policy  = 1
        default = "deny"
        [keys.platform]
        alg    = "ES256"
        secret = "KEY"
        kid    = "platform-1"
        [[rule]]
        id     = "api"
        effect = "allow"
        hosts  = ["api.example.com"]
        set    = { x-tenant = "{customer}" }
        jwt    = { key = "platform", audience = "api", ttl = "5m" }
        "#,
    )?
    .secret("KEY", &es.private_pem);
    let names: Vec<String> = (0..CUSTOMERS).map(|number| format!("customer-{number}")).collect();
    for name in &names {
        chain = chain.customer(Customer::new(name));
    }
    let chain = Arc::new(chain.start().await?);
    // No answer before all of them are there: they are all under way at the same time.
    let all_there = Arc::new(Barrier::new(CUSTOMERS * EACH));
    chain.upstream().on("https://api.example.com/", move |_| Reply::text("ok").after(Arc::clone(&all_there)));

    let runs: Vec<_> = names
        .iter()
        .map(|name| {
            let (chain, name) = (Arc::clone(&chain), name.clone());
            tokio::spawn(async move {
                let fetch = Fetch::get("https://api.example.com/").header("x-made-by", &name);
                chain.fetch_all(&name, &vec![fetch; EACH]).await
            })
        })
        .collect();
    let mut isolates = BTreeSet::new();
    for run in runs {
        for outcome in run.await?? {
            assert_eq!(outcome.status, Some(200), "{outcome:?}");
            isolates.insert(outcome.header("x-harness-isolate").context("no isolate")?.to_owned());
        }
    }
    assert_eq!(isolates.len(), 1, "one outbound isolate serves all customers");

    let captured = chain.upstream().captured();
    assert_eq!(captured.len(), CUSTOMERS * EACH);
    let headers: Vec<String> =
        captured.iter().map(|request| request.header("authorization").unwrap_or_default()).collect();
    let tokens: Vec<&str> = headers.iter().map(|header| header.trim_start_matches("Bearer ")).collect();
    let tokens = VerifyingKeys::default().public(&es).verify(&tokens)?;
    for (request, token) in captured.iter().zip(&tokens) {
        let made_by = request.header("x-made-by");
        assert_eq!(token.claim("sub"), made_by.as_deref());
        assert_eq!(request.header("x-tenant"), made_by);
    }
    let served: BTreeSet<_> = tokens.iter().filter_map(|token| token.claim("sub")).collect();
    assert_eq!(served.len(), CUSTOMERS);
    Ok(())
}
