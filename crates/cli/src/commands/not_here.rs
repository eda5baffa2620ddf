//! Commands that this system cannot have: known, plain about it, and never a success.

use std::ffi::OsString;

/// Whatever the command takes elsewhere.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _any: Vec<OsString>,
}
