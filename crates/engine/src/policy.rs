//! A loaded policy.

use std::fmt;

use tidegate_table::{Fault, Table, TableError, Texts};

use crate::decide::{Decision, Scratch};
use crate::explain::{RuleTrace, Unexplained};
use crate::forwarding::Secrets;
use crate::judgement::Judgement;
use crate::request::RequestView;

/// The longest path of an outbound parameter, with its dots, in bytes; far over any that a policy would name.
const MAX_PATH: usize = 64 << 10;

/// A policy, read in place from the bytes of its table. Beside them it holds its name and how requests name their tenant.
#[derive(Debug)]
pub struct Policy<'t> {
    pub(crate) table: Table<'t>,
    digest: String,
    mode: Mode,
    identity: Option<Identity>,
}

/// Whether denials are carried out or only recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Denials refuse.
    Enforce,
    /// Denials by rules and by default are recorded only, save for the requests that a rollout enforces already.
    Report,
}

impl Mode {
    /// `enforce` or `report`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Report => "report",
        }
    }
}

/// Outbound parameters that name the tenant: paths of own properties of `env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Path to the customer's name.
    pub customer: Vec<String>,
    /// Path to the customer's tags, where the policy declares them.
    pub tags: Option<Vec<String>>,
    /// Path to the customer's variables, where the policy declares them.
    pub vars: Option<Vec<String>>,
}

/// A rule, as decisions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleRef<'p> {
    /// Its place in file order, `extends` first.
    pub index: u32,
    /// Its id.
    pub id: &'p str,
    /// What it says to the refusal's reader.
    pub reason: Option<&'p str>,
}

/// Why bytes are no policy. The whole is refused.
#[derive(Clone, Debug)]
pub enum PolicyError {
    /// A record cannot be read.
    Fault(Fault),
    /// The bytes are no table.
    Table(TableError),
}

impl<'t> Policy<'t> {
    /// Loads a policy. Header, bounds and checksum are verified; nothing is copied, nothing is built.
    pub fn from_bytes(bytes: &'t [u8]) -> Result<Self, PolicyError> {
        let table = Table::from_bytes(bytes).map_err(PolicyError::Table)?;
        let (mode, identity) = settings(&table).map_err(PolicyError::Fault)?;
        // Room for decisions is made by this number: a table cannot ask for more than its own size.
        let sets = table.policy().and_then(|record| record.set_count()).map_err(PolicyError::Fault)?;
        if usize::try_from(sets).is_ok_and(|sets| sets > bytes.len()) {
            return Err(PolicyError::Fault(Fault("more sets than bytes")));
        }
        let digest = hex(table.digest());
        Ok(Self { table, digest, mode, identity })
    }

    /// The SHA-256 of the table, in 64 hex digits: the policy's name in logs and decisions.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The policy's own mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// How requests name their tenant; `None` where the policy knows no customers.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Room for decisions, made once and used again for each request.
    pub fn scratch(&self) -> Scratch {
        Scratch::for_table(&self.table)
    }

    /// Decides on a request. With a scratch of this policy that was used before, nothing is allocated.
    pub fn decide<'s>(&self, request: &RequestView<'_>, scratch: &'s mut Scratch) -> Decision<'s> {
        crate::decide::decide(self, request, scratch)
    }

    /// Calls `found` with every rule that a decision on the request looks at, in file order: those that the rule index has for its
    /// host, customer and tags. All others are certainly false.
    pub fn candidates(
        &self,
        request: &RequestView<'_>,
        scratch: &mut Scratch,
        found: impl FnMut(u32),
    ) -> Result<(), Unexplained> {
        crate::candidates::candidates(self, request, scratch)?.for_each(found);
        Ok(())
    }

    /// Decides on a request and works out how it goes out.
    pub fn judge(&self, request: &RequestView<'_>, scratch: &mut Scratch, secrets: &dyn Secrets) -> Judgement<'_> {
        let decision = self.decide(request, scratch);
        Judgement::of(self, request, &decision, secrets).unwrap_or_else(Judgement::fault)
    }

    /// Says of every rule, in file order, whether it holds of a request, and where not, why. By the same walk as
    /// [`Policy::decide`].
    pub fn explain(&self, request: &RequestView<'_>, scratch: &mut Scratch) -> Result<Vec<RuleTrace<'_>>, Unexplained> {
        crate::explain::explain(self, request, scratch)
    }

    /// A rule by its index.
    pub(crate) fn rule_ref(&self, index: u32) -> Result<RuleRef<'_>, Fault> {
        let rule = self.table.rule(index)?;
        Ok(RuleRef { index, id: rule.id()?, reason: rule.reason()? })
    }

    /// Whether an automaton accepts the whole of `text`.
    pub(crate) fn accepts(&self, automaton: u32, text: &str) -> Result<bool, Fault> {
        self.table.automaton(automaton)?.accepts(text)
    }
}

/// The steps of a parameter's path. A table may point to one text as often as it likes.
fn path(steps: Texts<'_>) -> Result<Vec<String>, Fault> {
    let mut room = MAX_PATH;
    let mut path = Vec::new();
    for step in steps {
        let step = step?;
        room = room.checked_sub(step.len().saturating_add(1)).ok_or(Fault("a parameter's path is too long"))?;
        path.push(step.to_owned());
    }
    Ok(path)
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

fn settings(table: &Table<'_>) -> Result<(Mode, Option<Identity>), Fault> {
    let record = table.policy()?;
    let identity = match record.customer_path()? {
        Some(customer) => Some(Identity {
            customer: path(customer)?,
            tags: record.tags_path()?.map(path).transpose()?,
            vars: record.vars_path()?.map(path).transpose()?,
        }),
        None => None,
    };
    Ok((if record.is_report()? { Mode::Report } else { Mode::Enforce }, identity))
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => write!(f, "{fault}; compile the policy again with this version"),
            Self::Table(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PolicyError {}
