//! The load, made by `wrk`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// Requests under way at once.
const CONNECTIONS: &str = "8";

/// What `wrk` prints at its end instead of its own summary.
const REPORT: &str = r#"
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"failed":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"#;

/// What came of one round.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Round {
    /// How many requests were answered.
    pub(super) requests: u64,
    /// How long it took.
    pub(super) microseconds: u64,
    /// The latency that half of the requests stay within, in µs.
    pub(super) p50: u64,
    /// The same of 99 per cent.
    pub(super) p99: u64,
    failed: u64,
}

/// Writes what `wrk` needs into a folder, and says which version there is.
pub(super) fn prepare(folder: &Path) -> Result<String> {
    let missing = "`wrk` makes the load and is not on the PATH: install it (`apt-get install wrk`, `brew install wrk`)";
    // It says its version and then that it wants a URL.
    let said = Command::new("wrk").arg("--version").output().context(missing)?;
    std::fs::write(folder.join("report.lua"), REPORT)?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    Ok(said.split(" [").next().unwrap_or_default().trim().to_owned())
}

/// Asks for `/` for so many seconds.
pub(super) fn run(folder: &Path, to: SocketAddr, seconds: u32) -> Result<Round> {
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "1", "--connections", CONNECTIONS, "--duration", &format!("{seconds}s"), "--script"]);
    let output =
        wrk.arg(folder.join("report.lua")).arg(format!("http://{to}/")).output().context("cannot run `wrk`")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let Some(line) = said.lines().rev().find(|line| line.starts_with('{')) else {
        bail!("`wrk` said nothing of use:\n{said}{}", String::from_utf8_lossy(&output.stderr));
    };
    let round: Round = serde_json::from_str(line).context("`wrk` said nothing of use")?;
    ensure!(round.failed == 0 && round.requests > 0, "{} of {} requests failed", round.failed, round.requests);
    Ok(round)
}
