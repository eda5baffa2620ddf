//! Strings of one dimension: whether there is one that some automata accept and others do not, and which.

use std::cell::Cell;
use std::rc::Rc;

use crate::automaton::{Dfa, Walk, accepts, determinize, walk};
use crate::pattern::literal_regex;

/// Work that was done, counted in regions looked at; everything that takes long counts as some of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Work(Rc<Cell<u64>>);

impl Work {
    /// Tuples of states that cost as much as a region.
    const STATES: usize = 50;
    /// Names that cost as much as a region.
    pub(crate) const NAMES: u64 = 500;

    pub(crate) fn add(&self, regions: u64) {
        self.0.set(self.0.get().saturating_add(regions));
    }

    pub(crate) fn done(&self) -> u64 {
        self.0.get()
    }

    fn add_states(&self, states: usize) {
        self.add(u64::try_from(states / Self::STATES).unwrap_or(u64::MAX));
    }
}

/// What looking for a value came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Search<T> {
    /// There is one.
    Found(T),
    /// There is none: proved.
    Nothing,
    /// Looking took too long.
    TooLong,
}

impl<T> Search<T> {
    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Search<U> {
        match self {
            Self::Found(value) => Search::Found(map(value)),
            Self::Nothing => Search::Nothing,
            Self::TooLong => Search::TooLong,
        }
    }
}

/// Strings that are found and then turned down by `refused` before the search gives up.
const MAX_REFUSED: usize = 64;

/// Looks for a string that all of `by` accept, none of `but_not`, and that is not `refused`. `refused` may hold of single
/// strings only in so far as it is not an automaton: each one is excluded in its turn.
pub(crate) fn find(by: &[&Dfa], but_not: &[&Dfa], work: &Work, refused: impl Fn(&str) -> bool) -> Search<String> {
    let mut excluded: Vec<Dfa> = Vec::new();
    for _ in 0..MAX_REFUSED {
        let but_not: Vec<&Dfa> = but_not.iter().copied().chain(&excluded).collect();
        let (found, states) = walk(by, &but_not);
        work.add_states(states);
        let found = match found {
            Walk::Found(bytes) => bytes,
            Walk::Nothing => return Search::Nothing,
            Walk::TooLong => return Search::TooLong,
        };
        let Ok(found) = String::from_utf8(found) else { return Search::TooLong };
        if !refused(&found) {
            return Search::Found(found);
        }
        let Ok(exclude) = determinize(&[literal_regex(&found)]) else { return Search::TooLong };
        excluded.push(exclude);
    }
    Search::TooLong
}

/// The first of some strings that people like to read which all of `by` accept and none of `but_not`.
pub(crate) fn usual<'s>(
    candidates: impl IntoIterator<Item = &'s str>,
    by: &[&Dfa],
    but_not: &[&Dfa],
) -> Option<&'s str> {
    candidates
        .into_iter()
        .find(|text| by.iter().all(|dfa| accepts(dfa, text)) && !but_not.iter().any(|dfa| accepts(dfa, text)))
}
