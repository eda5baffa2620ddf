//! Secrets are missing, malformed, or change while the isolate that has read them goes on.
//!
//! On the platform another secret is another `env`, of the same isolate or a new one. Here it is the same one: what
//! a customer's parameters hold stands in `env` for its requests alone, secrets too.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tidegate_e2e::jwt::{Algorithm, SigningKey, VerifyingKeys};
use tidegate_e2e::{Chain, ChainBuilder, Customer, Fetch, Outcome};

use super::MADE_BY;

/// One kind of secret for each host, and a host that needs none.
const POLICY: &str = r#"
policy  = 1
default = "deny"

[keys.es]
alg    = "ES256"
secret = "KEY_ES"
kid    = "es-1"

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
jwt    = { key = "es", audience = "es", ttl = "5m" }

[[rule]]
id     = "ed"
effect = "allow"
hosts  = ["ed.example.com"]
jwt    = { key = "ed", audience = "ed", ttl = "5m" }

[[rule]]
id     = "hs"
effect = "allow"
hosts  = ["hs.example.com"]
jwt    = { key = "hs", audience = "hs", ttl = "5m" }

[[rule]]
id     = "key"
effect = "allow"
hosts  = ["key.example.com"]
set    = { authorization = "Bearer {secret.API_KEY}" }

[[rule]]
id     = "open"
effect = "allow"
hosts  = ["open.example.com"]
"#;

/// The hosts, and the secret that each needs.
const HOSTS: [(&str, &str); 5] = [
    ("es.example.com", "KEY_ES"),
    ("ed.example.com", "KEY_ED"),
    ("hs.example.com", "KEY_HS"),
    ("key.example.com", "API_KEY"),
    ("open.example.com", ""),
];

/// A key of a curve that signs ES384; nobody uses it.
const P384: &str = "-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDChM9AZZyfe/MZnOWWe
pFXVTN7K+M04jvC9/Kd1hC/srFM1gqoOdR2CX1Vo26IrD7mhZANiAAQ7pKvT2tRk
bpNh120dKbgwcoN5ULAyYHD8AOd+X9sJRS8QdhF9DAKzUYptIUvJXyN5NnuCpPpP
vWMUmTlImcC4+rTJqUzPCSqOdElMZHJSSSeSRjlO6g1DMvJFjcp/rl8=
-----END PRIVATE KEY-----
";

/// One set of secrets.
struct Secrets {
    es: SigningKey,
    ed: SigningKey,
    hs: String,
    api_key: String,
}

impl Secrets {
    /// A set that no other is equal to.
    fn new(name: &str) -> Result<Self> {
        Ok(Self {
            es: SigningKey::new(Algorithm::Es256, "es-1")?,
            ed: SigningKey::new(Algorithm::EdDsa, "ed-1")?,
            hs: format!("a shared key of thirty-two bytes and more: {name}"),
            api_key: format!("k3y-{name}"),
        })
    }

    /// What verifies this set's tokens and no other's.
    fn verifying(&self) -> VerifyingKeys {
        VerifyingKeys::default().public(&self.es).public(&self.ed).shared("hs-1", &self.hs)
    }

    /// The parameters of a customer with these secrets.
    fn parameters(&self) -> Value {
        json!({
            "customer_name": "acme",
            "KEY_ES": self.es.private_pem,
            "KEY_ED": self.ed.private_pem,
            "KEY_HS": self.hs,
            "API_KEY": self.api_key,
        })
    }
}

/// One more Worker of the same customer, whose requests see these secrets.
fn with(chain: ChainBuilder, name: &str, parameters: Value) -> ChainBuilder {
    chain.customer(Customer::new(name).parameters(Some(parameters)))
}

async fn fetch(chain: &Chain, worker: &str, host: &str) -> Result<Outcome> {
    chain.fetch(worker, Fetch::get(format!("https://{host}/")).header(MADE_BY, worker)).await
}

fn isolate(outcome: &Outcome) -> Option<String> {
    outcome.header("x-harness-isolate").map(str::to_owned)
}

#[tokio::test]
async fn a_secret_that_is_missing_or_malformed_refuses_what_needs_it_and_nothing_else() -> Result<()> {
    let good = Secrets::new("good")?;
    let truncated: String = good.es.private_pem.chars().take(90).collect();
    let mislabelled = good.es.private_pem.replace("PRIVATE KEY", "EC PRIVATE KEY");
    let thirty_one = "s3cret".to_owned() + &"x".repeat(25);
    let bad: [(&str, Option<&str>); 18] = [
        ("KEY_ES", None),
        ("KEY_ES", Some("")),
        ("KEY_ES", Some("s3cret, which is no PEM")),
        ("KEY_ES", Some("-----BEGIN PRIVATE KEY-----\nczNjcmV0\n-----END PRIVATE KEY-----\n")),
        ("KEY_ES", Some(&truncated)),
        ("KEY_ES", Some(&mislabelled)),
        ("KEY_ES", Some(P384)),
        ("KEY_ES", Some(&good.ed.private_pem)),
        ("KEY_ED", None),
        ("KEY_ED", Some("")),
        ("KEY_ED", Some(&good.es.private_pem)),
        ("KEY_HS", None),
        ("KEY_HS", Some("")),
        ("KEY_HS", Some(&thirty_one)),
        ("API_KEY", None),
        ("API_KEY", Some("s3cret\n")),
        ("API_KEY", Some("s3crét")),
        ("API_KEY", Some("s3cret ")),
    ];
    let mut chain = with(Chain::with_policy(POLICY)?, "good", good.parameters());
    for (number, (secret, value)) in bad.iter().enumerate() {
        let mut parameters = good.parameters();
        let known = parameters.as_object_mut().context("no object")?;
        known.remove(*secret);
        known.extend(value.map(|value| ((*secret).to_owned(), json!(value))));
        chain = with(chain, &format!("bad-{number}"), parameters);
    }
    let chain = chain.start().await?;

    let mut isolates = BTreeSet::new();
    for (number, (secret, value)) in bad.iter().enumerate() {
        // Of the same customer: what it was given a moment ago must not stand in for what is missing now.
        for (worker, spoilt) in [("good".to_owned(), ""), (format!("bad-{number}"), *secret), ("good".to_owned(), "")] {
            for (host, needs) in HOSTS {
                let outcome = fetch(&chain, &worker, host).await?;
                let refusal = (!needs.is_empty() && needs == spoilt).then_some("credential-unavailable");
                assert_eq!(outcome.refusal().as_deref(), refusal, "{secret} {value:?} {host}: {outcome:?}");
                assert_eq!(outcome.status, Some(if refusal.is_some() { 403 } else { 200 }));
                assert!(!outcome.body.contains(secret), "which one it is is the operator's business: {outcome:?}");
                isolates.insert(isolate(&outcome));
                let arrived = chain.upstream().take();
                let hosts: Vec<_> = arrived.iter().map(|request| request.host.as_str()).collect();
                assert_eq!(hosts, if refusal.is_some() { vec![] } else { vec![host] }, "{secret} {value:?}");
                assert!(arrived.iter().all(|seen| seen.header("authorization").is_some() != needs.is_empty()));
            }
        }
        let faulty = |record: &&Value| record["reason"] == "credential-unavailable";
        let records = chain.decisions_when(|records| records.iter().filter(faulty).count() == number + 1).await?;
        let fault = records.iter().rfind(faulty).and_then(|record| record["fault"].as_str());
        // What is no header's value is not told from a value that is not there; the rule says which it is.
        assert!(
            fault.is_some_and(|fault| fault.contains(secret)) || *secret == "API_KEY",
            "{secret} {value:?} {fault:?}"
        );
    }
    assert_eq!(isolates.len(), 1, "one isolate saw all of them");
    let log = chain.log().join("\n");
    for quoted in ["s3cr", "czNjcmV0", &truncated[40..80], &good.hs, &good.api_key, "eyJ"] {
        assert!(!log.contains(quoted), "`{quoted}` is in the log:\n{log}");
    }
    Ok(())
}

#[tokio::test]
async fn a_rotated_secret_counts_at_once_and_back_again_and_nothing_of_the_old_one_is_sent() -> Result<()> {
    let (old, new) = (Secrets::new("old")?, Secrets::new("new")?);
    let chain = with(Chain::with_policy(POLICY)?, "old", old.parameters());
    let chain = with(chain, "new", new.parameters());
    let chain = with(chain, "gone", json!({ "customer_name": "acme" })).start().await?;
    let mut isolates = BTreeSet::new();
    for worker in ["old", "new", "gone", "new", "old", "gone", "old", "new"] {
        for (host, needs) in HOSTS {
            let outcome = fetch(&chain, worker, host).await?;
            let served = worker != "gone" || needs.is_empty();
            assert_eq!(outcome.status, Some(if served { 200 } else { 403 }), "{worker} {host}: {outcome:?}");
            isolates.insert(isolate(&outcome));
        }
        signed_by(&chain, worker, if worker == "old" { &old } else { &new })?;
    }
    assert_eq!(isolates.len(), 1, "one isolate saw all of them");
    Ok(())
}

#[tokio::test]
async fn requests_before_and_after_a_rotation_that_are_served_at_once_bear_each_its_own_secret() -> Result<()> {
    let (old, new) = (Secrets::new("old")?, Secrets::new("new")?);
    let chain = with(Chain::with_policy(POLICY)?, "old", old.parameters());
    let chain = with(chain, "new", new.parameters()).start().await?;
    let all = |worker: &'static str| {
        let urls = HOSTS.iter().cycle().take(50).map(|(host, _)| format!("https://{host}/"));
        urls.map(|url| Fetch::get(url).header(MADE_BY, worker)).collect::<Vec<_>>()
    };
    let (before, after) = (all("old"), all("new"));
    let (before, after) = tokio::try_join!(chain.fetch_all("old", &before), chain.fetch_all("new", &after))?;
    assert!(before.iter().chain(&after).all(|outcome| outcome.status == Some(200)), "{before:?} {after:?}");
    let arrived = chain.upstream().take();
    assert_eq!(arrived.len(), 100);
    for (worker, secrets) in [("old", &old), ("new", &new)] {
        let mine = arrived.iter().filter(|request| request.header(MADE_BY).as_deref() == Some(worker));
        check(mine, secrets)?;
    }
    Ok(())
}

/// What arrived since was made by this Worker, with these secrets.
fn signed_by(chain: &Chain, worker: &str, secrets: &Secrets) -> Result<()> {
    let arrived = chain.upstream().take();
    assert!(arrived.iter().all(|request| request.header(MADE_BY).as_deref() == Some(worker)), "{arrived:?}");
    check(arrived.iter(), secrets)
}

/// These requests bear these secrets: the key as it is, tokens that its keys verify.
fn check<'r>(arrived: impl Iterator<Item = &'r tidegate_e2e::Captured>, secrets: &Secrets) -> Result<()> {
    let mut tokens = Vec::new();
    for request in arrived {
        let authorization = request.header("authorization");
        match request.host.as_str() {
            "open.example.com" => assert_eq!(authorization, None),
            "key.example.com" => assert_eq!(authorization, Some(format!("Bearer {}", secrets.api_key))),
            _ => tokens.push(authorization.context("no token")?.trim_start_matches("Bearer ").to_owned()),
        }
    }
    secrets.verifying().verify(&tokens.iter().map(String::as_str).collect::<Vec<_>>()).map(drop)
}
