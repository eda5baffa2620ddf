//! Where a customer's requests can go, and with which credentials.
//!
//! Each allow rule is asked whether some request of the customer's matches it and is allowed; what is allowed by no rule
//! at all is asked, too. A rule that is named here reaches *some* of what it says: deny rules may take out parts.

use std::collections::BTreeSet;

use tidegate_engine::PolicyError;

use super::formula::{Formula, Predicate};
use super::model::{Facts, Model};
use super::replay::{Replay, Verdict};
use super::request::Witness;
use super::solve::{Budget, solve};
use super::space::Space;
use super::strings::Search;
use super::values::ValueSet;
use crate::Output;
use crate::checked::Effect;

/// What can be reached.
#[derive(Debug, Default)]
pub struct Reach {
    /// By each allow rule that lets something through, in file order.
    pub by_rule: Vec<Reached>,
    /// By no rule: the default allows, or report mode lets through.
    pub otherwise: Option<(Witness, Verdict)>,
    /// Allow rules that match requests of the customer's, all of which are denied, by index.
    pub denied: Vec<usize>,
    /// Rules of which it could not be told in time, by id.
    pub undecided: Vec<String>,
}

/// What a rule lets through.
#[derive(Debug)]
pub struct Reached {
    /// The rule, by index.
    pub rule: usize,
    /// A request that it allows.
    pub witness: Witness,
    /// What the policy says to it.
    pub verdict: Verdict,
    /// Nothing of what the rule matches is denied.
    pub whole: bool,
}

/// Asks where a customer can go at an instant, in seconds since 1970-01-01: with these tags alone, or with any.
pub fn reach(
    output: &Output,
    customer: Option<&str>,
    tags: Option<&[String]>,
    now: i64,
    budget: Budget,
) -> Result<Reach, PolicyError> {
    let mut space = Space::new();
    let today = now.div_euclid(24 * 60 * 60);
    let model = Model::new(&mut space, &output.policy, today);
    let mut replay = Replay::new(output, now)?;
    let facts = Facts::of(&output.policy);
    let mut scope = Vec::new();
    if let Some(customer) = customer.filter(|_| space.has_customers) {
        let one = space.values.add(ValueSet::Names(BTreeSet::from([customer.to_owned()])));
        scope.push(Formula::is(Predicate::Customer(one)));
    }
    if let Some(tags) = tags {
        scope.push(without_other_tags(&mut space, output, tags, customer));
    }
    let scope = Formula::all(scope);

    let mut reach = Reach::default();
    // What report mode lets through carries no obligations: it is no rule's.
    let allowed = model.allowed().and(model.waived().not());
    let rules: Vec<(usize, Formula)> =
        model.deciding(Effect::Allow).map(|(index, rule)| (index, rule.matches.clone())).collect();
    for (index, matches) in rules {
        let matches = scope.clone().and(matches);
        match solve(&mut space, &matches.clone().and(allowed.clone()), budget) {
            Search::Found(point) => {
                let witness = point.witness(facts.has_tags);
                let verdict = replay.verdict(&witness);
                let rest = solve(&mut space, &matches.and(allowed.not()), budget);
                if rest == Search::TooLong || verdict.effect != tidegate_engine::Effect::Allow {
                    reach.undecided.push(output.policy.rules[index].id.clone());
                }
                reach.by_rule.push(Reached { rule: index, witness, verdict, whole: rest == Search::Nothing });
            }
            Search::Nothing => match solve(&mut space, &matches, budget) {
                Search::Nothing => {}
                Search::Found(_) => reach.denied.push(index),
                Search::TooLong => reach.undecided.push(output.policy.rules[index].id.clone()),
            },
            Search::TooLong => reach.undecided.push(output.policy.rules[index].id.clone()),
        }
    }
    let otherwise = scope.and(model.allowed()).and(model.by_default().or(model.waived()));
    match solve(&mut space, &otherwise, budget) {
        Search::Found(point) => {
            let witness = point.witness(facts.has_tags);
            let verdict = replay.verdict(&witness);
            reach.otherwise = Some((witness, verdict));
        }
        Search::Nothing => {}
        Search::TooLong => reach.undecided.push("default".to_owned()),
    }
    Ok(reach)
}

/// Requests whose tags are these, with those that the policy gives to the customer.
fn without_other_tags(space: &mut Space<'_>, output: &Output, tags: &[String], customer: Option<&str>) -> Formula {
    let policy = &output.policy;
    let facts = Facts::of(policy);
    let given = customer.and_then(|name| policy.customers.get(name));
    let named = policy.rules.iter().flat_map(|rule| std::iter::once(&rule.condition).chain(&rule.except));
    let rollout = policy.enforce_for.iter().flat_map(|entry| entry.tags.iter().flatten());
    let all: BTreeSet<&String> = named.flat_map(|condition| condition.tags.iter().flatten()).chain(rollout).collect();
    let has =
        |tag: &String| (facts.has_tags && tags.contains(tag)) || given.is_some_and(|given| given.tags.contains(tag));
    let parts = all.into_iter().map(|tag| {
        let one = super::model::has_tag(space, std::slice::from_ref(tag), facts);
        let formula = Formula::is(Predicate::Tag(one));
        if has(tag) { formula } else { formula.not() }
    });
    Formula::all(parts.collect::<Vec<_>>())
}
