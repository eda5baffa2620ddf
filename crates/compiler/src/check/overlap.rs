//! Whether two rules can match one request.
//!
//! Two rules are apart if one dimension keeps them apart, or if what one takes out with `except` holds all that both
//! match. Patterns are compared as automata. Where this is not certain (lists, tags, patterns that are too
//! large) the rules are taken to overlap.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::universe::{meet_in_a_host, meet_in_a_path};
use crate::automaton::{Dfa, determinize, meet};
use crate::checked::{AnyRunGlob, Condition, HostCondition, HostPattern, PathPattern, Rule, Scheme};
use crate::pattern::{domain_regex, literal_regex};

/// Dimensions with more names than this are not made into automata: rules so large overlap, as far as we know.
const MAX_NAMES: usize = 2_000;

/// An allow rule, prepared for being compared with others.
pub(super) struct Extent<'r> {
    pub(super) condition: Prepared<'r>,
    pub(super) except: Vec<Prepared<'r>>,
}

/// A condition with what comparing costs, made when it is first needed.
pub(super) struct Prepared<'r> {
    pub(super) condition: &'r Condition,
    /// Scheme and port pairs, with an allow rule's defaults.
    pub(super) endpoints: Vec<(Scheme, u16)>,
    exact: HashSet<&'r str>,
    domains: HashSet<&'r str>,
    hosts: OnceCell<Option<Dfa>>,
    paths: OnceCell<Option<Dfa>>,
    customers: OnceCell<Option<Dfa>>,
}

/// Finds the rules whose hosts can be those of another, without comparing every two.
///
/// Every host that an entry covers ends with the entry's *fixed part*: a name, or what follows the last label with
/// a wildcard; of a regex, a list, or no host dimension at all that is nothing. Two entries share a host only if one's
/// fixed part is at or below the other's.
#[derive(Default)]
pub(super) struct Neighbours<'r> {
    at: HashMap<&'r str, Vec<usize>>,
    beneath: HashMap<&'r str, Vec<usize>>,
}

impl<'r> Neighbours<'r> {
    /// Adds something that concerns a rule, under a number of the caller's.
    pub(super) fn add(&mut self, rule: &'r Rule, number: usize) {
        for fixed in fixed_parts(rule) {
            self.at.entry(fixed).or_default().push(number);
            for suffix in suffixes(fixed).skip(1) {
                self.beneath.entry(suffix).or_default().push(number);
            }
        }
    }

    /// The numbers of what may concern the same hosts as a rule, in the order in which they were added.
    pub(super) fn of(&self, rule: &Rule) -> Vec<usize> {
        let mut numbers = Vec::new();
        for fixed in fixed_parts(rule) {
            numbers.extend(self.beneath.get(fixed).into_iter().flatten());
            numbers.extend(suffixes(fixed).filter_map(|suffix| self.at.get(suffix)).flatten());
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

fn fixed_parts(rule: &Rule) -> Vec<&str> {
    let Some(hosts) = rule.condition.hosts.as_ref().filter(|hosts| hosts.lists.is_empty()) else { return vec![""] };
    let names = hosts.domains.iter().chain(&hosts.exact).map(String::as_str);
    let patterns = hosts.patterns.iter().map(|pattern| match pattern {
        HostPattern::Glob(glob) => fixed_part(&glob.text),
        HostPattern::Regex(_) => "",
    });
    let mut parts: Vec<&str> = names.chain(patterns).collect();
    parts.sort_unstable();
    parts.dedup();
    parts
}

/// What every host that a glob covers ends with, whole labels.
pub(super) fn fixed_part(glob: &str) -> &str {
    match glob.rsplit_once('*') {
        Some((_, after)) => after.split_once('.').map_or("", |(_, fixed)| fixed),
        None => glob,
    }
}

/// A name, what it is beneath, and so on up to nothing.
fn suffixes(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors((!name.is_empty()).then_some(name), |name| name.split_once('.').map(|(_, rest)| rest))
        .chain(std::iter::once(""))
}

impl<'r> Extent<'r> {
    pub(super) fn new(rule: &'r Rule) -> Self {
        Self { condition: Prepared::new(&rule.condition), except: rule.except.iter().map(Prepared::new).collect() }
    }

    /// Whether some request may match both rules.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.condition.overlaps(&other.condition)
            && !self
                .except
                .iter()
                .chain(&other.except)
                .any(|except| except.holds_all_of(&self.condition, &other.condition))
    }
}

impl<'r> Prepared<'r> {
    fn new(condition: &'r Condition) -> Self {
        let schemes = condition.schemes.as_deref().unwrap_or(&[Scheme::Https]);
        let endpoints = schemes
            .iter()
            .flat_map(|&scheme| {
                let default = [if scheme == Scheme::Http { 80 } else { 443 }];
                condition
                    .ports
                    .as_deref()
                    .unwrap_or(&default)
                    .iter()
                    .map(move |&port| (scheme, port))
                    .collect::<Vec<_>>()
            })
            .collect();
        let hosts = condition.hosts.as_ref();
        Self {
            condition,
            endpoints,
            exact: hosts.iter().flat_map(|hosts| &hosts.exact).map(String::as_str).collect(),
            domains: hosts.iter().flat_map(|hosts| &hosts.domains).map(String::as_str).collect(),
            hosts: OnceCell::new(),
            paths: OnceCell::new(),
            customers: OnceCell::new(),
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (self.condition, other.condition);
        self.endpoints.iter().any(|endpoint| other.endpoints.contains(endpoint))
            && a.methods.as_ref().zip(b.methods.as_ref()).is_none_or(|(a, b)| share(a, b))
            && self.hosts_overlap(other)
            && self.customers_overlap(other)
            && self.paths_overlap(other)
            && a.headers.iter().all(|(name, values)| {
                let of_other = b.headers.iter().find(|(other, _)| other == name);
                of_other.is_none_or(|(_, others)| share_a_value(values, others))
            })
    }

    fn hosts_overlap(&self, other: &Self) -> bool {
        let Some((a, b)) = self.condition.hosts.as_ref().zip(other.condition.hosts.as_ref()) else { return true };
        if !a.lists.is_empty() || !b.lists.is_empty() {
            return true;
        }
        if a.patterns.is_empty() && b.patterns.is_empty() {
            return a.exact.iter().any(|name| other.exact.contains(name.as_str()))
                || self.has_name_within(&other.domains)
                || other.has_name_within(&self.domains);
        }
        match (self.hosts(), other.hosts()) {
            (Some(a), Some(b)) => meet_in_a_host(&[a, b], &[]),
            _ => true,
        }
    }

    /// Whether one of the names is at or below one of the domains.
    fn has_name_within(&self, domains: &HashSet<&str>) -> bool {
        self.exact.iter().chain(&self.domains).any(|name| suffixes(name).any(|suffix| domains.contains(suffix)))
    }

    fn customers_overlap(&self, other: &Self) -> bool {
        let Some((a, b)) = self.condition.customers.as_ref().zip(other.condition.customers.as_ref()) else {
            return true;
        };
        let literals = |globs: &'r [AnyRunGlob]| globs.iter().map(AnyRunGlob::literal).collect::<Option<Vec<_>>>();
        if let (Some(a), Some(b)) = (literals(a), literals(b)) {
            return share(&a, &b);
        }
        match (self.customers(), other.customers()) {
            (Some(a), Some(b)) => meet(&[a, b], &[]),
            _ => true,
        }
    }

    fn paths_overlap(&self, other: &Self) -> bool {
        if self.condition.paths.as_ref().zip(other.condition.paths.as_ref()).is_none() {
            return true;
        }
        match (self.paths(), other.paths()) {
            (Some(a), Some(b)) => meet_in_a_path(&[a, b], &[]),
            _ => true,
        }
    }

    /// Whether this, an `except` of one of two rules, certainly applies to every request that meets the conditions of
    /// both. On a path that can be read in two ways it may not apply, but then the rule that it belongs to does not match.
    fn holds_all_of(&self, a: &Self, b: &Self) -> bool {
        let (outer, both) = (self.condition, [a.condition, b.condition]);
        let mut endpoints = a.endpoints.iter().filter(|endpoint| b.endpoints.contains(endpoint));
        endpoints.all(|&endpoint| self.takes_endpoint(endpoint))
            && outer
                .methods
                .as_ref()
                .is_none_or(|outer| holds_shared(outer, both.map(|inner| inner.methods.as_deref())))
            && outer.tags.as_ref().is_none_or(|outer| both.iter().any(|inner| within(inner.tags.as_deref(), outer)))
            && (outer.customers.is_none() || holds(self.customers(), [a.customers(), b.customers()], meet))
            && (outer.hosts.is_none() || holds(self.hosts(), [a.all_hosts(), b.all_hosts()], meet_in_a_host))
            && (outer.paths.is_none() || holds(self.paths(), [a.paths(), b.paths()], meet_in_a_path))
            && outer.headers.iter().all(|(name, values)| {
                let [a, b] = [a, b].map(|inner| inner.values_of(name).and_then(values_dfa));
                // A header that neither asks for may be absent, and then meets nothing.
                (a.is_some() || b.is_some()) && holds(values_dfa(values).as_ref(), [a.as_ref(), b.as_ref()], meet)
            })
    }

    /// Whether an `except` applies to a scheme and port; it has no defaults.
    pub(super) fn takes_endpoint(&self, (scheme, port): (Scheme, u16)) -> bool {
        let condition = self.condition;
        condition.schemes.as_ref().is_none_or(|schemes| schemes.contains(&scheme))
            && condition.ports.as_ref().is_none_or(|ports| ports.contains(&port))
    }

    /// What is asked of a header's value, if anything is.
    pub(super) fn values_of(&self, header: &str) -> Option<&'r [AnyRunGlob]> {
        self.condition.headers.iter().find(|(name, _)| name == header).map(|(_, values)| values.as_slice())
    }

    /// The host dimension without its lists; `None` where it is absent or too large.
    fn hosts(&self) -> Option<&Dfa> {
        self.hosts.get_or_init(|| self.condition.hosts.as_ref().and_then(hosts_dfa)).as_ref()
    }

    /// The host dimension, if that is all of it: without its lists it would be too little.
    pub(super) fn all_hosts(&self) -> Option<&Dfa> {
        self.hosts().filter(|_| self.condition.hosts.as_ref().is_some_and(|hosts| hosts.lists.is_empty()))
    }

    pub(super) fn paths(&self) -> Option<&Dfa> {
        let build = || dfa(&self.condition.paths.as_ref()?.iter().map(PathPattern::regex).collect::<Vec<_>>());
        self.paths.get_or_init(build).as_ref()
    }

    pub(super) fn customers(&self) -> Option<&Dfa> {
        self.customers.get_or_init(|| values_dfa(self.condition.customers.as_ref()?)).as_ref()
    }
}

fn hosts_dfa(hosts: &HostCondition) -> Option<Dfa> {
    let domains = hosts.domains.iter().map(|name| domain_regex(name));
    let exact = hosts.exact.iter().map(|name| literal_regex(name));
    dfa(&domains.chain(exact).chain(hosts.patterns.iter().map(HostPattern::regex)).collect::<Vec<_>>())
}

pub(super) fn values_dfa(values: &[AnyRunGlob]) -> Option<Dfa> {
    dfa(&values.iter().map(AnyRunGlob::regex).collect::<Vec<_>>())
}

fn dfa(regexes: &[String]) -> Option<Dfa> {
    if regexes.len() > MAX_NAMES { None } else { determinize(regexes).ok() }
}

fn share_a_value(a: &[AnyRunGlob], b: &[AnyRunGlob]) -> bool {
    match (values_dfa(a), values_dfa(b)) {
        (Some(a), Some(b)) => meet(&[&a, &b], &[]),
        _ => true,
    }
}

fn share<T: Eq + Hash>(a: &[T], b: &[T]) -> bool {
    let a: HashSet<&T> = a.iter().collect();
    b.iter().any(|value| a.contains(value))
}

/// Whether a dimension is named and all its values are among those of another.
fn within<T: Eq>(inner: Option<&[T]>, outer: &[T]) -> bool {
    inner.is_some_and(|inner| inner.iter().all(|value| outer.contains(value)))
}

/// Whether the values that two rules share, in a dimension where a request has one, are among those of another. A rule
/// that does not name the dimension takes every value.
fn holds_shared<T: Eq>(outer: &[T], inner: [Option<&[T]>; 2]) -> bool {
    match inner {
        [None, None] => false,
        [Some(one), None] | [None, Some(one)] => within(Some(one), outer),
        [Some(a), Some(b)] => a.iter().all(|value| !b.contains(value) || outer.contains(value)),
    }
}

/// Whether an automaton certainly matches all that the inner ones match together. One that is not there, for the
/// dimension is not named or too large, counts as matching everything.
fn holds(outer: Option<&Dfa>, inner: [Option<&Dfa>; 2], meet: impl Fn(&[&Dfa], &[&Dfa]) -> bool) -> bool {
    let inner: Vec<&Dfa> = inner.into_iter().flatten().collect();
    outer.is_some_and(|outer| !meet(&inner, &[outer]))
}
