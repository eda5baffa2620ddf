//! The platform: what user Workers, dispatch Workers and outbound Workers find there, and what happens when things fail.

mod bindings;
mod counting;
mod d1;
mod deployments;
mod faults;
mod invocations;
mod isolates;
mod modules;
#[cfg(target_os = "linux")]
mod processes;
mod secret_keys;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tidegate_e2e::{Captured, LocalPlatform, Part, Reply, Upstream};
use tidegate_platform::Options;

/// Calls the user Worker that the first label of the host names. `x-customer` is the outbound parameter,
/// `x-subrequests` the limit.
const DISPATCHER: &str = r#"
export default {
  async fetch(request, env) {
    const name = new URL(request.url).hostname.split(".")[0];
    const customer = request.headers.get("x-customer") ?? name;
    const subRequests = Number(request.headers.get("x-subrequests") ?? 1000);
    try {
      const worker = env.DISPATCHER.get(name, {}, { limits: { subRequests }, outbound: { customer } });
      return await worker.fetch(request);
    } catch (error) {
      return new Response(`${error.name}: ${error.message}`, { status: 500 });
    }
  },
};
"#;

/// Stamps its parameter on each request.
const OUTBOUND: &str = r#"
export default {
  fetch(request, env) {
    const headers = new Headers(request.headers);
    headers.set("x-stamped", env.customer);
    return fetch(new Request(request, { headers, redirect: "manual" }));
  },
};
"#;

/// A platform with a dispatch Worker, an outbound Worker and a namespace; and what it reaches.
struct Running {
    platform: LocalPlatform,
    upstream: Upstream,
}

impl Running {
    async fn start() -> Result<Self> {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Options)) -> Result<Self> {
        let upstream = Upstream::start().await?;
        let mut options = LocalPlatform::options(upstream.address())?;
        change(&mut options);
        let platform = LocalPlatform::with(options).await?;
        let running = Self { platform, upstream };
        running.furnish().await?;
        Ok(running)
    }

    async fn furnish(&self) -> Result<()> {
        self.platform.api().create_namespace("customers").await?;
        self.deploy("workers/scripts/outbound", OUTBOUND, &json!({})).await?;
        let binding = json!({
            "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "customers",
            "outbound": { "worker": { "service": "outbound" }, "params": [{ "name": "customer" }] },
        });
        self.deploy("workers/scripts/dispatcher", DISPATCHER, &json!({ "bindings": [binding] })).await?;
        Ok(())
    }

    /// Deploys a Worker of one module.
    async fn deploy(&self, path: &str, code: &str, metadata: &Value) -> Result<Value> {
        self.upload(path, metadata, &[Part::module("index.js", code)]).await
    }

    /// Deploys a Worker whose main module is the first part, unless the metadata says otherwise.
    async fn upload(&self, path: &str, metadata: &Value, parts: &[Part]) -> Result<Value> {
        let mut metadata = metadata.clone();
        let metadata_fields = metadata.as_object_mut().context("metadata is an object")?;
        if !metadata_fields.contains_key("body_part") {
            metadata_fields.entry("main_module").or_insert_with(|| json!("index.js"));
        }
        metadata_fields.entry("compatibility_date").or_insert_with(|| json!("2026-01-01"));
        self.platform.api().upload(path, &metadata, parts).await?.result()
    }

    /// Deploys a user Worker of one module.
    async fn user(&self, name: &str, code: &str) -> Result<Value> {
        self.deploy(&user(name), code, &json!({})).await
    }

    /// What a user Worker answers to a GET.
    async fn get(&self, name: &str, path: &str) -> Result<(u16, String)> {
        self.platform.get(&format!("{name}.apps.example"), path).await
    }

    /// The same, where it is 200.
    async fn text(&self, name: &str, path: &str) -> Result<String> {
        let (status, body) = self.get(name, path).await?;
        ensure!(status == 200, "{name}{path}: {status}: {body}");
        Ok(body)
    }
}

/// The path of a user Worker in the API.
fn user(name: &str) -> String {
    format!("workers/dispatch/namespaces/customers/scripts/{name}")
}

/// A Worker that answers with a text.
fn saying(text: &str) -> String {
    format!("export default {{ fetch: () => new Response({text:?}) }};")
}

/// An upstream's answer that says what was stamped on the request.
fn echo_stamp(captured: &Captured) -> Reply {
    Reply::text(captured.header("x-stamped").unwrap_or_else(|| "nothing".to_owned()))
}
