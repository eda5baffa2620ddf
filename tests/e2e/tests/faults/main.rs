//! What breaks around the Worker, and in it. Whatever it is: the next request is served, of another customer too and by the
//! same isolate; nothing went out that was not judged; no credential went where it does not belong.

mod secrets;
mod tail;
mod trap;
mod upstream;

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;
use tidegate_e2e::jwt::{Algorithm, SigningKey, VerifyingKeys};
use tidegate_e2e::{Captured, Chain, ChainBuilder, Customer, Fetch, OutboundWorker, Outcome};

/// One host with credentials and one without. All others are refused.
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
id     = "open"
effect = "allow"
hosts  = ["open.example.com"]
"#;

/// The host with credentials.
const CREDENTIAL: &str = "api.example.com";

/// Hosts, and what a fetch of each is answered as ever.
const HOSTS: [(&str, u16); 3] = [(CREDENTIAL, 200), ("open.example.com", 200), ("evil.test", 403)];

const API_KEY: &str = "k3y+of/the=platform";
const CUSTOMERS: [&str; 2] = ["acme", "beta"];

/// Who made a request, for the one who looks at what arrived.
const MADE_BY: &str = "x-made-by";

/// A platform with two customers, and what must not leak out of it.
struct Platform {
    chain: Chain,
    key: SigningKey,
    /// All that customers were given.
    outcomes: Vec<Outcome>,
}

impl Platform {
    /// Starts the platform that `build` makes of a chain around this Worker.
    async fn start(worker: OutboundWorker, build: impl FnOnce(ChainBuilder) -> ChainBuilder) -> Result<Self> {
        let key = SigningKey::new(Algorithm::EdDsa, "k1")?;
        let mut chain = build(Chain::around(worker)).secret("API_KEY", API_KEY).secret("SIGNING_KEY", &key.private_pem);
        for name in CUSTOMERS {
            chain = chain.customer(Customer::new(name));
        }
        Ok(Self { chain: chain.start().await?, key, outcomes: Vec::new() })
    }

    /// Lets a customer fetch, and keeps what became of it.
    async fn fetch(&mut self, customer: &str, fetch: Fetch) -> Result<Outcome> {
        let outcome = self.chain.fetch(customer, fetch.header(MADE_BY, customer)).await?;
        self.outcomes.push(outcome.clone());
        Ok(outcome)
    }

    /// Both customers are served and refused as ever, all by one isolate.
    async fn serves_everybody(&mut self) -> Result<()> {
        let mut isolates = BTreeSet::new();
        for customer in CUSTOMERS {
            for (host, status) in HOSTS {
                let outcome = self.fetch(customer, Fetch::get(format!("https://{host}/as-ever"))).await?;
                assert_eq!(outcome.status, Some(status), "{customer} {host}: {outcome:?}");
                isolates.insert(outcome.header("x-harness-isolate").context("no isolate")?.to_owned());
            }
        }
        isolates.extend(self.outcomes.iter().filter_map(|seen| seen.header("x-harness-isolate")).map(str::to_owned));
        assert_eq!(isolates.len(), 1, "one isolate, from the first to the last");
        Ok(())
    }

    /// Whatever arrived was judged and bears its own customer's credentials or none, and nobody else saw those.
    async fn keeps_its_secrets(&self, arrived: &[Captured]) -> Result<()> {
        let tokens = tokens_of(arrived, &self.key)?;
        let judged = |request: &Captured| {
            let (host, path, customer) = (request.host.clone(), request.path.clone(), request.header(MADE_BY));
            move |record: &Value| {
                record["effect"] == "allow"
                    && record["host"] == host.as_str()
                    && path.split('?').next() == record["path"].as_str()
                    && record["customer"].as_str() == customer.as_deref()
            }
        };
        self.chain
            .decisions_when(|records| arrived.iter().all(|request| records.iter().any(judged(request))))
            .await
            .context("something arrived that was not judged")?;

        is_not_shown(&tokens, &self.key, &self.chain.log().join("\n"), &self.outcomes)
    }
}

/// The tokens of what arrived: whatever it is, it bears its own customer's credentials where they belong, and none elsewhere.
fn tokens_of(arrived: &[Captured], key: &SigningKey) -> Result<Vec<String>> {
    let (mut tokens, mut customers) = (Vec::new(), Vec::new());
    for request in arrived {
        let authorization = request.header("authorization");
        let token = authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
        let belongs = request.host == CREDENTIAL;
        assert_eq!(request.header("x-api-key").as_deref(), belongs.then_some(API_KEY), "{request:?}");
        assert_eq!(token.is_some(), belongs, "{request:?}");
        if let Some(token) = token {
            tokens.push(token.to_owned());
            customers.push(request.header(MADE_BY));
        }
    }
    let texts: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let verified = VerifyingKeys::default().public(key).verify(&texts)?;
    for (token, made_by) in verified.iter().zip(&customers) {
        assert_eq!(token.claim("sub"), made_by.as_deref());
    }
    Ok(tokens)
}

/// No secret stands in the log, or in what customers were given.
fn is_not_shown(tokens: &[String], key: &SigningKey, log: &str, outcomes: &[Outcome]) -> Result<()> {
    let private = key.private_pem.lines().nth(1).context("no key")?;
    let answers = format!("{outcomes:?}");
    // A token begins with an encoded `{"`.
    for secret in tokens.iter().map(String::as_str).chain([API_KEY, private, "eyJ"]) {
        assert!(!log.contains(secret), "`{secret}` is in the log:\n{log}");
        assert!(!answers.contains(secret), "a customer saw `{secret}`:\n{answers}");
    }
    Ok(())
}
