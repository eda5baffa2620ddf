//! Who answers: the compiled table, by the same code as in the Worker, or the reference interpreter, which shares none with it.

use tidegate_compiler::Output;
use tidegate_compiler::checked::{self, CheckedPolicy};
use tidegate_engine::{Policy, PolicyError, Scratch, Secrets, Target};

use crate::decision::Decision;
use crate::instant::Seconds;
use crate::request::Request;

/// A policy, ready to answer.
pub enum Engine<'p> {
    /// The reference interpreter.
    Reference {
        /// What it reads.
        policy: &'p CheckedPolicy,
        /// The digest of the table that the same policy compiles to.
        digest: String,
    },
    /// The compiled table.
    Table {
        /// The table, loaded.
        policy: Box<Policy<'p>>,
        /// Used again for each request.
        scratch: Box<Scratch>,
    },
}

impl<'p> Engine<'p> {
    /// The reference interpreter.
    pub fn reference(output: &'p Output) -> Result<Self, PolicyError> {
        let digest = Policy::from_bytes(&output.table)?.digest().to_owned();
        Ok(Self::Reference { policy: &output.policy, digest })
    }

    /// The compiled table.
    pub fn table(output: &'p Output) -> Result<Self, PolicyError> {
        let policy = Policy::from_bytes(&output.table)?;
        Ok(Self::Table { scratch: Box::new(policy.scratch()), policy: Box::new(policy) })
    }

    /// Answers a request. Secrets are never needed to tell what would happen: placeholders stand in for them.
    pub fn decide(&mut self, request: &Request, now: Seconds) -> Decision {
        match self {
            Self::Reference { policy, digest } => {
                let view = tidegate_reference::Request {
                    method: &request.method,
                    url: &request.url,
                    headers: &request.headers,
                    customer: request.customer.as_deref(),
                    tags: request.tags.as_deref(),
                    vars: request.vars.as_deref(),
                    now,
                };
                let answer = tidegate_reference::judge(policy, &view, &placeholder);
                let mode = match policy.mode {
                    checked::Mode::Enforce => "enforce",
                    checked::Mode::Report => "report",
                };
                Decision::of_reference(answer, mode, digest)
            }
            Self::Table { policy, scratch } => {
                let target = Target::parse(&request.url);
                let view = request.view(&target, now);
                let judgement = policy.judge(&view, scratch, &Placeholders);
                Decision::of_table(&judgement, target.ok().as_ref(), policy)
            }
        }
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the interpreter asks whether there is such a secret; here there always is"
)]
fn placeholder(name: &str) -> Option<String> {
    Some(format!("<secret:{name}>"))
}

/// Stands in for every secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placeholders;

impl Secrets for Placeholders {
    fn secret(&self, name: &str) -> Option<String> {
        placeholder(name)
    }
}
