//! What the figures were taken on.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use tidegate_e2e::repository;
use tidegate_platform::runtime::installed_workerd;

/// Processor, cores, memory, kernel, workerd, by name.
pub(crate) fn facts() -> Result<BTreeMap<&'static str, String>> {
    let read = |path: &str| fs::read_to_string(path).with_context(|| format!("cannot read {path}"));
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
        line.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let memory = field(&read("/proc/meminfo")?, "MemTotal");
    let memory = memory.trim_end_matches(" kB").parse::<u64>().unwrap_or_default() >> 20;
    let workerd = installed_workerd(&repository()).context("workerd is not installed: run `cargo xtask tools`")?;
    let version = std::process::Command::new(workerd).arg("--version").output()?;
    Ok(BTreeMap::from([
        ("processor", field(&read("/proc/cpuinfo")?, "model name")),
        ("cores", std::thread::available_parallelism()?.to_string()),
        ("memory", format!("{memory} GiB")),
        ("kernel", format!("Linux {}", read("/proc/sys/kernel/osrelease")?.trim())),
        ("workerd", String::from_utf8_lossy(&version.stdout).trim().to_owned()),
    ]))
}
