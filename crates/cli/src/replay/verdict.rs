//! What was decided, as far as a change of policies is concerned.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use tidegate_engine::{Effect, Reason};
use tidegate_test::decision::Decision;

use crate::log::Record;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// It goes out.
    Allowed,
    /// It is refused.
    Denied,
    /// It goes out, and would be refused but for report mode.
    Reported,
}

/// What becomes of a request, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// What becomes of it.
    pub(crate) outcome: Outcome,
    /// Who decided; of several, one of them, and nobody knows which. Of what is only reported, who would have denied it.
    pub(crate) because: Vec<Because>,
}

/// Who decides: a code, and the rule if there is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Because {
    pub(crate) reason: &'static str,
    pub(crate) rule: Option<String>,
}

impl Verdict {
    /// What a policy says.
    pub(crate) fn of_decision(decision: &Decision) -> Self {
        Self::new(decision.effect, decision.enforced, decision.reason, decision.rule.as_deref(), &decision.would_deny)
    }

    /// What a record says.
    pub(crate) fn of_record(record: &Record) -> Self {
        let (effect, reason) = (record.effect.as_str(), record.reason.as_str());
        Self::new(effect, record.enforced, reason, record.rule.as_deref(), &record.would_deny)
    }

    fn new(effect: &str, enforced: bool, reason: &'static str, rule: Option<&str>, would_deny: &[String]) -> Self {
        let outcome = outcome(effect, enforced);
        let because = match (outcome, would_deny.first()) {
            (Outcome::Reported, Some(waived)) => Because::rule(waived),
            (Outcome::Reported, None) => Because { reason: Reason::Default.as_str(), rule: None },
            (Outcome::Allowed | Outcome::Denied, _) => Because { reason, rule: rule.map(str::to_owned) },
        };
        Self { outcome, because: vec![because] }
    }

    /// What lies between two decisions, the stricter first; `None` if that can be one thing or another.
    pub(crate) fn between(strictest: &Decision, laxest: &Decision) -> Option<Self> {
        let (strict, lax) = (Self::of_decision(strictest), Self::of_decision(laxest));
        let is_fault = |decision: &Decision| decision.reason == Reason::EvaluationFault.as_str();
        if strict.outcome != lax.outcome || is_fault(strictest) || is_fault(laxest) {
            return None;
        }
        // What more allow rules ask for can be what fails; with fewer of them the request might go out.
        let unmet = Reason::CredentialUnavailable.as_str();
        if laxest.reason == unmet && strictest.reason != unmet {
            return None;
        }
        if strict == lax && deciding(strictest) == deciding(laxest) {
            return Some(strict);
        }
        // The rule that is named is the first in file order of those that match: of the rules that match in one bound only,
        // any that comes before the first that matches in both.
        let mut because = [strict.because, lax.because].concat();
        for (rules, others) in [(strictest, laxest), (laxest, strictest)].map(|(a, b)| (deciding(a), deciding(b))) {
            let before = rules.iter().take_while(|rule| !others.contains(rule));
            because.extend(before.map(|rule| Because::rule(rule)));
        }
        Some(Self { outcome: strict.outcome, because }.sorted())
    }

    /// This or that verdict, as long as the same becomes of the request.
    pub(crate) fn or(self, other: Self) -> Option<Self> {
        let because = [self.because, other.because].concat();
        (self.outcome == other.outcome).then(|| Self { outcome: self.outcome, because }.sorted())
    }

    fn sorted(mut self) -> Self {
        self.because.sort();
        self.because.dedup();
        self
    }

    /// Whether two verdicts may be one and the same.
    pub(crate) fn may_equal(&self, other: &Self) -> bool {
        self.outcome == other.outcome && self.because.iter().any(|because| other.because.contains(because))
    }
}

/// The rules that decided, or would have denied, in file order.
fn deciding(decision: &Decision) -> &[String] {
    match outcome(decision.effect, decision.enforced) {
        Outcome::Reported => &decision.would_deny,
        Outcome::Allowed | Outcome::Denied => &decision.rules,
    }
}

fn outcome(effect: &str, enforced: bool) -> Outcome {
    match (effect == Effect::Deny.as_str(), enforced) {
        (true, _) => Outcome::Denied,
        (false, true) => Outcome::Allowed,
        (false, false) => Outcome::Reported,
    }
}

impl Because {
    fn rule(id: &str) -> Self {
        Self { reason: Reason::Rule.as_str(), rule: Some(id.to_owned()) }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)?;
        self.rule.iter().try_for_each(|rule| write!(f, " {rule}"))
    }
}

impl fmt::Display for Verdict {
    /// `rule api`, `default`, `rule a or rule b`; of what is only reported, `report mode, else rule a`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.outcome == Outcome::Reported {
            f.write_str("report mode, else ")?;
        }
        for (index, because) in self.because.iter().enumerate() {
            write!(f, "{}{because}", if index > 0 { " or " } else { "" })?;
        }
        Ok(())
    }
}

impl Serialize for Verdict {
    /// `{"effect":"deny","enforced":true,"reason":"rule","rule":"a","or":[…]}`; `or` where it may have been another.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("effect", if self.outcome == Outcome::Denied { "deny" } else { "allow" })?;
        map.serialize_entry("enforced", &(self.outcome != Outcome::Reported))?;
        if let Some((first, others)) = self.because.split_first() {
            map.serialize_entry("reason", first.reason)?;
            map.serialize_entry("rule", &first.rule)?;
            if !others.is_empty() {
                map.serialize_entry("or", others)?;
            }
        }
        map.end()
    }
}
