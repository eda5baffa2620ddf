//! The clock jumps, forward and backward: what expires is a matter of the clock, and nothing else is.
//!
//! One test: the clock is the whole process's.

use anyhow::Result;
use serde_json::{Value, json};
use tidegate_e2e::{LocalPlatform, Part, Upstream};
use tidegate_platform::turn_clock;

const DAY: i64 = 24 * 60 * 60;

/// Says its number, and what is in KV.
const WORKER: &str = r#"
export default {
  async fetch(request, env) {
    return new Response(`NUMBER ${await env.KV.get("brief")} ${await env.KV.get("lasting")}`);
  },
};
"#;

#[tokio::test]
async fn when_the_clock_jumps_values_expire_by_it_and_the_last_change_is_still_the_last() -> Result<()> {
    let upstream = Upstream::start().await?;
    let platform = LocalPlatform::start(upstream.address()).await?;
    let api = platform.api();
    let kv = api.json("POST", "storage/kv/namespaces", &json!({ "title": "values" })).await?.result()?;
    let kv = kv["id"].as_str().unwrap_or_default();
    let put = async |key: &str, query: &str| {
        let path = format!("storage/kv/namespaces/{kv}/values/{key}{query}");
        api.send("PUT", &path, Some("text/plain"), b"there".to_vec()).await?.result().map(drop)
    };
    let deploy = async |number: u64| {
        let binding = json!({ "type": "kv_namespace", "name": "KV", "namespace_id": kv });
        let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-01-01", "bindings": [binding] });
        let parts = [Part::module("index.js", &WORKER.replace("NUMBER", &number.to_string()))];
        api.upload("workers/scripts/worker", &metadata, &parts).await?.result().map(drop)
    };
    let said = async || anyhow::Ok(platform.get("worker.workers.localhost", "/").await?.1);
    put("brief", "?expiration_ttl=3600").await?;
    put("lasting", "").await?;
    deploy(1).await?;
    platform.give_host("worker").await?;
    assert_eq!(said().await?, "1 there there");

    turn_clock(DAY);
    assert_eq!(said().await?, "1 null there", "an hour is over");
    let keys = api.get(&format!("storage/kv/namespaces/{kv}/keys")).await?.result()?;
    assert_eq!(keys, json!([{ "name": "lasting" }]));
    deploy(2).await?;
    assert_eq!(said().await?, "2 null there");

    // A write takes away what has expired; nothing was written to KV meanwhile.
    turn_clock(-DAY);
    assert_eq!(said().await?, "2 there there", "its hour has not come yet");
    deploy(3).await?;
    assert_eq!(said().await?, "3 there there", "what came last serves, whatever time it was");
    let versions = api.get("workers/scripts/worker/versions").await?.result()?;
    let numbers: Vec<_> =
        versions["items"].as_array().into_iter().flatten().map(|version| &version["number"]).collect();
    assert_eq!(numbers, [&json!(3), &json!(2), &json!(1)]);
    let current = &versions["items"][0]["id"];
    let deployments = api.get("workers/scripts/worker/deployments").await?.result()?;
    assert_eq!(&deployments["deployments"][0]["versions"][0]["version_id"], current);
    put("brief", "?expiration_ttl=60").await?;
    let script: Value = api.get("workers/services/worker").await?.result()?;
    let (created, modified) = (
        &script["default_environment"]["script"]["created_on"],
        &script["default_environment"]["script"]["modified_on"],
    );
    assert!(created.as_str() > modified.as_str(), "times are what the clock said: {created} {modified}");

    turn_clock(0);
    assert_eq!(said().await?, "3 null there");
    Ok(())
}
