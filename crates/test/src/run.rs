//! Running test files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Map, Value};
use tidegate_compiler::diagnostic::Diagnostic;
use tidegate_compiler::source::SourceMap;

use crate::coverage::{Coverage, Recorder};
use crate::decision::Decision;
use crate::engine::Engine;
use crate::explanation::Explainer;
use crate::file::{Case, Expectation, TestFile, parse};
use crate::instant;

/// Who answers the cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The compiled table, by the same code as in the Worker.
    #[default]
    Native,
    /// The reference interpreter, which shares no code with it.
    Reference,
}

/// How test files are run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'o> {
    /// Runs only the cases whose name holds this text.
    pub filter: Option<&'o str>,
    /// Who answers.
    pub target: Target,
    /// Whether to take down what the cases try of the policy.
    pub coverage: bool,
}

/// What a test file came to.
#[derive(Debug)]
pub struct FileReport {
    /// The test file.
    pub path: PathBuf,
    /// Every file that was read or should have been: once one of them changes, so may the report.
    pub files: Vec<PathBuf>,
    /// What was found in the test file, and in its policy.
    pub findings: Vec<(SourceMap, Vec<Diagnostic>)>,
    /// A report for each case; or why none was run.
    pub cases: Result<Vec<CaseReport>, String>,
    /// What the cases tried of the policy, where that was asked.
    pub coverage: Option<Coverage>,
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
    /// How the decision came about, where the case failed.
    pub explanation: Option<String>,
    /// How long it took.
    pub took: Duration,
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

impl CaseReport {
    /// Everything is as it should be.
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty()
    }
}

impl FileReport {
    /// Cases that passed.
    pub fn passed(&self) -> usize {
        self.cases.iter().flatten().filter(|case| case.passed()).count()
    }

    /// Cases that failed; a file whose cases cannot be run is one.
    pub fn failed(&self) -> usize {
        self.cases.as_ref().map_or(1, |cases| cases.len() - self.passed())
    }
}

/// Runs the cases of a test file.
pub fn run(path: &Path, options: &Options<'_>) -> FileReport {
    let parsed = parse(path);
    let report = FileReport {
        path: path.to_owned(),
        files: vec![path.to_owned()],
        findings: Vec::new(),
        cases: Err("the file has errors".to_owned()),
        coverage: None,
    };
    let Some(file) = parsed.file else {
        return FileReport { findings: vec![(parsed.sources, parsed.diagnostics)], ..report };
    };
    let compilation = tidegate_compiler::compile(&file.policy);
    let mut files = report.files;
    files.extend(compilation.sources.files().map(|file| file.path.clone()));
    files.extend(compilation.sources.unread().map(Path::to_owned));
    let (cases, coverage) = match &compilation.output {
        None => (Err(format!("the policy `{}` has errors", file.policy.display())), None),
        Some(output) => match Runner::new(&file, output, &compilation.sources, options) {
            Ok(runner) => {
                let (cases, coverage) = runner.run(&file, options.filter);
                (Ok(cases), coverage)
            }
            Err(error) => (Err(format!("the table of `{}` does not load: {error}", file.policy.display())), None),
        },
    };
    let findings = vec![(compilation.sources, compilation.diagnostics)];
    FileReport { files, findings, cases, coverage, ..report }
}

/// A policy, ready for the cases of a file.
struct Runner<'p> {
    engine: Engine<'p>,
    explainer: Explainer<'p>,
    recorder: Option<Recorder<'p>>,
}

impl<'p> Runner<'p> {
    fn new(
        file: &TestFile,
        output: &'p tidegate_compiler::Output,
        sources: &'p SourceMap,
        options: &Options<'_>,
    ) -> Result<Self, tidegate_engine::PolicyError> {
        Ok(Self {
            engine: match options.target {
                Target::Native => Engine::table(output)?,
                Target::Reference => Engine::reference(output)?,
            },
            explainer: Explainer::new(output, sources)?,
            recorder: options.coverage.then(|| Recorder::new(&file.policy, &output.policy, sources)),
        })
    }

    fn run(mut self, file: &TestFile, filter: Option<&str>) -> (Vec<CaseReport>, Option<Coverage>) {
        let wanted = |case: &&Case| filter.is_none_or(|text| case.name.contains(text));
        let cases = file.cases.iter().filter(wanted).map(|case| self.case(case)).collect();
        (cases, self.recorder.map(Recorder::finish))
    }

    fn case(&mut self, case: &Case) -> CaseReport {
        let begun = Instant::now();
        let now = case.at.unwrap_or_else(instant::now);
        let decision = self.engine.decide(&case.request, now);
        if let Some(recorder) = &mut self.recorder {
            self.explainer.record(&case.request, now, recorder);
        }
        let mismatches = case.expect.mismatches(&decision);
        let explanation =
            (!mismatches.is_empty()).then(|| self.explainer.explain(&case.request, now).reasons(&case.request));
        CaseReport {
            name: case.name.clone(),
            happened: decision.headline(&case.request),
            mismatches,
            explanation,
            took: begun.elapsed(),
        }
    }
}

impl Expectation {
    /// What of a decision is not as it should be.
    pub(crate) fn mismatches(&self, decision: &Decision) -> Vec<Mismatch> {
        let mut answer = match serde_json::to_value(decision) {
            Ok(Value::Object(answer)) => answer,
            _ => Map::new(),
        };
        // The order of removed names means nothing.
        if let Some(Value::Array(names)) = answer.get_mut("remove") {
            names.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
        }
        mismatches(self, &answer)
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { member, expected, found } = self;
        write!(f, "{member}: expected {expected}, found {found}")
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
