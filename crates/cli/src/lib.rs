//! The command line: `tidegate`.
//!
//! Commands are thin. Each is one file in `commands` that reads its arguments, calls the compiler or the engine, and
//! writes the answer: data on stdout, everything else on stderr. This is the only crate that prints.
//!
//! ```text
//!   args ─► cli ─► commands::check ──► render / json          findings
//!                  commands::decide ─► tidegate_test          one judged request, one answer
//!                  commands::explain ► tidegate_test          one judged request, and how its decision came about
//!                  commands::test ───► tidegate_test          policies/*.test.toml, and what they tried
//!                  commands::build ──► bundle                 Worker + table → a folder to deploy
//!                  commands::keys ───► keys                   key pairs, JWKS
//!                  commands::dev ────► dev                    the local platform, with a policy that is watched
//!                  commands::replay ─► log ─► replay          recorded traffic, under another policy
//!                  commands::suggest ► log ─► suggest         rules for what was denied
//! ```
//!
//! # What this crate does not do
//! It decides nothing and checks nothing itself: what a policy means is the compiler's and the engine's, so that the
//! command line cannot come to another answer than the Worker.

pub mod bundle;
mod cache;
mod cli;
mod commands;
#[cfg(unix)]
mod dev;
mod doctor;
mod document;
mod files;
mod github;
mod import;
mod json;
pub mod keys;
mod levels;
mod lines;
mod load;
mod log;
mod markdown;
mod outcome;
mod progress;
mod render;
mod replay;
mod sarif;
mod suggest;
mod suggesting;
mod terminal;
#[cfg(unix)]
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

pub use files::FileError;
pub use outcome::Outcome;

use crate::terminal::Terminal;

/// Runs the command line; `args` begin with the program's own name.
///
/// Exit codes: 0 fine · 1 found what it looks for · 2 usage · 3 could not work.
pub fn run(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let cli = match cli::Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help that nobody reads is no failure.
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let mut terminal = Terminal::new();
    let result = commands::run(cli, &mut terminal).and_then(|outcome| {
        terminal.flush()?;
        Ok(outcome)
    });
    result
        .unwrap_or_else(|failure| {
            terminal.failure(&failure);
            failure.outcome
        })
        .into()
}
