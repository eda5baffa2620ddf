//! `tidegate test`: whether policies do what their tests say.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tidegate_test::plain::plain;
use tidegate_test::{CaseReport, FileReport, Mismatch, SUFFIX};

use crate::cli::Format;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;
use crate::{files, json};

/// Where test files are looked for.
const FOLDER: &str = "policies";

/// Run the tests of policies
///
/// Test files are `policies/<name>.test.toml`; name others, or folders of them. Prints one line for each case that fails and
/// `N passed, N failed` at the end; exits 1 if one failed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = TEST_FILES)]
pub(crate) struct Args {
    /// Test files, or folders that hold some [default: policies].
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
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
    error: Option<&'c str>,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let files = test_files(&args.files)?;
    let (mut passed, mut failed) = (0, 0);
    for path in &files {
        let report = tidegate_test::run(path);
        for (sources, diagnostics) in &report.findings {
            terminal.findings(sources, diagnostics);
        }
        match format {
            Format::Human => show(&report, terminal)?,
            Format::Json => write(&report, terminal)?,
        }
        passed += report.passed();
        failed += report.failed();
    }
    let closing = format!("{passed} passed, {failed} failed");
    match format {
        Format::Human => terminal.line(closing)?,
        Format::Json => terminal.note(closing),
    }
    Ok(if failed > 0 { Outcome::Found } else { Outcome::Fine })
}

fn show(report: &FileReport, terminal: &mut Terminal) -> Result<(), Failure> {
    let path = report.path.display();
    let cases = match &report.cases {
        Ok(cases) => cases,
        Err(why) => return Ok(terminal.line(format_args!("FAIL {path}: {why}"))?),
    };
    for CaseReport { name, happened, mismatches } in cases.iter().filter(|case| !case.mismatches.is_empty()) {
        let wrong: Vec<_> = mismatches
            .iter()
            .map(|Mismatch { member, expected, found }| format!("{member}: expected {expected}, found {found}"))
            .collect();
        let line = format!("FAIL {path}: {name}: {} [{happened}]", wrong.join("; "));
        terminal.line(plain(&line))?;
    }
    Ok(())
}

fn write(report: &FileReport, terminal: &mut Terminal) -> Result<(), Failure> {
    let file = report.path.display().to_string();
    match &report.cases {
        Ok(cases) => {
            for CaseReport { name, mismatches, .. } in cases {
                let (file, passed) = (file.clone(), mismatches.is_empty());
                let line = CaseLine { file, case: Some(name), passed, mismatches, error: None };
                json::write_line(terminal.data(), &line)?;
            }
        }
        Err(why) => {
            let line = CaseLine { file, case: None, passed: false, mismatches: &[], error: Some(why) };
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
