//! `cargo xtask coverage`: how many lines of the table and the engine the native tests run.

use anyhow::Result;

use crate::process::{program, run};
use crate::tools::crate_binary;
use crate::workspace::root;

/// cargo-llvm-cov, whose version nothing else hangs on.
const VERSION: &str = "0.9.1";

/// Percent of lines; less is a failure.
const LEAST: &str = "95";

/// Runs the tests that exercise both crates, and prints a line for each of their files.
pub(crate) fn run_tests() -> Result<()> {
    run("adding rustup's llvm-tools", program("rustup").current_dir(root()).args(["component", "add", "llvm-tools"]))?;
    let llvm_cov = crate_binary("cargo-llvm-cov", VERSION, "cargo-llvm-cov")?;
    let packages = ["tidegate-table", "tidegate-engine", "tidegate-differential"];
    run(
        "testing with instrumentation",
        program(&llvm_cov.to_string_lossy())
            .current_dir(root())
            .arg("llvm-cov")
            .args(packages.iter().flat_map(|package| ["--package", package]))
            .args(["--ignore-filename-regex", "crates/(compiler|reference)/|tests/|tests\\.rs$"])
            .args(["--summary-only", "--fail-under-lines", LEAST]),
    )
}
