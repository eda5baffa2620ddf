//! What comes out.

use tidegate_table::{Effect, Fault};

use crate::decide::Decision;
use crate::forwarding::{Forwarding, Outcome, Secrets};
use crate::policy::{Policy, RuleRef};
use crate::request::RequestView;

/// Why. The texts are API. Every one but `rule` and `default` denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An obligation of a matching rule cannot be met: a variable, a secret or a key is missing or unusable.
    CredentialUnavailable,
    /// No rule decided.
    Default,
    /// The table, or the runtime, did something that it never should.
    EvaluationFault,
    /// The request is none that can be judged.
    InvalidRequest,
    /// There is no usable policy.
    PolicyUnavailable,
    /// A rule decided.
    Rule,
    /// The host is one that only a rule naming it exactly may open.
    SpecialHost,
    /// The request does not say whose it is.
    UnknownCustomer,
}

impl Reason {
    /// Every reason, in the order of precedence in which they are found.
    pub const ALL: [Self; 8] = [
        Self::PolicyUnavailable,
        Self::EvaluationFault,
        Self::InvalidRequest,
        Self::UnknownCustomer,
        Self::Rule,
        Self::SpecialHost,
        Self::Default,
        Self::CredentialUnavailable,
    ];

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

/// What a tenant is told whose request is refused, in the words of RFC 9457. The Worker sends it; whoever explains a refusal shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// What happened, for people.
    pub title: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Why: the stable code.
    pub reason: &'static str,
    /// The rule that decided.
    pub rule: Option<&'a str>,
    /// What the rule's author has to say.
    pub detail: Option<&'a str>,
}

/// The whole answer for one request: decided, and if allowed, how it goes out.
#[derive(Clone, Debug)]
pub struct Judgement<'p> {
    /// What happens.
    pub effect: Effect,
    /// Why.
    pub reason: Reason,
    /// The rules that decided, in file order; the first is *the* rule. Empty where none did.
    /// For `credential-unavailable` the rules whose obligations failed.
    pub rules: Vec<RuleRef<'p>>,
    /// False exactly when the effect is allow and would be deny without report mode.
    pub enforced: bool,
    /// Deny rules that matched and were not enforced.
    pub would_deny: Vec<RuleRef<'p>>,
    /// Report-mode allow rules that matched.
    pub would_allow: Vec<RuleRef<'p>>,
    /// What failed, where the reason is `evaluation-fault`: for the operator's log, no tenant's business.
    pub fault: Option<Fault>,
    /// How the request goes out; `Some` exactly when the effect is allow.
    pub forwarding: Option<Forwarding>,
}

impl<'p> Judgement<'p> {
    /// What the tenant is told if the request is refused, which it is where the effect is deny.
    pub fn refusal(&self) -> Refusal<'p> {
        let rule = self.rules.first();
        Refusal {
            title: "Forbidden",
            status: 403,
            reason: self.reason.as_str(),
            rule: rule.map(|rule| rule.id),
            detail: rule.and_then(|rule| rule.reason),
        }
    }

    /// Works out how a decided request goes out, which may yet fail for want of a credential.
    pub(crate) fn of(
        policy: &'p Policy<'_>,
        request: &RequestView<'_>,
        decision: &Decision<'_>,
        secrets: &dyn Secrets,
    ) -> Result<Self, Fault> {
        let rule_ref = |index| policy.rule_ref(index);
        let judgement = Self {
            effect: decision.effect,
            reason: decision.reason,
            rules: decision.rules().map(rule_ref).collect::<Result<_, _>>()?,
            enforced: decision.enforced,
            would_deny: decision.would_deny().map(rule_ref).collect::<Result<_, _>>()?,
            would_allow: decision.would_allow().map(rule_ref).collect::<Result<_, _>>()?,
            fault: decision.fault,
            forwarding: None,
        };
        let Some(target) = request.target.ok().filter(|_| decision.effect == Effect::Allow) else {
            return Ok(judgement);
        };
        Ok(match Forwarding::of(policy, request, target, decision, secrets)? {
            Outcome::Ready(forwarding) => Self { forwarding: Some(*forwarding), ..judgement },
            Outcome::Unmet(rules) => judgement.refused_for_want_of_credentials(&rules),
        })
    }

    /// What follows from a table or a runtime that does what it never should.
    pub fn fault(fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::denied(Reason::EvaluationFault) }
    }

    /// A denial that no rule had a part in.
    pub fn denied(reason: Reason) -> Self {
        Self {
            effect: Effect::Deny,
            reason,
            rules: Vec::new(),
            enforced: true,
            would_deny: Vec::new(),
            would_allow: Vec::new(),
            fault: None,
            forwarding: None,
        }
    }

    /// What follows when the token that rules ask for cannot be signed: the key is missing or unusable.
    #[must_use]
    pub fn without_token(self) -> Self {
        let rules =
            self.forwarding.as_ref().and_then(|forwarding| forwarding.jwt.as_ref()).map(|jwt| jwt.rules.clone());
        self.refused_for_want_of_credentials(&rules.unwrap_or_default())
    }

    fn refused_for_want_of_credentials(self, failed: &[u32]) -> Self {
        Self {
            effect: Effect::Deny,
            reason: Reason::CredentialUnavailable,
            rules: self.rules.into_iter().filter(|rule| failed.contains(&rule.index)).collect(),
            enforced: true,
            forwarding: None,
            ..self
        }
    }
}
