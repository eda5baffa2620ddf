//! The search for a host that is in some sets and in none of others.
//!
//! Lists may hold a million names, so sets are never made into one automaton. Instead a search *narrows*: it begins with any host
//! and takes in one set after the other, small ones without patterns first:
//!
//! ```text
//!   any host ──► at or below a name of the first set ──► … of a name of the second that is beneath that, …
//!                                                        or still the same, where the second covers it whole
//! ```
//!
//! What is left is a name, or all that is at or below a name, under a few patterns. Without patterns nearby two
//! candidates stand for all: the name itself, and one beneath it with a label that nobody mentions. With patterns the
//! automata are walked together. Either way the answer is exact, or the search says that it took too long.

use std::cell::Cell;
use std::rc::Rc;

use tidegate_engine::canonical;

use super::{Hosts, number};
use crate::analysis::strings::{Search, Work, find};
use crate::automaton::{Dfa, accepts, determinize};
use crate::checked::List;
use crate::labels::{at_and_above, is_at_or_below};
use crate::pattern::{domain_regex, literal_regex};
use crate::universe::{all_hosts, special_hosts};

/// Names that a search looks at before it gives up.
const MAX_NAMES: u64 = 8_000_000;
/// Products of automata that a search walks before it gives up.
const MAX_WALKS: u64 = 2_000;
/// Domains that are excluded one after the other where patterns meet them.
const MAX_DOMAINS_EXCLUDED: usize = 64;

/// As how many names a set counts whose patterns may meet any host.
const LARGE: usize = 10_000;

/// Labels of hosts that examples are made of; a numbered one if all are taken.
const LABELS: [&str; 3] = ["www", "api", "other"];
/// Names that examples are made of where nothing is asked of them.
const NAMES: [&str; 3] = ["www.example.com", "other.example.net", "a.example.org"];
/// Special hosts, for the same.
const SPECIAL: [&str; 3] = ["10.0.0.1", "localhost", "a.internal"];

/// What a search has come down to.
#[derive(Clone, Copy)]
enum Base<'n> {
    Any,
    Exact(&'n str),
    /// At or below a name.
    Within(&'n str),
    /// Below a name, and not at it: of response policy zones.
    Beneath(&'n str),
}

/// A search under way.
struct Query<'q> {
    not: &'q [u32],
    /// `Some` where hosts must be special, or must not be.
    special: Option<bool>,
    names_left: u64,
    walks_left: u64,
}

impl<'p> Hosts<'p> {
    /// A host that is in each of `by` and in none of `not`.
    pub(crate) fn find(&mut self, by: &[u32], not: &[u32], special: Option<bool>) -> Search<String> {
        let key = (by.to_vec(), not.to_vec(), special);
        if let Some(answer) = self.answers.get(&key) {
            return answer.clone();
        }
        let mut by = by.to_vec();
        by.sort_by_cached_key(|&set| {
            let set = &self.sets[set as usize];
            let listed: usize = set.lists.iter().map(|&list| self.lists[list as usize].len()).sum();
            let is_anywhere = |&pattern: &u32| self.patterns[pattern as usize].fixed.is_empty();
            let patterns = if set.patterns.iter().any(is_anywhere) { LARGE } else { set.patterns.len() };
            set.exact.len() + set.domains.len() + listed + patterns
        });
        let mut query = Query { not, special, names_left: MAX_NAMES, walks_left: MAX_WALKS };
        let answer = self.narrow(Base::Any, &by, &mut Vec::new(), &mut query);
        self.work.add((MAX_NAMES - query.names_left) / Work::NAMES);
        self.answers.insert(key, answer.clone());
        answer
    }

    /// Takes in the next set.
    fn narrow(&mut self, base: Base<'_>, by: &[u32], patterns: &mut Vec<u32>, query: &mut Query<'_>) -> Search<String> {
        let Some((&set, rest)) = by.split_first() else { return self.settle(base, patterns, query) };
        match base {
            Base::Exact(name) => {
                if self.contains(set, name) {
                    return self.narrow(base, rest, patterns, query);
                }
                let is_unknown = |&pattern: &u32| self.patterns[pattern as usize].dfa.is_none();
                let unknown = self.sets[set as usize].patterns.iter().any(is_unknown);
                return if unknown { Search::TooLong } else { Search::Nothing };
            }
            Base::Within(name) if self.covers_name(set, name) => return self.narrow(base, rest, patterns, query),
            Base::Beneath(name) if self.covers_beneath(set, name) => return self.narrow(base, rest, patterns, query),
            Base::Any | Base::Beneath(_) | Base::Within(_) => {}
        }
        let mut answer = Search::Nothing;
        let mut take = |hosts: &mut Self, base: Base<'_>, query: &mut Query<'_>, patterns: &mut Vec<u32>| {
            if query.names_left == 0 || query.walks_left == 0 {
                answer = Search::TooLong;
                return true;
            }
            match hosts.narrow(base, rest, patterns, query) {
                Search::Found(host) => {
                    answer = Search::Found(host);
                    return true;
                }
                Search::TooLong => answer = Search::TooLong,
                Search::Nothing => {}
            }
            false
        };
        // Names are few but those of lists, which are taken by index: nothing of the set is copied.
        let (exact, domains): (Vec<String>, Vec<&'p str>) = {
            let set = &self.sets[set as usize];
            (set.exact.iter().cloned().collect(), set.domains.iter().copied().collect())
        };
        for name in exact.into_iter().filter(|name| is_within(name, base)) {
            query.names_left = query.names_left.saturating_sub(1);
            if take(self, Base::Exact(&name), query, patterns) {
                return answer;
            }
        }
        for name in domains.into_iter().filter(|name| is_within(name, base)) {
            query.names_left = query.names_left.saturating_sub(1);
            if take(self, Base::Within(name), query, patterns) {
                return answer;
            }
        }
        for list in self.sets[set as usize].lists.clone() {
            let List { names, alone, beneath, .. } = self.lists[list as usize];
            let alone = alone.iter().map(|name| (name, Base::Exact(name)));
            for (name, entry) in alone.chain(beneath.iter().map(|name| (name, Base::Beneath(name)))) {
                query.names_left = query.names_left.saturating_sub(1);
                if is_within(name, base) && take(self, entry, query, patterns) {
                    return answer;
                }
            }
            for index in self.names_near(list, base, patterns, query.not) {
                query.names_left = query.names_left.saturating_sub(1);
                let name = &names[index as usize];
                if is_within(name, base) && take(self, Base::Within(name), query, patterns) {
                    return answer;
                }
                if query.names_left == 0 {
                    return Search::TooLong;
                }
            }
        }
        for pattern in self.sets[set as usize].patterns.clone() {
            if !self.is_near(pattern, base) {
                continue;
            }
            patterns.push(pattern);
            let ended = take(self, base, query, patterns);
            patterns.pop();
            if ended {
                return answer;
            }
        }
        answer
    }

    /// The names of a list that may have to do with what a search has come down to.
    fn names_near(&mut self, list: u32, base: Base<'_>, patterns: &[u32], not: &[u32]) -> Vec<u32> {
        let fixed = |pattern: &u32| self.patterns[*pattern as usize].fixed.as_str();
        let under = match base {
            Base::Any => patterns.iter().map(fixed).max_by_key(|fixed| fixed.len()).unwrap_or_default(),
            Base::Exact(name) | Base::Beneath(name) | Base::Within(name) => name,
        };
        if under.is_empty() {
            return self.unlisted_elsewhere(list, not).to_vec();
        }
        let under = under.to_owned();
        let names = &self.lists[list as usize].names;
        let reversed = Rc::clone(self.reversed.entry(list).or_insert_with(|| {
            let mut order: Vec<u32> = (0..number(names.len())).collect();
            order.sort_unstable_by(|&a, &b| names[a as usize].bytes().rev().cmp(names[b as usize].bytes().rev()));
            Rc::new(order)
        }));
        let name = |index: u32| &names[index as usize];
        let first = reversed.partition_point(|&index| name(index).bytes().rev().lt(under.bytes().rev()));
        let beneath = reversed[first..].iter().copied().take_while(|&index| name(index).ends_with(under.as_str()));
        let above = at_and_above(&under).skip(1).filter_map(|above| names.position(above));
        beneath.filter(|&index| is_at_or_below(name(index), &under)).chain(above.map(number)).collect()
    }

    /// The names of a list that the lists of some sets leave, remembered: lists are large, and differ little between two
    /// policies.
    fn unlisted_elsewhere(&mut self, list: u32, not: &[u32]) -> Rc<Vec<u32>> {
        let mut others: Vec<u32> = not.iter().flat_map(|&set| self.sets[set as usize].lists.clone()).collect();
        others.sort_unstable();
        others.dedup();
        let key = (list, others);
        if let Some(known) = self.differences.get(&key) {
            return Rc::clone(known);
        }
        let names = &self.lists[list as usize].names;
        let is_in = |other: u32, name: &str| self.lists[other as usize].names.contains(name);
        let is_left = |name: &str| {
            key.1.is_empty() || !at_and_above(name).any(|suffix| key.1.iter().any(|&other| is_in(other, suffix)))
        };
        let left: Vec<u32> =
            (0_u32..).zip(names.iter()).filter(|(_, name)| is_left(name)).map(|(index, _)| index).collect();
        let left = Rc::new(left);
        self.differences.insert(key, Rc::clone(&left));
        left
    }

    /// Looks for a host in what a search has come down to.
    fn settle(&mut self, base: Base<'_>, patterns: &[u32], query: &mut Query<'_>) -> Search<String> {
        let by_dfas: Option<Vec<Rc<Dfa>>> =
            patterns.iter().map(|&pattern| self.patterns[pattern as usize].dfa.clone()).collect();
        let Some(by_dfas) = by_dfas else { return Search::TooLong };
        let fits = |hosts: &Self, host: &str| {
            is_host(host, query.special)
                && by_dfas.iter().all(|dfa| accepts(dfa, host))
                && !query.not.iter().any(|&set| hosts.contains(set, host))
        };
        let name = match base {
            Base::Exact(name) => {
                return if fits(self, name) { Search::Found(name.to_owned()) } else { Search::Nothing };
            }
            Base::Beneath(name) | Base::Within(name) => name,
            Base::Any => "",
        };
        let is_beneath = matches!(base, Base::Beneath(_));
        let covers = |set: u32| if is_beneath { self.covers_beneath(set, name) } else { self.covers_name(set, name) };
        if !name.is_empty() && query.not.iter().any(|&set| covers(set)) {
            return Search::Nothing;
        }
        let fits = |hosts: &Self, host: &str| fits(hosts, host) && !(is_beneath && host == name);
        let candidates: Vec<String> = if name.is_empty() {
            NAMES.iter().chain(&SPECIAL).map(|&name| name.to_owned()).collect()
        } else {
            let numbered = (0..40).map(|number| format!("other-{number}"));
            let labels = LABELS.iter().map(|&label| label.to_owned()).chain(numbered);
            std::iter::once(name.to_owned()).chain(labels.map(|label| format!("{label}.{name}"))).collect()
        };
        if let Some(host) = candidates.into_iter().find(|host| fits(self, host)) {
            return Search::Found(host);
        }
        // Too large a pattern to be excluded for certain.
        let near: Vec<u32> = {
            let all = query.not.iter().flat_map(|&set| self.sets[set as usize].patterns.clone());
            all.filter(|&pattern| self.is_near(pattern, base)).collect()
        };
        let not_dfas: Option<Vec<Rc<Dfa>>> =
            near.iter().map(|&pattern| self.patterns[pattern as usize].dfa.clone()).collect();
        let Some(not_dfas) = not_dfas else { return Search::TooLong };
        query.walks_left = query.walks_left.saturating_sub(1);
        let within = if name.is_empty() { None } else { Some(self.domain(name)) };
        let mut by: Vec<&Dfa> = by_dfas.iter().map(Rc::as_ref).chain([all_hosts()]).collect();
        let mut but_not: Vec<&Dfa> = not_dfas.iter().map(Rc::as_ref).collect();
        match &within {
            None => {}
            Some(Some(within)) => by.push(within),
            Some(None) => return Search::TooLong,
        }
        // `special_hosts` takes in some that are no hosts at all, so an ordinary host is surely outside of it.
        match query.special {
            Some(true) => by.push(special_hosts()),
            Some(false) => but_not.push(special_hosts()),
            None => {}
        }
        // What a set covers by its names is excluded with it, a whole domain at a time.
        let mut excluded: Vec<Dfa> = Vec::new();
        for _ in 0..MAX_DOMAINS_EXCLUDED {
            let but_not: Vec<&Dfa> = but_not.iter().copied().chain(&excluded).collect();
            let covering = Cell::new(None);
            let found = find(&by, &but_not, &self.work, |host| {
                let regex = query.not.iter().find_map(|&set| self.covering(set, host));
                let is_covered = regex.is_some();
                covering.set(regex);
                !is_covered && !fits(self, host)
            });
            let Some(regex) = covering.into_inner() else { return found };
            let Ok(dfa) = determinize(&[regex]) else { return Search::TooLong };
            excluded.push(dfa);
        }
        Search::TooLong
    }

    /// The part of a set that takes in a host by one of its names, as a regex.
    fn covering(&self, set: u32, host: &str) -> Option<String> {
        let domain = at_and_above(host).find(|suffix| self.names_domain(set, suffix)).map(domain_regex);
        let beneath = || at_and_above(host).skip(1).find(|suffix| self.names_beneath(set, suffix));
        domain.or_else(|| beneath().map(|name| format!(r"(?:[^.]+\.)+{}", literal_regex(name))))
    }

    fn domain(&mut self, name: &str) -> Option<Rc<Dfa>> {
        if let Some(known) = self.domains.get(name) {
            return known.clone();
        }
        let dfa = determinize(&[domain_regex(name)]).ok().map(Rc::new);
        if self.domains.len() < 10_000 {
            self.domains.insert(name.to_owned(), dfa.clone());
        }
        dfa
    }

    /// Whether a pattern may meet something of what a search has come down to.
    fn is_near(&self, pattern: u32, base: Base<'_>) -> bool {
        let fixed = self.patterns[pattern as usize].fixed.as_str();
        match base {
            Base::Any => true,
            Base::Exact(name) => is_at_or_below(name, fixed),
            Base::Beneath(name) | Base::Within(name) => is_at_or_below(name, fixed) || is_at_or_below(fixed, name),
        }
    }
}

/// A host that requests can have, special or not as is asked.
fn is_host(host: &str, special: Option<bool>) -> bool {
    canonical::host(host)
        .is_ok_and(|parsed| parsed.as_str() == host && special.is_none_or(|special| special == parsed.is_special()))
}

fn is_within(name: &str, base: Base<'_>) -> bool {
    match base {
        Base::Any => true,
        Base::Exact(exact) => name == exact,
        Base::Within(domain) => is_at_or_below(name, domain),
        Base::Beneath(domain) => name != domain && is_at_or_below(name, domain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checked::{HostCondition, HostPattern, Pattern as Written};
    use crate::source::{FileId, Span};

    const NOWHERE: Span = Span { file: FileId(0), start: 0, end: 0 };

    /// `=x` is exact, `.x` a domain, `@a,b` a list, anything else a glob.
    fn condition(entries: &[&str], lists: &mut Vec<List>) -> HostCondition {
        let mut hosts = HostCondition::default();
        for entry in entries {
            if let Some(exact) = entry.strip_prefix('=') {
                hosts.exact.push(exact.to_owned());
            } else if let Some(domain) = entry.strip_prefix('.') {
                hosts.domains.push(domain.to_owned());
            } else if let Some(names) = entry.strip_prefix('@') {
                hosts.lists.push(lists.len());
                lists.push(List::of_names("l", names.split(',').collect(), NOWHERE));
            } else {
                let glob = Written { text: (*entry).to_owned(), span: NOWHERE };
                hosts.patterns.push(HostPattern::Glob(glob));
            }
        }
        hosts
    }

    #[track_caller]
    fn search(by: &[&[&str]], not: &[&[&str]], special: Option<bool>) -> Search<String> {
        let mut lists = Vec::new();
        let by: Vec<_> = by.iter().map(|entries| condition(entries, &mut lists)).collect();
        let not: Vec<_> = not.iter().map(|entries| condition(entries, &mut lists)).collect();
        let mut hosts = Hosts::default();
        let by: Vec<u32> = by.iter().map(|condition| hosts.add(condition, &lists)).collect();
        let not: Vec<u32> = not.iter().map(|condition| hosts.add(condition, &lists)).collect();
        let found = hosts.find(&by, &not, special);
        if let Search::Found(host) = &found {
            assert!(by.iter().all(|&set| hosts.contains(set, host)), "{host} is in all of them");
            assert!(!not.iter().any(|&set| hosts.contains(set, host)), "{host} is in none of the others");
        }
        found
    }

    #[track_caller]
    fn found(by: &[&[&str]], not: &[&[&str]]) -> String {
        match search(by, not, Some(false)) {
            Search::Found(host) => host,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn nothing(by: &[&[&str]], not: &[&[&str]]) {
        assert_eq!(search(by, not, None), Search::Nothing);
    }

    #[test]
    fn names_meet_at_and_beneath_each_other() {
        assert_eq!(found(&[&["=a.example", "=b.example"], &[".b.example"]], &[]), "b.example");
        assert_eq!(found(&[&[".example.com"], &["@x.example.com,y.test"]], &[]), "x.example.com");
        nothing(&[&["=a.example"], &[".b.example"]], &[]);
        nothing(&[&["@a.example"], &["@b.example"]], &[]);
        nothing(&[&[".a.example"], &["=xa.example"]], &[]);
    }

    #[test]
    fn what_is_taken_out_leaves_the_rest() {
        assert_eq!(found(&[&[".a.example"]], &[&["=a.example"]]), "www.a.example");
        assert_eq!(found(&[&[".a.example"]], &[&["=a.example", ".www.a.example"]]), "api.a.example");
        assert_eq!(found(&[&["@a.example,b.example"]], &[&["@a.example"]]), "b.example");
        nothing(&[&["@a.example,x.b.example"]], &[&["@a.example,b.example"]]);
        nothing(&[&[".x.a.example"]], &[&[".a.example"]]);
    }

    #[test]
    fn globs_and_names_are_compared_exactly() {
        assert_eq!(found(&[&["*.a.example"], &[".b.a.example"]], &[]), "b.a.example");
        nothing(&[&["*.a.example"], &["=a.example"]], &[]);
        nothing(&[&["*.a.example"]], &[&["**.a.example"]]);
        nothing(&[&["*.a.example"]], &[&[".a.example"]]);
        // One label is in the glob, two are not.
        let deep = found(&[&[".a.example"]], &[&["*.a.example"], &["=a.example"]]);
        assert_eq!(deep.split('.').count(), 4, "{deep}");
        nothing(&[&[".a.example"]], &[&["**.a.example"], &["=a.example"]]);
        nothing(&[&["api-*.a.example"], &["*-eu.b.example"]], &[]);
        let both = found(&[&["api-*.a.example"], &["*-eu.a.example"]], &[]);
        assert!(both.starts_with("api-") && both.ends_with("-eu.a.example"), "{both}");
        // What lists take out beneath a glob is excluded a domain at a time.
        let left = found(&[&["x*.a.example"]], &[&["@x.a.example,xa.a.example,xb.a.example"]]);
        assert!(left.starts_with('x'), "{left}");
        nothing(&[&["*.a.example"], &["@x.a.example,y.a.example"]], &[&["=x.a.example", "=y.a.example"]]);
    }

    #[test]
    fn names_of_response_policy_zones_stand_for_themselves_or_for_what_is_beneath() {
        let list = |names: &[&str], alone: &[&str], beneath: &[&str]| {
            let [names, alone, beneath] = [names, alone, beneath].map(|names| names.iter().collect());
            List { alone, beneath, ..List::of_names("l", names, NOWHERE) }
        };
        let lists = [list(&[], &["a.example"], &[]), list(&[], &[], &["a.example"]), list(&["a.example"], &[], &[])];
        let conditions: Vec<HostCondition> =
            (0..3).map(|list| HostCondition { lists: vec![list], ..HostCondition::default() }).collect();
        let mut hosts = Hosts::default();
        let [alone, beneath, both] = [0, 1, 2].map(|index| hosts.add(&conditions[index], &lists));
        let mut find = |by: &[u32], not: &[u32]| hosts.find(by, not, Some(false));
        let host = |host: &str| Search::Found(host.to_owned());
        assert_eq!(find(&[alone], &[]), host("a.example"));
        assert_eq!(find(&[beneath], &[]), host("www.a.example"));
        assert_eq!(find(&[alone, beneath], &[]), Search::Nothing);
        assert_eq!(find(&[both], &[alone]), host("www.a.example"));
        assert_eq!(find(&[both], &[beneath]), host("a.example"));
        assert_eq!(find(&[both], &[alone, beneath]), Search::Nothing);
        assert_eq!(find(&[beneath], &[both]), Search::Nothing);
    }

    #[test]
    fn special_hosts_are_told_apart() {
        nothing(&[&["=10.0.0.1"], &[".example"]], &[]);
        assert_eq!(search(&[&["=10.0.0.1"]], &[], Some(false)), Search::Nothing);
        assert_eq!(search(&[&["=10.0.0.1"]], &[], Some(true)), Search::Found("10.0.0.1".to_owned()));
        assert_eq!(search(&[&[".a.example"]], &[], Some(true)), Search::Nothing);
        assert_eq!(search(&[], &[], Some(true)), Search::Found("10.0.0.1".to_owned()));
        assert_eq!(search(&[&[".com"]], &[], Some(true)), Search::Found("com".to_owned()));
        assert_eq!(found(&[&[".com"]], &[]), "www.com");
        assert_eq!(found(&[], &[]), "www.example.com");
    }
}
