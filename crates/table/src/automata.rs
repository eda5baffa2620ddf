//! Pattern automata, searched in place.
//!
//! # The idea
//! All patterns of a dimension are one deterministic automaton over bytes, built and minimised by the compiler. What is stored
//! is what globs turn out to be: mostly *runs* of literal text, between a few states that wait for a byte. There is nothing
//! to build or to validate at load, and ten thousand automata cost no more to load than one.
//!
//! # The layout
//! The section begins with words: the number of automata, then where each begins, and where the last one ends. An automaton:
//!
//! ```text
//!   width W of a state's number in bytes (1, 2 or 3) · the start state (W) · the first accepting state (W) · rows
//! ```
//!
//! A state's number *is* the offset of its row, little-endian; 0 is the dead state, which has no row. Rows of accepting
//! states come after all others, so that "accepting" is one comparison; the end of the input needs no transition of its own.
//! The first byte of a row says what it is:
//!
//! ```text
//!   0…126     n exceptions: n × (first byte, last byte, next state (W)), sorted, then the next state of all other bytes (W)
//!   127       every byte's own next state: 256 × (W)
//!   129…255   a run of n − 128 bytes, then the next state (W); whatever differs is dead
//! ```
//!
//! `*.region-5.example` takes 28 bytes: a state that waits for a dot, the run `region-5.example`, and the end.
//!
//! # The cost
//! One row a byte, or a run at once; of a row at most 126 exceptions are looked at. A search takes at least one byte
//! of the text at every step, so it ends, whatever the table says.

use crate::header::{SectionKind, Table};
use crate::words::{Fault, Words, to_usize};

/// Row heads over this are runs.
pub(crate) const RUN: u8 = 128;
/// The head of a row that has a state for every byte; what is below it is a number of exceptions.
pub(crate) const FULL: u8 = 127;

/// A deterministic automaton over whole texts.
#[derive(Clone, Copy, Debug)]
pub struct Automaton<'t>(&'t [u8]);

impl<'t> Table<'t> {
    /// How many automata there are.
    pub fn automaton_count(&self) -> u32 {
        Words::new(self.section(SectionKind::Automata)).at(0).unwrap_or(0)
    }

    /// An automaton by its number.
    pub fn automaton(&self, index: u32) -> Result<Automaton<'t>, Fault> {
        let section = self.section(SectionKind::Automata);
        let fault = Fault("automaton out of bounds");
        let directory = Words::new(section);
        if index >= directory.at(0)? {
            return Err(fault);
        }
        let entry = to_usize(index).saturating_add(1);
        let start = to_usize(directory.at(entry)?);
        let end = to_usize(directory.at(entry.saturating_add(1))?);
        section.get(start..end).map(Automaton::new).ok_or(fault)
    }
}

impl<'t> Automaton<'t> {
    /// An automaton by its bytes, as the writer lays them out. Nothing is validated: what is wrong shows in a search.
    pub const fn new(bytes: &'t [u8]) -> Self {
        Self(bytes)
    }

    /// Whether the whole of `text` is accepted.
    pub fn accepts(self, text: &str) -> Result<bool, Fault> {
        match self.0.first() {
            Some(1) => self.search::<1>(text.as_bytes()),
            Some(2) => self.search::<2>(text.as_bytes()),
            Some(3) => self.search::<3>(text.as_bytes()),
            _ => Err(Fault("unknown width of an automaton")),
        }
    }

    fn search<const WIDTH: usize>(self, mut text: &[u8]) -> Result<bool, Fault> {
        const FAULT: Fault = Fault("automaton out of bounds");
        let mut header = self.0.get(1..).ok_or(FAULT)?;
        let mut state = take::<WIDTH>(&mut header).ok_or(FAULT)?;
        let accepting = take::<WIDTH>(&mut header).ok_or(FAULT)?;
        loop {
            if state == 0 {
                return Ok(false);
            }
            let Some((&byte, after)) = text.split_first() else { return Ok(state >= accepting) };
            let (&head, mut row) = self.0.get(state..).and_then(<[u8]>::split_first).ok_or(FAULT)?;
            if let Some(length) = head.checked_sub(RUN).filter(|&length| length > 0) {
                let (run, rest) = row.split_at_checked(usize::from(length)).ok_or(FAULT)?;
                let Some(after) = text.strip_prefix(run) else { return Ok(false) };
                row = rest;
                text = after;
                state = take::<WIDTH>(&mut row).ok_or(FAULT)?;
                continue;
            }
            text = after;
            let next = if head == FULL { full::<WIDTH>(row, byte) } else { among::<WIDTH>(row, head, byte) };
            let next = next.ok_or(FAULT)?;
            if head == 0 && next == state {
                // No byte leads out of here.
                return Ok(state >= accepting);
            }
            state = next;
        }
    }
}

/// Where a byte leads by a row of exceptions.
fn among<const WIDTH: usize>(mut row: &[u8], exceptions: u8, byte: u8) -> Option<usize> {
    for _ in 0..exceptions {
        let &[first, last] = row.split_off(..2)?.first_chunk()?;
        let next = take::<WIDTH>(&mut row)?;
        if byte <= last && first <= byte {
            return Some(next);
        }
    }
    take::<WIDTH>(&mut row)
}

/// Where a byte leads by a row that has a state for each.
fn full<const WIDTH: usize>(row: &[u8], byte: u8) -> Option<usize> {
    take::<WIDTH>(&mut row.get(usize::from(byte).checked_mul(WIDTH)?..)?)
}

/// Reads a state's number.
fn take<const WIDTH: usize>(bytes: &mut &[u8]) -> Option<usize> {
    let number: &[u8; WIDTH] = bytes.split_off(..WIDTH)?.first_chunk()?;
    Some(number.iter().rev().fold(0, |state, &byte| state << 8 | usize::from(byte)))
}
