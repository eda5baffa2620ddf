//! How long a deployment takes, from the upload's first byte to an answer of the new code.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use tidegate_e2e::{LocalPlatform, Part, Upstream};

use crate::figures::{ms, percentile};

const DEPLOYMENTS: usize = 200;

/// A dispatch Worker for the benchmarks: the first label of the host names the user Worker.
pub(crate) const DISPATCHER: &str = "export default { fetch: (request, env) => \
     env.DISPATCHER.get(new URL(request.url).hostname.split('.')[0], {}, { outbound: { customer: 'acme' } }).fetch(request) };";

pub(crate) async fn measure() -> Result<()> {
    let upstream = Upstream::start().await?;
    let platform = LocalPlatform::start(upstream.address()).await?;
    furnish(&platform, None).await?;
    let mut accepted = Vec::new();
    let mut live = Vec::new();
    for number in 0..DEPLOYMENTS {
        // As large as a small application: 20 KB.
        let code = format!("export default {{ fetch: () => new Response('{number}') }};\n// {}", "x".repeat(20_000));
        let begun = Instant::now();
        deploy(&platform, "acme", &code).await?;
        accepted.push(begun.elapsed());
        let (status, body) = platform.get("acme.apps.example", "/").await?;
        live.push(begun.elapsed());
        ensure!((status, body.as_str()) == (200, number.to_string().as_str()), "{status} {body}");
    }
    let show = |what: &str, samples: &mut [Duration]| {
        println!("  {what:<34} p50 {:>9}  p95 {:>9}", ms(percentile(samples, 50)), ms(percentile(samples, 95)));
    };
    println!("deploying a user Worker of 20 KB, {DEPLOYMENTS} times:");
    show("until it is accepted", &mut accepted);
    show("until it has answered a request", &mut live);
    platform.stop().await;
    Ok(())
}

/// A namespace `customers` and a dispatch Worker for it, with an outbound Worker if there is one.
pub(crate) async fn furnish(platform: &LocalPlatform, outbound: Option<&str>) -> Result<()> {
    let api = platform.api();
    api.create_namespace("customers").await?;
    let mut binding = json!({
        "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "customers",
    });
    let metadata = |bindings: serde_json::Value| json!({ "main_module": "index.js", "compatibility_date": "2026-01-01", "bindings": bindings });
    let mut dispatcher = DISPATCHER.to_owned();
    if let Some(code) = outbound {
        let parts = [Part::module("index.js", code)];
        api.upload("workers/scripts/outbound", &metadata(json!([])), &parts).await?.result()?;
        binding["outbound"] = json!({ "worker": { "service": "outbound" }, "params": [{ "name": "customer" }] });
    } else {
        dispatcher = dispatcher.replace(", {}, { outbound: { customer: 'acme' } }", "");
    }
    let parts = [Part::module("index.js", &dispatcher)];
    api.upload("workers/scripts/dispatcher", &metadata(json!([binding])), &parts).await?.result()?;
    Ok(())
}

/// Deploys a user Worker of one module.
pub(crate) async fn deploy(platform: &LocalPlatform, name: &str, code: &str) -> Result<()> {
    let path = format!("workers/dispatch/namespaces/customers/scripts/{name}");
    let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-01-01", "tags": ["all", name] });
    platform.api().upload(&path, &metadata, &[Part::module("index.js", code)]).await?.result()?;
    Ok(())
}
