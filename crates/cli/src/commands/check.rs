//! `tidegate check`: what is wrong with policies.

use std::path::PathBuf;

use tidegate_compiler::checked::CheckedPolicy;
use tidegate_compiler::diagnostic::Severity;

use crate::cli::AnyFormat;
use crate::levels::LevelArgs;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;
use crate::{github, json, render, sarif};

/// Check policies and show everything that is wrong with them
///
/// Findings go to stderr for people, or to stdout: as one JSON object a line (`--format json`), as annotations of GitHub Actions
/// (`--format github`), or as one SARIF document for code scanning (`--format sarif`). Test files
/// (`*.test.toml`) are checked for their form, so that `policies/*.toml` may stand here. Exits 1 on errors.
///
/// Lints are warnings unless the policy says otherwise in `[lints]`, or the command line over it: the last of `-D`, `-W` and `-A`
/// that names a lint counts. `tidegate explain CODE` says what a finding means.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Policies and test files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    levels: LevelArgs,
}

pub(crate) fn run(args: &Args, format: AnyFormat, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Fine;
    let mut document = sarif::Document::default();
    for path in &args.files {
        let (sources, diagnostics, contents) = if tidegate_test::is_test_file(path) {
            let parsed = tidegate_test::parse(path);
            (parsed.sources, parsed.diagnostics, parsed.file.map(|file| render::counted(file.cases.len(), "case")))
        } else {
            let compilation = tidegate_compiler::compile_with(path, &args.levels.0);
            let contents = compilation.output.map(|output| policy_contents(&output.policy));
            (compilation.sources, compilation.diagnostics, contents)
        };
        if diagnostics.iter().any(|found| found.severity == Severity::Error) {
            outcome = outcome.max(Outcome::Found);
        }
        match format {
            AnyFormat::Github => github::write_diagnostics(terminal.data(), &sources, &diagnostics)?,
            AnyFormat::Human => terminal.findings(&sources, &diagnostics),
            AnyFormat::Json => json::write_diagnostics(terminal.data(), &sources, &diagnostics)?,
            AnyFormat::Sarif => document.add(&sources, &diagnostics),
        }
        if format != AnyFormat::Json {
            let contents = contents.map(|contents| format!(" ({contents})")).unwrap_or_default();
            terminal.note(format!("{}: {}{contents}", path.display(), render::summary(&diagnostics)));
        }
    }
    if format == AnyFormat::Sarif {
        json::write_line(terminal.data(), &document.finish())?;
    }
    Ok(outcome)
}

/// What a policy without errors holds: a first sign that the right file was checked.
fn policy_contents(policy: &CheckedPolicy) -> String {
    let mut parts = vec![render::counted(policy.rules.len(), "rule")];
    if !policy.lists.is_empty() {
        let names = policy.lists.iter().map(|list| list.names.len()).sum();
        parts.push(format!("{} with {}", render::counted(policy.lists.len(), "list"), render::counted(names, "name")));
    }
    if !policy.keys.is_empty() {
        parts.push(render::counted(policy.keys.len(), "key"));
    }
    parts.join(", ")
}
