//! How a decision is written: one JSON object, its fields and their order part of the contract, or some lines for people.

use std::fmt::Write as _;

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;
use tidegate_engine::{JwtSpec, Policy, Reason, RuleRef, SetHeader};

use crate::request::{Judged, Request};
use crate::terminal::plain;

/// What is said about one judged request.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Decision<'d> {
    /// The asker's name for the request.
    pub(crate) id: &'d Value,
    pub(crate) effect: &'static str,
    pub(crate) reason: &'static str,
    /// The determining rule.
    pub(crate) rule: Option<&'d str>,
    /// All rules that decided.
    pub(crate) rules: Vec<&'d str>,
    /// The canonical URL.
    pub(crate) url: Option<&'d str>,
    /// The policy's.
    pub(crate) mode: &'static str,
    pub(crate) enforced: bool,
    pub(crate) would_deny: Vec<&'d str>,
    pub(crate) would_allow: Vec<&'d str>,
    pub(crate) set: Headers<'d>,
    pub(crate) remove: &'d [String],
    pub(crate) jwt: Option<Token<'d>>,
    /// The policy's digest.
    pub(crate) policy: &'d str,
}

impl<'d> Decision<'d> {
    /// What `policy` said about a request.
    pub(crate) fn new(id: &'d Value, policy: &'d Policy<'_>, judged: &'d Judged<'_>) -> Self {
        let Judged { judgement, target } = judged;
        let forwarding = judgement.forwarding.as_ref();
        let url = match (judgement.reason, target) {
            // A method or headers that cannot be judged leave no URL either.
            (Reason::InvalidRequest, _) | (_, Err(_)) => None,
            (_, Ok(target)) => Some(target.url()),
        };
        Self {
            id,
            effect: judgement.effect.as_str(),
            reason: judgement.reason.as_str(),
            rule: judgement.rules.first().map(|rule| rule.id),
            rules: ids(&judgement.rules),
            url,
            mode: policy.mode().as_str(),
            enforced: judgement.enforced,
            would_deny: ids(&judgement.would_deny),
            would_allow: ids(&judgement.would_allow),
            set: Headers(forwarding.map_or(&[], |forwarding| &forwarding.set)),
            remove: forwarding.map_or(&[], |forwarding| &forwarding.remove),
            jwt: forwarding.and_then(|forwarding| forwarding.jwt.as_ref()).map(Token),
            policy: policy.digest(),
        }
    }

    /// One line: what happens, and why.
    pub(crate) fn headline(&self, request: &Request) -> String {
        let url = self.url.unwrap_or(&request.url);
        let because = match self.rule {
            Some(rule) => format!("{} {rule}", self.reason),
            None => self.reason.to_owned(),
        };
        plain(&format!("{} {} {url} ({because})", self.effect, request.method))
    }

    /// All that there is to say, a line each, for people.
    pub(crate) fn text(&self, request: &Request) -> String {
        let mut text = self.headline(request);
        let mut line = |name: &str, value: &str| {
            let _ = write!(text, "\n  {name:<12}{}", plain(value));
        };
        if self.rules.len() > 1 {
            line("rules", &self.rules.join(", "));
        }
        if !self.would_deny.is_empty() {
            line("would deny", &self.would_deny.join(", "));
        }
        if !self.would_allow.is_empty() {
            line("would allow", &self.would_allow.join(", "));
        }
        if !self.enforced {
            line("enforced", "no: report mode let it through");
        }
        for name in self.remove {
            line("remove", name);
        }
        for SetHeader { name, value, .. } in self.set.0 {
            line("set", &format!("{name}: {value}"));
        }
        if let Some(Token(jwt)) = self.jwt {
            let scheme = if jwt.scheme.is_empty() { String::new() } else { format!("{} ", jwt.scheme) };
            let (header, alg, kid) = (&jwt.header, jwt.alg.as_str(), &jwt.kid);
            line("jwt", &format!("{header}: {scheme}<{alg} token, key {}, kid {kid}>", jwt.key));
            for (name, value) in &jwt.claims {
                line("", &format!("{name} = {value}"));
            }
        }
        line("policy", &format!("{} ({})", self.policy, self.mode));
        text
    }
}

fn ids<'d>(rules: &[RuleRef<'d>]) -> Vec<&'d str> {
    rules.iter().map(|rule| rule.id).collect()
}

/// Headers as an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Headers<'d>(&'d [SetHeader]);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|header| (&header.name, &header.value)))
    }
}

/// A token as it is shown: without what only the signer knows (`iat`, `exp`) or needs (the secret's name).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'d>(&'d JwtSpec);

impl Serialize for Token<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(6))?;
        map.serialize_entry("key", &self.0.key)?;
        map.serialize_entry("kid", &self.0.kid)?;
        map.serialize_entry("alg", self.0.alg.as_str())?;
        map.serialize_entry("header", &self.0.header)?;
        map.serialize_entry("scheme", &self.0.scheme)?;
        map.serialize_entry("claims", &Claims(&self.0.claims))?;
        map.end()
    }
}

/// Claims in their own order.
struct Claims<'d>(&'d [(String, String)]);

impl Serialize for Claims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
