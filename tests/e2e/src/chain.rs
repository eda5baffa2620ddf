//! The chain from a customer's request to the upstream.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use axum::body::Body;
use hyper::body::Incoming;
use hyper::{Request, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{self, Connection, Fetch, Outcome};
use crate::config::{Compatibility, Config, Outbound};
use crate::outbound::OutboundWorker;
use crate::paths::repository;
use crate::upstream::Upstream;
use crate::workerd::Workerd;

/// Beneath this name the customers' Workers are reached: `acme.apps.example`.
const PLATFORM_DOMAIN: &str = "apps.example";

/// The outbound Worker that customers go through who name none.
const OUTBOUND: &str = "main";

/// The longest that a decision record may take to get from workerd to us.
const RECORD: Duration = Duration::from_secs(10);

/// A customer of the platform.
#[derive(Clone, Debug)]
pub struct Customer {
    pub(crate) name: String,
    pub(crate) compatibility_date: String,
    pub(crate) parameters: Option<Value>,
    pub(crate) outbound: String,
}

impl Customer {
    /// A customer whose Worker has a new compatibility date, and whose one outbound parameter is its name.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            compatibility_date: "2026-01-01".to_owned(),
            parameters: Some(json!({ "customer_name": name })),
            outbound: OUTBOUND.to_owned(),
        }
    }

    /// A compatibility date of the customer's choice.
    #[must_use]
    pub fn compatibility_date(mut self, date: &str) -> Self {
        date.clone_into(&mut self.compatibility_date);
        self
    }

    /// Other outbound parameters; `None` for a binding that passes none.
    #[must_use]
    pub fn parameters(mut self, parameters: Option<Value>) -> Self {
        self.parameters = parameters;
        self
    }

    /// Another outbound Worker than the chain's first: one that was put there with [`ChainBuilder::outbound`].
    #[must_use]
    pub fn through(mut self, outbound: &str) -> Self {
        outbound.clone_into(&mut self.outbound);
        self
    }
}

/// A Worker that is told what the outbound Worker did: the text of its one module.
#[derive(Clone, Debug)]
pub enum Tail {
    /// Told at the end of each request: `tail()`.
    Buffered(String),
    /// Told of each thing as it happens: `tailStream()`.
    Streaming(String),
}

/// What a [`Chain`] is made of.
pub struct ChainBuilder {
    outbounds: Vec<Outbound>,
    customers: Vec<Customer>,
    compatibility_date: Option<String>,
    tail: Option<Tail>,
    upstream: Option<SocketAddr>,
}

impl ChainBuilder {
    /// One more customer.
    #[must_use]
    pub fn customer(mut self, customer: Customer) -> Self {
        self.customers.push(customer);
        self
    }

    /// One more secret of the outbound Worker, of the one that was put there last if there are several.
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        if let Some(outbound) = self.outbounds.last_mut() {
            outbound.secrets.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// One more outbound Worker, for the customers who go [through](Customer::through) it.
    #[must_use]
    pub fn outbound(mut self, name: &str, worker: OutboundWorker) -> Self {
        self.outbounds.push(Outbound { name: name.to_owned(), worker, secrets: Vec::new() });
        self
    }

    /// Another compatibility date for the outbound Worker than `wrangler.toml` gives it.
    #[must_use]
    pub fn compatibility_date(mut self, date: &str) -> Self {
        self.compatibility_date = Some(date.to_owned());
        self
    }

    /// A tail Worker behind the outbound Worker.
    #[must_use]
    pub fn tail(mut self, tail: Tail) -> Self {
        self.tail = Some(tail);
        self
    }

    /// Lets the way out lead to another upstream than the chain's own.
    #[must_use]
    pub fn upstream(mut self, address: SocketAddr) -> Self {
        self.upstream = Some(address);
        self
    }

    /// Starts the upstream and workerd.
    pub async fn start(self) -> Result<Chain> {
        let upstream = Upstream::start().await?;
        let folder = TempDir::with_prefix("tidegate-e2e-").context("cannot make a temporary folder")?;
        let scripts = repository().join("tests/e2e/workers");
        // workerd embeds no file that lies elsewhere than beneath its config.
        let copy = |source: PathBuf, to: &Path| {
            let name = source.file_name().context("a file without a name")?;
            fs::copy(&source, to.join(name)).with_context(|| format!("cannot copy {}", source.display()))
        };
        for script in ["dispatch.js", "tenant.js", "outbound.js"] {
            copy(scripts.join(script), folder.path())?;
        }
        for outbound in &self.outbounds {
            let modules = folder.path().join(outbound.folder());
            fs::create_dir(&modules).with_context(|| format!("cannot make {}", modules.display()))?;
            for module in ["index.js", "index_bg.wasm"] {
                copy(outbound.worker.folder().join(module), &modules)?;
            }
        }
        let mut compatibility = compatibility()?;
        if let Some(date) = self.compatibility_date {
            compatibility.date = date;
        }
        let config = Config {
            compatibility: &compatibility,
            outbounds: &self.outbounds,
            customers: &self.customers,
            upstream: self.upstream.unwrap_or_else(|| upstream.address()),
            tail: self.tail.as_ref(),
        };
        let file = folder.path().join("config.capnp");
        fs::write(&file, config.text()).with_context(|| format!("cannot write {}", file.display()))?;
        let workerd = Workerd::start(&file, &Config::SOCKETS)?;
        Ok(Chain { workerd, upstream, _folder: folder })
    }
}

/// A running platform with an upstream. Both are stopped when it is dropped.
pub struct Chain {
    workerd: Workerd,
    upstream: Upstream,
    _folder: TempDir,
}

impl Chain {
    /// A chain around an outbound Worker.
    pub fn around(outbound: OutboundWorker) -> ChainBuilder {
        let builder = ChainBuilder {
            outbounds: Vec::new(),
            customers: Vec::new(),
            compatibility_date: None,
            tail: None,
            upstream: None,
        };
        builder.outbound(OUTBOUND, outbound)
    }

    /// A chain whose outbound Worker holds this policy.
    pub fn with_policy(policy: &str) -> Result<ChainBuilder> {
        Ok(Self::around(OutboundWorker::with_policy(policy)?))
    }

    /// The upstream.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Where the platform listens.
    pub fn address(&self) -> Result<SocketAddr> {
        self.workerd.socket("platform")
    }

    /// Lets a customer's Worker make one fetch.
    pub async fn fetch(&self, customer: &str, fetch: Fetch) -> Result<Outcome> {
        self.fetch_all(customer, &[fetch]).await?.pop().context("the customer's Worker answered nothing")
    }

    /// Lets a customer's Worker make several fetches at once.
    pub async fn fetch_all(&self, customer: &str, fetches: &[Fetch]) -> Result<Vec<Outcome>> {
        let body = serde_json::to_vec(fetches)?;
        let request = platform_request("POST", customer, "/").body(Body::from(body))?;
        client::send_for_json(self.address()?, request).await
    }

    /// A connection to the platform that is used again and again.
    pub async fn connection(&self) -> Result<Connection> {
        Connection::open(self.address()?).await
    }

    /// Lets a customer's Worker make one fetch through which both bodies are streamed. The answer comes with its head.
    pub async fn stream(&self, customer: &str, fetch: &Fetch, method: &str, body: Body) -> Result<Response<Incoming>> {
        let request = platform_request(method, customer, "/stream").header("x-fetch", serde_json::to_string(fetch)?);
        client::send(self.address()?, request.body(body)?).await
    }

    /// Lets a customer's Worker open a WebSocket, send one message and wait for one.
    pub async fn converse(&self, customer: &str, fetch: &Fetch) -> Result<Outcome> {
        let request = platform_request("GET", customer, "/socket").header("x-fetch", serde_json::to_string(fetch)?);
        client::send_for_json(self.address()?, request.body(Body::empty())?).await
    }

    /// Lets a customer's Worker open a raw TCP connection to `host:port` and send an HTTP request over it.
    pub async fn connect(&self, customer: &str, to: &str) -> Result<Outcome> {
        let fetch = serde_json::to_string(&Fetch::get(to))?;
        let request = platform_request("GET", customer, "/connect").header("x-fetch", fetch);
        client::send_for_json(self.address()?, request.body(Body::empty())?).await
    }

    /// Sends a request straight to the outbound Worker, as no platform would: without any parameters.
    pub async fn hit_directly(&self, host: &str, path: &str) -> Result<Response<Incoming>> {
        let request = Request::builder().uri(path).header("host", host).body(Body::empty())?;
        client::send(self.workerd.socket("direct")?, request).await
    }

    /// The decision records that the outbound Worker has logged so far.
    pub fn decisions(&self) -> Vec<Value> {
        decisions_among(&self.log())
    }

    /// The decision records since this was called last. The rest of the log is dropped: who runs for long keeps none.
    pub fn take_decisions(&self) -> Vec<Value> {
        decisions_among(&self.workerd.take_output())
    }

    /// The decision records, as soon as there are enough of them: a record may reach us a little after its answer.
    pub async fn decisions_when(&self, enough: impl Fn(&[Value]) -> bool) -> Result<Vec<Value>> {
        self.log_when(|_| enough(&self.decisions())).await.context("decision records are missing")?;
        Ok(self.decisions())
    }

    /// The log, as soon as there is enough of it.
    pub async fn log_when(&self, enough: impl Fn(&[String]) -> bool) -> Result<Vec<String>> {
        let end = Instant::now() + RECORD;
        loop {
            let log = self.log();
            if enough(&log) {
                return Ok(log);
            }
            if Instant::now() > end {
                bail!("workerd said too little:\n{}", log.join("\n"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// All lines that workerd and its Workers have printed so far.
    pub fn log(&self) -> Vec<String> {
        self.workerd.output()
    }

    /// The most memory that workerd ever held, in bytes (`VmHWM`, proc(5)).
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> Result<u64> {
        self.workerd.status("VmHWM")
    }

    /// The memory that workerd holds, in bytes (`VmRSS`, proc(5)). Only Linux says it.
    pub fn memory(&self) -> Result<u64> {
        self.workerd.status("VmRSS")
    }

    /// The process id of workerd.
    pub fn pid(&self) -> u32 {
        self.workerd.pid()
    }
}

fn decisions_among(log: &[String]) -> Vec<Value> {
    let records = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records.filter(|record| record.get("event").is_some_and(|event| event == "decision")).collect()
}

pub(crate) fn platform_request(method: &str, customer: &str, path: &str) -> hyper::http::request::Builder {
    Request::builder().method(method).uri(path).header("host", format!("{customer}.{PLATFORM_DOMAIN}"))
}

/// What the Worker is deployed with, it is tested with, unless a test says otherwise.
pub(crate) fn compatibility() -> Result<Compatibility> {
    #[derive(serde::Deserialize)]
    struct Wrangler {
        compatibility_date: String,
        #[serde(default)]
        compatibility_flags: Vec<String>,
    }
    let text = fs::read_to_string(repository().join("wrangler.toml")).context("cannot read wrangler.toml")?;
    let wrangler: Wrangler = toml::from_str(&text).context("cannot read wrangler.toml")?;
    Ok(Compatibility { date: wrangler.compatibility_date, flags: wrangler.compatibility_flags })
}
