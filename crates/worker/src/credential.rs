//! What the platform's credentials are made of: secrets from the environment, tokens signed with some of them.

use std::cell::{Cell, RefCell};
use std::fmt;

use tidegate_engine::{JwtSpec, Secrets};

use crate::exchange::Exchange;
use crate::key::{KeyError, KeyRing};
use crate::signature::{self, Claims};
use crate::token::{TokenCache, TokenKey};

/// The Worker's secrets: own string properties of `env`.
pub(crate) struct EnvSecrets<'e> {
    exchange: &'e Exchange,
    /// The first name that was asked for and is not there; the log tells the operator.
    missing: RefCell<Option<String>>,
}

/// Why there is no token.
#[derive(Debug)]
pub(crate) enum TokenError {
    /// The secret is there, but holds no key of the kind that the policy says.
    Key { secret: String, error: KeyError },
    /// There is no secret of that name.
    Missing { secret: String },
    /// The signer failed.
    Signature { key: String, error: jsonwebtoken::errors::Error },
}

/// What an isolate keeps of credentials from one request to the next.
#[derive(Default)]
pub(crate) struct Credentials {
    keys: KeyRing,
    tokens: TokenCache,
}

impl<'e> EnvSecrets<'e> {
    /// The secrets in the environment of this request. None is kept for the next: outbound parameters stand there, too, and
    /// differ by request.
    pub(crate) fn new(exchange: &'e Exchange) -> Self {
        Self { exchange, missing: RefCell::new(None) }
    }

    /// What to tell the operator, if a secret was asked for that is not there.
    pub(crate) fn complaint(&self) -> Option<String> {
        self.missing.take().map(|secret| TokenError::Missing { secret }.to_string())
    }
}

impl Secrets for EnvSecrets<'_> {
    fn secret(&self, name: &str) -> Option<String> {
        let value = self.exchange.secret(name).ok().flatten();
        if value.is_none() {
            self.missing.replace(Some(name.to_owned()));
        }
        value
    }
}

impl Credentials {
    /// The token that a rule asks for.
    pub(crate) fn token(
        &mut self,
        spec: &JwtSpec,
        policy: &str,
        now: i64,
        secrets: &dyn Secrets,
    ) -> Result<String, TokenError> {
        let secret = || spec.secret.clone();
        let value = secrets.secret(&spec.secret).ok_or_else(|| TokenError::Missing { secret: secret() })?;
        let keys = &mut self.keys;
        let fingerprint = keys.fingerprint(&value);
        self.tokens.token(TokenKey::new(spec, policy, fingerprint), now, |token, validity| {
            let key = keys
                .key(token.alg, &value, fingerprint)
                .map_err(|error| TokenError::Key { secret: secret(), error })?;
            let claims = Claims { rendered: &token.claims, issued: validity.issued, expires: validity.expires };
            signature::sign(token.alg, &token.kid, &claims, key)
                .map_err(|error| TokenError::Signature { key: token.key.clone(), error })
        })
    }

    /// Runs `use_them` on this isolate's own. Requests take turns, none keeps them over an `await`.
    pub(crate) fn of_isolate<T>(use_them: impl FnOnce(&mut Self) -> T) -> T {
        thread_local! {
            // Taken while in use: were a use ever cut short, the next one starts from nothing instead of failing.
            static CREDENTIALS: Cell<Credentials> = Cell::default();
        }
        CREDENTIALS.with(|kept| {
            let mut credentials = kept.take();
            let result = use_them(&mut credentials);
            kept.set(credentials);
            result
        })
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { secret, error } => write!(f, "secret `{secret}` {error}"),
            Self::Missing { secret } => {
                write!(f, "secret `{secret}` is not set; set it with `wrangler secret put {secret}`")
            }
            Self::Signature { key, error } => write!(f, "nothing can be signed with key `{key}`: {error}"),
        }
    }
}
