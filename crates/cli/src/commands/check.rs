//! `tidegate check`: what is wrong with policies.

use std::path::{Path, PathBuf};

use tidegate_compiler::Options;
use tidegate_compiler::analysis::Budget;
use tidegate_compiler::checked::{CheckedPolicy, List};
use tidegate_compiler::diagnostic::{Diagnostic, Severity};
use tidegate_compiler::source::SourceMap;
use tidegate_test::instant::{self, Seconds};

use crate::cli::AnyFormat;
use crate::levels::LevelArgs;
use crate::outcome::{Failure, Outcome};
use crate::progress::Of;
use crate::terminal::Terminal;
use crate::{cache, github, json, load, render, sarif};

/// Check policies and show everything that is wrong with them
///
/// Findings go to stderr for people, or to stdout: as one JSON object a line (`--format json`), as annotations of GitHub Actions
/// (`--format github`), or as one SARIF document for code scanning (`--format sarif`). Test files
/// (`*.test.toml`) are checked for their form, so that `policies/*.toml` may stand here. Lines of lists that `skip` passes
/// over are counted, in JSON as an object with the code `lines-skipped` and the severity `note`. Exits 1 on errors.
///
/// Lints are warnings unless the policy says otherwise in `[lints]`, or the command line over it: the last of `-D`, `-W` and `-A`
/// that names a lint counts. What they say of requests is proved, on the day of `--at`. `tidegate explain CODE` says what a
/// finding means.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Policies and test files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The day for which lints look: `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`; today by default.
    #[arg(long, value_name = "DATE", value_parser = instant::parse)]
    at: Option<Seconds>,

    #[command(flatten)]
    levels: LevelArgs,
}

/// What checking a file came to.
struct Checked {
    sources: SourceMap,
    diagnostics: Vec<Diagnostic>,
    /// What the file holds, if nothing is wrong with it.
    contents: Option<String>,
    lists: Vec<List>,
}

pub(crate) fn run(args: &Args, format: AnyFormat, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Fine;
    let mut document = sarif::Document::default();
    for path in &args.files {
        let Checked { sources, diagnostics, contents, lists } =
            if tidegate_test::is_test_file(path) { tests(path) } else { args.policy(path, terminal)? };
        if diagnostics.iter().any(|found| found.severity == Severity::Error) {
            outcome = outcome.max(Outcome::Found);
        }
        match format {
            AnyFormat::Github => github::write_diagnostics(terminal.data(), &sources, &diagnostics)?,
            AnyFormat::Human => terminal.findings(&sources, &diagnostics),
            AnyFormat::Json => {
                json::write_diagnostics(terminal.data(), &sources, &diagnostics)?;
                json::write_skipped(terminal.data(), &sources, &lists)?;
            }
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

fn tests(path: &Path) -> Checked {
    let parsed = tidegate_test::parse(path);
    let contents = parsed.file.map(|file| {
        let claims = (!file.claims.is_empty()).then(|| render::counted(file.claims.len(), "claim"));
        let cases = (!file.cases.is_empty()).then(|| render::counted(file.cases.len(), "case"));
        cases.into_iter().chain(claims).collect::<Vec<_>>().join(", ")
    });
    Checked { sources: parsed.sources, diagnostics: parsed.diagnostics, contents, lists: Vec::new() }
}

impl Args {
    fn policy(&self, path: &Path, terminal: &Terminal) -> Result<Checked, Failure> {
        let progress = terminal.progress(&format!("checking {}", path.display()), Of::Time);
        let compilation =
            tidegate_compiler::compile_with(path, &Options { levels: self.levels.0.clone(), cache: cache::of(path) });
        let (sources, mut diagnostics) = (compilation.sources, compilation.diagnostics);
        let Some(output) = compilation.output else {
            return Ok(Checked { sources, diagnostics, contents: None, lists: Vec::new() });
        };
        let levels = output.policy.lints.then(&self.levels.0);
        let now = self.at.unwrap_or_else(instant::now);
        let found = tidegate_compiler::lint::lint(&output, &sources, &levels, now, Budget::default(), &mut |_, _| {});
        diagnostics.extend(found.map_err(load::unloadable)?);
        diagnostics.sort_by_key(|finding| (finding.span, finding.code));
        drop(progress);
        let contents = policy_contents(&output.policy);
        Ok(Checked { sources, diagnostics, contents: Some(contents), lists: output.policy.lists })
    }
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
