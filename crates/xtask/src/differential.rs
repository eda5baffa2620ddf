//! `cargo xtask differential`: generated policies and requests through the engines side by side.

use anyhow::Result;

use crate::process::{cargo, run};
use crate::workspace::root;

/// Builds the long run with optimisation and starts it. What it takes is its own business: `--policies`,
/// `--requests-per-policy`, `--seed`, `--jobs`.
pub(crate) fn compare(arguments: &[&str]) -> Result<()> {
    let mut long_run = cargo();
    long_run.current_dir(root()).args(["run", "--quiet", "--release", "--package", "tidegate-differential", "--"]);
    run("putting generated requests to generated policies", long_run.args(arguments))
}
