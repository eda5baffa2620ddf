//! What comes out: the form in which all engines are compared.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_compiler::checked::{Algorithm, Effect};

/// What becomes of a request, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What happens.
    pub effect: Effect,
    /// Why.
    pub reason: Reason,
    /// The rules that decided, in file order; the first is *the* rule. For `credential-unavailable` those that failed.
    pub rules: Vec<String>,
    /// On a denial: what the author of *the* rule says to the refusal's reader.
    pub detail: Option<String>,
    /// The canonical URL; `None` for every `invalid-request`.
    pub url: Option<String>,
    /// False exactly when the effect is allow and would be deny without report mode.
    pub enforced: bool,
    /// Report-mode deny rules that matched and, where policy-level report mode waived them, the enforcing ones.
    pub would_deny: Vec<String>,
    /// Report-mode allow rules that matched.
    pub would_allow: Vec<String>,
    /// How the request goes out; `Some` exactly when the effect is allow.
    pub forwarded: Option<Forwarded>,
}

/// Why. Every one but `Rule` and `Default` denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// An obligation of a matching rule cannot be met.
    CredentialUnavailable,
    /// No rule decided.
    Default,
    /// The table, or the runtime, did what it never should. The interpreter never answers this.
    EvaluationFault,
    /// The request is none that can be judged.
    InvalidRequest,
    /// There is no usable policy. The interpreter never answers this.
    PolicyUnavailable,
    /// A rule decided.
    Rule,
    /// The host is one that only a rule naming it exactly may open.
    SpecialHost,
    /// The request does not say whose it is.
    UnknownCustomer,
}

impl Reason {
    /// The stable kebab-case code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CredentialUnavailable => "credential-unavailable",
            Self::Default => "default",
            Self::EvaluationFault => "evaluation-fault",
            Self::InvalidRequest => "invalid-request",
            Self::PolicyUnavailable => "policy-unavailable",
            Self::Rule => "rule",
            Self::SpecialHost => "special-host",
            Self::UnknownCustomer => "unknown-customer",
        }
    }
}

/// The request that goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// The method, upper case.
    pub method: String,
    /// The headers that go out, the token's aside: names in lower case, sorted by name, values trimmed.
    pub headers: Vec<(String, String)>,
    /// What the rules set, rendered: lower-case names.
    pub set: BTreeMap<String, String>,
    /// What the rules remove: lower-case names.
    pub remove: BTreeSet<String>,
    /// The token that the rules ask for. It goes out in its header in place of whatever the tenant sent there.
    pub token: Option<Token>,
    /// The request meets no cache.
    pub no_store: bool,
    /// This is a WebSocket upgrade, and it may become one.
    pub upgrade: bool,
    /// The answer's `set-cookie` does not reach the tenant.
    pub hides_cookies: bool,
}

/// A token to be signed, without `iat` and `exp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The key's id in the policy.
    pub key: String,
    /// Key id for the token's header.
    pub kid: String,
    /// Signature algorithm.
    pub alg: Algorithm,
    /// Lower-case name of the header that carries the token.
    pub header: String,
    /// What stands before the token, with a space between; nothing if empty.
    pub scheme: String,
    /// Lifetime in seconds.
    pub ttl: u32,
    /// Claims by name: `iss` (where the key has an issuer), `sub`, `aud` and the rule's own.
    pub claims: BTreeMap<String, String>,
}
