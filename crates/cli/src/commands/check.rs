//! `tidegate check`: what is wrong with policies.

use std::path::PathBuf;

use tidegate_compiler::checked::CheckedPolicy;
use tidegate_compiler::diagnostic::Severity;

use crate::cli::Format;
use crate::levels::LevelArgs;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;
use crate::{json, render};

/// Check policies and show everything that is wrong with them
///
/// Findings go to stderr for people, or to stdout as one JSON object a line (`--format json`). Test files
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

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Fine;
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
            Format::Json => json::write_diagnostics(terminal.data(), &sources, &diagnostics)?,
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
        let names = policy.lists.iter().map(|list| list.names.len()).sum();
        parts.push(format!("{} with {}", render::counted(policy.lists.len(), "list"), render::counted(names, "name")));
    }
    if !policy.keys.is_empty() {
        parts.push(render::counted(policy.keys.len(), "key"));
    }
    parts.join(", ")
}
