//! workerd, supervised: it loads Workers from the store at run time and is told of every change.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::sync::broadcast;

use crate::store::{Change, Started, Store};
use crate::worker::Code;

/// Where requests that leave the platform go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Egress {
    /// The public internet; never a private address.
    Public,
    /// One server in place of the internet, whatever host and scheme a request names.
    Upstream(SocketAddr),
}

/// What the runtime is started with.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// The workerd binary.
    pub workerd: PathBuf,
    /// Where the platform's Workers listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// A folder of its own, for sockets and configs: short, since a socket's path has at most 107 bytes.
    pub folder: PathBuf,
    /// Where requests that leave go.
    pub egress: Egress,
    /// The account Worker that answers requests to hosts that name none; without it the only one with a dispatch binding.
    pub dispatcher: Option<String>,
}

/// workerd cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// There is no such file.
    #[error("there is no workerd at `{}`: run `npm install workerd`, or say where it is with `--workerd`", .0.display())]
    Missing(PathBuf),
    /// It is older than what the platform needs.
    #[error("workerd `{found}` is too old: {needed} or later is needed; run `npm install workerd@latest`")]
    TooOld {
        /// What it says it is.
        found: String,
        /// What is needed.
        needed: &'static str,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with `--port`")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// It did not start.
    #[error("workerd did not start: {0}")]
    Start(String),
    /// A file or a socket of the runtime.
    #[error("{context}: {source}")]
    Io {
        /// What was being done.
        context: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// Code that does not start: the message is workerd's own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A syntax error, a missing module, an unknown flag, an exception at the top level …
    #[error("{0}")]
    Script(String),
    /// It ran for too long.
    #[error("Script startup exceeded CPU time limit.")]
    TooSlow,
    /// The runtime itself failed.
    #[error("the start check could not be made: {0}")]
    Runtime(String),
}

/// Something that happened in the runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A line that a Worker, or workerd itself, printed.
    Line(String),
    /// A decision record of an outbound Worker: one JSON object.
    Decision(String),
    /// workerd did not answer in time, was killed and started again; the invocations that were under way, the likeliest culprit first.
    Hung(Vec<String>),
    /// workerd ended by itself and was started again.
    Restarted(String),
}

/// A handle on the running workerd.
#[derive(Clone, Debug)]
pub struct Runtime {}

#[expect(unused_variables, clippy::todo, clippy::unused_async, reason = "the outline of what is being built")]
impl Runtime {
    /// Starts workerd and waits until it listens.
    pub async fn start(options: RuntimeOptions, store: Store) -> Result<Self, RuntimeError> {
        todo!()
    }
    /// Tells workerd which versions are current; comes back when that is what new requests run.
    pub async fn apply(&self, changes: &[Change]) {
        todo!()
    }
    /// Starts code apart from the Workers that serve, in a process of its own.
    pub async fn check(&self, code: &Code) -> Result<Started, StartError> {
        todo!()
    }
    /// Where the platform's Workers listen.
    pub fn address(&self) -> SocketAddr {
        todo!()
    }
    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        todo!()
    }
    /// The process id of workerd, as it is now.
    pub fn pid(&self) -> Option<u32> {
        todo!()
    }
    /// Ends workerd: requests under way may finish within a short grace.
    pub async fn stop(&self) {
        todo!()
    }
}

/// The workerd that npm installed in `folder` or one above it: the binary itself, not the script that starts it.
pub fn installed_workerd(folder: &Path) -> Option<PathBuf> {
    let platform = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "linux-64",
        ("linux", "aarch64") => "linux-arm64",
        ("macos", "x86_64") => "darwin-64",
        ("macos", "aarch64") => "darwin-arm64",
        ("windows", "x86_64") => "windows-64",
        _ => return None,
    };
    let within = Path::new("node_modules/@cloudflare")
        .join(format!("workerd-{platform}"))
        .join("bin")
        .join(format!("workerd{}", std::env::consts::EXE_SUFFIX));
    folder.ancestors().map(|above| above.join(&within)).find(|path| path.is_file())
}
