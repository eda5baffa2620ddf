//! `tidegate dev` in a process of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate_e2e::{ACCOUNT, ApiClient, repository};
use tidegate_platform::runtime::installed_workerd;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::figures::{cpu, resident};

const TOKEN: &str = "a-token-for-benchmarks";

/// A session; killed when it is dropped.
pub(super) struct Session {
    child: Child,
    reading: JoinHandle<()>,
    /// From the start of the process until both servers listened.
    pub(super) started: Duration,
    pub(super) api: ApiClient,
    pub(super) workers: SocketAddr,
    workerds: Vec<u32>,
}

impl Session {
    /// Starts one. `arguments` are more of `tidegate dev`'s.
    pub(super) async fn start(data: &Path, upstream: SocketAddr, arguments: &[&str]) -> Result<Self> {
        let begun = Instant::now();
        let binary = installed_workerd(&repository()).context("workerd is not installed: run `cargo xtask tools`")?;
        // This program is `tidegate` as well: see `main`.
        let mut child = Command::new(std::env::current_exe()?)
            .args(["tidegate", "dev", "--format", "json", "--port", "0", "--api-port", "0"])
            .args(["--account", ACCOUNT, "--token", TOKEN, "--dispatcher", "dispatcher"])
            .args(["--upstream", &upstream.to_string()])
            .arg("--data")
            .arg(data)
            .arg("--workerd")
            .arg(binary)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the platform")?;
        let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        let ready = lines.next_line().await?.context("the platform did not start")?;
        let started = begun.elapsed();
        let ready: Value = serde_json::from_str(&ready)?;
        let address = |name: &str| -> Result<SocketAddr> {
            let url = ready[name].as_str().with_context(|| format!("no `{name}`: {ready}"))?;
            let rest = url.trim_start_matches("http://");
            Ok(rest.split('/').next().unwrap_or(rest).parse()?)
        };
        let pids = ready["workerd"]["pids"].as_array().context("no process ids")?;
        let workerds = pids.iter().filter_map(Value::as_u64).map(u32::try_from).collect::<Result<_, _>>()?;
        let api = ApiClient::new(address("api")?, TOKEN);
        let front = address("workers")?;
        // It would wait for a pipe that nobody reads.
        let reading = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, reading, started, api, workers: front, workerds })
    }

    /// Resident memory of the platform itself, in bytes.
    pub(super) fn memory(&self) -> Result<u64> {
        resident(self.child.id().context("the platform has ended")?)
    }

    /// Resident memory of all workerds together, in bytes.
    pub(super) fn memory_of_workerds(&self) -> Result<u64> {
        self.workerds.iter().map(|pid| resident(*pid)).sum()
    }

    /// CPU time of all workerds together, so far.
    pub(super) fn cpu_of_workerds(&self) -> Result<Duration> {
        self.workerds.iter().map(|pid| cpu(*pid)).sum()
    }

    /// Ends it as Ctrl-C does.
    pub(super) async fn stop(mut self) -> Result<()> {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.context("the platform has ended")?, rustix::process::Signal::TERM)?;
        let status = self.child.wait().await?;
        self.reading.abort();
        ensure!(status.success(), "the platform ended with {status}");
        Ok(())
    }
}
