//! `cargo xtask bench platform`: what the local platform costs.

use anyhow::Result;

use crate::process::{self, cargo};
use crate::workspace::root;
use crate::{tools, worker};

/// Installs, builds, and hands over to the benchmark itself, which shares the harness of the end-to-end tests.
pub(crate) fn platform(arguments: &[&str]) -> Result<()> {
    worker::build(&tools::ensure()?)?;
    let mut bench = cargo();
    bench.current_dir(root()).args(["run", "--package", "tidegate-e2e", "--bin", "tidegate-bench", "--release", "--"]);
    process::run("measuring the platform", bench.args(arguments))
}
