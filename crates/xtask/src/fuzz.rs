//! `cargo xtask fuzz`: the targets in `fuzz/fuzz_targets`, each named for its property.
//!
//! cargo-fuzz drives libFuzzer: with a nightly toolchain where there is one, for its address sanitizer, else with the pinned
//! stable one, without. Inputs that reach new code are kept in `target/fuzz`, from one run to the next; those that
//! the repository keeps (`fuzz/corpus`) are where every run begins, and change only by hand.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{output, program, run, say};
use crate::tools::crate_binary;
use crate::workspace::root;

/// cargo-fuzz, whose version nothing else hangs on.
const VERSION: &str = "0.13.2";

/// How long each target runs as one of the tests.
const SECONDS_OF_A_TEST: u64 = 10;

/// Fuzzes for so many minutes altogether, the named target alone if one is named.
pub(crate) fn run_for(minutes: &str, target: Option<&str>) -> Result<()> {
    let minutes: u64 = minutes.parse().with_context(|| format!("`{minutes}` is not a number of minutes"))?;
    let mut targets = targets()?;
    if let Some(wanted) = target {
        targets.retain(|known| known == wanted);
        if targets.is_empty() {
            bail!("there is no fuzz/fuzz_targets/{wanted}.rs");
        }
    }
    let seconds = (minutes * 60).div_ceil(targets.len() as u64);
    fuzz(&targets, seconds)
}

/// Runs each target for a moment, from the kept inputs; gives how many there are.
pub(crate) fn test() -> Result<u32> {
    let targets = targets()?;
    fuzz(&targets, SECONDS_OF_A_TEST)?;
    Ok(u32::try_from(targets.len())?)
}

fn targets() -> Result<Vec<String>> {
    let files = fs::read_dir(root().join("fuzz/fuzz_targets")).context("cannot read fuzz/fuzz_targets")?;
    let names = files.map(|file| Ok(file?.path().file_stem().unwrap_or_default().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn fuzz(targets: &[String], seconds: u64) -> Result<()> {
    let fuzzer = Fuzzer::new()?;
    run("building the fuzz targets", &mut fuzzer.command("build"))?;
    for target in targets {
        let found = root().join("target/fuzz").join(target);
        let kept = root().join("fuzz/corpus").join(target);
        fs::create_dir_all(&found).with_context(|| format!("cannot create {}", found.display()))?;
        let mut command = fuzzer.command("run");
        command.arg(target).arg(&found);
        if kept.is_dir() {
            command.arg(&kept);
        }
        command.args(["--", "-print_final_stats=1", &format!("-max_total_time={seconds}")]);
        run(&format!("fuzzing {target} for {seconds} s"), &mut command).with_context(|| {
            format!("`{target}` does not hold; the input is in fuzz/artifacts/{target}: keep it in fuzz/regressions/{target}")
        })?;
    }
    Ok(())
}

/// cargo-fuzz, and what it builds with.
struct Fuzzer {
    cargo_fuzz: PathBuf,
    has_nightly: bool,
}

impl Fuzzer {
    fn new() -> Result<Self> {
        let has_nightly = output(program("rustup").args(["run", "nightly", "rustc", "--version"])).is_some();
        say(if has_nightly {
            "fuzzing with the nightly toolchain"
        } else {
            "no nightly toolchain: fuzzing without a sanitizer"
        });
        Ok(Self { cargo_fuzz: crate_binary("cargo-fuzz", VERSION, "cargo-fuzz")?, has_nightly })
    }

    fn command(&self, what: &str) -> Command {
        let mut command = program(&self.cargo_fuzz.to_string_lossy());
        // It would go on with the cargo that started us.
        command.current_dir(root()).env_remove("CARGO").args(["fuzz", what]);
        if self.has_nightly {
            command.env("RUSTUP_TOOLCHAIN", "nightly");
        } else {
            command.args(["--sanitizer", "none"]);
        }
        command
    }
}
