//! The compiled form of a policy: one flat run of bytes, read in place.
//!
//! # The idea
//! A Worker has a second to start and pays for every byte at every start, so nothing is decoded: the table *is* the
//! data structure. Loading checks the header, the bounds of the sections and a checksum, and that is all. Every
//! later access is *total*: it returns a value or a [`Fault`], whatever the bytes say, so that a table which was
//! tampered with and sealed again can make a request fail closed but never make the Worker panic.
//!
//! # The layout
//! All integers are little-endian. Sections are in the order of [`SectionKind::ALL`], each once, each at a multiple
//! of 8, padded with zeros, without gaps.
//!
//! ```text
//!    0  magic "TIDEGATE"                                   8
//!    8  format version                                     4   FORMAT_VERSION; any other is refused
//!   12  number of sections                                 4
//!   16  length of the table in bytes                       8
//!   24  checksum   xxh3-64 over all bytes but these        8   verified at every load: a few ms for 7 MB in Wasm
//!   32  digest     SHA-256 over all but checksum, digest  32   the policy's name in logs; computed natively only
//!   64  directory  (kind, offset, length) a section       12 each
//!       …padding to 8…
//!       policy      one record    defaults, identity, rollout
//!       rules       records       in file order, `extends` first
//!       exceptions  records       what rules' exceptions match
//!       keys        records       signing keys; the key itself is never here
//!       customers   names         with what is known of each, see `names`
//!       tags        names
//!       candidates  u32           the rule index, see `candidates`
//!       words       u32           what records point to with (start, length)
//!       text        bytes         UTF-8, each distinct text once
//!       automata    rows          see `automata`
//!       model       bytes         ┐
//!       parents     bytes         │
//!       lengths     u32           │
//!       buckets     bits          │ the host index, see `hosts`
//!       runs        bits          │
//!       remainders  bits          │
//!       payloads    bits          │
//!       postings    u32           ┘
//! ```
//!
//! Records are runs of `u32`. A *text* in a record is two words (offset and length in `text`), a *span* is two words
//! (start and length in `words`), an automaton, a set, a customer or a tag is its number. `u32::MAX` stands for "none".
//!
//! # What this crate does not do
//! It knows nothing of TOML, HTTP or hosts' spelling, and it does not decide. The writer (feature `write`) lays out
//! what it is given; whether that makes sense is the compiler's business.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects
)]

mod automata;
mod candidates;
mod header;
mod hosts;
mod names;
mod obligations;
mod record;
mod records;
mod words;
#[cfg(feature = "write")]
pub mod write;

pub use automata::Automaton;
pub use candidates::{Key as SecondKey, Posting, Reserved};
pub use header::{FORMAT_VERSION, SectionKind, Table, TableError};
pub use hosts::Reach;
pub use obligations::{Algorithm, Claim, Jwt, Key, SetHeader, Template, TemplatePart};
pub use record::Texts;
pub use records::{Condition, Customer, Customers, Effect, EnforceFor, HeaderCondition, Hosts, PolicyRecord, Rule};
pub use words::{Fault, Numbers};

#[cfg(all(test, feature = "write"))]
mod tests;
