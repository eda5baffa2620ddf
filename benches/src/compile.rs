//! What compiling a million names costs: `tidegate compile`, a process of its own, with nothing kept from before and once more.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::domains::POLICY;
use crate::machine;
use crate::measure::{self, Spread, count};

/// How often a compilation's memory is looked at.
const GLANCE: Duration = Duration::from_millis(2);

/// Where what was read of the list is kept, in the folder of the policy.
const CACHE: &str = "cache";

/// What was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Compilation {
    pub(crate) names: usize,
    /// Seconds, the list not seen before.
    pub(crate) cold: Spread,
    /// Seconds, the list unchanged.
    pub(crate) warm: Spread,
    /// MiB at most.
    pub(crate) cold_memory: f64,
    pub(crate) warm_memory: f64,
    /// Bytes of the table.
    pub(crate) table: usize,
    /// Milliseconds to load it.
    pub(crate) load: Spread,
    /// Milliseconds to copy its bytes: what starting costs at least, in Wasm.
    pub(crate) copy: Spread,
}

/// Compiles a list, some times without a cache and some times with it.
pub(crate) fn measure(names: &[String], tidegate: &Path, folder: &Path, rounds: usize) -> Result<Compilation> {
    eprintln!("compilation: {} names", names.len());
    let folder = folder.join("compilation");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(folder.join("names.txt"), names.join("\n") + "\n")?;
    fs::write(folder.join("policy.toml"), POLICY)?;
    let (mut cold, mut warm) = ((Vec::new(), 0), (Vec::new(), 0));
    for _ in 0..rounds.min(3) {
        let _ = fs::remove_dir_all(folder.join(CACHE));
        for runs in [&mut cold, &mut warm] {
            let (seconds, memory) = compile(tidegate, &folder)?;
            runs.0.push(seconds);
            runs.1 = runs.1.max(memory);
        }
    }
    let table = fs::read(folder.join("policy.table")).context("`tidegate compile` left no table")?;
    let mib = |bytes: usize| count(bytes) / f64::from(1 << 20);
    Ok(Compilation {
        names: names.len(),
        cold: Spread::of(cold.0),
        warm: Spread::of(warm.0),
        cold_memory: mib(cold.1),
        warm_memory: mib(warm.1),
        load: measure::milliseconds(11, || {
            std::hint::black_box(tidegate_engine::Policy::from_bytes(&table).is_ok());
        }),
        copy: measure::milliseconds(11, || drop(std::hint::black_box(table.clone()))),
        table: table.len(),
    })
}

/// Seconds and the most memory, in bytes, of one run.
fn compile(tidegate: &Path, folder: &Path) -> Result<(f64, usize)> {
    let mut command = Command::new(tidegate);
    command.current_dir(folder).args(["compile", "policy.toml", "--output", "policy.table"]);
    command.env("TIDEGATE_CACHE_DIR", folder.join(CACHE));
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("cannot start `tidegate`")?;
    let process = child.id().to_string();
    let mut memory = 0;
    let status = loop {
        // The most so far, as the system keeps it; gone with the process.
        memory = memory.max(machine::status(&process, "VmHWM").unwrap_or_default());
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(GLANCE);
    };
    let seconds = started.elapsed().as_secs_f64();
    if !status.success() {
        bail!("`tidegate compile` failed in {}", folder.display());
    }
    Ok((seconds, memory))
}
