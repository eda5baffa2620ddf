//! Percentiles, and what a process has used.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// `percent` of the samples are at most this.
pub(crate) fn percentile(samples: &mut [Duration], percent: usize) -> Duration {
    samples.sort_unstable();
    let rank = (samples.len() * percent).div_ceil(100).saturating_sub(1);
    samples.get(rank).copied().unwrap_or_default()
}

/// CPU time of a process so far, in user and kernel mode (proc(5); a tick is 10 ms on Linux).
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let file = format!("/proc/{pid}/stat");
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {file}: CPU is measured on Linux alone"))?;
    // The name of the program, in parentheses, may hold anything.
    let fields = text.rsplit_once(')').context("no process status")?.1;
    let mut fields = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    let mut next = || fields.next().context("no CPU time")?.context("no CPU time");
    Ok(Duration::from_millis((next()? + next()?) * 10))
}

/// Resident memory of a process, in bytes (`VmRSS`, proc(5)).
pub(crate) fn resident(pid: u32) -> Result<u64> {
    let file = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>().context("VmRSS is no number")? * 1024)
}

/// As `12.3 ms`.
pub(crate) fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
