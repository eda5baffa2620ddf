//! Rules that may be about one request, found without comparing every two.
//!
//! What is said here of two rules is what can be seen of their texts: that no request can be matched by both, or that one may be. Of
//! every entry there is a part that all it covers has in common:
//!
//! ```text
//!   a host        ends with     a name, or what follows the last label with a wildcard; of a regex or a list, nothing
//!   a customer    begins with   a name, or what stands before the first wildcard
//!   a path        begins with   the same
//! ```
//!
//! Two entries share a host only if one's end is at or below the other's, and a customer or a path only if one's beginning is that of the
//! other. So rules are kept by the ends of their hosts and by the beginnings of their customers: one that covers few of either has
//! few neighbours, however many rules there are.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use crate::checked::{AnyRunGlob, Condition, HostPattern, PathPattern, Rule};
use crate::labels::{at_and_above, is_at_or_below};
use crate::literal::{fixed_part, prefix};

/// Things that concern rules, under numbers of the caller's.
#[derive(Default)]
pub(super) struct Neighbours<'r> {
    /// What was added: its number and the rule that it concerns.
    all: Vec<(usize, Outline<'r>)>,
    /// Places in `all`, by ends of hosts: those that are the very name, and those that are beneath it.
    at: HashMap<&'r str, Vec<usize>>,
    beneath: HashMap<&'r str, Vec<usize>>,
    /// Places in `all`, by customers: names, and beginnings of names.
    called: BTreeMap<&'r str, Vec<usize>>,
    beginning: BTreeMap<&'r str, Vec<usize>>,
}

impl<'r> Neighbours<'r> {
    /// Adds something that concerns a rule.
    pub(super) fn add(&mut self, rule: &'r Rule, number: usize) {
        let outline = Outline::of(&rule.condition);
        let place = self.all.len();
        for end in &outline.hosts {
            self.at.entry(end).or_default().push(place);
            for suffix in up_to_nothing(end).skip(1) {
                self.beneath.entry(suffix).or_default().push(place);
            }
        }
        for customer in &outline.customers {
            let by = if customer.is_whole { &mut self.called } else { &mut self.beginning };
            by.entry(customer.text).or_default().push(place);
        }
        self.all.push((number, outline));
    }

    /// The numbers of what may concern the same requests as a rule, in the order in which they were added; of those that the
    /// caller wants.
    pub(super) fn of(&self, rule: &Rule, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        let outline = Outline::of(&rule.condition);
        let by_host = self.by_host(&outline);
        let by_customer = self.by_customer(&outline);
        let count = |places: &[&Vec<usize>]| places.iter().map(|places| places.len()).sum::<usize>();
        let near = if count(&by_customer) < count(&by_host) { by_customer } else { by_host };
        let mut places: Vec<usize> = near
            .into_iter()
            .flatten()
            .copied()
            .filter(|&place| wanted(self.all[place].0) && self.all[place].1.may_meet(&outline))
            .collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|place| self.all[place].0).collect()
    }

    fn by_host(&self, outline: &Outline<'_>) -> Vec<&Vec<usize>> {
        let mut near = Vec::new();
        for end in &outline.hosts {
            near.extend(self.beneath.get(*end));
            near.extend(up_to_nothing(end).filter_map(|suffix| self.at.get(suffix)));
        }
        near
    }

    fn by_customer(&self, outline: &Outline<'_>) -> Vec<&Vec<usize>> {
        let mut near = Vec::new();
        for customer in &outline.customers {
            let text = customer.text;
            let begins_with = |(name, _): &(&&str, &Vec<usize>)| name.starts_with(text);
            let from = (Bound::Included(text), Bound::Unbounded);
            if customer.is_whole {
                near.extend(self.called.get(text));
            } else {
                near.extend(self.called.range::<str, _>(from).take_while(begins_with).map(|(_, places)| places));
                near.extend(self.beginning.range::<str, _>(from).take_while(begins_with).map(|(_, places)| places));
            }
            let shorter = text.char_indices().map(|(end, _)| &text[..end]).chain(customer.is_whole.then_some(text));
            near.extend(shorter.filter_map(|beginning| self.beginning.get(beginning)));
        }
        near
    }
}

/// What a rule covers, seen from afar. An empty dimension covers nothing.
struct Outline<'r> {
    condition: &'r Condition,
    /// What its hosts end with.
    hosts: Vec<&'r str>,
    customers: Vec<Beginning<'r>>,
    paths: Vec<Beginning<'r>>,
}

/// What texts begin with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Beginning<'r> {
    text: &'r str,
    /// It is the whole text.
    is_whole: bool,
}

impl<'r> Outline<'r> {
    fn of(condition: &'r Condition) -> Self {
        Self {
            condition,
            hosts: ends_of_hosts(condition),
            customers: beginnings(condition.customers.as_deref(), |AnyRunGlob(glob)| Beginning::of_glob(&glob.text)),
            paths: beginnings(condition.paths.as_deref(), |path| match path {
                PathPattern::Glob(glob) => Beginning::of_glob(&glob.text),
                PathPattern::Regex(_) => Beginning::ANY,
            }),
        }
    }

    /// Whether it cannot be seen that no request is covered by both.
    fn may_meet(&self, other: &Self) -> bool {
        meet(&self.hosts, &other.hosts, |a, b| is_at_or_below(a, b) || is_at_or_below(b, a))
            && meet(&self.customers, &other.customers, |a, b| a.may_meet(*b))
            && meet(&self.paths, &other.paths, |a, b| a.may_meet(*b))
            && share_one(self.condition.methods.as_deref(), other.condition.methods.as_deref())
            && share_one(self.condition.ports.as_deref(), other.condition.ports.as_deref())
            && share_one(self.condition.schemes.as_deref(), other.condition.schemes.as_deref())
    }
}

impl<'r> Beginning<'r> {
    /// Of anything at all.
    const ANY: Self = Self { text: "", is_whole: false };

    /// Of what a glob covers: one without a wildcard covers itself alone.
    fn of_glob(glob: &'r str) -> Self {
        let text = prefix(glob);
        Self { text, is_whole: text == glob }
    }

    fn may_meet(self, other: Self) -> bool {
        match (self.is_whole, other.is_whole) {
            (true, true) => self.text == other.text,
            (true, false) => self.text.starts_with(other.text),
            (false, true) => other.text.starts_with(self.text),
            (false, false) => self.text.starts_with(other.text) || other.text.starts_with(self.text),
        }
    }
}

fn beginnings<'r, T>(entries: Option<&'r [T]>, of: impl Fn(&'r T) -> Beginning<'r>) -> Vec<Beginning<'r>> {
    let mut all = entries.map_or_else(|| vec![Beginning::ANY], |entries| entries.iter().map(of).collect());
    all.sort_unstable();
    all.dedup();
    all
}

fn ends_of_hosts(condition: &Condition) -> Vec<&str> {
    let Some(hosts) = condition.hosts.as_ref().filter(|hosts| hosts.lists.is_empty()) else { return vec![""] };
    let names = hosts.domains.iter().chain(&hosts.exact).map(String::as_str);
    let patterns = hosts.patterns.iter().map(|pattern| match pattern {
        HostPattern::Glob(glob) => fixed_part(&glob.text),
        HostPattern::Regex(_) => "",
    });
    let mut ends: Vec<&str> = names.chain(patterns).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}

/// Whether two of them do. Whoever has a thousand entries is compared by the requests that are matched, not here.
fn meet<T>(ours: &[T], theirs: &[T], may_meet: impl Fn(&T, &T) -> bool) -> bool {
    const MANY: usize = 1_000;
    ours.len() * theirs.len() > MANY || ours.iter().any(|our| theirs.iter().any(|their| may_meet(our, their)))
}

/// Whether two dimensions have a value in common; one that is not named is not looked at.
fn share_one<T: PartialEq>(ours: Option<&[T]>, theirs: Option<&[T]>) -> bool {
    let (Some(ours), Some(theirs)) = (ours, theirs) else { return true };
    meet(ours, theirs, PartialEq::eq)
}

/// A name, what it is beneath, and so on up to nothing.
fn up_to_nothing(name: &str) -> impl Iterator<Item = &str> {
    at_and_above(name).chain((!name.is_empty()).then_some(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(conditions: &[&str]) -> Vec<Rule> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        let rules = (0..).zip(conditions).map(|(n, condition)| {
            format!("[[rule]]\nid = \"r{n}\"\neffect = \"allow\"\n{}\n", condition.replace("; ", "\n"))
        });
        std::fs::write(&path, format!("policy = 1\n{}", rules.collect::<String>())).unwrap();
        let compilation = crate::compile(&path);
        compilation.output.unwrap_or_else(|| panic!("{:#?}", compilation.diagnostics)).policy.rules
    }

    #[test]
    fn rules_are_neighbours_unless_their_texts_keep_them_apart() {
        for (a, b, expected) in [
            ("hosts = ['a.example']", "hosts = ['a.example']", true),
            ("hosts = ['a.example']", "hosts = ['b.example']", false),
            ("hosts = ['a.example']", "domains = ['example']", true),
            ("hosts = ['*.b.example']", "domains = ['a.b.example']", true),
            ("hosts = ['*.b.example']", "domains = ['xb.example']", false),
            ("host-regex = ['.*x']", "hosts = ['a.example']", true),
            ("ports = [443]", "hosts = ['a.example']", true),
            ("customers = ['acme']", "customers = ['acme']", true),
            ("customers = ['acme']", "customers = ['acm', 'acmee']", false),
            ("customers = ['acme']", "customers = ['x', 'ac*']", true),
            ("customers = ['acme']", "customers = ['acme*']", true),
            ("customers = ['acme']", "customers = ['*']", true),
            ("customers = ['acme-*']", "customers = ['ac*e']", true),
            ("customers = ['acme-*']", "customers = ['beta-*', 'ad*']", false),
            ("customers = ['é*']", "customers = ['éa']", true),
            ("customers = ['acme']", "hosts = ['a.example']", true),
            ("paths = ['/a/**/b']", "paths = ['/a/b']", true),
            ("paths = ['/a/**']", "paths = ['/a/b/**']", true),
            ("paths = ['/a/**']", "paths = ['/a/']", true),
            ("paths = ['/a/**']", "paths = ['/a']", false),
            ("paths = ['/a/x*']", "paths = ['/a/y', '/b']", false),
            ("path-regex = ['/a.*']", "paths = ['/b']", true),
            ("methods = ['get']", "methods = ['PUT', 'GET']", true),
            ("methods = ['GET']", "methods = ['PUT']", false),
            ("ports = [443]", "ports = [8443]", false),
            ("hosts = ['a.example']; customers = ['x']", "hosts = ['a.example']; customers = ['y']", false),
            ("hosts = ['a.example']; customers = ['x']", "hosts = ['b.example']; customers = ['x']", false),
            ("hosts = ['a.example']; customers = ['x']", "hosts = ['a.example']; customers = ['x', 'y']", true),
        ] {
            let rules = rules(&[a, b]);
            for (one, other) in [(&rules[0], &rules[1]), (&rules[1], &rules[0])] {
                let mut neighbours = Neighbours::default();
                neighbours.add(one, 7);
                assert_eq!(neighbours.of(other, |_| true) == [7], expected, "{a} and {b}");
            }
        }
    }

    #[test]
    fn neighbours_come_in_the_order_in_which_they_were_added_each_once() {
        let rules = rules(&[
            "hosts = ['a.example', 'b.example']",
            "customers = ['acme', 'ac*']",
            "hosts = ['b.example']; customers = ['acme']",
        ]);
        let mut neighbours = Neighbours::default();
        for (rule, number) in rules.iter().zip([5, 3, 4]) {
            neighbours.add(rule, number);
        }
        assert_eq!(neighbours.of(&rules[2], |_| true), [5, 3, 4]);
        assert_eq!(neighbours.of(&rules[0], |number| number != 3), [5, 4]);
    }
}
