//! The chain from a customer's request to the upstream.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use axum::body::Body;
use hyper::body::Incoming;
use hyper::{Request, Response};
use serde_json::{Map, Value, json};
use tidegate_platform::Options;
use tidegate_platform::runtime::{Event, WORKERS_DOMAIN};

use crate::api::Part;
use crate::client::{self, Connection, Fetch, Outcome};
use crate::local::LocalPlatform;
use crate::outbound::{Compatibility, OutboundWorker};
use crate::upstream::Upstream;

/// Beneath this name the customers' Workers are reached: `acme.apps.example`.
const PLATFORM_DOMAIN: &str = "apps.example";

/// The dispatch namespace in which the customers' Workers are.
const NAMESPACE: &str = "customers";

/// The dispatch Worker.
const DISPATCHER: &str = "dispatcher";

/// The outbound Worker that customers go through who name none.
const OUTBOUND: &str = "outbound";

/// The compatibility date of customers who choose none, and of the dispatch Worker.
const NEW_DATE: &str = "2026-01-01";

/// The longest that a decision record may take to get from workerd to us.
const RECORD: Duration = Duration::from_secs(10);

const DISPATCH: &str = include_str!("../workers/dispatch.js");
const STAMPING: &str = include_str!("../workers/outbound.js");
pub(crate) const TENANT: &str = include_str!("../workers/tenant.js");

/// A customer of the platform.
#[derive(Clone, Debug)]
pub struct Customer {
    name: String,
    compatibility_date: String,
    parameters: Option<Value>,
    outbound: String,
}

impl Customer {
    /// A customer whose Worker has a new compatibility date, and whose one outbound parameter is its name.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            compatibility_date: NEW_DATE.to_owned(),
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

    /// Other outbound parameters; `None` for a `get()` that passes none.
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

/// An outbound Worker by the name that customers [go through](Customer::through).
struct Outbound {
    name: String,
    worker: OutboundWorker,
    secrets: Vec<(String, String)>,
}

/// What a [`Chain`] is made of.
pub struct ChainBuilder {
    outbounds: Vec<Outbound>,
    customers: Vec<Customer>,
    compatibility_date: Option<String>,
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

    /// Lets the way out lead to another upstream than the chain's own.
    #[must_use]
    pub fn upstream(mut self, address: SocketAddr) -> Self {
        self.upstream = Some(address);
        self
    }

    /// Starts the upstream and the platform, and deploys everything.
    pub async fn start(self) -> Result<Chain> {
        let upstream = Upstream::start().await?;
        let options = LocalPlatform::options(self.upstream.unwrap_or_else(|| upstream.address()))?;
        let platform = LocalPlatform::with(Options { dispatcher: Some(DISPATCHER.to_owned()), ..options }).await?;
        let chain = Chain { platform, upstream };
        let mut compatibility = Compatibility::of_wrangler()?;
        if let Some(date) = self.compatibility_date {
            compatibility.date = date;
        }
        for outbound in &self.outbounds {
            chain.deploy_outbound(outbound, &compatibility).await?;
        }
        chain.platform.api().create_namespace(NAMESPACE).await?;
        for Customer { name, compatibility_date, .. } in &self.customers {
            let path = format!("workers/dispatch/namespaces/{NAMESPACE}/scripts/{name}");
            let metadata = json!({ "main_module": "tenant.js", "compatibility_date": compatibility_date });
            chain.deploy(&path, &metadata, &[Part::module("tenant.js", TENANT)]).await?;
        }
        chain.deploy_dispatcher(&self.outbounds, &self.customers).await?;
        Ok(chain)
    }
}

/// A running platform with an upstream. Both are stopped when it is dropped.
pub struct Chain {
    platform: LocalPlatform,
    upstream: Upstream,
}

impl Chain {
    /// A chain around an outbound Worker.
    pub fn around(outbound: OutboundWorker) -> ChainBuilder {
        let builder =
            ChainBuilder { outbounds: Vec::new(), customers: Vec::new(), compatibility_date: None, upstream: None };
        builder.outbound(OUTBOUND, outbound)
    }

    /// A chain whose outbound Worker holds this policy.
    pub fn with_policy(policy: &str) -> Result<ChainBuilder> {
        Ok(Self::around(OutboundWorker::with_policy(policy)?))
    }

    /// The platform.
    pub fn platform(&self) -> &LocalPlatform {
        &self.platform
    }

    /// The upstream.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Where the platform's Workers listen.
    pub fn address(&self) -> SocketAddr {
        self.platform.address()
    }

    /// Puts another outbound Worker, without secrets, in the place of the first one, as an operator does who changes a policy.
    pub async fn deploy_again(&self, worker: OutboundWorker) -> Result<()> {
        let outbound = Outbound { name: OUTBOUND.to_owned(), worker, secrets: Vec::new() };
        self.deploy_outbound(&outbound, &Compatibility::of_wrangler()?).await
    }

    /// Lets a customer's Worker make one fetch.
    pub async fn fetch(&self, customer: &str, fetch: Fetch) -> Result<Outcome> {
        self.fetch_all(customer, &[fetch]).await?.pop().context("the customer's Worker answered nothing")
    }

    /// Lets a customer's Worker make several fetches at once.
    pub async fn fetch_all(&self, customer: &str, fetches: &[Fetch]) -> Result<Vec<Outcome>> {
        let body = serde_json::to_vec(fetches)?;
        let request = platform_request("POST", customer, "/").body(Body::from(body))?;
        client::send_for_json(self.address(), request).await
    }

    /// A connection to the platform that is used again and again.
    pub async fn connection(&self) -> Result<Connection> {
        Connection::open(self.address()).await
    }

    /// Lets a customer's Worker make one fetch through which both bodies are streamed. The answer comes with its head.
    pub async fn stream(&self, customer: &str, fetch: &Fetch, method: &str, body: Body) -> Result<Response<Incoming>> {
        let request = platform_request(method, customer, "/stream").header("x-fetch", serde_json::to_string(fetch)?);
        client::send(self.address(), request.body(body)?).await
    }

    /// Lets a customer's Worker open a WebSocket, send one message and wait for one.
    pub async fn converse(&self, customer: &str, fetch: &Fetch) -> Result<Outcome> {
        let request = platform_request("GET", customer, "/socket").header("x-fetch", serde_json::to_string(fetch)?);
        client::send_for_json(self.address(), request.body(Body::empty())?).await
    }

    /// Lets a customer's Worker open a raw TCP connection to `host:port` and send an HTTP request over it.
    pub async fn connect(&self, customer: &str, to: &str) -> Result<Outcome> {
        let fetch = serde_json::to_string(&Fetch::get(to))?;
        let request = platform_request("GET", customer, "/connect").header("x-fetch", fetch);
        client::send_for_json(self.address(), request.body(Body::empty())?).await
    }

    /// Gives the outbound Worker a host of its own, which it should not have, and sends a request straight to it: there
    /// are no parameters then.
    pub async fn hit_directly(&self, path: &str) -> Result<Response<Incoming>> {
        self.platform.give_host(OUTBOUND).await?;
        let request = Request::builder().uri(path).header("host", Self::direct_host()).body(Body::empty())?;
        self.platform.send(request).await
    }

    /// The host at which the outbound Worker is [hit directly](Self::hit_directly).
    pub fn direct_host() -> String {
        format!("{OUTBOUND}.{WORKERS_DOMAIN}")
    }

    /// The decision records that the outbound Worker has logged so far.
    pub fn decisions(&self) -> Vec<Value> {
        decisions_among(self.platform.events())
    }

    /// The decision records since this was called last. The rest of the log is dropped: who runs for long keeps none.
    pub fn take_decisions(&self) -> Vec<Value> {
        decisions_among(self.platform.take_events())
    }

    /// The decision records, as soon as there are enough of them: a record may reach us a little after its answer.
    pub async fn decisions_when(&self, enough: impl Fn(&[Value]) -> bool) -> Result<Vec<Value>> {
        self.log_when(|_| enough(&self.decisions())).await.context("decision records are missing")?;
        Ok(self.decisions())
    }

    /// What the outbound Worker logged of a request at its own host. It runs there as any Worker of the account, and so what it
    /// says is a line of its log and no decision of the platform's.
    pub async fn direct_record(&self) -> Result<Value> {
        let record = |line: &String| {
            let record: Value = serde_json::from_str(line).ok()?;
            (record["event"] == "decision" && record["customer"].is_null()).then_some(record)
        };
        let log = self.log_when(|log| log.iter().any(|line| record(line).is_some())).await?;
        log.iter().rev().find_map(record).context("no record")
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
                bail!("the platform said too little:\n{}", log.join("\n"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// All that workerd and its Workers have printed so far, a line each, and what became of workerd.
    pub fn log(&self) -> Vec<String> {
        let line = |event| match event {
            Event::Line { text, .. } => text,
            Event::Decision { record, .. } => record,
            Event::Hung { invocations, .. } => format!("workerd hung, perhaps in {}", invocations.join(", ")),
            Event::Quarantined(script) => format!("{script} rests"),
            Event::Restarted { reason, .. } => format!("workerd ended: {reason}"),
            Event::Down { reason, .. } => format!("workerd does not run: {reason}"),
        };
        self.platform.events().into_iter().map(line).collect()
    }

    /// The most memory that workerd ever held, in bytes (`VmHWM`, proc(5)).
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> Result<u64> {
        self.status("VmHWM")
    }

    /// The memory that workerd holds, in bytes (`VmRSS`, proc(5)). Only Linux says it.
    pub fn memory(&self) -> Result<u64> {
        self.status("VmRSS")
    }

    /// The process id of the workerd that serves.
    pub fn pid(&self) -> Result<u32> {
        self.platform.pid()
    }

    /// A figure of workerd's status in bytes (proc(5)).
    fn status(&self, name: &str) -> Result<u64> {
        let file = format!("/proc/{}/status", self.pid()?);
        let status = std::fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kilobytes = line.with_context(|| format!("no {name} for workerd"))?.trim().trim_end_matches(" kB");
        Ok(kilobytes.parse::<u64>().with_context(|| format!("{name} is no number"))? * 1024)
    }

    async fn deploy(&self, path: &str, metadata: &Value, parts: &[Part]) -> Result<Value> {
        self.platform.api().upload(path, metadata, parts).await?.result().with_context(|| format!("PUT {path}"))
    }

    /// An outbound Worker, with a module before it that says which isolate answers.
    async fn deploy_outbound(&self, outbound: &Outbound, compatibility: &Compatibility) -> Result<()> {
        let secret = |(name, value): &(String, String)| json!({ "type": "secret_text", "name": name, "text": value });
        let metadata = json!({
            "main_module": "outbound.js",
            "compatibility_date": compatibility.date,
            "compatibility_flags": compatibility.flags,
            "bindings": outbound.secrets.iter().map(secret).collect::<Vec<_>>(),
        });
        let mut parts = outbound.worker.parts()?;
        parts.push(Part::module("outbound.js", STAMPING));
        self.deploy(&format!("workers/scripts/{}", outbound.name), &metadata, &parts).await.map(drop)
    }

    /// The dispatch Worker: a binding for each outbound Worker, and a module that says what is known of the customers.
    async fn deploy_dispatcher(&self, outbounds: &[Outbound], customers: &[Customer]) -> Result<()> {
        let binding = |outbound: &Outbound| {
            let through = customers.iter().filter(|customer| customer.outbound == outbound.name);
            let parameters: BTreeSet<&String> =
                through.filter_map(|customer| customer.parameters.as_ref()?.as_object()).flat_map(Map::keys).collect();
            json!({
                "type": "dispatch_namespace", "name": outbound.name, "namespace": NAMESPACE,
                "outbound": {
                    "worker": { "service": outbound.name },
                    "params": parameters.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
                },
            })
        };
        let metadata = json!({
            "main_module": "dispatch.js",
            "compatibility_date": NEW_DATE,
            "bindings": outbounds.iter().map(binding).collect::<Vec<_>>(),
        });
        let known = |Customer { name, parameters, outbound, .. }: &Customer| {
            (name.clone(), json!({ "through": outbound, "parameters": parameters }))
        };
        // A module may be as large as it likes; a variable may not.
        let known = serde_json::to_vec(&customers.iter().map(known).collect::<Map<_, _>>())?;
        let parts = [Part::module("dispatch.js", DISPATCH), Part::new("customers.json", "application/json", known)];
        self.deploy(&format!("workers/scripts/{DISPATCHER}"), &metadata, &parts).await.map(drop)
    }
}

fn decisions_among(events: Vec<Event>) -> Vec<Value> {
    let record = |event| match event {
        Event::Decision { record, .. } => serde_json::from_str(&record).ok(),
        _ => None,
    };
    events.into_iter().filter_map(record).collect()
}

pub(crate) fn platform_request(method: &str, customer: &str, path: &str) -> hyper::http::request::Builder {
    Request::builder().method(method).uri(path).header("host", format!("{customer}.{PLATFORM_DOMAIN}"))
}
