//! Hostile user Workers: each way around that is known is tried on the real platform, and must fail.
//!
//! A probe that fails for another reason than the one that is meant shows nothing. So each has a control beside it: the
//! same act by somebody who may, or on a thing that is one's own, succeeds in the same test.

mod bindings;
mod headers;
mod loader;
mod log;
mod parameters;
mod shims;
mod sockets;
mod worst;

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::Request;
use serde_json::{Value, json};
use tidegate_e2e::{Captured, LocalPlatform, Part, Reply, Upstream};
use tidegate_platform::Options;

/// Calls the user Worker that the first label of the host names. `x-customer` is the outbound parameter; `x-call` names a
/// method to call by RPC in place of `fetch()`, and the answer is what it gave, as JSON.
const DISPATCHER: &str = include_str!("workers/dispatcher.js");

/// Stamps its parameter on each request.
const OUTBOUND: &str = include_str!("workers/outbound.js");

/// A platform with a dispatch Worker, an outbound Worker and the namespace `customers`; and what it reaches.
struct Hosting {
    platform: LocalPlatform,
    upstream: Upstream,
}

impl Hosting {
    async fn start() -> Result<Self> {
        let upstream = Upstream::start().await?;
        upstream.otherwise(stamp);
        let platform = LocalPlatform::with(options(&upstream)?).await?;
        Self::on(platform, upstream).await
    }

    async fn on(platform: LocalPlatform, upstream: Upstream) -> Result<Self> {
        let hosting = Self { platform, upstream };
        hosting.platform.api().create_namespace("customers").await?;
        hosting.upload("workers/scripts/outbound", OUTBOUND, &json!({})).await?;
        hosting.upload("workers/scripts/dispatcher", DISPATCHER, &json!({ "bindings": [dispatching()] })).await?;
        Ok(hosting)
    }

    /// Deploys a Worker of one module.
    async fn upload(&self, path: &str, code: &str, metadata: &Value) -> Result<Value> {
        self.upload_parts(path, metadata, &[Part::module("index.js", code)]).await
    }

    /// Deploys a Worker whose main module is `index.js`, unless the metadata says otherwise.
    async fn upload_parts(&self, path: &str, metadata: &Value, parts: &[Part]) -> Result<Value> {
        let mut metadata = metadata.clone();
        let fields = metadata.as_object_mut().context("metadata is an object")?;
        if !fields.contains_key("body_part") {
            fields.entry("main_module").or_insert_with(|| json!("index.js"));
        }
        fields.entry("compatibility_date").or_insert_with(|| json!("2026-01-01"));
        self.platform.api().upload(path, &metadata, parts).await?.result()
    }

    /// Deploys a user Worker of one module.
    async fn user(&self, name: &str, code: &str, metadata: &Value) -> Result<Value> {
        self.upload(&user(name), code, metadata).await
    }

    /// What a user Worker answers to a GET with these headers.
    async fn ask(&self, name: &str, path: &str, headers: &[(&str, &str)]) -> Result<(u16, String)> {
        let mut request = Request::builder().uri(path).header("host", format!("{name}.apps.example"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.platform.send(request.body(Body::empty())?).await?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// The same, where it is 200.
    async fn text(&self, name: &str, path: &str) -> Result<String> {
        let (status, body) = self.ask(name, path, &[]).await?;
        ensure!(status == 200, "{name}{path}: {status}: {body}");
        Ok(body)
    }

    /// The first request that arrived at a host, as soon as it is there.
    async fn told(&self, host: &str) -> Result<Captured> {
        for _ in 0..500 {
            if let Some(told) = self.upstream.captured().into_iter().find(|captured| captured.host == host) {
                return Ok(told);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("nothing arrived at {host}: {:#?}", self.upstream.captured())
    }

    /// The same, where it is JSON.
    async fn json(&self, name: &str, path: &str) -> Result<Value> {
        let text = self.text(name, path).await?;
        serde_json::from_str(&text).with_context(|| format!("{name}{path}: {text}"))
    }
}

/// What platforms start with. Other account Workers may have dispatch bindings as well.
fn options(upstream: &Upstream) -> Result<Options> {
    Ok(Options { dispatcher: Some("dispatcher".to_owned()), ..LocalPlatform::options(upstream.address())? })
}

/// The path of a user Worker in the API.
fn user(name: &str) -> String {
    format!("workers/dispatch/namespaces/customers/scripts/{name}")
}

/// The dispatch binding of the dispatch Worker.
fn dispatching() -> Value {
    json!({
        "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "customers",
        "outbound": { "worker": { "service": "outbound" }, "params": [{ "name": "customer" }] },
    })
}

/// A Worker that answers with a text.
fn saying(text: &str) -> String {
    format!("export default {{ fetch: () => new Response({text:?}) }};")
}

/// An upstream's answer that says what was stamped on the request.
fn stamp(captured: &Captured) -> Reply {
    Reply::text(captured.header("x-stamped").unwrap_or_else(|| "nobody".to_owned()))
}

/// That each attempt came to nothing: its outcome begins with `refused`.
fn all_refused(outcomes: &Value) -> Result<()> {
    let outcomes = outcomes.as_object().context("outcomes by attempts")?;
    ensure!(!outcomes.is_empty(), "nothing was attempted");
    for (attempt, outcome) in outcomes {
        ensure!(outcome.as_str().is_some_and(|outcome| outcome.starts_with("refused")), "{attempt}: {outcome}");
    }
    Ok(())
}
