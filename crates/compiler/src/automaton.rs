//! Automata: what patterns are compiled to, and questions about what they can match.
//!
//! A pattern is text with a meaning of its own (see [`crate::pattern`]); here it is a regex over bytes that holds for
//! a *whole* string. Several of them, the alternatives of one dimension, become one deterministic automaton:
//!
//! ```text
//!   regexes ──► (?:r1|r2|…)\z ──► NFA ──► dense DFA ──► minimal dense DFA ──► rows of the table's automata
//!                                          │
//!                                          └──► products of dense DFAs: can these match one string together?
//! ```
//!
//! The end anchor is part of the automaton, so a search reports a match at the end of the haystack or none at all; a table's
//! automaton has no transition for the end, but states that accept.
//! Building is bounded at every step ([`MAX_NFA`], [`MAX_DETERMINIZE`], [`MAX_DENSE`], [`MAX_TABLE`]): a pattern can be
//! refused as too large, never exhaust the machine. Searching is linear in the haystack, whatever the pattern.

use std::collections::{HashMap, HashSet};

use regex_automata::dfa::dense::{Builder, Config};
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::{Hir, Look};
use tidegate_table::write::{self, StateSpec};

use crate::pattern::parse_regex;

/// The largest NFA that is built on the way, in bytes.
pub(crate) const MAX_NFA: usize = 1 << 20;
/// The most memory that determinisation may use beside its result, in bytes.
pub(crate) const MAX_DETERMINIZE: usize = 2 << 20;
/// The largest dense DFA that is built on the way, in bytes.
pub(crate) const MAX_DENSE: usize = 2 << 20;
/// The largest automaton that goes into a table, in bytes.
pub(crate) const MAX_TABLE: usize = 1 << 20;

/// Dense DFAs up to this size are minimised; the gain on larger ones does not pay for the time.
const MINIMIZE_UP_TO: usize = 64 << 10;
/// Tuples of states that [`walk`] looks at before it gives up.
const MAX_PRODUCT: usize = 200_000;

/// The patterns need an automaton over one of the limits of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// A deterministic automaton over whole byte strings.
pub(crate) type Dfa = dense::DFA<Vec<u32>>;

/// Compiles alternatives to the bytes of one automaton of a table: it accepts a text exactly if one of the regexes matches
/// the whole of it.
pub(crate) fn compile(regexes: &[String]) -> Result<Vec<u8>, TooLarge> {
    let bytes = write::automaton(&states(&determinize(regexes)?)?).map_err(|write::TooLarge| TooLarge)?;
    if bytes.len() > MAX_TABLE { Err(TooLarge) } else { Ok(bytes) }
}

/// The states that can be reached, the start first, the dead state left out.
fn states(dfa: &Dfa) -> Result<Vec<StateSpec>, TooLarge> {
    let ranges = byte_ranges(dfa);
    let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).map_err(|_| TooLarge)?;
    let mut reached = vec![start];
    let mut places = HashMap::from([(start, 0)]);
    let mut states = Vec::new();
    while let Some(&state) = reached.get(states.len()) {
        let mut next: Vec<(u8, u8, u32)> = Vec::new();
        for &(first, last) in &ranges {
            let target = dfa.next_state(state, first);
            if dfa.is_dead_state(target) {
                continue;
            }
            let new = u32::try_from(reached.len()).map_err(|_| TooLarge)?;
            let place = *places.entry(target).or_insert(new);
            if place == new {
                reached.push(target);
            }
            match next.last_mut() {
                Some((_, end, known)) if *known == place && u16::from(*end) + 1 == u16::from(first) => *end = last,
                _ => next.push((first, last, place)),
            }
        }
        states.push(StateSpec { accepts: dfa.is_match_state(dfa.next_eoi_state(state)), next });
    }
    Ok(states)
}

/// All bytes, in runs that the automaton does not tell apart.
fn byte_ranges(dfa: &Dfa) -> Vec<(u8, u8)> {
    let classes = dfa.byte_classes();
    let mut ranges: Vec<(u8, u8)> = Vec::new();
    for byte in 0..=u8::MAX {
        match ranges.last_mut() {
            Some((_, last)) if classes.get(*last) == classes.get(byte) => *last = byte,
            _ => ranges.push((byte, byte)),
        }
    }
    ranges
}

/// Builds the automaton of alternatives in the form that can be walked. Of globs, what does not parse is nested deeper than the
/// parser goes; regexes have been parsed before.
pub(crate) fn determinize(regexes: &[String]) -> Result<Dfa, TooLarge> {
    let alternatives = regexes.iter().map(|regex| parse_regex(regex)).collect::<Result<_, _>>();
    determinize_hir(alternatives.map_err(|_| TooLarge)?)
}

/// The same, of alternatives that were parsed already.
pub(crate) fn determinize_hir(alternatives: Vec<Hir>) -> Result<Dfa, TooLarge> {
    let whole = Hir::concat(vec![Hir::alternation(alternatives), Hir::look(Look::End)]);
    let nfa = thompson::Compiler::new()
        .configure(
            thompson::Config::new().utf8(false).which_captures(WhichCaptures::None).nfa_size_limit(Some(MAX_NFA)),
        )
        .build_from_hir(&whole)
        .map_err(|_| TooLarge)?;
    let config = Config::new()
        .accelerate(false)
        .match_kind(MatchKind::All)
        .start_kind(StartKind::Anchored)
        .dfa_size_limit(Some(MAX_DENSE))
        .determinize_size_limit(Some(MAX_DETERMINIZE));
    let small = config.clone().minimize(true).dfa_size_limit(Some(MINIMIZE_UP_TO));
    let build = |config| Builder::new().configure(config).build_from_nfa(&nfa).map_err(|_| TooLarge);
    build(small).or_else(|TooLarge| build(config))
}

/// What walking several automata together came to.
pub(crate) enum Walk {
    /// The shortest string, or one of them.
    Found(Vec<u8>),
    /// There is none.
    Nothing,
    /// Over [`MAX_PRODUCT`].
    TooLong,
}

/// Whether some string is matched by all of `by` and by none of `but_not`. Says yes where finding out would take too
/// long, so callers must ask such that "yes" is the careful answer.
pub(crate) fn meet(by: &[&Dfa], but_not: &[&Dfa]) -> bool {
    !matches!(walk(by, but_not).0, Walk::Nothing)
}

/// Whether an automaton accepts a whole string.
pub(crate) fn accepts(dfa: &Dfa, text: &str) -> bool {
    let input = Input::new(text).anchored(Anchored::Yes);
    dfa.try_search_fwd(&input).is_ok_and(|end| end.is_some_and(|end| end.offset() == text.len()))
}

/// Looks for a string that is matched by all of `by` and by none of `but_not`, shorter ones first. Says how many tuples of
/// states were looked at, too.
pub(crate) fn walk(by: &[&Dfa], but_not: &[&Dfa]) -> (Walk, usize) {
    let dfas: Vec<&Dfa> = by.iter().chain(but_not).copied().collect();
    let Some(start) = dfas
        .iter()
        .map(|dfa| dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).ok())
        .collect::<Option<Vec<StateID>>>()
    else {
        return (Walk::TooLong, 0);
    };
    let bytes = distinct_bytes(&dfas);
    let mut seen = HashSet::from([start.clone()]);
    // Each with the one that it was reached from, and the byte that led there.
    let mut reached = vec![(start, 0, 0)];
    let mut at = 0;
    while let Some((states, _, _)) = reached.get(at) {
        let states = states.clone();
        let matched = |index: usize| dfas[index].is_match_state(dfas[index].next_eoi_state(states[index]));
        if (0..by.len()).all(matched) && !(by.len()..dfas.len()).any(matched) {
            let back = std::iter::successors((at > 0).then_some(at), |&at| Some(reached[at].1).filter(|&at| at > 0));
            let mut found: Vec<u8> = back.map(|at| reached[at].2).collect();
            found.reverse();
            return (Walk::Found(found), seen.len());
        }
        for &byte in &bytes {
            let next: Vec<StateID> =
                dfas.iter().zip(&states).map(|(dfa, &state)| dfa.next_state(state, byte)).collect();
            if by.iter().zip(&next).any(|(dfa, &state)| dfa.is_dead_state(state)) {
                continue;
            }
            if seen.insert(next.clone()) {
                if seen.len() > MAX_PRODUCT {
                    return (Walk::TooLong, seen.len());
                }
                reached.push((next, at, byte));
            }
        }
        at += 1;
    }
    (Walk::Nothing, seen.len())
}

/// One byte of each set that no automaton tells apart, one that people like to read if there is any.
fn distinct_bytes(dfas: &[&Dfa]) -> Vec<u8> {
    let mut seen = HashSet::new();
    (b'a'..=b'z')
        .chain(b'0'..=b'9')
        .chain(0..=u8::MAX)
        .filter(|&byte| seen.insert(dfas.iter().map(|dfa| dfa.byte_classes().get(byte)).collect::<Vec<u8>>()))
        .collect()
}

#[cfg(test)]
mod tests {
    use tidegate_table::Automaton;

    use super::{Dfa, TooLarge, Walk};
    use super::{compile, determinize, meet, walk};

    /// As the engine reads it.
    fn matches(automaton: &[u8], haystack: &str) -> bool {
        Automaton::new(automaton).accepts(haystack).unwrap()
    }

    fn dfa(regex: &str) -> Dfa {
        determinize(&[regex.to_owned()]).unwrap()
    }

    #[test]
    fn an_automaton_matches_whole_strings_only() {
        let automaton = compile(&["ab?".to_owned(), "(?x) c # here".to_owned(), "a|abc".to_owned()]).unwrap();
        for whole in ["a", "ab", "abc", "c"] {
            assert!(matches(&automaton, whole), "{whole}");
        }
        for part in ["", "abcd", "ac", "xa", "a\n", "c # here"] {
            assert!(!matches(&automaton, part), "{part}");
        }
    }

    #[test]
    fn no_alternative_matches_nothing() {
        let automaton = compile(&[]).unwrap();
        assert!(!matches(&automaton, ""));
        assert!(!matches(&automaton, "a"));
    }

    #[test]
    fn what_would_not_fit_is_refused() {
        assert_eq!(compile(&["[ab]*a[ab]{40}".to_owned()]), Err(TooLarge));
        assert_eq!(compile(&["((a{100}){100}){100}".to_owned()]), Err(TooLarge));
        assert_eq!(compile(&["(".repeat(300) + &")".repeat(300)]), Err(TooLarge));
    }

    #[test]
    fn automata_meet_in_a_string_that_all_match() {
        assert!(meet(&[&dfa("a.*"), &dfa(".*b")], &[]));
        assert!(!meet(&[&dfa("a.*"), &dfa("b.*")], &[]));
        assert!(meet(&[&dfa("a+")], &[&dfa("aa*b|a{1,3}")]));
        assert!(!meet(&[&dfa("a{2}")], &[&dfa("a+")]));
        assert!(!meet(&[&dfa("[a&&b]")], &[]));
    }

    #[test]
    fn an_example_is_short_and_matched_by_all_that_it_has_to_be() {
        let example = |by: &[&Dfa], but_not: &[&Dfa]| match walk(by, but_not).0 {
            Walk::Found(bytes) => String::from_utf8(bytes).ok(),
            Walk::Nothing | Walk::TooLong => None,
        };
        assert_eq!(example(&[&dfa("a.*"), &dfa(".*b")], &[&dfa("ab")]).as_deref(), Some("aab"));
        assert_eq!(example(&[&dfa(".*")], &[]).as_deref(), Some(""));
        assert_eq!(example(&[&dfa("[^/]+/[^/]+")], &[]).as_deref(), Some("a/a"));
        assert_eq!(example(&[&dfa("a+")], &[&dfa("a*")]), None);
    }
}
