//! The writer of automata: chooses rows and the width of states, and lays them out as [`crate::automata`] reads them.

use std::collections::BTreeMap;

use super::{TooLarge, le_bytes, word};
use crate::automata::{FULL, RUN};

/// A state of a deterministic automaton. States are known by their place; the first one is the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateSpec {
    /// Whether a text that ends here is accepted.
    pub accepts: bool,
    /// Ranges of bytes, sorted, with the state that each leads to. What is in none is dead.
    pub next: Vec<(u8, u8, u32)>,
}

/// The longest automaton there can be, in bytes: a state's number has at most three.
const MAX: usize = 1 << 24;

/// What stands for the dead state among targets.
const DEAD: Option<usize> = None;

/// A row, its states named by their places in the specification.
struct Row {
    body: Body,
    accepts: bool,
}

enum Body {
    Full(Vec<(u8, u8, Option<usize>)>),
    Ranges { exceptions: Vec<(u8, u8, Option<usize>)>, other: Option<usize> },
    Run { bytes: Vec<u8>, next: Option<usize> },
}

/// Lays out an automaton. Equal automata with states in the same order have equal bytes.
pub fn automaton(states: &[StateSpec]) -> Result<Vec<u8>, TooLarge> {
    let rows = rows(states);
    for width in 1..=3 {
        let limit = (1 << (8 * width)).min(MAX);
        let bytes = lay_out(&rows, width);
        if bytes.len() < limit {
            return Ok(bytes);
        }
    }
    Err(TooLarge)
}

/// The section that holds all of them.
pub(super) fn section(automata: &[Vec<u8>]) -> Result<Vec<u8>, TooLarge> {
    let mut next = 4 * (2 + automata.len());
    let mut directory = vec![word(automata.len())?, word(next)?];
    for automaton in automata {
        next += automaton.len();
        directory.push(word(next)?);
    }
    Ok([le_bytes(&directory), automata.concat()].concat())
}

/// The rows by the states that they begin with. Chains of states that want one byte each become one run.
fn rows(states: &[StateSpec]) -> BTreeMap<usize, Row> {
    let place = |state: u32| usize::try_from(state).unwrap_or(usize::MAX);
    let mut reached = vec![0_usize; states.len()];
    for (_, _, next) in states.iter().flat_map(|state| &state.next) {
        reached[place(*next)] += 1;
    }
    let single = |state: usize| match *states[state].next.as_slice() {
        [(first, last, next)] if first == last => Some((first, place(next))),
        _ => None,
    };
    let inside = |state: usize| state != 0 && reached[state] == 1 && !states[state].accepts && single(state).is_some();
    let mut rows = BTreeMap::new();
    let mut waiting = if states.is_empty() { Vec::new() } else { vec![0] };
    while let Some(state) = waiting.pop() {
        if rows.contains_key(&state) {
            continue;
        }
        let body = if let Some((byte, mut next)) = single(state) {
            let mut bytes = vec![byte];
            while bytes.len() < usize::from(u8::MAX - RUN) && inside(next) {
                let Some((byte, after)) = single(next) else { break };
                bytes.push(byte);
                next = after;
            }
            waiting.push(next);
            Body::Run { bytes, next: Some(next) }
        } else {
            waiting.extend(states[state].next.iter().rev().map(|(_, _, next)| place(*next)));
            ranges(states[state].next.iter().map(|&(first, last, next)| (first, last, place(next))))
        };
        rows.insert(state, Row { body, accepts: states[state].accepts });
    }
    rows
}

/// The row with the fewest exceptions.
fn ranges(live: impl Iterator<Item = (u8, u8, usize)>) -> Body {
    let mut all: Vec<(u8, u8, Option<usize>)> = Vec::new();
    let mut from = 0_u16;
    for (first, last, next) in live {
        if from < u16::from(first) {
            all.push((u8::try_from(from).unwrap_or(u8::MAX), first - 1, DEAD));
        }
        match all.last_mut() {
            Some((_, end, known)) if *known == Some(next) => *end = last,
            _ => all.push((first, last, Some(next))),
        }
        from = u16::from(last) + 1;
    }
    if let Ok(from) = u8::try_from(from) {
        all.push((from, u8::MAX, DEAD));
    }
    let mut counts: BTreeMap<Option<usize>, usize> = BTreeMap::new();
    for (_, _, next) in &all {
        *counts.entry(*next).or_default() += 1;
    }
    // Of targets that are as frequent as each other the first one, and the dead state is before all.
    let most = counts.values().max().copied().unwrap_or(0);
    let other = counts.into_iter().find(|&(_, count)| count == most).and_then(|(next, _)| next);
    let exceptions: Vec<_> = all.iter().copied().filter(|&(_, _, next)| next != other).collect();
    if exceptions.len() < usize::from(FULL) { Body::Ranges { exceptions, other } } else { Body::Full(all) }
}

fn lay_out(rows: &BTreeMap<usize, Row>, width: usize) -> Vec<u8> {
    let mut offsets = BTreeMap::new();
    let mut next = 1 + 2 * width;
    let mut accepting = next;
    for accepts in [false, true] {
        accepting = next;
        for (state, row) in rows.iter().filter(|(_, row)| row.accepts == accepts) {
            offsets.insert(*state, next);
            next += 1 + match &row.body {
                Body::Full(_) => 256 * width,
                Body::Ranges { exceptions, .. } => exceptions.len() * (2 + width) + width,
                Body::Run { bytes, .. } => bytes.len() + width,
            };
        }
    }
    let mut bytes = Vec::with_capacity(next);
    let number = |bytes: &mut Vec<u8>, number: usize| bytes.extend(number.to_le_bytes().iter().take(width));
    let target = |state: Option<usize>| state.and_then(|state| offsets.get(&state)).copied().unwrap_or(0);
    bytes.push(u8::try_from(width).unwrap_or(0));
    number(&mut bytes, target(Some(0)));
    number(&mut bytes, accepting);
    for row in [false, true].iter().flat_map(|&accepts| rows.values().filter(move |row| row.accepts == accepts)) {
        match &row.body {
            Body::Full(all) => {
                bytes.push(FULL);
                for &(first, last, next) in all {
                    (first..=last).for_each(|_| number(&mut bytes, target(next)));
                }
            }
            Body::Ranges { exceptions, other } => {
                bytes.push(u8::try_from(exceptions.len()).unwrap_or(0));
                for &(first, last, next) in exceptions {
                    bytes.extend([first, last]);
                    number(&mut bytes, target(next));
                }
                number(&mut bytes, target(*other));
            }
            Body::Run { bytes: run, next } => {
                bytes.push(RUN + u8::try_from(run.len()).unwrap_or(0));
                bytes.extend(run);
                number(&mut bytes, target(*next));
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics fails, as it should")]

    use super::*;
    use crate::automata::Automaton;

    fn state(accepts: bool, next: &[(u8, u8, u32)]) -> StateSpec {
        StateSpec { accepts, next: next.to_vec() }
    }

    /// As the specification says.
    fn accepts(states: &[StateSpec], text: &str) -> bool {
        let mut at = Some(0_usize);
        for byte in text.bytes() {
            let next = |at: usize| states[at].next.iter().find(|(first, last, _)| (*first..=*last).contains(&byte));
            at = at.and_then(next).map(|&(_, _, next)| usize::try_from(next).unwrap());
        }
        at.is_some_and(|at| states[at].accepts)
    }

    /// `beta-*`.
    fn beta() -> Vec<StateSpec> {
        let literal = (0..).zip(b"beta-").map(|(place, &byte)| state(false, &[(byte, byte, place + 1)]));
        literal.chain([state(true, &[(0, u8::MAX, 5)])]).collect()
    }

    #[test]
    fn literal_text_is_one_run_and_an_automaton_takes_hardly_more() {
        let bytes = automaton(&beta()).unwrap();
        assert_eq!(bytes, [1, 3, 10, 133, b'b', b'e', b't', b'a', b'-', 10, 0, 10]);
        for (text, accepted) in [("beta-", true), ("beta-1", true), ("beta", false), ("", false), ("betb-", false)] {
            assert_eq!(Automaton::new(&bytes).accepts(text), Ok(accepted), "{text}");
        }
    }

    #[test]
    fn an_automaton_without_live_states_accepts_nothing() {
        for states in [&[][..], &[state(false, &[])]] {
            let bytes = automaton(states).unwrap();
            assert_eq!(
                (Automaton::new(&bytes).accepts(""), Automaton::new(&bytes).accepts("a")),
                (Ok(false), Ok(false))
            );
        }
    }

    #[test]
    fn automata_of_every_width_and_with_every_kind_of_row_accept_what_their_states_say() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |limit: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % limit
        };
        for (count, ranges) in [(1_u64, 3), (5, 2), (40, 1), (40, 200), (300, 60), (9_000, 3)] {
            let states: Vec<StateSpec> = (0..count)
                .map(|place| {
                    let mut next = Vec::new();
                    let mut from = 0_u64;
                    for _ in 0..=below(ranges) {
                        let first = from + below(3) * below(40);
                        let last = first + below(2) * below(40);
                        if last > 255 {
                            break;
                        }
                        let target = if below(3) == 0 { below(count) } else { (place + 1) % count };
                        next.push((
                            u8::try_from(first).unwrap(),
                            u8::try_from(last).unwrap(),
                            u32::try_from(target).unwrap(),
                        ));
                        from = last + 1;
                    }
                    StateSpec { accepts: place == 0 || below(4) == 0, next }
                })
                .collect();
            let bytes = automaton(&states).unwrap();
            let mut accepted = 0;
            for _ in 0..2_000 {
                // A walk along live bytes, which now and then leaves them.
                let mut text = String::new();
                let mut at = 0_usize;
                for _ in 0..below(12) {
                    let live = &states[at].next;
                    let Some(&(first, _, next)) = live.get(usize::try_from(below(ranges)).unwrap() % live.len().max(1))
                    else {
                        break;
                    };
                    let byte = if below(9) == 0 { 7 } else { first };
                    text.push(char::from(byte & 0x7f));
                    at = usize::try_from(next).unwrap();
                }
                let expected = accepts(&states, &text);
                accepted += u32::from(expected);
                assert_eq!(Automaton::new(&bytes).accepts(&text), Ok(expected), "{text:?} by {count} states");
            }
            assert!(accepted > 20, "only {accepted} texts were accepted by {count} states");
        }
    }

    #[test]
    fn a_lying_automaton_ends_its_search_all_the_same() {
        let honest = automaton(&beta()).unwrap();
        let long = "b".repeat(10_000);
        for at in 0..honest.len() {
            for lie in 0..=u8::MAX {
                let mut lying = honest.clone();
                lying[at] = lie;
                for text in ["beta-1", "", &long] {
                    let _ = Automaton::new(&lying).accepts(text);
                }
            }
        }
        assert!(Automaton::new(&[]).accepts("a").is_err());
        assert!(Automaton::new(&[1, 9, 9]).accepts("a").is_err());
    }
}
