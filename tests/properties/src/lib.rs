//! Properties that hold for any bytes. Every public module is one, and a target of the fuzzer of the same name; its `check` panics
//! where the property does not hold.
//!
//! ```text
//!   tests/properties/src/NAME.rs     the property
//!   tests/properties/policies/       what is asked by properties that need a policy
//!   tests/properties/tests/          puts the kept inputs to the properties, without the fuzzer
//!   fuzz/fuzz_targets/NAME.rs        the property, as libFuzzer calls it
//!   fuzz/corpus/NAME/                kept inputs: together they reach whatever was ever reached
//!   fuzz/regressions/NAME/           kept inputs: each once broke the property
//! ```
//!
//! `cargo xtask fuzz` runs all targets, `cargo fuzz run NAME` one.

pub mod any_bytes_are_refused_or_total;
pub mod any_request_is_decided;
pub mod canonical_urls_agree;
pub mod compiling_is_total_and_deterministic;
pub mod importers_lose_no_line;
pub mod resealed_tables_never_lie;
pub mod table_equals_reference;

mod judgement;
mod policies;
mod request;

/// A name and a check.
pub type Property = (&'static str, fn(&[u8]));

/// All of them.
pub const PROPERTIES: [Property; 7] = [
    ("any_bytes_are_refused_or_total", any_bytes_are_refused_or_total::check),
    ("any_request_is_decided", any_request_is_decided::check),
    ("canonical_urls_agree", canonical_urls_agree::check),
    ("compiling_is_total_and_deterministic", compiling_is_total_and_deterministic::check),
    ("importers_lose_no_line", importers_lose_no_line::check),
    ("resealed_tables_never_lie", resealed_tables_never_lie::check),
    ("table_equals_reference", table_equals_reference::check),
];
