//! What a run came to, and how it says so.

use std::error::Error;
use std::process::ExitCode;

/// What a command came to. The codes are API: scripts hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing to complain about.
    Fine = 0,
    /// It found what it looks for: errors in a policy, failing tests, a missed `--expect`.
    Found = 1,
    /// Its arguments do not go together.
    Usage = 2,
    /// It could not do its work.
    CouldNotWork = 3,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome as u8)
    }
}

/// Why a command stops: what went wrong and the way out, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// How the run ends.
    pub(crate) outcome: Outcome,
    /// Lower case, no full stop, input in backticks.
    pub(crate) message: String,
    /// The way out, one sentence.
    pub(crate) help: Option<String>,
}

impl Failure {
    /// The command could not do its work.
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { outcome: Outcome::CouldNotWork, message: message.into(), help: Some(help.into()) }
    }

    /// The arguments of a command, each fine by itself, do not go together.
    pub(crate) fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { outcome: Outcome::Usage, ..Self::new(message, help) }
    }

    /// The command found that its input is not what it must be.
    pub(crate) fn found(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { outcome: Outcome::Found, ..Self::new(message, help) }
    }
}

/// An error of one of this crate's areas: it knows the way out.
pub(crate) trait Explained: Error {
    /// What the operator can do.
    fn help(&self) -> Option<String>;

    /// How a run ends that meets this error.
    fn outcome(&self) -> Outcome {
        Outcome::CouldNotWork
    }
}

impl<E: Explained> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { outcome: error.outcome(), message: error.to_string(), help: error.help() }
    }
}
