//! What the policy language means, through the compiled table.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that panics fails, as it should")]

mod allocation;
mod candidates;
mod decide;
mod explain;
mod forwarding;
mod hostile;
mod support;
mod words;
