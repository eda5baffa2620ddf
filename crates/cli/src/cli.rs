//! The arguments, as the operator gives them.

use clap::{Parser, Subcommand, ValueEnum};

#[cfg(unix)]
use crate::commands::dev;
#[cfg(not(unix))]
use crate::commands::not_yet;
use crate::commands::{
    build, check, compile, completions, decide, diff, doctor, explain, fmt, import, init, inspect, keys, reach, replay,
    schema, suggest, test,
};
use crate::outcome::Failure;

/// Decides what tenant code on Workers for Platforms may reach, and with which credentials.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// How the answer is written; `github` and `sarif` are formats of findings, for `check`.
    #[arg(long, global = true, value_enum)]
    pub(crate) format: Option<AnyFormat>,

    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 fine, 1 found what it looks for (errors, failing tests, a missed --expect), 2 usage, 3 could not work.
Data goes to stdout, everything else to stderr. NO_COLOR is respected.";

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// For programs: one JSON object a line.
    Json,
}

/// How an answer is written, and how findings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnyFormat {
    /// For people.
    Human,
    /// For programs: one JSON object a line.
    Json,
    /// Findings for GitHub Actions: annotations of a pull request.
    Github,
    /// Findings for code scanning: one SARIF 2.1.0 document.
    Sarif,
}

impl TryFrom<AnyFormat> for Format {
    type Error = Failure;

    fn try_from(format: AnyFormat) -> Result<Self, Failure> {
        let name = match format {
            AnyFormat::Human => return Ok(Self::Human),
            AnyFormat::Json => return Ok(Self::Json),
            AnyFormat::Github => "github",
            AnyFormat::Sarif => "sarif",
        };
        Err(Failure::usage(
            format!("`--format {name}` is a format of findings: only `tidegate check` writes it"),
            "this command takes `--format human` and `--format json`",
        ))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(init::Args),
    Check(check::Args),
    Compile(compile::Args),
    Build(build::Args),
    Inspect(inspect::Args),
    Decide(decide::Args),
    Test(test::Args),
    Keys(keys::Args),
    #[cfg(unix)]
    Dev(Box<dev::Args>),
    /// Run Workers for Platforms on this machine (Linux and macOS)
    #[cfg(not(unix))]
    Dev(not_yet::Args),
    Explain(explain::Args),
    Diff(diff::Args),
    Reach(reach::Args),
    Replay(replay::Args),
    Suggest(suggest::Args),
    Import(import::Args),
    Fmt(fmt::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Doctor(doctor::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
