//! Engines side by side: the reference interpreter, which reads the policy language aloud, and the compiled table.
//!
//! ```text
//!   policy, request ─┬─► tidegate-reference ─────────► Answer ┐
//!                    └─► compiler ─► table ─► engine ─► Answer ┴─► equal, or somebody misreads the language
//! ```
//!
//! Policies and requests come from the corpus ([`corpus`]), which also says what the answer must be, or nobody thought of
//! them ([`generate`]): briefly in the tests, at length in the long run ([`run`]), and in the fuzzers. What is found so is
//! made small and written down as a case of the corpus ([`smallest_case`]), and stays found. The third engine, the Worker in workerd,
//! is asked by the end-to-end tests, from the same corpus.

pub mod case;
pub mod corpus;
mod difference;
pub mod generate;
mod policy;
mod request;
pub mod run;
mod table;
mod text;

pub use difference::{Difference, compare, smallest_case};
pub use policy::{Compiled, Folder};
pub use request::{Identity, Request};
pub use table::Table;
pub use text::{PolicyText, Smaller, smallest};

use tidegate_reference::Answer;

/// What the reference interpreter says to a request. Secrets are those that `secret` knows.
pub fn reference(policy: &Compiled, request: &Request, secret: &dyn Fn(&str) -> Option<String>) -> Answer {
    tidegate_reference::judge(&policy.policy, &request.view(), secret)
}
