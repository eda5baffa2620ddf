//! workerd, supervised: it loads Workers from the store at run time and is told of every change.

mod admin;
mod assets;
mod bundle;
mod check;
mod config;
mod control;
mod output;
mod process;
mod processes;
mod quarantine;
mod ratelimit;
mod supervisor;
mod version;

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{UnixListener, UnixSocket};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use uuid::Uuid;

use self::check::Checker;
use self::control::{Candidates, Control};
use self::processes::Processes;
use self::quarantine::Quarantine;
use crate::store::{Change, Started, Store};
use crate::tails::Tails;
use crate::worker::{Code, Entry, NamespaceId};

pub use self::config::{CF_HEADER, SCHEME_HEADER};
pub use self::control::WORKERS_DOMAIN;
pub use self::quarantine::REST;
pub use self::supervisor::PATIENCE;

/// How long a port may be another's before it counts as taken.
const TAKEN: Duration = Duration::from_secs(1);

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
    /// A folder of its own, for sockets and configs: short, since a socket's path has at most 107 bytes. It is taken away
    /// should this program be killed.
    pub folder: PathBuf,
    /// Where requests that leave go.
    pub egress: Egress,
    /// As many workerd processes serve, all on the one address: each runs JavaScript on one thread.
    pub processes: NonZeroUsize,
    /// As many isolates are kept in each process while nothing runs in them; [`ISOLATES`] as a rule.
    pub isolates: NonZeroUsize,
    /// The account Worker that answers requests to hosts that name none; without it the only one with a dispatch binding.
    pub dispatcher: Option<String>,
}

/// As many isolates as a process keeps as a rule. With scripts of a few kilobytes that is half a gigabyte; a process cannot
/// have many more than five thousand, each of which is some eleven memory maps.
pub const ISOLATES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(299);

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
    Line {
        /// The account Worker that printed it; none for user Workers and workerd itself, which cannot be told apart.
        worker: Option<String>,
        /// The line.
        text: String,
    },
    /// A decision record of an account Worker. A user Worker cannot make one.
    Decision {
        /// The Worker.
        worker: String,
        /// One JSON object.
        record: String,
    },
    /// A workerd was silent for too long, was killed and started again.
    Hung {
        /// The process that was killed.
        pid: u32,
        /// The user Workers that were under way in it, the likeliest culprit first, as `namespace/script`.
        invocations: Vec<String>,
    },
    /// A user Worker, as `namespace/script`, has hung or ended workerd so often that it is not run for a while, [`REST`].
    Quarantined(String),
    /// A workerd ended by itself (its memory was exhausted, somebody killed it) and was started again.
    Restarted {
        /// The process that ended.
        pid: u32,
        /// How it ended.
        reason: String,
        /// As of [`Hung`](Self::Hung).
        invocations: Vec<String>,
    },
    /// workerd does not start, or ends before it serves. It is started again after a pause; requests wait meanwhile.
    Down {
        /// What is the matter.
        reason: String,
        /// How long until the next start.
        pause: Duration,
    },
}

/// A handle on what runs. All of it ends when the last handle is gone.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
    processes: Arc<Processes>,
    checker: Arc<Checker>,
    tails: Tails,
    // Answers what the processes ask; its one task goes with it.
    _control: Arc<JoinSet<()>>,
}

struct Inner {
    options: RuntimeOptions,
    store: Store,
    listener: OwnedFd,
    address: SocketAddr,
    config: PathBuf,
    mark: String,
    events: broadcast::Sender<Event>,
    quarantine: Quarantine,
}

impl Inner {
    /// `namespace/script` for the key that the Workers use.
    fn readable(&self, key: &str) -> String {
        let Some((row, name)) = key.split_once('/') else { return key.to_owned() };
        let namespace = row.parse().ok().and_then(|row| self.store.namespace_by_id(NamespaceId(row)).ok());
        namespace.map_or_else(|| key.to_owned(), |namespace| format!("{}/{name}", namespace.name))
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("address", &self.inner.address)
            .field("pids", &self.pids())
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// Starts workerd, as many as are asked for, and waits until all of them listen.
    pub async fn start(options: RuntimeOptions, store: Store) -> Result<Self, RuntimeError> {
        version::check(&options.workerd).await?;
        let folder = options.folder.clone();
        let io = |context: &str| {
            let context = format!("{context} {}", folder.display());
            move |source| RuntimeError::Io { context, source }
        };
        let taken = |source| RuntimeError::Listen { address: options.address, source };
        let listener = bind(options.address).await.map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        listener.set_nonblocking(true).map_err(taken)?;

        config::write_modules(&folder).map_err(io("cannot write to"))?;
        let mark = Uuid::new_v4().simple().to_string();
        let control_socket = folder.join("control.sock");
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(io("cannot write to")).map(|()| path)
        };
        let config = write("serve.capnp", config::serving(&control_socket, &options, &mark))?;
        let check_config = write("check.capnp", config::checking(&control_socket))?;

        let candidates = Candidates::default();
        let tails = Tails::default();
        let quarantine = Quarantine::default();
        let control = Control {
            store: store.clone(),
            dispatcher: options.dispatcher.clone(),
            candidates: candidates.clone(),
            tails: tails.clone(),
            quarantine: quarantine.clone(),
            limits: ratelimit::RateLimits::default(),
            assets: assets::Assets::default(),
        };
        let _ = std::fs::remove_file(&control_socket);
        let control_listener = listen(&control_socket).map_err(io("cannot open a socket in"))?;
        let mut answering = JoinSet::new();
        answering.spawn(async move {
            let _ = axum::serve(control_listener, control.router()).await;
        });

        let checker = Arc::new(Checker {
            workerd: options.workerd.clone(),
            config: check_config,
            folder: folder.clone(),
            candidates,
            running: tokio::sync::Mutex::default(),
        });
        let count = options.processes;
        let events = output::events();
        let inner =
            Arc::new(Inner { options, store, listener: listener.into(), address, config, mark, events, quarantine });
        let (processes, ()) = tokio::try_join!(Processes::start(&inner, count), Arc::clone(&checker).warm())?;
        Ok(Self { inner, processes: Arc::new(processes), checker, tails, _control: Arc::new(answering) })
    }

    /// Tells all processes which versions are current; comes back when that is what new requests run, wherever they meet
    /// it. A process that hangs is waited for, until it is replaced. A script that rests is given another chance.
    pub async fn apply(&self, changes: &[Change]) {
        for change in changes {
            self.inner.quarantine.lift(&supervisor::key(&change.key));
        }
        self.refresh(changes).await;
    }

    /// Has all processes ask again what they know of scripts that did not change. One that rests goes on resting.
    pub async fn refresh(&self, scripts: &[Change]) {
        self.processes.apply(scripts).await;
    }

    /// Starts code apart from the Workers that serve, in a process of its own.
    pub async fn check(&self, code: &Code) -> Result<Started, StartError> {
        // Static assets alone have nothing to start.
        if code.entry == Entry::AssetsOnly {
            return Ok(Started::default());
        }
        self.checker.check(code).await
    }

    /// Who follows what Workers do. After a change of it, [refresh](Self::refresh) the script's current version.
    pub fn tails(&self) -> &Tails {
        &self.tails
    }

    /// Where the platform's Workers listen.
    pub fn address(&self) -> SocketAddr {
        self.inner.address
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.events.subscribe()
    }

    /// The process ids of the workerds that serve, as they are now: one that is being replaced has none.
    pub fn pids(&self) -> Vec<u32> {
        self.processes.pids()
    }

    /// Ends all processes: requests under way may finish within a short grace.
    pub async fn stop(&self) {
        self.processes.stop().await;
    }
}

/// Listens. Where another platform was killed just now, its workerd may have the port for a moment longer.
async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let end = Instant::now() + TAKEN;
    loop {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => return other,
        }
    }
}

/// A unix socket refuses who comes while its queue is full; a thousand Workers may be asked for at once.
fn listen(path: &Path) -> std::io::Result<UnixListener> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    socket.listen(4096)
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
