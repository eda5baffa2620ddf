//! What the compiled table says to a witness.

use tidegate_engine::{Effect, Policy, PolicyError, Reason, RequestView, Scratch, Target};

use super::request::Witness;
use crate::Output;

/// A policy that can be asked, in both of its forms.
pub(crate) struct Replay<'p> {
    policy: Policy<'p>,
    scratch: Scratch,
    now: i64,
}

/// What was decided about a witness, before anybody tried to meet obligations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What happens.
    pub effect: Effect,
    /// Why.
    pub reason: Reason,
    /// Indices of the rules that decided, in file order; the first is the one that is named.
    pub rules: Vec<usize>,
    /// False exactly when the effect is allow and would be deny without report mode.
    pub enforced: bool,
}

impl Verdict {
    /// The rule that is named, by index.
    pub fn rule(&self) -> Option<usize> {
        self.rules.first().copied()
    }
}

impl<'p> Replay<'p> {
    /// Loads a policy's table, as the Worker would.
    pub(crate) fn new(output: &'p Output, now: i64) -> Result<Self, PolicyError> {
        let policy = Policy::from_bytes(&output.table)?;
        Ok(Self { scratch: policy.scratch(), policy, now })
    }

    /// Decides on a witness.
    pub(crate) fn verdict(&mut self, witness: &Witness) -> Verdict {
        let target = Target::parse(&witness.url);
        let view = RequestView {
            method: &witness.method,
            target: target.as_ref().map_err(|invalid| *invalid),
            headers: &witness.headers,
            customer: witness.customer.as_deref(),
            tags: witness.tags.as_deref(),
            // Variables go into obligations; what is decided does not hang on them.
            vars: Some(&[]),
            now: self.now,
        };
        let decision = self.policy.decide(&view, &mut self.scratch);
        Verdict {
            effect: decision.effect,
            reason: decision.reason,
            rules: decision.rules().filter_map(|index| usize::try_from(index).ok()).collect(),
            enforced: decision.enforced,
        }
    }
}
