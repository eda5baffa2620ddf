//! Rules for what was denied: what `mode = "report"` is for.
//!
//! ```text
//!   log ─► log::Log ──► evidence ──► hosts, paths ──► write
//!          records      denials      few patterns      TOML with the evidence as comments
//! ```
//!
//! A proposal is as narrow as what was seen: exact names, the methods and paths that were asked for. What is folded says so. Nothing
//! is proposed that a deny rule denies, nor, but as a comment, a host that must be named exactly.

mod evidence;
mod hosts;
mod paths;
mod write;

pub(crate) use evidence::{Asked, Evidence, LeftOut, Scope};
pub(crate) use write::{Suggestion, suggestion};

#[cfg(test)]
mod tests;
