//! `tidegate suggest`.

use crate::cli::Format;
use crate::commands::not_yet;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;

/// Propose rules from what report mode recorded (not yet)
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    anything: Vec<String>,
}

pub(crate) fn run(args: &Args, _format: Format, _terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let _ = &args.anything;
    not_yet::run("suggest")
}
