//! `cargo xtask soak`: mixed traffic at saturation for as long as is wanted.

use anyhow::Result;

use crate::process::{self, cargo};
use crate::workspace::root;
use crate::{tools, worker};

/// Installs, builds, and hands over to the soak itself, which lives beside the end-to-end tests and shares their harness.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    worker::build(&tools::ensure()?)?;
    let mut soak = cargo();
    soak.current_dir(root()).args(["run", "--package", "tidegate-e2e", "--bin", "tidegate-soak"]);
    // Optimised, or the checks would be what is slow.
    soak.args(["--release", "--"]);
    process::run("soaking the outbound Worker", soak.args(arguments))
}
