//! The compiled table as an engine: the same code that the Worker runs, its answers in the form that is compared.

use anyhow::Result;
use tidegate_compiler::checked::{Algorithm, Effect};
use tidegate_engine::{Judgement, JwtSpec, Policy, RequestView, Scratch, Secrets, Target};
use tidegate_reference::{Answer, Forwarded, Reason, Token};

use crate::request::Request;

/// A loaded table, and the room that its decisions use again and again.
pub struct Table<'t> {
    policy: Policy<'t>,
    scratch: Scratch,
}

struct SecretsOf<'f>(&'f dyn Fn(&str) -> Option<String>);

impl Secrets for SecretsOf<'_> {
    fn secret(&self, name: &str) -> Option<String> {
        self.0(name)
    }
}

impl<'t> Table<'t> {
    /// Loads it, as the Worker does.
    pub fn load(bytes: &'t [u8]) -> Result<Self> {
        let policy = Policy::from_bytes(bytes)?;
        Ok(Self { scratch: policy.scratch(), policy })
    }

    /// The policy's name in logs and decisions.
    pub fn digest(&self) -> &str {
        self.policy.digest()
    }

    /// What the table says to a request. Secrets are those that `secret` knows.
    pub fn judge(&mut self, request: &Request, secret: &dyn Fn(&str) -> Option<String>) -> Answer {
        let target = Target::parse(&request.url);
        let view = RequestView {
            method: &request.method,
            target: target.as_ref().map_err(|invalid| *invalid),
            headers: &request.headers,
            customer: request.identity.customer.as_deref(),
            tags: request.identity.tags.as_deref(),
            vars: request.identity.vars.as_deref(),
            now: request.now,
        };
        let judgement = self.policy.judge(&view, &mut self.scratch, &SecretsOf(secret));
        let url = target.ok().map(|target| target.url().to_owned());
        answer(&judgement, url, request)
    }
}

fn answer(judgement: &Judgement<'_>, url: Option<String>, request: &Request) -> Answer {
    let ids = |rules: &[tidegate_engine::RuleRef<'_>]| rules.iter().map(|rule| rule.id.to_owned()).collect::<Vec<_>>();
    let reason = reason(judgement.reason);
    let detail = judgement.rules.first().and_then(|rule| rule.reason);
    Answer {
        effect: match judgement.effect {
            tidegate_engine::Effect::Allow => Effect::Allow,
            tidegate_engine::Effect::Deny => Effect::Deny,
        },
        reason,
        rules: ids(&judgement.rules),
        detail: detail.filter(|_| judgement.forwarding.is_none()).map(str::to_owned),
        url: url.filter(|_| reason != Reason::InvalidRequest),
        enforced: judgement.enforced,
        would_deny: ids(&judgement.would_deny),
        would_allow: ids(&judgement.would_allow),
        forwarded: judgement.forwarding.as_ref().map(|forwarding| {
            let sorted = |mut headers: Vec<(String, String)>| {
                headers.sort();
                headers
            };
            // What stands in the token's place is taken out again: no two signers make the same token.
            let stamp = forwarding.jwt.as_ref().map(|jwt| jwt.header.as_str());
            let headers = forwarding.headers(&request.headers, stamp.map(|_| "token")).into_iter();
            Forwarded {
                method: request.method.to_ascii_uppercase(),
                headers: sorted(
                    headers
                        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
                        .filter(|(name, _)| stamp != Some(name.as_str()))
                        .collect(),
                ),
                set: forwarding.set.iter().map(|header| (header.name.clone(), header.value.clone())).collect(),
                remove: forwarding.remove.iter().cloned().collect(),
                token: forwarding.jwt.as_ref().map(token),
                no_store: forwarding.no_store,
                upgrade: forwarding.upgrade,
                hides_cookies: !forwarding.answer_passes("set-cookie"),
            }
        }),
    }
}

fn token(jwt: &JwtSpec) -> Token {
    Token {
        key: jwt.key.clone(),
        kid: jwt.kid.clone(),
        alg: match jwt.alg {
            tidegate_engine::Algorithm::EdDsa => Algorithm::EdDsa,
            tidegate_engine::Algorithm::Es256 => Algorithm::Es256,
            tidegate_engine::Algorithm::Hs256 => Algorithm::Hs256,
        },
        header: jwt.header.clone(),
        scheme: jwt.scheme.clone(),
        ttl: jwt.ttl,
        claims: jwt.claims.iter().cloned().collect(),
    }
}

fn reason(reason: tidegate_engine::Reason) -> Reason {
    use tidegate_engine::Reason as Engine;
    match reason {
        Engine::CredentialUnavailable => Reason::CredentialUnavailable,
        Engine::Default => Reason::Default,
        Engine::EvaluationFault => Reason::EvaluationFault,
        Engine::InvalidRequest => Reason::InvalidRequest,
        Engine::PolicyUnavailable => Reason::PolicyUnavailable,
        Engine::Rule => Reason::Rule,
        Engine::SpecialHost => Reason::SpecialHost,
        Engine::UnknownCustomer => Reason::UnknownCustomer,
    }
}
