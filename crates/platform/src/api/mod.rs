//! Cloudflare's REST API, `/client/v4/…`: the endpoints of Workers for Platforms, and those that `wrangler` needs for
//! ordinary Workers and KV.
//!
//! ```text
//!   connection ─► body::drain ─► auth::admit ─► handling ─► route ─► path::own_account ─► handler ─► store, deploy
//!    (serve)                                                  │
//!                                                             └─► 404/7003, told to whoever listens (Api::unknown_routes)
//! ```
//!
//! Behind `auth`, [`seeded`] puts the store back before each request, for who asked for that.
//!
//! A script of a dispatch namespace and one of the account's own are one thing here: the same handlers serve
//! `…/dispatch/namespaces/{namespace}/scripts/{script}` and `…/workers/scripts/{script}`, and what tells them apart is
//! the [`Target`](path::Target) that the path makes. Every answer, errors of every kind included, is in Cloudflare's
//! envelope, with Cloudflare's codes ([`error::Fault`] is the table), but for contents and values, which are bytes.
//!
//! Bodies are bounded on every route: [`body::read`] and the forms of [`upload`] are the only readers.

mod analytics;
mod assets;
mod auth;
mod bindings;
mod body;
mod change;
mod content;
mod d1;
mod envelope;
mod error;
mod handling;
mod kv;
mod namespaces;
mod not_yet;
mod openapi;
mod path;
mod query;
mod routes;
mod scripts;
mod secrets;
mod seeded;
mod serve;
mod services;
mod settings;
mod tags;
mod tails;
mod upload;
mod user;
mod versions;

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::{Method, Uri};
use tokio::sync::broadcast;

pub use self::body::Pace;
use self::error::{Fault, shown};
pub use self::openapi::{Document, openapi};
pub use self::serve::serve;
use crate::room::Room;
use crate::runtime::Runtime;
use crate::store::{Change, Seed, Store};

/// What stands between a Worker's name and `workers.dev`, as `wrangler` shows it.
const SUBDOMAIN: &str = "tidegate";

/// The API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with `--api-port`")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// What clients may cost, all of them together or one of them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections that are open at once; at most half of the files that the process may open.
    pub connections: usize,
    /// How long the head of a request may take, from when the connection is ready for one.
    pub head: Duration,
    /// How fast a body must come.
    pub pace: Pace,
    /// Bytes of request bodies that are held at once. Who would send more waits.
    pub bodies: u64,
    /// How long one waits for that.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head: Duration::from_secs(15),
            pace: Pace::default(),
            bodies: 512 << 20,
            patience: Duration::from_secs(30),
        }
    }
}

/// What every endpoint has at hand.
#[derive(Clone, Debug)]
pub struct Api {
    store: Store,
    runtime: Option<Runtime>,
    account: String,
    auth: bool,
    turns: change::Turns,
    d1_uploads: d1::Uploads,
    seeded: Option<seeded::Seeded>,
    limits: Limits,
    room: Room,
    pub(crate) unknown_routes: broadcast::Sender<String>,
}

impl Api {
    /// The API of one account. Without a runtime nothing can be started, so nothing uploaded; all else works. `auth` says
    /// whether a token is asked for; without one, listen on loopback alone.
    pub fn new(store: Store, runtime: impl Into<Option<Runtime>>, account: impl Into<String>, auth: bool) -> Self {
        let (unknown_routes, _) = broadcast::channel(64);
        let limits = Limits::default();
        Self {
            room: Room::new(limits.bodies, limits.patience),
            limits,
            store,
            runtime: runtime.into(),
            account: account.into(),
            auth,
            turns: change::Turns::default(),
            d1_uploads: d1::Uploads::default(),
            seeded: None,
            unknown_routes,
        }
    }

    /// From now on the store is put back to this state before each request, and requests are answered one after another.
    /// All else that is in the store is lost.
    #[must_use]
    pub fn seeded(mut self, seed: Seed) -> Self {
        self.seeded = Some(seeded::Seeded::new(seed));
        self
    }

    /// The same within other limits.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { room: Room::new(limits.bodies, limits.patience), limits, ..self }
    }

    /// The requests that meet no route from now on, one line each: `GET /client/v4/…`. Clients move, and this shows where
    /// to.
    pub fn unknown_routes(&self) -> broadcast::Receiver<String> {
        self.unknown_routes.subscribe()
    }

    /// Whether secret keys must be keys.
    fn key_material(&self) -> bindings::Material {
        if self.seeded.is_some() { bindings::Material::Passing } else { bindings::Material::Given }
    }

    fn runtime(&self) -> Result<&Runtime, Fault> {
        self.runtime.as_ref().ok_or(Fault::NoRuntime)
    }

    /// Tells the runtime what changed.
    async fn apply(&self, changes: &[Change]) {
        if let Some(runtime) = &self.runtime
            && !changes.is_empty()
        {
            runtime.apply(changes).await;
        }
    }

    /// Answers a request that meets no route, and tells of it.
    fn not_routed(&self, method: &Method, uri: &Uri) -> Fault {
        let path = shown(uri.path());
        // Nobody may be listening.
        let _ = self.unknown_routes.send(format!("{method} {path}"));
        Fault::NotRouted(path.strip_prefix(routes::BASE).map_or_else(|| path.clone(), str::to_owned))
    }
}
