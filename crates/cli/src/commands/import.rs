//! `tidegate import`: another product's rules, as a policy.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use tidegate_compiler::diagnostic::{Code, Diagnostic};
use tidegate_compiler::source::SourceMap;

use crate::cli::Format;
use crate::document::{self, Unparsable};
use crate::files::{self, Access, MIB};
use crate::import::smokescreen;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;
use crate::{json, render};

/// Turn another product's rules into a policy
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    Smokescreen(Smokescreen),
}

/// An access list of smokescreen, version 1 (YAML)
///
/// Writes a policy that decides about hosts as smokescreen does, with comments on what is different here and on what could not be
/// carried over. A key that the access list should not have is a finding, and then nothing is written.
#[derive(Debug, clap::Args)]
struct Smokescreen {
    /// The access list.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Where the policy goes, instead of stdout; never over a file that is there.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// No access list is longer.
const LONGEST: u64 = 16 * MIB;

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let From::Smokescreen(args) = &args.from;
    let text = files::read_text(&args.file, LONGEST)?;
    let mut sources = SourceMap::default();
    let file = sources.add(&args.file, text.clone());
    let mut findings = Vec::new();
    let acl = match document::parse_yaml(file, &text) {
        Ok(root) => smokescreen::read(&root, &mut findings),
        Err(Unparsable { span, message }) => {
            findings.push(Diagnostic::error(Code::Syntax, span, message));
            None
        }
    };
    let Some(acl) = acl else {
        findings.sort_by_key(|finding| (finding.span, finding.code));
        match format {
            Format::Json => json::write_diagnostics(terminal.data(), &sources, &findings)?,
            Format::Human => {
                terminal.findings(&sources, &findings);
                terminal.note(format!("{}: {}; nothing was written", args.file.display(), render::summary(&findings)));
            }
        }
        return Ok(Outcome::Found);
    };
    let name = args.file.file_name().unwrap_or_default().to_string_lossy();
    let policy = smokescreen::write(&acl, &name)?;
    holds(&policy, &args.file, terminal)?;
    match &args.out {
        Some(out) => {
            files::write_new(out, policy.as_bytes(), Access::Everyone)?;
            terminal
                .note(format!("{}: read its comments, then `tidegate check` and `tidegate test` it", out.display()));
        }
        None => terminal.line(policy.trim_end())?,
    }
    Ok(Outcome::Fine)
}

/// What comes out has to pass `tidegate check`.
fn holds(policy: &str, from: &Path, terminal: &mut Terminal) -> Result<(), Failure> {
    let folder = tempfile::tempdir().map_err(|error| files::write_error(&std::env::temp_dir(), error))?;
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, policy).map_err(|error| files::write_error(&path, error))?;
    let compilation = tidegate_compiler::compile(&path);
    if compilation.output.is_some() {
        return Ok(());
    }
    terminal.findings(&compilation.sources, &compilation.diagnostics);
    Err(Failure::new(
        format!("what `{}` comes to is no policy, as the findings say; nothing was written", from.display()),
        "take what they are about out of the access list and write it by hand",
    ))
}
