//! `[[never]]` and `[[always]]`: what holds of every request, decided by proof.

use std::time::Instant;

use serde_json::Value;
use tidegate_compiler::Output;
use tidegate_compiler::analysis::{Budget, Verdict, Witness};
use tidegate_compiler::claim::{Claim, ClaimEntry, Kind, Proof};
use tidegate_compiler::diagnostic::Diagnostic;
use tidegate_engine::PolicyError;

use crate::explanation::Explainer;
use crate::instant::{self, Seconds};
use crate::request::Request;
use crate::run::{CaseReport, Mismatch};

/// A claim of a test file.
#[derive(Debug)]
pub struct ClaimCase {
    /// A sentence.
    pub name: String,
    /// What is claimed.
    pub(crate) kind: Kind,
    pub(crate) at: Option<Seconds>,
    pub(crate) entry: ClaimEntry,
}

/// A claim whose names are those of a policy.
pub(crate) struct Resolved<'c> {
    name: &'c str,
    kind: Kind,
    now: Seconds,
    claim: Claim,
}

impl ClaimCase {
    /// Resolves the names of a claim; `None`, with findings in the test file, where that cannot be done.
    pub(crate) fn resolve(&self, output: &Output, findings: &mut Vec<Diagnostic>) -> Option<Resolved<'_>> {
        let claim = Claim::of(&self.entry, &output.policy, findings)?;
        Some(Resolved { name: &self.name, kind: self.kind, now: self.at.unwrap_or_else(instant::now), claim })
    }
}

impl Resolved<'_> {
    pub(crate) fn name(&self) -> &str {
        self.name
    }

    /// Decides on the claim.
    pub(crate) fn prove(&self, output: &Output, explainer: &mut Explainer<'_>) -> Result<CaseReport, PolicyError> {
        let begun = Instant::now();
        let proof = self.claim.prove(self.kind, output, self.now, Budget::default())?;
        let (member, expected) = match self.kind {
            Kind::Always => ("always", "every such request is allowed"),
            Kind::Never => ("never", "no such request is allowed"),
        };
        let mut report = CaseReport {
            name: self.name.to_owned(),
            happened: "proved".to_owned(),
            mismatches: Vec::new(),
            explanation: None,
            skipped: None,
            took: begun.elapsed(),
        };
        let found = match proof {
            Proof::Proved => return Ok(report),
            Proof::Refuted(witness, verdict) => {
                let request = request(&witness);
                report.happened = headline(&witness, &verdict);
                report.explanation = Some(explainer.explain(&request, self.now).reasons(&request));
                witness.to_string()
            }
            Proof::Undecided => "undecided: the budget of work is spent".to_owned(),
            Proof::Vacuous => "no request meets the condition, so that nothing is claimed".to_owned(),
        };
        if report.explanation.is_none() {
            report.happened.clone_from(&found);
        }
        let (member, expected) = (member.to_owned(), Value::from(expected));
        report.mismatches.push(Mismatch { member, expected, found: Value::from(found) });
        Ok(CaseReport { took: begun.elapsed(), ..report })
    }
}

fn headline(witness: &Witness, verdict: &Verdict) -> String {
    format!("{} {witness} ({})", verdict.effect.as_str(), verdict.reason.as_str())
}

/// A witness as a request that can be asked again.
pub(crate) fn request(witness: &Witness) -> Request {
    Request {
        method: witness.method.clone(),
        url: witness.url.clone(),
        customer: witness.customer.clone(),
        tags: witness.tags.clone(),
        headers: witness.headers.clone(),
    }
}
