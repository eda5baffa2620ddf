//! Questions about all requests at once: can these two rules match one request, what does this change change, where can
//! that customer go?
//!
//! ```text
//!   rules, policies ──model──► formulas over predicates, each of which looks at one dimension of a request
//!                                │
//!   hosts, paths, values, sets   │ each dimension knows its own sets, and finds a value that is in some and in none of others
//!                                ▼
//!                              solve: narrows the space, led by examples, until a request is found or none is left
//!                                │
//!                                ▼
//!   a witness, put to the compiled table ── proved ── or undecided, within a budget of work that is counted, not timed
//! ```
//!
//! A request has independent dimensions: customer, tags, scheme and port, method, host, path, each header. Policies cut
//! each of them into *atoms*, values that no condition tells apart; one value of each atom is enough to speak for all.
//! The atoms are not listed beforehand, for a list may have a million names: a dimension is asked for a value of the atom
//! at hand when it is needed, and remembers its answers.
//!
//! "None" is a proof. Where a dimension gives up, or the budget is spent, the answer is undecided and says so. Witnesses of
//! differences, of claims and of what can be reached are replayed through the compiled table by the engine that the Worker runs;
//! one that does not show what it was found for is a fault of ours, and makes the answer undecided, too.
//!
//! # What is not asked
//! See [`SCOPE`].

pub mod diff;
pub(crate) mod formula;
mod hosts;
pub(crate) mod model;
pub(crate) mod paths;
pub mod reach;
pub(crate) mod replay;
pub(crate) mod request;
pub(crate) mod sets;
pub(crate) mod solve;
pub(crate) mod space;
pub(crate) mod strings;
mod values;

pub use replay::Verdict;
pub use request::Witness;
pub use solve::Budget;

/// What answers hold for, for people.
pub const SCOPE: &str = "over all requests that name a customer, all tags; secrets and variables symbolic, and taken to be there; \
    what upstreams make of an ambiguous path is not modelled";
