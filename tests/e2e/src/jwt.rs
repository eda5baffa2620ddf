//! Tokens, looked at with an upstream's eyes: verified with the JWKS by Node's own cryptography, which shares no code with
//! the Worker's.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
pub use tidegate_cli::keys::Algorithm;
use tidegate_cli::keys::{Jwks, KeyPair};

use crate::paths::repository;

/// A key pair, as `tidegate keys new` makes it.
pub struct SigningKey {
    /// PKCS#8 PEM: the Worker's secret.
    pub private_pem: String,
    /// The public half as a JWK.
    pub public: Value,
}

impl SigningKey {
    /// Makes a pair.
    pub fn new(algorithm: Algorithm, kid: &str) -> Result<Self> {
        let pair = KeyPair::new(algorithm, Some(kid))?;
        Ok(Self { private_pem: pair.private_pem.to_string(), public: serde_json::to_value(&pair.public)? })
    }
}

/// A set of public keys, and shared ones, which no JWKS may hold.
#[derive(Clone, Debug, Default)]
pub struct VerifyingKeys {
    public: Vec<Value>,
    shared: serde_json::Map<String, Value>,
}

impl VerifyingKeys {
    /// Adds the public half of a pair.
    #[must_use]
    pub fn public(mut self, key: &SigningKey) -> Self {
        self.public.push(key.public.clone());
        self
    }

    /// Adds all keys of a set.
    pub fn jwks(mut self, set: &Jwks) -> Result<Self> {
        let set = serde_json::to_value(set)?;
        self.public.extend(set["keys"].as_array().context("a JWKS without `keys`")?.iter().cloned());
        Ok(self)
    }

    /// Adds an HS256 key.
    #[must_use]
    pub fn shared(mut self, kid: &str, secret: &str) -> Self {
        self.shared.insert(kid.to_owned(), json!(secret));
        self
    }

    /// Verifies signatures, `exp` and `iat`, and gives what the tokens say. The first bad one is an error.
    pub fn verify(&self, tokens: &[&str]) -> Result<Vec<Token>> {
        let question = json!({ "jwks": { "keys": self.public }, "shared": self.shared, "tokens": tokens });
        let mut node = Command::new("node")
            .arg(repository().join("tests/e2e/verify-jwt.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start node: install Node 20 or later")?;
        node.stdin.take().context("node takes no input")?.write_all(question.to_string().as_bytes())?;
        let output = node.wait_with_output()?;
        if !output.status.success() {
            bail!("a token does not verify; the reason is above");
        }
        serde_json::from_slice(&output.stdout).context("the verifier answered no JSON")
    }

    /// Verifies the one token of a header such as `Bearer …`.
    pub fn verify_header(&self, header: Option<&str>) -> Result<Token> {
        let header = header.context("no token arrived")?;
        let token = header.rsplit(' ').next().unwrap_or(header);
        self.verify(&[token])?.pop().context("the verifier answered nothing")
    }
}

/// What a verified token says.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Token {
    /// Its header: `alg`, `kid`.
    pub header: Value,
    /// Its claims.
    pub claims: Value,
}

impl Token {
    /// A claim that is a string.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }
}
