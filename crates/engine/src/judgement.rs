//! What comes out.

use crate::forwarding::Forwarding;
use crate::policy::RuleRef;

/// What happens to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It goes out.
    Allow,
    /// It is refused.
    Deny,
}

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

impl Effect {
    /// `allow` or `deny`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
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
    /// How the request goes out; `Some` exactly when the effect is allow.
    pub forwarding: Option<Forwarding>,
}
