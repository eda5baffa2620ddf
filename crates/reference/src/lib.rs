//! The policy language, read aloud.
//!
//! This interpreter answers the same question as `tidegate-engine`, from the same [`CheckedPolicy`], and shares no code
//! with it: no table, no automaton, no host index, no canonicaliser of URLs. It is slow and obvious, and there to
//! disagree: where the two differ, one of them misreads the language.
//!
//! It is to be read beside `docs/policy.md`, in this order:
//!
//! | module | says |
//! |---|---|
//! | `decide` | who decides, in order of precedence |
//! | `request`, `url`, `path` | what a request is, and in which form it is judged |
//! | `identity` | whose it is, and for whom report mode is over |
//! | `rule`, `condition`, `glob` | what a rule matches |
//! | `logic` | what follows where a path can be read in two ways |
//! | `obligations` | what a rule does |
//! | `hygiene` | what of the tenant's headers goes out |
//!
//! # What this crate does not do
//! It reads no TOML and checks no policy; it signs nothing and sends nothing, so that it never looks at a signing key. No
//! Worker runs it.

mod answer;
mod condition;
mod decide;
mod glob;
mod hygiene;
mod identity;
mod logic;
mod obligations;
mod path;
mod request;
mod rule;
mod url;

pub use answer::{Answer, Forwarded, Reason, Token};

use tidegate_compiler::checked::CheckedPolicy;

/// A request, with what the outbound parameters say about its tenant.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The method, in any case.
    pub method: &'r str,
    /// The URL as received.
    pub url: &'r str,
    /// The headers as received, each name once: `Headers` joins values of one name with `, ` (Fetch, "combine").
    pub headers: &'r [(String, String)],
    /// The customer that the parameters name; `None` where they name none or it is not a string.
    pub customer: Option<&'r str>,
    /// The customer's tags; `None` where they are absent or malformed.
    pub tags: Option<&'r [String]>,
    /// The customer's variables, by name; empty where they are absent, `None` where they are malformed.
    pub vars: Option<&'r [(String, String)]>,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub now: i64,
}

/// Answers a request. `secret` gives the value of a Worker secret, if there is one of that name.
pub fn judge(policy: &CheckedPolicy, request: &Request<'_>, secret: &dyn Fn(&str) -> Option<String>) -> Answer {
    decide::decide(policy, request, secret)
}
