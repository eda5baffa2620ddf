//! Tidegate's policy decision point.
//!
//! Bytes of a compiled policy go in once ([`Policy::from_bytes`]); then every request gets a [`Judgement`]:
//! may it go out, which rules said so, and what must happen to it on the way ([`Forwarding`]).
//! The same code runs natively and in the outbound Worker.
//!
//! # What this crate does not do
//! It reads no TOML, compiles no pattern, knows no clock, no network and no JavaScript. It signs nothing: a token
//! that a rule asks for is described, and the caller makes it.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects
)]

mod bits;
mod candidates;
pub mod canonical;
mod decide;
mod explain;
mod forwarding;
pub mod hygiene;
mod judgement;
mod matching;
mod policy;
mod request;

pub use canonical::{InvalidTarget, Target};
pub use decide::{Decision, Scratch, Unjudged, bucket};
pub use explain::{ConditionTrace, RuleTrace, Unexplained};
pub use forwarding::{Dropped, Forwarding, JwtSpec, Secrets, Sent, SetHeader};
pub use judgement::{Judgement, Reason, Refusal};
pub use matching::{Dimension, Truth};
pub use policy::{Identity, Mode, Policy, PolicyError, RuleRef};
pub use request::{Header, RequestView, Var, parse_tag_list};
pub use tidegate_table::{Algorithm, Effect, Fault};
