//! Hosts: whether some host is in several sets and in none of others.
//!
//! A set is what a condition's host dimension says: names, names with everything beneath them, lists, patterns. Here is what sets
//! there are, each once, and what is in them; a host that is in some and in none of others is looked for in [`search`].

mod search;

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::strings::{Search, Work};
use crate::automaton::{Dfa, accepts, determinize};
use crate::checked::{HostCondition, HostPattern, List};
use crate::labels::at_and_above;

/// The host sets that an analysis knows, by number.
#[derive(Default)]
pub(crate) struct Hosts<'p> {
    sets: Vec<HostSet<'p>>,
    set_numbers: HashMap<SetKey, u32>,
    lists: Vec<&'p List>,
    patterns: Vec<Pattern>,
    pattern_numbers: HashMap<String, u32>,
    domains: HashMap<String, Option<Rc<Dfa>>>,
    /// The names of each list, by their last labels first; made when they are first asked for so.
    reversed: HashMap<u32, Rc<Vec<u32>>>,
    /// Names of a list that are in none of some other lists.
    differences: HashMap<(u32, Vec<u32>), Rc<Vec<u32>>>,
    answers: HashMap<Asked, Search<String>>,
    pub(crate) work: Work,
}

/// Sets to be in, sets not to be in, and whether to be special.
type Asked = (Vec<u32>, Vec<u32>, Option<bool>);

/// What tells sets apart.
type SetKey = (BTreeSet<String>, BTreeSet<String>, Vec<u32>, Vec<u32>);

/// A set of hosts.
struct HostSet<'p> {
    exact: BTreeSet<String>,
    domains: BTreeSet<&'p str>,
    lists: Vec<u32>,
    patterns: Vec<u32>,
}

struct Pattern {
    /// What every host that is met ends with, whole labels.
    fixed: String,
    /// `None` where it is too large to be asked.
    dfa: Option<Rc<Dfa>>,
}

impl<'p> Hosts<'p> {
    /// The number of a condition's host dimension.
    pub(crate) fn add(&mut self, hosts: &'p HostCondition, lists: &'p [List]) -> u32 {
        let lists = hosts.lists.iter().filter_map(|&index| Some(self.list(lists.get(index)?))).collect();
        let patterns = hosts.patterns.iter().map(|pattern| self.pattern(pattern)).collect();
        let domains = hosts.domains.iter().map(String::as_str).collect();
        self.set(HostSet { exact: hosts.exact.iter().cloned().collect(), domains, lists, patterns })
    }

    /// The number of the set of hosts that a condition names exactly.
    pub(crate) fn add_exact(&mut self, hosts: &'p HostCondition) -> u32 {
        let exact = hosts.exact.iter().cloned().collect();
        self.set(HostSet { exact, domains: BTreeSet::new(), lists: Vec::new(), patterns: Vec::new() })
    }

    /// The number of the set of a single host.
    pub(crate) fn add_one(&mut self, host: &str) -> u32 {
        let exact = BTreeSet::from([host.to_owned()]);
        self.set(HostSet { exact, domains: BTreeSet::new(), lists: Vec::new(), patterns: Vec::new() })
    }

    /// Whether a host is in a set.
    pub(crate) fn contains(&self, set: u32, host: &str) -> bool {
        let HostSet { exact, lists, patterns, .. } = &self.sets[set as usize];
        self.covers_name(set, host)
            || exact.contains(host)
            || lists.iter().any(|&list| self.lists[list as usize].alone.contains(host))
            || patterns.iter().any(|&pattern| self.meets(pattern, host))
    }

    fn set(&mut self, set: HostSet<'p>) -> u32 {
        let domains = set.domains.iter().map(|&name| name.to_owned()).collect();
        let key = (set.exact.clone(), domains, set.lists.clone(), set.patterns.clone());
        *self.set_numbers.entry(key).or_insert_with(|| {
            self.sets.push(set);
            number(self.sets.len() - 1)
        })
    }

    /// Two policies may hold one list: it counts once.
    fn list(&mut self, list: &'p List) -> u32 {
        let known = self.lists.iter().position(|known| std::ptr::eq(*known, list) || known.has_the_names_of(list));
        number(known.unwrap_or_else(|| {
            self.lists.push(list);
            self.lists.len() - 1
        }))
    }

    fn pattern(&mut self, pattern: &HostPattern) -> u32 {
        let regex = pattern.regex();
        if let Some(&known) = self.pattern_numbers.get(&regex) {
            return known;
        }
        let dfa = determinize(std::slice::from_ref(&regex)).ok().map(Rc::new);
        self.patterns.push(Pattern { fixed: pattern.fixed_part(), dfa });
        let added = number(self.patterns.len() - 1);
        self.pattern_numbers.insert(regex, added);
        added
    }

    fn meets(&self, pattern: u32, host: &str) -> bool {
        self.patterns[pattern as usize].dfa.as_ref().is_some_and(|dfa| accepts(dfa, host))
    }

    /// Whether a name and everything beneath it are in a set, by its names.
    fn covers_name(&self, set: u32, name: &str) -> bool {
        at_and_above(name).any(|suffix| self.names_domain(set, suffix))
            || at_and_above(name).skip(1).any(|suffix| self.names_beneath(set, suffix))
    }

    /// Whether everything beneath a name is in a set, by its names.
    fn covers_beneath(&self, set: u32, name: &str) -> bool {
        self.covers_name(set, name) || self.names_beneath(set, name)
    }

    /// Whether a set holds a name as one that stands for itself and everything beneath it.
    fn names_domain(&self, set: u32, name: &str) -> bool {
        let set = &self.sets[set as usize];
        set.domains.contains(name) || set.lists.iter().any(|&list| self.lists[list as usize].names.contains(name))
    }

    /// Whether a set holds a name as one that stands for what is beneath it.
    fn names_beneath(&self, set: u32, name: &str) -> bool {
        self.sets[set as usize].lists.iter().any(|&list| self.lists[list as usize].beneath.contains(name))
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
