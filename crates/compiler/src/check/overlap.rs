//! Whether two rules can match one request.
//!
//! Two rules are apart if one dimension keeps them apart, or if what one takes out with `except` holds all that the
//! other matches. Patterns are compared as automata. Where this is not certain (lists, tags, patterns that are too
//! large) the rules are taken to overlap.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::universe::{hosts_within, paths_within, share_a_host, share_a_path};
use crate::automaton::{Dfa, determinize, meet};
use crate::checked::{AnyRunGlob, Condition, HostCondition, HostPattern, PathPattern, Rule, Scheme};
use crate::pattern::{domain_regex, literal_regex};

/// Dimensions with more names than this are not made into automata: rules so large overlap, as far as we know.
const MAX_NAMES: usize = 2_000;

/// An allow rule, prepared for being compared with others.
pub(super) struct Extent<'r> {
    condition: Prepared<'r>,
    except: Vec<Prepared<'r>>,
}

/// A condition with what comparing costs, made when it is first needed.
struct Prepared<'r> {
    condition: &'r Condition,
    /// Scheme and port pairs, with an allow rule's defaults.
    endpoints: Vec<(Scheme, u16)>,
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
            && !self.except.iter().any(|except| except.holds_all_of(&other.condition))
            && !other.except.iter().any(|except| except.holds_all_of(&self.condition))
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
            (Some(a), Some(b)) => share_a_host(a, b),
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
            (Some(a), Some(b)) => share_a_path(a, b),
            _ => true,
        }
    }

    /// Whether this, an `except`, certainly applies to every request that a rule with the other condition matches.
    /// On a path that can be read in two ways it may not apply, but then the rule that it belongs to does not match.
    fn holds_all_of(&self, inner: &Self) -> bool {
        let (outer, condition) = (self.condition, inner.condition);
        let holds = |outer_names: bool, certain: &dyn Fn() -> bool| !outer_names || certain();
        holds(outer.schemes.is_some(), &|| {
            inner.endpoints.iter().all(|(scheme, _)| outer.schemes.iter().flatten().any(|outer| outer == scheme))
        }) && holds(outer.ports.is_some(), &|| {
            inner.endpoints.iter().all(|(_, port)| outer.ports.iter().flatten().any(|outer| outer == port))
        }) && holds(outer.methods.is_some(), &|| within(condition.methods.as_deref(), outer.methods.as_deref()))
            && holds(outer.tags.is_some(), &|| within(condition.tags.as_deref(), outer.tags.as_deref()))
            && holds(outer.customers.is_some(), &|| {
                matches!((inner.customers(), self.customers()), (Some(inner), Some(outer)) if !meet(&[inner], &[outer]))
            })
            && holds(outer.hosts.is_some(), &|| {
                condition.hosts.as_ref().is_some_and(|hosts| hosts.lists.is_empty())
                    && matches!((inner.hosts(), self.hosts()), (Some(inner), Some(outer)) if hosts_within(inner, outer))
            })
            && holds(outer.paths.is_some(), &|| {
                matches!((inner.paths(), self.paths()), (Some(inner), Some(outer)) if paths_within(inner, outer))
            })
            && outer.headers.iter().all(|(name, values)| {
                let of_inner = condition.headers.iter().find(|(inner, _)| inner == name);
                of_inner.is_some_and(|(_, inner)| {
                    matches!((values_dfa(inner), values_dfa(values)), (Some(inner), Some(outer)) if !meet(&[&inner], &[&outer]))
                })
            })
    }

    /// The host dimension without its lists; `None` where it is absent or too large.
    fn hosts(&self) -> Option<&Dfa> {
        self.hosts.get_or_init(|| self.condition.hosts.as_ref().and_then(hosts_dfa)).as_ref()
    }

    fn paths(&self) -> Option<&Dfa> {
        let build = || dfa(&self.condition.paths.as_ref()?.iter().map(PathPattern::regex).collect::<Vec<_>>());
        self.paths.get_or_init(build).as_ref()
    }

    fn customers(&self) -> Option<&Dfa> {
        self.customers.get_or_init(|| values_dfa(self.condition.customers.as_ref()?)).as_ref()
    }
}

fn hosts_dfa(hosts: &HostCondition) -> Option<Dfa> {
    let domains = hosts.domains.iter().map(|name| domain_regex(name));
    let exact = hosts.exact.iter().map(|name| literal_regex(name));
    dfa(&domains.chain(exact).chain(hosts.patterns.iter().map(HostPattern::regex)).collect::<Vec<_>>())
}

fn values_dfa(values: &[AnyRunGlob]) -> Option<Dfa> {
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
fn within<T: Eq>(inner: Option<&[T]>, outer: Option<&[T]>) -> bool {
    inner.zip(outer).is_some_and(|(inner, outer)| inner.iter().all(|value| outer.contains(value)))
}
