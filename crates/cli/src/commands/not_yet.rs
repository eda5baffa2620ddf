//! Commands that are named in the contract and not built yet: known, plain about it, and never a success.

use std::ffi::OsString;

use crate::outcome::{Failure, Outcome};

/// Whatever the command will take one day.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _any: Vec<OsString>,
}

pub(crate) fn run(command: &str) -> Result<Outcome, Failure> {
    Err(Failure::new(format!("`tidegate {command}` is not built yet"), "`tidegate help` lists the commands that are"))
}
