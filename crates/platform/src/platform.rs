//! Store, runtime and API together.

use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use tempfile::TempDir;
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinHandle;

use crate::api::{self, Api, ApiError};
use crate::names::NameError;
use crate::runtime::{Egress, Runtime, RuntimeError, RuntimeOptions};
use crate::seed;
use crate::store::{Store, StoreError};

/// Who may use the API.
#[derive(Clone)]
pub enum Auth {
    /// Everybody who reaches it. On loopback alone.
    Nobody,
    /// Those with a token that was added to the store; this one is added.
    Token(String),
    /// Those with a token that was added to the store before.
    Kept,
}

/// What a platform is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the store is kept; none for a temporary folder.
    pub data: Option<PathBuf>,
    /// Where the Workers listen.
    pub address: SocketAddr,
    /// Where the API listens.
    pub api: SocketAddr,
    /// The one account: at most 32 characters.
    pub account: String,
    /// Who may use the API.
    pub auth: Auth,
    /// The workerd binary.
    pub workerd: PathBuf,
    /// Where requests that leave go.
    pub egress: Egress,
    /// How many workerds serve.
    pub processes: NonZeroUsize,
    /// How many isolates each of them keeps.
    pub isolates: NonZeroUsize,
    /// See [`RuntimeOptions`](crate::runtime::RuntimeOptions::dispatcher).
    pub dispatcher: Option<String>,
    /// Before each request to the API everything is forgotten but what [`seed`] names, and requests are answered one
    /// after another. On loopback alone, and never with a `data` folder: what is in it would be lost.
    pub seeded: bool,
}

/// The platform cannot run.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// workerd.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The API.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The API would be open to others.
    #[error("the API on {0} would be open to everybody who reaches it: give a token, or listen on loopback")]
    Open(SocketAddr),
    /// The state of a seeded platform.
    #[error("the seed has a bad name in it: {0}")]
    Seed(#[from] NameError),
    /// A seeded platform forgets all that it is told.
    #[error("a seeded platform would forget all that is in {}: leave the folder out", .0.display())]
    SeededData(PathBuf),
    /// A seeded platform is for tests on this machine.
    #[error("a seeded platform listens on loopback alone, and {0} is not loopback")]
    SeededOpen(SocketAddr),
    /// No token.
    #[error("no token was given, and the store knows none: pass one with `--token`, or `--no-auth` on loopback")]
    NoToken,
    /// A folder.
    #[error("{context}: {source}")]
    Io {
        /// What was being done.
        context: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// A running platform. Stop it with [`stop`](Self::stop); dropping it kills workerd at once.
#[derive(Debug)]
pub struct Platform {
    store: Store,
    runtime: Runtime,
    unknown_routes: broadcast::Sender<String>,
    api: Option<RunningApi>,
    api_address: SocketAddr,
    // The last, so that what lies in them outlives who uses it.
    _folders: Vec<TempDir>,
}

#[derive(Debug)]
struct RunningApi {
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Platform {
    /// Starts store, runtime and API.
    pub async fn start(options: Options) -> Result<Self, PlatformError> {
        if matches!(options.auth, Auth::Nobody) && !options.api.ip().is_loopback() {
            return Err(PlatformError::Open(options.api));
        }
        if options.seeded {
            if let Some(open) = [options.api, options.address].into_iter().find(|it| !it.ip().is_loopback()) {
                return Err(PlatformError::SeededOpen(open));
            }
            if let Some(data) = options.data {
                return Err(PlatformError::SeededData(data));
            }
        }
        // Sockets lie in a folder of their own: paths of sockets must be short, and nobody else's.
        let sockets = temporary("tg-")?;
        let mut folders = Vec::new();
        let data = if let Some(data) = options.data {
            let failed = |source| PlatformError::Io { context: format!("cannot make {}", data.display()), source };
            fs::create_dir_all(&data).map_err(failed)?;
            data
        } else {
            let folder = temporary("tidegate-data-")?;
            let path = folder.path().to_owned();
            folders.push(folder);
            path
        };
        let store = Store::open(&data)?;
        match &options.auth {
            Auth::Nobody => {}
            Auth::Token(token) => store.add_token(token)?,
            Auth::Kept if store.has_tokens()? => {}
            Auth::Kept => return Err(PlatformError::NoToken),
        }
        let runtime = RuntimeOptions {
            workerd: options.workerd,
            address: options.address,
            folder: sockets.path().to_owned(),
            egress: options.egress,
            processes: options.processes,
            isolates: options.isolates,
            dispatcher: options.dispatcher,
        };
        folders.push(sockets);
        let runtime = Runtime::start(runtime, store.clone()).await?;
        let auth = !matches!(options.auth, Auth::Nobody);
        let mut api = Api::new(store.clone(), runtime.clone(), options.account, auth);
        if options.seeded {
            api = api.seeded(seed::seed()?);
        }
        let unknown_routes = api.unknown_routes.clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let (api_address, served) = api::serve(api, options.api, async {
            let _ = stopped.await;
        })
        .await?;
        Ok(Self {
            store,
            runtime,
            unknown_routes,
            api: Some(RunningApi { stop, served }),
            api_address,
            _folders: folders,
        })
    }

    /// Where the API listens; its base URL is `http://{}/client/v4`.
    pub fn api_address(&self) -> SocketAddr {
        self.api_address
    }

    /// Where the Workers listen.
    pub fn address(&self) -> SocketAddr {
        self.runtime.address()
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// workerd.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The requests to the API that meet no route from now on, one line each.
    pub fn unknown_routes(&self) -> broadcast::Receiver<String> {
        self.unknown_routes.subscribe()
    }

    /// Stops accepting, lets requests finish within a short grace, and ends workerd.
    pub async fn stop(mut self) {
        if let Some(api) = self.api.take() {
            let _ = api.stop.send(());
            // An upload under way may finish; a client that keeps its connection open does not hold us up.
            let aborted = api.served.abort_handle();
            if tokio::time::timeout(std::time::Duration::from_secs(2), api.served).await.is_err() {
                aborted.abort();
            }
        }
        self.runtime.stop().await;
        // A client that keeps its connection open holds a handle on the store, and no longer its folder.
        self.store.close();
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if let Some(api) = self.api.take() {
            api.served.abort();
        }
    }
}

fn temporary(prefix: &str) -> Result<TempDir, PlatformError> {
    TempDir::with_prefix(prefix)
        .map_err(|source| PlatformError::Io { context: "cannot make a temporary folder".to_owned(), source })
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nobody => "Nobody",
            Self::Token(_) => "Token(…)",
            Self::Kept => "Kept",
        })
    }
}
