//! Running test files.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};
use tidegate_compiler::diagnostic::Diagnostic;
use tidegate_compiler::source::SourceMap;

use crate::engine::Engine;
use crate::file::{Case, Expectation, parse};
use crate::instant;

/// What a test file came to.
#[derive(Debug)]
pub struct FileReport {
    /// The test file.
    pub path: PathBuf,
    /// What was found in the test file, and in its policy.
    pub findings: Vec<(SourceMap, Vec<Diagnostic>)>,
    /// A report for each case; or why none was run.
    pub cases: Result<Vec<CaseReport>, String>,
}

/// What a case came to.
#[derive(Debug)]
pub struct CaseReport {
    /// The case's name.
    pub name: String,
    /// What happened, in one line.
    pub happened: String,
    /// What should have been otherwise; empty if the case passed.
    pub mismatches: Vec<Mismatch>,
}

/// A member of the answer that is not as expected.
#[derive(Debug, PartialEq, Serialize)]
pub struct Mismatch {
    /// The member: `effect`, `jwt.claims`.
    pub member: String,
    /// What should be.
    pub expected: Value,
    /// What is.
    pub found: Value,
}

impl FileReport {
    /// Cases that passed.
    pub fn passed(&self) -> usize {
        self.cases.iter().flatten().filter(|case| case.mismatches.is_empty()).count()
    }

    /// Cases that failed; a file whose cases cannot be run is one.
    pub fn failed(&self) -> usize {
        self.cases.as_ref().map_or(1, |cases| cases.len() - self.passed())
    }
}

/// Runs every case of a test file.
pub fn run(path: &Path) -> FileReport {
    let report = |findings, cases| FileReport { path: path.to_owned(), findings, cases };
    let parsed = parse(path);
    let Some(file) = parsed.file else {
        return report(vec![(parsed.sources, parsed.diagnostics)], Err("the file has errors".to_owned()));
    };
    let compilation = tidegate_compiler::compile(&file.policy);
    let findings = vec![(compilation.sources, compilation.diagnostics)];
    let Some(output) = compilation.output else {
        return report(findings, Err(format!("the policy `{}` has errors", file.policy.display())));
    };
    let cases = match Engine::table(&output) {
        Ok(mut engine) => Ok(file.cases.iter().map(|case| run_case(case, &mut engine)).collect()),
        Err(error) => Err(format!("the table of `{}` does not load: {error}", file.policy.display())),
    };
    report(findings, cases)
}

fn run_case(case: &Case, engine: &mut Engine<'_>) -> CaseReport {
    let now = case.at.unwrap_or_else(instant::now);
    let decision = engine.decide(&case.request, now);
    let mut answer = match serde_json::to_value(&decision) {
        Ok(Value::Object(answer)) => answer,
        _ => Map::new(),
    };
    // The order of removed names means nothing.
    if let Some(Value::Array(names)) = answer.get_mut("remove") {
        names.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
    }
    CaseReport {
        name: case.name.clone(),
        happened: decision.headline(&case.request),
        mismatches: mismatches(&case.expect, &answer),
    }
}

fn mismatches(Expectation(expected): &Expectation, answer: &Map<String, Value>) -> Vec<Mismatch> {
    let mut found = Vec::new();
    for (member, expected) in expected {
        let is = answer.get(member).unwrap_or(&Value::Null);
        match (expected, is) {
            // Of a token only what is named counts.
            (Value::Object(expected), Value::Object(is)) if member == "jwt" => {
                for (name, expected) in expected {
                    compare(format!("jwt.{name}"), expected, is.get(name).unwrap_or(&Value::Null), &mut found);
                }
            }
            _ => compare(member.clone(), expected, is, &mut found),
        }
    }
    found
}

fn compare(member: String, expected: &Value, is: &Value, found: &mut Vec<Mismatch>) {
    if expected != is {
        found.push(Mismatch { member, expected: expected.clone(), found: is.clone() });
    }
}
