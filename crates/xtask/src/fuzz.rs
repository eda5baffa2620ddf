//! `cargo xtask fuzz`: the targets in `fuzz/fuzz_targets`, each named for its property.
//!
//! cargo-fuzz drives libFuzzer: with a nightly toolchain where there is one, for its address sanitizer, else with the pinned
//! stable one, without. Every run begins with the inputs that the repository keeps (`fuzz/corpus`, `fuzz/regressions`), which
//! change only by hand. What a long run finds beside them stays in `target/fuzz`, for the next.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::process::{output, program, run, say};
use crate::tools::crate_binary;
use crate::workspace::root;

/// cargo-fuzz, whose version nothing else hangs on.
const VERSION: &str = "0.13.2";

/// Targets that run side by side: the smallest machines have two cores.
const AT_ONCE: usize = 2;

/// Bytes of an input; seconds that one may take; little is printed. What lives as long as the process is no leak.
const LIMITS: [&str; 5] = ["-max_len=4096", "-timeout=60", "-detect_leaks=0", "-verbosity=0", "-print_final_stats=1"];

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
    let seconds = (minutes * 60).div_ceil(targets.chunks(AT_ONCE).len() as u64);
    fuzz(&targets, &found("found"), &[&format!("-max_total_time={seconds}")])
}

/// Runs each target for a moment, from the kept inputs and the same seed; gives how many there are.
pub(crate) fn test() -> Result<u32> {
    let targets = targets()?;
    let found = found("tested");
    let _ = fs::remove_dir_all(&found);
    fuzz(&targets, &found, &["-seed=1", &format!("-max_total_time={SECONDS_OF_A_TEST}")])?;
    Ok(u32::try_from(targets.len())?)
}

/// Where inputs go that reach what no kept one reaches.
fn found(by: &str) -> PathBuf {
    root().join("target/fuzz").join(by)
}

fn targets() -> Result<Vec<String>> {
    let files = fs::read_dir(root().join("fuzz/fuzz_targets")).context("cannot read fuzz/fuzz_targets")?;
    let names = files.map(|file| Ok(file?.path().file_stem().unwrap_or_default().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// Runs the targets with these options of libFuzzer; what is found goes beneath `found`.
fn fuzz(targets: &[String], found: &Path, options: &[&str]) -> Result<()> {
    let fuzzer = Fuzzer::new()?;
    run("building the fuzz targets", &mut fuzzer.command("build"))?;
    for together in targets.chunks(AT_ONCE) {
        let fuzzer = &fuzzer;
        thread::scope(|scope| {
            let started: Vec<_> = together
                .iter()
                .map(|target| scope.spawn(move || fuzzer.fuzz(target, &found.join(target), options)))
                .collect();
            started.into_iter().try_for_each(|one| one.join().unwrap_or_else(|_| bail!("a thread panicked")))
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
        let nightly = output(program("rustup").args(["run", "nightly", "rustc", "--version"]));
        let has_nightly = nightly.is_some_and(|version| minor(&version) >= minor(env!("CARGO_PKG_RUST_VERSION")));
        say(if has_nightly {
            "fuzzing with the nightly toolchain"
        } else {
            "no nightly toolchain that is new enough: fuzzing without a sanitizer"
        });
        Ok(Self { cargo_fuzz: crate_binary("cargo-fuzz", VERSION, "cargo-fuzz")?, has_nightly })
    }

    fn fuzz(&self, target: &str, found: &Path, options: &[&str]) -> Result<()> {
        fs::create_dir_all(found).with_context(|| format!("cannot create {}", found.display()))?;
        let mut command = self.command("run");
        // libFuzzer writes into the first of its folders.
        command.arg(target).arg(found);
        let kept = ["corpus", "regressions"].map(|folder| root().join("fuzz").join(folder).join(target));
        command.args(kept.iter().filter(|folder| folder.is_dir())).arg("--").args(LIMITS).args(options);
        let dictionary = root().join("fuzz/dictionaries").join(format!("{target}.dict"));
        if dictionary.is_file() {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        run(&format!("fuzzing {target}"), &mut command).with_context(|| {
            format!("`{target}` does not hold; the input is in fuzz/artifacts/{target}: keep it in fuzz/regressions/{target}")
        })
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

/// `rustc 1.97.0-nightly (…)` → 97.
fn minor(version: &str) -> Option<u32> {
    version.split('.').nth(1)?.parse().ok()
}
