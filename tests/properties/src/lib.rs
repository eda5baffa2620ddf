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
