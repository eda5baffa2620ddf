//! Store, runtime and API together.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::api::ApiError;
use crate::runtime::{Egress, Runtime, RuntimeError};
use crate::store::{Store, StoreError};

/// Who may use the API.
#[derive(Clone, Debug)]
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
    /// See [`RuntimeOptions`](crate::runtime::RuntimeOptions::dispatcher).
    pub dispatcher: Option<String>,
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
}

#[expect(unused_variables, clippy::todo, clippy::unused_async, reason = "the outline of what is being built")]
impl Platform {
    /// Starts store, runtime and API.
    pub async fn start(options: Options) -> Result<Self, PlatformError> {
        todo!()
    }
    /// Where the API listens; its base URL is `http://{}/client/v4`.
    pub fn api_address(&self) -> SocketAddr {
        todo!()
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
    /// Stops accepting, lets requests finish within a short grace, and ends workerd.
    pub async fn stop(self) {
        todo!()
    }
}
