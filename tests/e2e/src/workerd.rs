//! A running workerd.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::paths::repository;

/// workerd is ready within 50 ms on an idle machine; a crowded one may need longer.
const START: Duration = Duration::from_mins(1);

/// The process, stopped when this is dropped. Its output is kept.
pub(crate) struct Workerd {
    child: Child,
    output: Arc<Mutex<Vec<String>>>,
    sockets: Vec<(String, SocketAddr)>,
}

impl Workerd {
    /// Starts it with a config file, and waits until it listens on the sockets that are named.
    pub(crate) fn start(config: &Path, sockets: &[&str]) -> Result<Self> {
        raise_limit_of_open_files();
        let binary = binary()?;
        let mut child = Command::new(&binary)
            // Events, such as the port that a socket was given, are written where the Workers' console goes too.
            .args(["serve", "--control-fd=1"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let (events, arrived) = channel();
        let output = Arc::new(Mutex::new(Vec::new()));
        if let Some(stdout) = child.stdout.take() {
            collect(stdout, Arc::clone(&output), Some(events));
        }
        if let Some(stderr) = child.stderr.take() {
            collect(stderr, Arc::clone(&output), None);
        }
        let mut workerd = Self { child, output, sockets: Vec::new() };
        workerd.wait_for(sockets, &arrived)?;
        Ok(workerd)
    }

    /// Where a socket listens.
    pub(crate) fn socket(&self, name: &str) -> Result<SocketAddr> {
        let found = self.sockets.iter().find(|(known, _)| known == name);
        found.map(|(_, address)| *address).with_context(|| format!("workerd has no socket `{name}`"))
    }

    /// What it has printed so far: the Workers' console, and workerd's own complaints.
    pub(crate) fn output(&self) -> Vec<String> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// As [`output`](Self::output), and forgets it.
    pub(crate) fn take_output(&self) -> Vec<String> {
        std::mem::take(&mut *self.output.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A figure of the process's status in bytes (proc(5)). Only Linux has it.
    pub(crate) fn status(&self, name: &str) -> Result<u64> {
        let file = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kilobytes = line.with_context(|| format!("no {name} for workerd"))?.trim().trim_end_matches(" kB");
        Ok(kilobytes.parse::<u64>().with_context(|| format!("{name} is no number"))? * 1024)
    }

    fn wait_for(&mut self, sockets: &[&str], arrived: &Receiver<(String, u16)>) -> Result<()> {
        let end = Instant::now() + START;
        while self.sockets.len() < sockets.len() {
            match arrived.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok((name, port)) => self.sockets.push((name, SocketAddr::from(([127, 0, 0, 1], port)))),
                Err(RecvTimeoutError::Timeout) => bail!("workerd did not listen within {START:?}:\n{}", self.said()),
                Err(RecvTimeoutError::Disconnected) => bail!("workerd ended at once:\n{}", self.said()),
            }
        }
        Ok(())
    }

    fn said(&self) -> String {
        // What it says on stderr may come a little after it closes stdout.
        thread::sleep(Duration::from_millis(100));
        self.output().join("\n")
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps the lines of a stream; those that say that a socket is open are also sent on.
fn collect(stream: impl Read + Send + 'static, output: Arc<Mutex<Vec<String>>>, events: Option<Sender<(String, u16)>>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if let (Some(events), Some(event)) = (&events, listening(&line)) {
                let _ = events.send(event);
            } else {
                output.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        }
    });
}

/// Reads `{"event":"listen","socket":"http","port":8700}`.
fn listening(line: &str) -> Option<(String, u16)> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    if event.get("event")? != "listen" {
        return None;
    }
    let port = u16::try_from(event.get("port")?.as_u64()?).ok()?;
    Some((event.get("socket")?.as_str()?.to_owned(), port))
}

/// The pinned workerd, the binary itself and not the script that starts it: what is started here must be what is stopped.
fn binary() -> Result<PathBuf> {
    let platform = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "linux-64",
        ("linux", "aarch64") => "linux-arm64",
        ("macos", "x86_64") => "darwin-64",
        ("macos", "aarch64") => "darwin-arm64",
        ("windows", "x86_64") => "windows-64",
        (os, arch) => bail!("there is no workerd for {os} on {arch}; run this on Linux, macOS or Windows"),
    };
    let path = repository()
        .join("node_modules/@cloudflare")
        .join(format!("workerd-{platform}"))
        .join("bin")
        .join(format!("workerd{}", std::env::consts::EXE_SUFFIX));
    if !path.is_file() {
        bail!("workerd is not at {}: run `cargo xtask tools`", path.display());
    }
    Ok(path)
}

/// A thousand requests at once are two thousand sockets in workerd, which inherits the limit of this process.
fn raise_limit_of_open_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let enough = limit.maximum.map_or(8192, |maximum| maximum.min(8192));
        if limit.current.is_some_and(|current| current < enough) {
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(enough), maximum: limit.maximum });
        }
    }
}
