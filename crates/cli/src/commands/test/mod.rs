//! `tidegate test`: whether policies do what their tests say, and what of them was tried.

mod coverage;
mod junit;
#[cfg(unix)]
mod watch;
#[cfg(unix)]
mod workerd;

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;
use tidegate_test::plain::plain;
use tidegate_test::{CaseReport, FileReport, Mismatch, Options, SUFFIX, Target};

use crate::cli::Format;
use crate::outcome::{Failure, Outcome};
use crate::progress::Of;
use crate::terminal::Terminal;
use crate::{cache, files, json, render};

/// Where test files are looked for.
const FOLDER: &str = "policies";

/// Run the tests of policies
///
/// Test files are `policies/<name>.test.toml`; name others, or folders of them. Prints one line for each case that fails (how its
/// decision came about goes to stderr) and `N passed, N failed` at the end; exits 1 if one failed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = TEST_FILES)]
pub(crate) struct Args {
    /// Test files, or folders that hold some [default: policies].
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Run only the cases whose name holds this text.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// Who answers the cases.
    #[arg(long, value_enum, default_value = "native")]
    target: TargetName,

    /// Show which rules and which of their alternatives the cases tried, and which they never did.
    #[arg(long)]
    coverage: bool,

    /// Exit 1 if the cases decide fewer of the rules than this; shows the coverage.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,

    /// Write a report in JUnit's format, too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// The folder of the built Worker, for `--target wasm`; by default `build/worker`, or what npm installed.
    #[arg(long, value_name = "DIR", env = "TIDEGATE_WORKER")]
    worker: Option<PathBuf>,

    /// The workerd binary, for `--target wasm`; by default the one that npm installed in this folder or one above it.
    #[arg(long, value_name = "PATH", env = "TIDEGATE_WORKERD")]
    workerd: Option<PathBuf>,

    /// Run again whenever a test file, its policy, or a file of it changes; Ctrl-C ends it.
    #[arg(long)]
    watch: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TargetName {
    /// The compiled table, by the same code as in the Worker.
    Native,
    /// The reference interpreter: slow, obvious, and shares no code with the table.
    Reference,
    /// The built Worker in workerd, by way of a dispatch Worker and a customer's: what can be seen of its answers. Cases with `at`
    /// are skipped.
    #[cfg(unix)]
    Wasm,
}

/// Who answers in the place of the engines here, where somebody does. Started once, and kept while tests run again.
type Elsewhere = Option<Box<dyn tidegate_test::Elsewhere>>;

fn elsewhere(args: &Args) -> Result<Elsewhere, Failure> {
    match args.target {
        #[cfg(unix)]
        TargetName::Wasm => {
            let workerd = super::dev::workerd(args.workerd.clone())?;
            Ok(Some(Box::new(workerd::Workerd::start(args.worker.as_ref(), workerd)?)))
        }
        _ => Ok(None),
    }
}

const TEST_FILES: &str = r#"Test files:
  policy = "acme.toml"            # default: this file's name without `.test`

  [[case]]
  name     = "acme's invoices carry its name"
  method   = "GET"                # default
  url      = "https://api.billing.example/v1/invoices"
  customer = "acme"
  tags     = ["paid"]
  headers  = { x-debug = "1" }
  at       = 2026-11-22           # default: now
  expect   = { effect = "allow", rule = "billing-api", set = { x-tenant = "acme" } }

  `expect` takes the keys of the answer of `tidegate decide --format json`; only `effect` is required. What it names must
  be so exactly (`set = {}`: no header is set), what it leaves out does not matter. `jwt = false`: no token."#;

/// One case, for programs.
#[derive(Debug, Serialize)]
struct CaseLine<'c> {
    file: String,
    case: Option<&'c str>,
    passed: bool,
    mismatches: &'c [Mismatch],
    /// Why the case could not be asked; only there if it could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<&'c str>,
    /// How the decision came about, where the case failed.
    explanation: Option<&'c str>,
    error: Option<&'c str>,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    if args.watch {
        return watched(args, format, terminal);
    }
    let files = test_files(&args.files)?;
    run_once(args, &files, &mut elsewhere(args)?, format, terminal).map(|ran| ran.outcome)
}

#[cfg(unix)]
fn watched(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    watch::run(args, format, terminal)
}

#[cfg(not(unix))]
fn watched(_: &Args, _: Format, _: &mut Terminal) -> Result<Outcome, Failure> {
    Err(Failure::new("`--watch` is for Linux and macOS", "run it there, or in WSL"))
}

/// What one run came to.
struct Ran {
    outcome: Outcome,
    /// Every file that had a part in it.
    #[cfg_attr(not(unix), expect(dead_code, reason = "what is watched"))]
    files: Vec<PathBuf>,
}

fn run_once(
    args: &Args,
    files: &[PathBuf],
    elsewhere: &mut Elsewhere,
    format: Format,
    terminal: &mut Terminal,
) -> Result<Ran, Failure> {
    let options = Options {
        filter: args.filter.as_deref(),
        target: match args.target {
            TargetName::Reference => Target::Reference,
            _ => Target::Native,
        },
        coverage: args.coverage || args.min_coverage.is_some(),
        cache: None,
    };
    let mut reports = Vec::new();
    for path in files {
        let progress = terminal.progress(&format!("testing {}", path.display()), Of::Time);
        let cache = cache::of(path);
        let options = Options { cache: cache.as_ref(), ..options };
        let report = match elsewhere {
            Some(elsewhere) => tidegate_test::run_elsewhere(path, &options, elsewhere.as_mut()),
            None => tidegate_test::run(path, &options),
        };
        drop(progress);
        for (sources, diagnostics) in &report.findings {
            terminal.findings(sources, diagnostics);
        }
        match format {
            Format::Human => show(&report, terminal)?,
            Format::Json => write(&report, terminal)?,
        }
        reports.push(report);
    }
    if let Some(path) = &args.junit {
        junit::write(path, &reports)?;
    }
    let passed: usize = reports.iter().map(FileReport::passed).sum();
    let failed: usize = reports.iter().map(FileReport::failed).sum();
    let mut outcome = if failed > 0 { Outcome::Found } else { Outcome::Fine };
    if options.coverage {
        let covered = coverage::show(&reports, format, terminal)?;
        if let Some(least) = args.min_coverage.filter(|&least| !covered.reaches(least)) {
            terminal.note(format!("{covered}; `--min-coverage` asks for {least} %"));
            outcome = Outcome::Found;
        }
    }
    let skipped: usize = reports.iter().map(FileReport::skipped).sum();
    if skipped > 0 {
        terminal.note(format!("{} skipped", render::counted(skipped, "case")));
    }
    if args.filter.is_some() && passed + failed + skipped == 0 {
        return Err(Failure::new(
            format!("no case is called so: `{}`", args.filter.as_deref().unwrap_or_default()),
            "the filter is a part of the name, as it is written",
        ));
    }
    let closing = format!("{passed} passed, {failed} failed");
    match format {
        Format::Human => terminal.line(closing)?,
        Format::Json => terminal.note(closing),
    }
    Ok(Ran { outcome, files: reports.into_iter().flat_map(|report| report.files).collect() })
}

fn show(report: &FileReport, terminal: &mut Terminal) -> Result<(), Failure> {
    let path = report.path.display();
    let cases = match &report.cases {
        Ok(cases) => cases,
        Err(why) => return Ok(terminal.line(format_args!("FAIL {path}: {why}"))?),
    };
    for CaseReport { name, skipped, .. } in cases {
        if let Some(why) = skipped {
            terminal.note(format!("SKIP {path}: {name}: {why}"));
        }
    }
    for CaseReport { name, happened, mismatches, explanation, .. } in cases.iter().filter(|case| !case.passed()) {
        let wrong: Vec<_> = mismatches.iter().map(Mismatch::to_string).collect();
        let line = format!("FAIL {path}: {name}: {} [{happened}]", wrong.join("; "));
        terminal.line(plain(&line))?;
        if let Some(explanation) = explanation {
            let indented = explanation.lines().map(|line| format!("    {line}").trim_end().to_owned());
            terminal.note(indented.collect::<Vec<_>>().join("\n"));
        }
    }
    Ok(())
}

fn write(report: &FileReport, terminal: &mut Terminal) -> Result<(), Failure> {
    let file = report.path.display().to_string();
    match &report.cases {
        Ok(cases) => {
            for case @ CaseReport { name, mismatches, skipped, explanation, .. } in cases {
                let (file, passed) = (file.clone(), case.passed() && skipped.is_none());
                let (skipped, explanation) = (skipped.as_deref(), explanation.as_deref());
                let line = CaseLine { file, case: Some(name), passed, mismatches, skipped, explanation, error: None };
                json::write_line(terminal.data(), &line)?;
            }
        }
        Err(why) => {
            let (file, error) = (file.clone(), Some(why.as_str()));
            let (case, skipped, explanation) = (None, None, None);
            let line = CaseLine { file, case, passed: false, mismatches: &[], skipped, explanation, error };
            json::write_line(terminal.data(), &line)?;
        }
    }
    Ok(())
}

/// The test files to run: never none.
fn test_files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    if named.is_empty() {
        if !Path::new(FOLDER).is_dir() {
            return Err(Failure::new(
                format!("there is no folder `{FOLDER}` here"),
                "run it where that folder is, name test files, or begin with `tidegate init`",
            ));
        }
        return in_folder(Path::new(FOLDER));
    }
    let mut files = Vec::new();
    for path in named {
        if path.is_dir() {
            files.extend(in_folder(path)?);
            continue;
        }
        files::open(path)?;
        if !tidegate_test::is_test_file(path) {
            let beside = path.with_extension("test.toml");
            let help = if beside.is_file() {
                format!("did you mean `{}`?", beside.display())
            } else {
                "put its cases into a file whose name ends so".to_owned()
            };
            return Err(Failure::new(
                format!("`{}` is no test file: their names end in `{SUFFIX}`", path.display()),
                help,
            ));
        }
        files.push(path.clone());
    }
    Ok(files)
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| files::read_error(folder, error))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| files::read_error(folder, error))?.path();
        if tidegate_test::is_test_file(&path) {
            found.push(path);
        }
    }
    if found.is_empty() {
        return Err(Failure::new(
            format!("`{}` holds no test file (`<name>{SUFFIX}`)", folder.display()),
            "write one; `tidegate test --help` shows how",
        ));
    }
    found.sort();
    Ok(found)
}
