//! Rules whose hosts are near to each other.

use std::collections::HashMap;

use crate::checked::{HostPattern, Rule};
use crate::pattern::fixed_part;

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

/// A name, what it is beneath, and so on up to nothing.
fn suffixes(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors((!name.is_empty()).then_some(name), |name| name.split_once('.').map(|(_, rest)| rest))
        .chain(std::iter::once(""))
}
