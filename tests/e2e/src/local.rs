//! The platform itself, started by a test.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::Incoming;
use serde_json::json;
use tidegate_platform::runtime::{Egress, Event, ISOLATES, installed_workerd};
use tidegate_platform::{Auth, Options, Platform};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::JoinHandle;

use crate::api::{ACCOUNT, ApiClient};
use crate::client;
use crate::paths::repository;

/// The token of every platform that tests start.
const TOKEN: &str = "a-token-for-tests-and-nothing-else";

/// The longest that something may take to be said.
const SAID: Duration = Duration::from_secs(20);

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A running platform, stopped when it is dropped.
pub struct LocalPlatform {
    platform: Platform,
    api: ApiClient,
    events: Arc<Mutex<Vec<Event>>>,
    unknown_routes: Arc<Mutex<Vec<String>>>,
    listening: [JoinHandle<()>; 2],
}

impl LocalPlatform {
    /// Starts one whose store goes with it. What leaves goes to `upstream`.
    pub async fn start(upstream: SocketAddr) -> Result<Self> {
        Self::with(Self::options(upstream)?).await
    }

    /// Starts one whose store is in a folder.
    pub async fn in_folder(upstream: SocketAddr, data: &Path) -> Result<Self> {
        Self::with(Options { data: Some(data.to_owned()), ..Self::options(upstream)? }).await
    }

    /// What the two start with.
    pub fn options(upstream: SocketAddr) -> Result<Options> {
        Ok(Options {
            data: None,
            address: LOOPBACK,
            api: LOOPBACK,
            account: ACCOUNT.to_owned(),
            auth: Auth::Token(TOKEN.to_owned()),
            workerd: workerd()?,
            egress: Egress::Upstream(upstream),
            processes: NonZeroUsize::MIN,
            isolates: ISOLATES,
            dispatcher: None,
            seeded: false,
        })
    }

    /// Starts one.
    pub async fn with(options: Options) -> Result<Self> {
        let platform = Platform::start(options).await?;
        let api = ApiClient::new(platform.api_address(), TOKEN);
        let (events, events_kept) = kept(platform.runtime().events());
        let (unknown_routes, routes_kept) = kept(platform.unknown_routes());
        Ok(Self { platform, api, events, unknown_routes, listening: [events_kept, routes_kept] })
    }

    /// Its API.
    pub fn api(&self) -> &ApiClient {
        &self.api
    }

    /// The platform.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Where its Workers listen.
    pub fn address(&self) -> SocketAddr {
        self.platform.address()
    }

    /// The process id of the one workerd.
    pub fn pid(&self) -> Result<u32> {
        match self.pids().as_slice() {
            [only] => Ok(*only),
            [] => bail!("workerd is not running"),
            several => bail!("there is more than one workerd: {several:?}"),
        }
    }

    /// The process ids of the workerds that serve.
    pub fn pids(&self) -> Vec<u32> {
        self.platform.runtime().pids()
    }

    /// Has an account Worker answer at its own host, `NAME.workers.localhost`.
    pub async fn give_host(&self, name: &str) -> Result<()> {
        let path = format!("workers/scripts/{name}/subdomain");
        self.api.json("POST", &path, &json!({ "enabled": true })).await?.result().map(drop)
    }

    /// A GET of `path` from `host`: status and body.
    pub async fn get(&self, host: &str, path: &str) -> Result<(u16, String)> {
        let answer = self.send(Request::builder().uri(path).header("host", host).body(Body::empty())?).await?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// Any request.
    pub async fn send(&self, request: Request<Body>) -> Result<hyper::Response<Incoming>> {
        client::send(self.address(), request).await
    }

    /// What has happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// As [`events`](Self::events), and forgets it.
    pub fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was asked of the API that it does not have: `GET /client/v4/…`.
    pub fn unknown_routes(&self) -> Vec<String> {
        self.unknown_routes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first event that is looked for, as soon as it is there.
    pub async fn event<T>(&self, wanted: impl Fn(&Event) -> Option<T>) -> Result<T> {
        let end = Instant::now() + SAID;
        loop {
            if let Some(found) = self.events().iter().find_map(&wanted) {
                return Ok(found);
            }
            if Instant::now() > end {
                bail!("the platform said something else: {:#?}", self.events());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops it as Ctrl-C does.
    pub async fn stop(self) {
        for listening in self.listening {
            listening.abort();
        }
        self.platform.stop().await;
    }
}

/// Keeps what is sent from now on.
fn kept<T: Clone + Send + 'static>(mut source: broadcast::Receiver<T>) -> (Arc<Mutex<Vec<T>>>, JoinHandle<()>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    let listening = tokio::spawn(async move {
        loop {
            match source.recv().await {
                Ok(sent) => keep.lock().unwrap_or_else(PoisonError::into_inner).push(sent),
                // Whoever waits for one of them will say so too.
                Err(RecvError::Lagged(lost)) => eprintln!("{lost} events were lost: too many came at once"),
                Err(RecvError::Closed) => return,
            }
        }
    });
    (kept, listening)
}

/// The pinned workerd.
pub(crate) fn workerd() -> Result<PathBuf> {
    installed_workerd(&repository()).context("workerd is not installed: run `cargo xtask tools`")
}
