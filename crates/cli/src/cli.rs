//! The arguments, as the operator gives them.

use clap::{Parser, Subcommand, ValueEnum};

#[cfg(unix)]
use crate::commands::dev;
use crate::commands::{build, check, compile, decide, init, inspect, keys, not_yet, test};

/// Decides what tenant code on Workers for Platforms may reach, and with which credentials.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// How the answer is written.
    #[arg(long, global = true, value_enum)]
    pub(crate) format: Option<Format>,

    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 fine, 1 found what it looks for (errors, failing tests, a missed --expect), 2 usage, 3 could not work.
Data goes to stdout, everything else to stderr. NO_COLOR is respected.";

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// For programs: one JSON object a line.
    Json,
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
    /// Show how a decision came about (not yet)
    Explain(not_yet::Args),
    /// Compare what two policies decide (not yet)
    Diff(not_yet::Args),
    /// List what a customer can reach (not yet)
    Reach(not_yet::Args),
    /// Run recorded requests through a policy (not yet)
    Replay(not_yet::Args),
    /// Propose rules from recorded requests (not yet)
    Suggest(not_yet::Args),
    /// Turn another product's rules into a policy (not yet)
    Import(not_yet::Args),
    /// Format policy files (not yet)
    Fmt(not_yet::Args),
    /// Print the JSON schema of policy files (not yet)
    Schema(not_yet::Args),
    /// Print shell completions (not yet)
    Completions(not_yet::Args),
    /// Look for what is missing on this machine (not yet)
    Doctor(not_yet::Args),
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
