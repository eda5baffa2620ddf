//! How an allowed request goes out.

use tidegate_table::Algorithm;

/// Where the values of `{secret.NAME}` come from: the Worker's environment, or placeholders where decisions are only shown.
pub trait Secrets {
    /// The secret's value, if there is one.
    fn secret(&self, name: &str) -> Option<String>;
}

/// What becomes of an allowed request: first the tenant's headers pass [`Forwarding::passes`], then all of `remove`
/// goes, then `set` is set, then the token.
#[derive(Clone, Debug, Default)]
pub struct Forwarding {
    /// Header names that the rules remove, lower case, sorted.
    pub remove: Vec<String>,
    /// Headers that the rules set, sorted by name.
    pub set: Vec<SetHeader>,
    /// The token that the rules ask for.
    pub jwt: Option<JwtSpec>,
    /// The request must not meet a cache: a rule sets a header.
    pub no_store: bool,
    /// This is a WebSocket upgrade, and a rule allows it.
    pub upgrade: bool,
}

/// A header with its value rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetHeader {
    /// Lower-case name.
    pub name: String,
    /// The value.
    pub value: String,
    /// What must not come back in an answer's headers: secrets that went into the value.
    pub secrets: Vec<String>,
}

/// A token to be signed. `iat` and `exp` are the signer's to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSpec {
    /// The key's id in the policy.
    pub key: String,
    /// Key id for the token's header.
    pub kid: String,
    /// Signature algorithm.
    pub alg: Algorithm,
    /// Name of the Worker secret that holds the key.
    pub secret: String,
    /// Lower-case name of the header that carries the token.
    pub header: String,
    /// What stands before the token, with a space between; nothing if empty.
    pub scheme: String,
    /// Lifetime in seconds.
    pub ttl: u32,
    /// Claims in order: `iss` (where the key has an issuer), `sub`, `aud`, then the rule's own by name. All are strings.
    pub claims: Vec<(String, String)>,
}

impl Forwarding {
    /// Whether hygiene lets one of the tenant's headers through. `connection` is the value of the request's `Connection` header, if any.
    pub fn passes(&self, name: &str) -> bool {
        todo!()
    }

    /// Whether a header of the upstream's answer may reach the tenant.
    pub fn answer_passes(&self, name: &str) -> bool {
        todo!()
    }

    /// Whether the request carries a `jwt` or a header with a secret.
    pub fn has_credential(&self) -> bool {
        todo!()
    }
}
