//! `tidegate check`: what is wrong with policies.

use std::path::PathBuf;

use tidegate_compiler::checked::{CheckedPolicy, List};
use tidegate_compiler::diagnostic::Severity;

use crate::cli::Format;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;
use crate::{json, render};

/// Check policies and show everything that is wrong with them
///
/// Findings go to stderr for people, or to stdout as one JSON object a line (`--format json`). Test files
/// (`*.test.toml`) are checked for their form, so that `policies/*.toml` may stand here. Lines of lists that `skip` passes
/// over are counted, in JSON as an object with the code `lines-skipped` and the severity `note`. Exits 1 on errors.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Policies and test files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Fine;
    for path in &args.files {
        let (sources, diagnostics, contents, lists) = if tidegate_test::is_test_file(path) {
            let parsed = tidegate_test::parse(path);
            (
                parsed.sources,
                parsed.diagnostics,
                parsed.file.map(|file| render::counted(file.cases.len(), "case")),
                Vec::new(),
            )
        } else {
            let compilation = tidegate_compiler::compile(path);
            let contents = compilation.output.as_ref().map(|output| policy_contents(&output.policy));
            let lists = compilation.output.map(|output| output.policy.lists).unwrap_or_default();
            (compilation.sources, compilation.diagnostics, contents, lists)
        };
        if diagnostics.iter().any(|found| found.severity == Severity::Error) {
            outcome = outcome.max(Outcome::Found);
        }
        match format {
            Format::Json => {
                json::write_diagnostics(terminal.data(), &sources, &diagnostics)?;
                json::write_skipped(terminal.data(), &sources, &lists)?;
            }
            Format::Human => {
                terminal.findings(&sources, &diagnostics);
                let contents = contents.map(|contents| format!(" ({contents})")).unwrap_or_default();
                terminal.note(format!("{}: {}{contents}", path.display(), render::summary(&diagnostics)));
            }
        }
    }
    Ok(outcome)
}

/// What a policy without errors holds: a first sign that the right file was checked.
fn policy_contents(policy: &CheckedPolicy) -> String {
    let mut parts = vec![render::counted(policy.rules.len(), "rule")];
    if !policy.lists.is_empty() {
        let names = policy.lists.iter().map(List::len).sum();
        parts.push(format!("{} with {}", render::counted(policy.lists.len(), "list"), render::counted(names, "name")));
        parts.extend(render::skipped(&policy.lists));
    }
    if !policy.keys.is_empty() {
        parts.push(render::counted(policy.keys.len(), "key"));
    }
    parts.join(", ")
}
