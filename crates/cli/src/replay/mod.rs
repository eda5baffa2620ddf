//! What another policy would make of recorded traffic.
//!
//! ```text
//!   log ─► log::Log ──► judge ──► tally ──► report
//!          a line       verdict    counts by change,     for people, for programs
//!                       before     rule and customer
//!                       and after
//! ```
//!
//! The verdict before is the recorded one, or that of another policy; the verdict after comes from the new policy's compiled
//! table, by the engine. What a record does not hold is not guessed ([`bounds`]).

mod bounds;
mod judge;
pub(crate) mod report;
mod tally;
mod verdict;

pub(crate) use judge::{Judge, Judged, Question, Tables};
pub(crate) use tally::{Change, Sample};
pub(crate) use verdict::{Outcome, Verdict};
