//! Claims about a policy: what is never allowed, what always is.
//!
//! A claim is a condition, with the keys of a rule's, and `except`. It is decided by proof: either no request of the
//! condition does otherwise, or here is one that does. What an ambiguous path may be taken for counts against a claim
//! that something is never allowed, and is no part of one that something always is, as for rules.

use tidegate_engine::{Effect as Happens, PolicyError};

use crate::Output;
use crate::analysis::formula::Formula;
use crate::analysis::model::{Facts, Model, condition, upgrade};
use crate::analysis::paths::Role;
use crate::analysis::replay::Replay;
use crate::analysis::solve::solve;
use crate::analysis::space::Space;
use crate::analysis::strings::Search;
use crate::analysis::{Budget, Verdict, Witness};
use crate::check;
use crate::checked::{CheckedPolicy, Condition};
use crate::diagnostic::Diagnostic;
use crate::syntax::{self, ConditionEntry};
use crate::tree::keys::Key;
use crate::tree::{Reader, Table};

/// The keys of a claim beside those of a condition.
pub const KEYS: &[Key] = syntax::CLAIM;

/// What is claimed of every request that meets a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is allowed.
    Always,
    /// It is not allowed.
    Never,
}

/// A claim as it was written.
#[derive(Debug)]
pub struct ClaimEntry {
    pub(crate) condition: ConditionEntry,
    pub(crate) except: Vec<ConditionEntry>,
}

/// A claim about a policy, its names resolved.
#[derive(Debug)]
pub struct Claim {
    condition: Condition,
    except: Vec<Condition>,
}

/// What became of a claim.
#[derive(Clone, Debug)]
pub enum Proof {
    /// It holds of every request.
    Proved,
    /// It does not hold of this one.
    Refuted(Witness, Verdict),
    /// Nobody could tell in time.
    Undecided,
    /// No request meets its condition, so that it says nothing.
    Vacuous,
}

/// Reads the condition of a claim.
pub fn read(reader: &mut Reader<'_>, table: &Table<'_>) -> ClaimEntry {
    let (condition, except) = syntax::claim(reader, table);
    ClaimEntry { condition, except }
}

impl Claim {
    /// Resolves a claim's names in a policy; `None`, with findings, where that cannot be done.
    pub fn of(entry: &ClaimEntry, policy: &CheckedPolicy, findings: &mut Vec<Diagnostic>) -> Option<Self> {
        let before = findings.len();
        let (condition, except) = check::claim(entry, policy, findings);
        (findings.len() == before).then_some(Self { condition, except })
    }

    /// Decides on a claim, at an instant in seconds since 1970-01-01.
    pub fn prove(&self, kind: Kind, output: &Output, now: i64, budget: Budget) -> Result<Proof, PolicyError> {
        let mut space = Space::new();
        let model = Model::new(&mut space, &output.policy, now.div_euclid(24 * 60 * 60));
        let facts = Facts::of(&output.policy);
        let (role, of_except) = match kind {
            Kind::Always => (Role::Allow { literal: false }, Role::AllowExcept),
            Kind::Never => (Role::Deny, Role::DenyExcept),
        };
        let except = self.except.iter().map(|except| condition(&mut space, except, of_except, facts).not());
        let except: Vec<Formula> = except.collect();
        let mut meant = condition(&mut space, &self.condition, role, facts).and(Formula::all(except));
        if kind == Kind::Always {
            // As of an allow rule that does not say `websocket`.
            meant = meant.and(upgrade(&mut space).not());
        }
        let otherwise = match kind {
            Kind::Always => model.denied(),
            Kind::Never => model.allowed(),
        };
        Ok(match solve(&mut space, &meant.clone().and(otherwise), budget) {
            Search::Found(point) => {
                let witness = point.witness(facts.has_tags);
                let verdict = Replay::new(output, now)?.verdict(&witness);
                let shows = (verdict.effect == Happens::Allow) == (kind == Kind::Never);
                // A witness that does not show what it was found for is a fault of ours: nothing is claimed.
                if shows { Proof::Refuted(witness, verdict) } else { Proof::Undecided }
            }
            Search::TooLong => Proof::Undecided,
            Search::Nothing => match solve(&mut space, &meant, budget) {
                Search::Found(_) => Proof::Proved,
                Search::Nothing => Proof::Vacuous,
                Search::TooLong => Proof::Undecided,
            },
        })
    }
}
