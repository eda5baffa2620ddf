//! `cargo xtask demo`: the whole path on this machine.

use anyhow::Result;

use crate::process::{self, cargo};
use crate::workspace::root;
use crate::{tools, worker};

/// Installs, builds, and hands over to the demo itself, which lives beside the end-to-end tests and shares their harness.
pub(crate) fn run(keep: bool) -> Result<()> {
    worker::build(&tools::ensure()?)?;
    process::run(
        "compiling the demo",
        cargo().current_dir(root()).args(["build", "--package", "tidegate-e2e", "--bins"]),
    )?;
    let mut demo = cargo();
    demo.current_dir(root()).args(["run", "--quiet", "--package", "tidegate-e2e", "--bin", "tidegate-demo", "--"]);
    if keep {
        demo.arg("--keep");
    }
    process::run("starting the demo", &mut demo)
}
