//! How a decision is written: one JSON object, its fields and their order part of the contract, or some lines for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde::ser::Serializer;
use serde_json::Value;
use tidegate_compiler::checked;
use tidegate_engine::{Judgement, Policy, Reason, RuleRef, Target};
use tidegate_reference::Answer;

use crate::plain::plain;
use crate::request::Request;

/// What is said about one request.
#[derive(Debug, Serialize)]
pub struct Decision {
    /// What happens.
    pub effect: &'static str,
    /// Why.
    pub reason: &'static str,
    /// The determining rule.
    pub rule: Option<String>,
    /// All rules that decided.
    pub rules: Vec<String>,
    /// The canonical URL.
    pub(crate) url: Option<String>,
    /// The policy's.
    pub(crate) mode: &'static str,
    /// False exactly when the effect is allow and would be deny without report mode.
    pub enforced: bool,
    /// Deny rules that matched and were not enforced.
    pub would_deny: Vec<String>,
    pub(crate) would_allow: Vec<String>,
    pub(crate) set: BTreeMap<String, String>,
    pub(crate) remove: Vec<String>,
    pub(crate) jwt: Option<Token>,
    /// The policy's digest.
    pub(crate) policy: String,
}

/// A token as it is shown: without what only the signer knows (`iat`, `exp`) or needs (the secret's name).
#[derive(Debug, Serialize)]
pub(crate) struct Token {
    pub(crate) key: String,
    pub(crate) kid: String,
    pub(crate) alg: &'static str,
    pub(crate) header: String,
    pub(crate) scheme: String,
    #[serde(serialize_with = "in_order")]
    pub(crate) claims: Vec<(String, String)>,
}

/// A decision and the asker's name for its request.
#[derive(Debug, Serialize)]
pub struct Answered<'d> {
    /// The name.
    pub id: &'d Value,
    /// The decision.
    #[serde(flatten)]
    pub decision: &'d Decision,
}

impl Decision {
    /// What a compiled table said about a request.
    pub fn of_table(judgement: &Judgement<'_>, target: Option<&Target>, policy: &Policy<'_>) -> Self {
        let forwarding = judgement.forwarding.as_ref();
        let rules = ids(&judgement.rules);
        Self {
            effect: judgement.effect.as_str(),
            reason: judgement.reason.as_str(),
            rule: rules.first().cloned(),
            rules,
            // A method or headers that cannot be judged leave no URL either.
            url: target.filter(|_| judgement.reason != Reason::InvalidRequest).map(|target| target.url().to_owned()),
            mode: policy.mode().as_str(),
            enforced: judgement.enforced,
            would_deny: ids(&judgement.would_deny),
            would_allow: ids(&judgement.would_allow),
            set: forwarding
                .iter()
                .flat_map(|forwarding| &forwarding.set)
                .map(|header| (header.name.clone(), header.value.clone()))
                .collect(),
            remove: forwarding.map(|forwarding| forwarding.remove.clone()).unwrap_or_default(),
            jwt: forwarding.and_then(|forwarding| forwarding.jwt.as_ref()).map(|jwt| Token {
                key: jwt.key.clone(),
                kid: jwt.kid.clone(),
                alg: jwt.alg.as_str(),
                header: jwt.header.clone(),
                scheme: jwt.scheme.clone(),
                claims: jwt.claims.clone(),
            }),
            policy: policy.digest().to_owned(),
        }
    }

    /// What the reference interpreter said about a request.
    pub fn of_reference(answer: Answer, mode: &'static str, digest: &str) -> Self {
        let (set, remove, token) = match answer.forwarded {
            Some(forwarded) => (forwarded.set, forwarded.remove.into_iter().collect(), forwarded.token),
            None => (BTreeMap::new(), Vec::new(), None),
        };
        Self {
            effect: match answer.effect {
                checked::Effect::Allow => "allow",
                checked::Effect::Deny => "deny",
            },
            reason: answer.reason.as_str(),
            rule: answer.rules.first().cloned(),
            rules: answer.rules,
            url: answer.url,
            mode,
            enforced: answer.enforced,
            would_deny: answer.would_deny,
            would_allow: answer.would_allow,
            set,
            remove,
            jwt: token.map(|token| Token {
                key: token.key,
                kid: token.kid,
                alg: match token.alg {
                    checked::Algorithm::EdDsa => "EdDSA",
                    checked::Algorithm::Es256 => "ES256",
                    checked::Algorithm::Hs256 => "HS256",
                },
                header: token.header,
                scheme: token.scheme,
                claims: registered_first(token.claims),
            }),
            policy: digest.to_owned(),
        }
    }

    /// One line: what happens, and why.
    pub fn headline(&self, request: &Request) -> String {
        let url = self.url.as_deref().unwrap_or(&request.url);
        let because = match &self.rule {
            Some(rule) => format!("{} {rule}", self.reason),
            None => self.reason.to_owned(),
        };
        plain(&format!("{} {} {url} ({because})", self.effect, request.method))
    }

    /// What the rules do to the request's headers, each with a word on what it is.
    pub(crate) fn obligations(&self) -> Vec<(&'static str, String)> {
        let mut lines: Vec<_> = self.remove.iter().map(|name| ("remove", name.clone())).collect();
        lines.extend(self.set.iter().map(|(name, value)| ("set", format!("{name}: {value}"))));
        if let Some(jwt) = &self.jwt {
            let scheme = if jwt.scheme.is_empty() { String::new() } else { format!("{} ", jwt.scheme) };
            let (header, alg, kid) = (&jwt.header, jwt.alg, &jwt.kid);
            lines.push(("jwt", format!("{header}: {scheme}<{alg} token, key {}, kid {kid}>", jwt.key)));
            lines.extend(jwt.claims.iter().map(|(name, value)| ("", format!("{name} = {value}"))));
        }
        lines
    }

    /// All that there is to say, a line each, for people.
    pub fn text(&self, request: &Request) -> String {
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
        for (name, value) in self.obligations() {
            line(name, &value);
        }
        line("policy", &format!("{} ({})", self.policy, self.mode));
        text
    }
}

fn ids(rules: &[RuleRef<'_>]) -> Vec<String> {
    rules.iter().map(|rule| rule.id.to_owned()).collect()
}

/// Claims in the order in which they are signed: the registered ones, then the rule's own by name.
fn registered_first(mut claims: BTreeMap<String, String>) -> Vec<(String, String)> {
    let registered: Vec<_> = ["iss", "sub", "aud"].into_iter().filter_map(|name| claims.remove_entry(name)).collect();
    registered.into_iter().chain(claims).collect()
}

/// An object whose members keep their order.
fn in_order<S: Serializer>(members: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
}
