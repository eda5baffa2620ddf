//! How a decision came about: every rule, and where it parts from the request.

use tidegate_table::{Effect, Fault};

use crate::decide::{Scratch, Unjudged, prepare};
use crate::matching::{Dimension, Observer, Truth, names_host_exactly, rule_truth};
use crate::policy::{Policy, RuleRef};
use crate::request::RequestView;

/// What a rule is to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleTrace<'p> {
    /// The rule.
    pub rule: RuleRef<'p>,
    /// What it does where it matches.
    pub effect: Effect,
    /// It is in report mode: recorded, not enforced.
    pub report: bool,
    /// Whether it holds.
    pub truth: Truth,
    /// What it asks for, its effect's defaults included.
    pub condition: ConditionTrace<'p>,
    /// Its exceptions, in their order.
    pub exceptions: Vec<ConditionTrace<'p>>,
    /// Its `hosts` holds the request's very host, as special hosts want it.
    pub names_host: bool,
}

/// What a condition is to a request: each dimension that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConditionTrace<'p> {
    /// In the order of [`Dimension`].
    pub dimensions: Vec<(Dimension<'p>, Truth)>,
}

/// Why there is nothing to explain about rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unexplained {
    /// The table does what it never should.
    Fault(Fault),
    /// The request never comes to the rules.
    Unjudged(Unjudged),
}

impl RuleTrace<'_> {
    /// Whether the rule counts: an allow rule only if it certainly holds, a deny rule unless it certainly does not.
    pub fn matches(&self) -> bool {
        match self.effect {
            Effect::Allow => self.truth == Truth::True,
            Effect::Deny => self.truth != Truth::False,
        }
    }

    /// The exceptions that keep the rule from matching, by their places.
    pub fn excepted_by(&self) -> impl Iterator<Item = usize> {
        let effect = self.effect;
        let applies = move |truth| match effect {
            Effect::Allow => truth != Truth::False,
            Effect::Deny => truth == Truth::True,
        };
        self.exceptions
            .iter()
            .enumerate()
            .filter(move |(_, exception)| applies(exception.truth()))
            .map(|(place, _)| place)
    }
}

impl<'p> ConditionTrace<'p> {
    /// Whether the condition holds: all that it names does.
    pub fn truth(&self) -> Truth {
        self.dimensions.iter().map(|&(_, truth)| truth).min().unwrap_or(Truth::True)
    }

    /// The dimensions that do not certainly hold, in the order of [`Dimension`].
    pub fn misses(&self) -> impl Iterator<Item = (Dimension<'p>, Truth)> {
        self.dimensions.iter().copied().filter(|&(_, truth)| truth != Truth::True)
    }
}

/// Takes down what it sees.
#[derive(Default)]
struct Scribe<'p> {
    condition: ConditionTrace<'p>,
    exceptions: Vec<ConditionTrace<'p>>,
}

impl<'p> Observer<'p> for Scribe<'p> {
    const SEES_ALL: bool = true;

    fn dimension(&mut self, dimension: Dimension<'p>, truth: Truth) {
        self.exceptions.last_mut().unwrap_or(&mut self.condition).dimensions.push((dimension, truth));
    }

    fn exception(&mut self) {
        self.exceptions.push(ConditionTrace::default());
    }
}

pub(crate) fn explain<'p>(
    policy: &'p Policy<'_>,
    request: &RequestView<'_>,
    scratch: &mut Scratch,
) -> Result<Vec<RuleTrace<'p>>, Unexplained> {
    scratch.make_ready(&policy.table).map_err(Unexplained::Fault)?;
    let subject = prepare(policy, request, scratch).map_err(Unexplained::Fault)?.map_err(Unexplained::Unjudged)?;
    let mut rules = Vec::new();
    for index in 0..policy.table.rule_count() {
        let mut trace = || {
            let rule = policy.table.rule(index)?;
            let mut scribe = Scribe::default();
            let truth = rule_truth(policy, &rule, &subject, scratch, &mut scribe)?;
            let Scribe { mut condition, mut exceptions } = scribe;
            for condition in exceptions.iter_mut().chain([&mut condition]) {
                condition.dimensions.sort();
            }
            rules.push(RuleTrace {
                rule: policy.rule_ref(index)?,
                effect: rule.effect()?,
                report: rule.is_report()?,
                truth,
                condition,
                exceptions,
                names_host: names_host_exactly(&rule, scratch)?,
            });
            Ok(())
        };
        trace().map_err(Unexplained::Fault)?;
    }
    Ok(rules)
}
