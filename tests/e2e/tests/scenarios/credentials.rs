//! Keys and tokens: who gets one, for how long, and what happens when there are none.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use tidegate_cli::keys::{Jwks, public_keys};
use tidegate_e2e::jwt::{Algorithm, SigningKey, VerifyingKeys};
use tidegate_e2e::{Chain, Customer, Fetch, Reply};
use tokio::sync::Barrier;

use crate::{ACME, arrives, is_refused};

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
        .customer(Customer::new(ACME))
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
        let request = arrives(&chain, ACME, Fetch::get(&url).header(header, "Bearer of.the.tenant")).await?;
        let arrived = request.header(header).context("no token arrived")?;
        assert_eq!(arrived.starts_with("Bearer "), header == "authorization", "{arrived}");
        let token = keys.verify_header(Some(&arrived))?;
        assert_eq!((token.header["alg"].as_str(), token.header["kid"].as_str()), (Some(alg), Some(kid)));
        assert_eq!(token.claim("sub"), Some(ACME));
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
        Chain::with_policy(POLICY)?.customer(Customer::new(ACME)).secret("KEY_ES", &es.private_pem).start().await?;
    chain.fetch(ACME, Fetch::get("https://es.example.com/")).await?;
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
async fn h067_a_key_that_is_missing_or_malformed_refuses_its_own_requests_and_no_others() -> Result<()> {
    let other_curve = SigningKey::new(Algorithm::EdDsa, "x")?.private_pem;
    for secret in [
        None,
        Some(""),
        Some("not a key"),
        Some("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        Some(&other_curve),
    ] {
        let mut chain = Chain::with_policy(POLICY)?.customer(Customer::new(ACME)).secret("KEY_HS", "too short");
        if let Some(secret) = secret {
            chain = chain.secret("KEY_ES", secret);
        }
        let chain = chain.start().await?;
        for host in ["es.example.com", "hs.example.com"] {
            let fetch = Fetch::get(format!("https://{host}/")).header("authorization", "Bearer of.the.tenant");
            is_refused(&chain, ACME, fetch, "credential-unavailable").await.with_context(|| format!("{secret:?}"))?;
        }
        arrives(&chain, ACME, Fetch::get("https://open.example.com/")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_customer_without_the_variable_of_a_claim_is_refused() -> Result<()> {
    let es = SigningKey::new(Algorithm::Es256, "es-1")?;
    let chain =
        Chain::with_policy(POLICY)?.customer(Customer::new("beta")).secret("KEY_ES", &es.private_pem).start().await?;
    is_refused(&chain, "beta", Fetch::get("https://es.example.com/"), "credential-unavailable").await
}

/// That a token is signed anew before it expires, and when the clock is set back, is shown where the clock can be: in
/// `crates/worker/src/token.rs`.
#[tokio::test]
async fn h068_a_token_begins_now_and_ends_with_its_ttl() -> Result<()> {
    let ed = SigningKey::new(Algorithm::EdDsa, "ed-1")?;
    let chain =
        Chain::with_policy(POLICY)?.customer(Customer::new(ACME)).secret("KEY_ED", &ed.private_pem).start().await?;
    let before = now()?;
    let request = arrives(&chain, ACME, Fetch::get("https://ed.example.com/")).await?;
    let after = now()?;
    // The verifier itself refuses what has expired or is yet to begin.
    let token = VerifyingKeys::default().public(&ed).verify_header(request.header("x-token").as_deref())?;
    let time = |name: &str| token.claims[name].as_u64().with_context(|| format!("no {name}: {token:?}"));
    let (issued, expires) = (time("iat")?, time("exp")?);
    // A Worker's clock may stand a little behind: it moves when something arrives.
    assert!((before - 1..=after).contains(&issued), "issued at {issued}, between {before} and {after}");
    assert_eq!(expires - issued, 60);
    assert_eq!(token.claims.get("nbf"), None);
    Ok(())
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

#[tokio::test]
async fn h069_a_token_is_used_again_for_its_own_customer_and_for_nobody_else() -> Result<()> {
    let ed = SigningKey::new(Algorithm::EdDsa, "ed-1")?;
    let chain = Chain::with_policy(POLICY)?
        .customer(Customer::new(ACME))
        .customer(Customer::new("beta"))
        .secret("KEY_ED", &ed.private_pem)
        .start()
        .await?;
    for customer in [ACME, "beta"] {
        chain.fetch(customer, Fetch::get("https://ed.example.com/")).await?;
    }
    // Signatures are deterministic: only in another second does a newly signed token differ from a kept one.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for customer in [ACME, "beta"] {
        chain.fetch(customer, Fetch::get("https://ed.example.com/")).await?;
    }
    let tokens: Vec<_> = chain.upstream().captured().iter().filter_map(|request| request.header("x-token")).collect();
    assert_eq!(tokens.len(), 4);
    assert_eq!(tokens[..2], tokens[2..], "the same token as long as it lives");
    let keys = VerifyingKeys::default().public(&ed);
    let customers = keys.verify(&[&tokens[0], &tokens[1]])?;
    assert_eq!((customers[0].claim("sub"), customers[1].claim("sub")), (Some(ACME), Some("beta")));
    Ok(())
}

/// A rotation: the operator publishes both keys, deploys the new one, and takes the old one out of the set when its last
/// token has expired.
#[tokio::test]
async fn h070_a_new_key_signs_at_once_while_the_published_set_holds_both() -> Result<()> {
    let keys = [SigningKey::new(Algorithm::Es256, "2026-10")?, SigningKey::new(Algorithm::Es256, "2026-11")?];
    let mut tokens = Vec::new();
    for (key, kid) in keys.iter().zip(["2026-10", "2026-11"]) {
        let policy = POLICY.replace("es-1", kid);
        let chain = Chain::with_policy(&policy)?
            .customer(Customer::new(ACME))
            .secret("KEY_ES", &key.private_pem)
            .start()
            .await?;
        let request = arrives(&chain, ACME, Fetch::get("https://es.example.com/")).await?;
        tokens.push(request.header("authorization").context("no token")?.replace("Bearer ", ""));
    }
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();

    // What `tidegate keys jwks 2026-10=old.pem 2026-11=new.pem` does.
    let mut published = Vec::new();
    for (key, kid) in keys.iter().zip(["2026-10", "2026-11"]) {
        let halves = public_keys(&key.private_pem).map_err(|why| anyhow!("{why}"))?;
        published.extend(halves.into_iter().map(|half| half.named(Some(kid))));
    }
    let verified = VerifyingKeys::default().jwks(&Jwks::new(published)?)?.verify(&tokens)?;
    assert_eq!((&verified[0].header["kid"], &verified[1].header["kid"]), (&"2026-10".into(), &"2026-11".into()));

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
