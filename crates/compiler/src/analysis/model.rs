//! Policies as sets of requests: what a rule matches, what is denied, which rule is named.
//!
//! Requests that are invalid or name nobody are denied by every policy, and left out. What else is left out stands in
//! [`super::SCOPE`].

use std::collections::{BTreeMap, BTreeSet};

use super::formula::{Formula, Predicate};
use super::paths::Role;
use super::sets::{Endpoints, Listed, default_port};
use super::space::Space;
use super::values::ValueSet;
use crate::checked::{CheckedPolicy, Condition, Customer, Effect, EnforceFor, HostCondition, List, Mode, Rule, Scheme};

/// What conditions are read against.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'p> {
    pub(crate) customers: &'p BTreeMap<String, Customer>,
    pub(crate) lists: &'p [List],
    /// Requests bring tags of their own.
    pub(crate) has_tags: bool,
}

/// A policy on a day.
pub(crate) struct Model<'p> {
    pub(crate) policy: &'p CheckedPolicy,
    /// One for each rule, in file order.
    pub(crate) rules: Vec<RuleModel>,
    /// Requests whose denials are carried out.
    pub(crate) enforced: Formula,
    /// Rules that are left out of account, by index; see [`Model::leave_out`].
    out: BTreeSet<usize>,
}

/// A rule as sets of requests.
#[derive(Clone)]
pub(crate) struct RuleModel {
    /// What it matches; nothing once it has expired.
    pub(crate) matches: Formula,
    /// What it matches under a host that it names exactly.
    exactly: Formula,
    /// It decides, and is not merely recorded.
    pub(crate) decides: bool,
    pub(crate) effect: Effect,
}

impl<'p> Facts<'p> {
    pub(crate) fn of(policy: &'p CheckedPolicy) -> Self {
        let has_tags = policy.identity.as_ref().is_some_and(|identity| identity.tags.is_some());
        Self { customers: &policy.customers, lists: &policy.lists, has_tags }
    }
}

impl<'p> Model<'p> {
    /// A policy as it is on a day, counted from 1970-01-01.
    pub(crate) fn new(space: &mut Space<'p>, policy: &'p CheckedPolicy, today: i64) -> Self {
        let facts = Facts::of(policy);
        space.has_customers |= policy.identity.is_some();
        let rules = policy.rules.iter().map(|rule| {
            let is_over = rule.expires.is_some_and(|day| today >= i64::from(day));
            let matches = if is_over { Formula::nothing() } else { matches(space, rule, facts) };
            let exactly = match &rule.condition.hosts {
                Some(hosts) if !hosts.exact.is_empty() => {
                    matches.clone().and(Formula::is(Predicate::Host(space.hosts.add_exact(hosts))))
                }
                _ => Formula::nothing(),
            };
            RuleModel { matches, exactly, decides: rule.mode == Mode::Enforce && !is_over, effect: rule.effect }
        });
        let rules = rules.collect();
        let enforced = match policy.mode {
            Mode::Enforce => Formula::everything(),
            Mode::Report => Formula::any(
                policy.enforce_for.iter().map(|entry| enforced_for(space, entry, facts)).collect::<Vec<_>>(),
            ),
        };
        Self { policy, rules, enforced, out: BTreeSet::new() }
    }

    /// Rules that decide with an effect, by index.
    pub(crate) fn deciding(&self, effect: Effect) -> impl Iterator<Item = (usize, &RuleModel)> {
        let counts =
            move |index: &usize, rule: &RuleModel| rule.decides && rule.effect == effect && !self.out.contains(index);
        self.rules.iter().enumerate().filter(move |(index, rule)| counts(index, rule))
    }

    /// Leaves rules out of account that match no request of the questions to come; these are then shorter.
    pub(crate) fn leave_out(&mut self, rules: BTreeSet<usize>) {
        self.out = rules;
    }

    /// Requests that are denied, with what report mode lets through left out.
    pub(crate) fn denied(&self) -> Formula {
        let by_rule = Formula::any(self.deciding(Effect::Deny).map(|(_, rule)| rule.matches.clone()));
        self.enforced.clone().and(by_rule.or(self.nothing_allows())).or(self.special_denied())
    }

    /// Requests that are allowed, by a rule, by default or by report mode.
    pub(crate) fn allowed(&self) -> Formula {
        self.denied().not()
    }

    /// Requests that are allowed although a rule or the default denies them: report mode on the policy.
    pub(crate) fn waived(&self) -> Formula {
        let by_rule = Formula::any(self.deciding(Effect::Deny).map(|(_, rule)| rule.matches.clone()));
        let denied = by_rule.or(self.nothing_allows());
        self.enforced.not().and(denied).and(self.special_denied().not())
    }

    /// Requests that nothing decides but the default.
    pub(crate) fn by_default(&self) -> Formula {
        let unmatched = Formula::all(self.deciding(Effect::Allow).map(|(_, rule)| rule.matches.not()));
        let denied = self.enforced.clone().and(self.no_deny().not());
        unmatched.and(denied.not()).and(self.special_denied().not())
    }

    /// Requests that are denied because their host is special.
    pub(crate) fn denied_as_special(&self) -> Formula {
        self.special_denied().and(self.enforced.clone().and(self.no_deny().not()).not())
    }

    /// Requests that the default denies, if it denies.
    fn nothing_allows(&self) -> Formula {
        match self.policy.default {
            Effect::Allow => Formula::nothing(),
            Effect::Deny => Formula::all(self.deciding(Effect::Allow).map(|(_, rule)| rule.matches.not())),
        }
    }

    /// Requests that a rule decides, and that are named for it: the first of those that do.
    pub(crate) fn determined_by(&self, index: usize) -> Formula {
        let rule = &self.rules[index];
        let earlier = self.deciding(rule.effect).filter(|(other, _)| *other < index);
        let first = rule.matches.clone().and(Formula::all(earlier.map(|(_, rule)| rule.matches.not())));
        match rule.effect {
            Effect::Allow => first.and(self.allowed()),
            Effect::Deny => first.and(self.enforced.clone()),
        }
    }

    /// Requests to special hosts that no rule opens.
    fn special_denied(&self) -> Formula {
        let unopened = self.deciding(Effect::Allow).map(|(_, rule)| rule.exactly.not());
        Formula::is(Predicate::Special).and(Formula::all(unopened))
    }

    /// Requests that are decided otherwise without a rule, where some others are gone already. Names in logs aside.
    pub(crate) fn needs(&self, index: usize, gone: &BTreeSet<usize>) -> Formula {
        let rule = &self.rules[index];
        let others = || self.deciding(rule.effect).filter(move |(other, _)| *other != index && !gone.contains(other));
        let alone = rule.matches.clone().and(Formula::all(others().map(|(_, other)| other.matches.not())));
        match rule.effect {
            // What nothing allows is denied anyway, but a rule that says so outright is no mistake.
            Effect::Deny => alone,
            Effect::Allow => {
                let opens = rule.exactly.clone().and(Formula::is(Predicate::Special));
                let opens = opens.and(Formula::all(others().map(|(_, other)| other.exactly.not())));
                let allows = match self.policy.default {
                    Effect::Allow => opens,
                    Effect::Deny => alone.or(opens),
                };
                allows.and(self.no_deny())
            }
        }
    }

    /// Requests that no deny rule matches.
    pub(crate) fn no_deny(&self) -> Formula {
        Formula::all(self.deciding(Effect::Deny).map(|(_, rule)| rule.matches.not()))
    }
}

/// What a rule matches, expiry aside.
pub(crate) fn matches<'p>(space: &mut Space<'p>, rule: &'p Rule, facts: Facts<'p>) -> Formula {
    let (own, of_except) = match rule.effect {
        Effect::Allow => (Role::Allow { literal: rule.encoded_literal }, Role::AllowExcept),
        Effect::Deny => (Role::Deny, Role::DenyExcept),
    };
    let mut parts = vec![condition(space, &rule.condition, own, facts)];
    if rule.effect == Effect::Allow && !rule.websocket {
        parts.push(upgrade(space).not());
    }
    parts.extend(rule.except.iter().map(|except| condition(space, except, of_except, facts).not()));
    Formula::all(parts)
}

/// Requests that ask for a WebSocket.
pub(crate) fn upgrade(space: &mut Space<'_>) -> Formula {
    let name = space.headers.add("upgrade".to_owned());
    let set = space.values.add(ValueSet::WebSocket);
    Formula::is(Predicate::Header(name, set))
}

/// What meets a condition, as far as it counts for the rule that it belongs to.
pub(crate) fn condition<'p>(space: &mut Space<'p>, condition: &'p Condition, role: Role, facts: Facts<'p>) -> Formula {
    let mut parts = Vec::new();
    if let Some(customers) = &condition.customers {
        parts.push(Predicate::Customer(space.values.add_globs(customers)));
    }
    if let Some(tags) = &condition.tags {
        parts.push(Predicate::Tag(has_tag(space, tags, facts)));
    }
    let endpoints = endpoints(condition, role);
    if endpoints != Endpoints::all() {
        parts.push(Predicate::Endpoint(space.endpoints.add(endpoints)));
    }
    if let Some(methods) = &condition.methods {
        parts.push(Predicate::Method(space.methods.add(Listed::of(methods.iter().cloned()))));
    }
    if let Some(hosts) = &condition.hosts {
        parts.push(Predicate::Host(space.hosts.add(hosts, facts.lists)));
    }
    if let Some(paths) = &condition.paths {
        parts.push(Predicate::Path(space.paths.add(paths, role)));
    }
    for (name, values) in &condition.headers {
        let name = space.headers.add(name.clone());
        parts.push(Predicate::Header(name, space.values.add_globs(values)));
    }
    Formula::all(parts.into_iter().map(Formula::is))
}

/// Schemes and ports that a condition takes; an allow rule has defaults.
fn endpoints(condition: &Condition, role: Role) -> Endpoints {
    let ports = condition.ports.as_deref();
    match role {
        Role::Allow { .. } => {
            let schemes = condition.schemes.as_deref().unwrap_or(&[Scheme::Https]);
            Endpoints::of(Some(schemes), ports, |scheme| Listed::of([default_port(scheme)]))
        }
        Role::AllowExcept | Role::Deny | Role::DenyExcept => {
            Endpoints::of(condition.schemes.as_deref(), ports, |_| Listed::all())
        }
    }
}

pub(crate) fn has_tag(space: &mut Space<'_>, tags: &[String], facts: Facts<'_>) -> u32 {
    let has_one = |customer: &Customer| tags.iter().any(|tag| customer.tags.contains(tag));
    let given: BTreeSet<String> =
        facts.customers.iter().filter(|(_, customer)| has_one(customer)).map(|(name, _)| name.clone()).collect();
    space.add_tags(tags, facts.has_tags, given)
}

fn enforced_for(space: &mut Space<'_>, entry: &EnforceFor, facts: Facts<'_>) -> Formula {
    let mut parts = Vec::new();
    if let Some(customers) = &entry.customers {
        parts.push(Formula::is(Predicate::Customer(space.values.add_globs(customers))));
    }
    if let Some(tags) = &entry.tags {
        parts.push(Formula::is(Predicate::Tag(has_tag(space, tags, facts))));
    }
    match entry.percent {
        None | Some(10_000..) => {}
        Some(0) => parts.push(Formula::nothing()),
        Some(share) => parts.push(Formula::is(Predicate::Customer(space.values.add(ValueSet::Share(share))))),
    }
    Formula::all(parts)
}

/// The set of hosts of a condition, everything where it names none.
pub(crate) fn hosts<'p>(space: &mut Space<'p>, hosts: Option<&'p HostCondition>, lists: &'p [List]) -> Formula {
    hosts.map_or_else(Formula::everything, |hosts| Formula::is(Predicate::Host(space.hosts.add(hosts, lists))))
}
