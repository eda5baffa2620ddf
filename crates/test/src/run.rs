//! Running test files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Map, Value};
use tidegate_compiler::Output;
use tidegate_compiler::cache::Cache;
use tidegate_compiler::diagnostic::Diagnostic;
use tidegate_compiler::source::SourceMap;
use tidegate_engine::PolicyError;

use crate::claims::Resolved;
use crate::coverage::{Coverage, Recorder};
use crate::decision::Decision;
use crate::engine::Engine;
use crate::explanation::Explainer;
use crate::file::{Case, Expectation, Parsed, TestFile, parse};
use crate::instant;
use crate::plain::plain;
use crate::request::Request;

/// Who answers the cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The compiled table, by the same code as in the Worker.
    #[default]
    Native,
    /// The reference interpreter, which shares no code with it.
    Reference,
}

/// Somebody else who answers cases: of their answers less may be seen than of those that are made here.
pub trait Elsewhere {
    /// Makes a policy the one that answers from now on.
    fn prepare(&mut self, output: &Output) -> Result<(), String>;

    /// The members of an answer that can be seen; or why a case cannot be asked there.
    fn ask(&mut self, case: &Case) -> Result<Map<String, Value>, String>;
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
    /// Where lists are that were read before.
    pub cache: Option<&'o Cache>,
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
    /// Why the case could not be asked, where it could not.
    pub skipped: Option<String>,
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
    /// Nothing is other than it should be.
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty()
    }
}

impl FileReport {
    /// Cases that passed.
    pub fn passed(&self) -> usize {
        self.cases.iter().flatten().filter(|case| case.passed() && case.skipped.is_none()).count()
    }

    /// Cases that failed; a file whose cases cannot be run is one.
    pub fn failed(&self) -> usize {
        self.cases.as_ref().map_or(1, |cases| cases.iter().filter(|case| !case.passed()).count())
    }

    /// Cases that could not be asked.
    pub fn skipped(&self) -> usize {
        self.cases.iter().flatten().filter(|case| case.skipped.is_some()).count()
    }
}

/// Runs the cases of a test file.
pub fn run(path: &Path, options: &Options<'_>) -> FileReport {
    run_with(path, options, None)
}

/// Runs the cases of a test file, and lets somebody else answer them.
pub fn run_elsewhere(path: &Path, options: &Options<'_>, elsewhere: &mut dyn Elsewhere) -> FileReport {
    run_with(path, options, Some(elsewhere))
}

fn run_with<'e>(path: &Path, options: &Options<'_>, mut elsewhere: Option<&'e mut (dyn Elsewhere + 'e)>) -> FileReport {
    let parsed = parse(path);
    let report = FileReport {
        path: path.to_owned(),
        files: vec![path.to_owned()],
        findings: Vec::new(),
        cases: Err("the file has errors".to_owned()),
        coverage: None,
    };
    let Parsed { sources: own_sources, mut diagnostics, file } = parsed;
    let Some(file) = file else {
        return FileReport { findings: vec![(own_sources, diagnostics)], ..report };
    };
    let compiling = tidegate_compiler::Options { cache: options.cache.cloned(), ..Default::default() };
    let compilation = tidegate_compiler::compile_with(&file.policy, &compiling);
    let mut files = report.files;
    files.extend(compilation.sources.files().map(|file| file.path.clone()));
    files.extend(compilation.sources.unread().map(Path::to_owned));
    let claims = compilation
        .output
        .iter()
        .flat_map(|output| file.claims.iter().map(|claim| claim.resolve(output, &mut diagnostics)).collect::<Vec<_>>());
    let claims: Option<Vec<Resolved<'_>>> = claims.collect();
    let Some(claims) = claims else {
        return FileReport { files, findings: vec![(own_sources, diagnostics)], ..report };
    };
    let (cases, coverage) = match &compilation.output {
        None => (Err(format!("the policy `{}` has errors", file.policy.display())), None),
        Some(output) => match Runner::new(&file, output, &compilation.sources, options, elsewhere.take()) {
            Ok(runner) => match runner.run(&file, &claims, output, options.filter) {
                Ok((cases, coverage)) => (Ok(cases), coverage),
                Err(error) => (Err(unloadable(&file, &error)), None),
            },
            Err(why) => (Err(why), None),
        },
    };
    let findings = vec![(compilation.sources, compilation.diagnostics)];
    FileReport { files, findings, cases, coverage, ..report }
}

fn unloadable(file: &TestFile, error: &PolicyError) -> String {
    format!("the table of `{}` does not load: {error}", file.policy.display())
}

/// A policy, ready for the cases of a file.
struct Runner<'p, 'e> {
    engine: Engine<'p>,
    /// Answers in the engine's place.
    elsewhere: Option<&'e mut (dyn Elsewhere + 'e)>,
    explainer: Explainer<'p>,
    recorder: Option<Recorder<'p>>,
}

impl<'p, 'e> Runner<'p, 'e> {
    fn new(
        file: &TestFile,
        output: &'p Output,
        sources: &'p SourceMap,
        options: &Options<'_>,
        mut elsewhere: Option<&'e mut (dyn Elsewhere + 'e)>,
    ) -> Result<Self, String> {
        let unloadable = |error| unloadable(file, &error);
        if let Some(elsewhere) = &mut elsewhere {
            elsewhere.prepare(output)?;
        }
        let engine = match options.target {
            Target::Native => Engine::table(output),
            Target::Reference => Engine::reference(output),
        };
        Ok(Self {
            engine: engine.map_err(unloadable)?,
            elsewhere,
            explainer: Explainer::new(output, sources).map_err(unloadable)?,
            recorder: options.coverage.then(|| Recorder::new(&file.policy, &output.policy, sources)),
        })
    }

    fn run(
        mut self,
        file: &TestFile,
        claims: &[Resolved<'_>],
        output: &Output,
        filter: Option<&str>,
    ) -> Result<(Vec<CaseReport>, Option<Coverage>), PolicyError> {
        let wanted = |name: &str| filter.is_none_or(|text| name.contains(text));
        let cases = file.cases.iter().filter(|case| wanted(&case.name));
        let mut reports: Vec<_> = cases.map(|case| self.case(case)).collect();
        for claim in claims.iter().filter(|claim| wanted(claim.name())) {
            reports.push(claim.prove(output, &mut self.explainer)?);
        }
        Ok((reports, self.recorder.map(Recorder::finish)))
    }

    fn case(&mut self, case: &Case) -> CaseReport {
        let begun = Instant::now();
        let now = case.at.unwrap_or_else(instant::now);
        let decision = self.engine.decide(&case.request, now);
        if let Some(recorder) = &mut self.recorder {
            self.explainer.record(&case.request, now, recorder);
        }
        let mut happened = decision.headline(&case.request);
        let (mismatches, skipped) = match &mut self.elsewhere {
            None => (case.expect.mismatches(&decision), None),
            Some(elsewhere) => match elsewhere.ask(case) {
                Ok(seen) => {
                    happened = headline_of_seen(&case.request, &seen);
                    (case.expect.mismatches_of_seen(&seen), None)
                }
                Err(why) => (Vec::new(), Some(why)),
            },
        };
        let explanation =
            (!mismatches.is_empty()).then(|| self.explainer.explain(&case.request, now).reasons(&case.request));
        CaseReport { name: case.name.clone(), happened, mismatches, skipped, explanation, took: begun.elapsed() }
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
        self.mismatches_of(&answer, true)
    }

    /// The same of an answer of which not all can be seen: what cannot does not matter.
    fn mismatches_of_seen(&self, seen: &Map<String, Value>) -> Vec<Mismatch> {
        self.mismatches_of(seen, false)
    }

    fn mismatches_of(&self, answer: &Map<String, Value>, is_whole: bool) -> Vec<Mismatch> {
        let mut found = Vec::new();
        for (member, expected) in &self.0 {
            let is = match answer.get(member) {
                Some(is) => is,
                None if is_whole => &Value::Null,
                None => continue,
            };
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
}

/// What happened elsewhere, as [`Decision::headline`] says it of what happens here.
fn headline_of_seen(request: &Request, seen: &Map<String, Value>) -> String {
    let member = |name| seen.get(name).and_then(Value::as_str);
    let url = member("url").unwrap_or(&request.url);
    let because: Vec<_> = ["reason", "rule"].into_iter().filter_map(member).collect();
    let effect = member("effect").unwrap_or("unknown");
    plain(&format!("{effect} {} {url} ({})", request.method, because.join(" ")))
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { member, expected, found } = self;
        write!(f, "{member}: expected {expected}, found {found}")
    }
}

fn compare(member: String, expected: &Value, is: &Value, found: &mut Vec<Mismatch>) {
    if expected != is {
        found.push(Mismatch { member, expected: expected.clone(), found: is.clone() });
    }
}
