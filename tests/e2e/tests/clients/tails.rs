//! `wrangler tail`.

use anyhow::{Result, ensure};
use serde_json::json;
use tidegate_e2e::Part;

use crate::with_each;

const CUSTOMER: &str = r#"
export default {
  fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    console.log("asked for", pathname, { big: 7 });
    if (pathname === "/fails") throw new TypeError("no such order");
    return new Response("ok");
  },
};
"#;

#[tokio::test]
async fn a_user_worker_is_followed_by_its_namespace_and_name() -> Result<()> {
    with_each(async |managed| {
        managed.namespace("customers").await?;
        for name in ["acme", "globex"] {
            let path = format!("workers/dispatch/namespaces/customers/scripts/{name}");
            let metadata = json!({ "main_module": "index.js" });
            managed.platform.api().upload(&path, &metadata, &[Part::module("index.js", CUSTOMER)]).await?.result()?;
        }
        ensure!(managed.get("acme.example").await? == "ok", "it serves before it is followed");

        let project = managed.project()?;
        let mut tail = project.follow(&["tail", "customers/acme", "--format", "pretty"])?;
        tail.says("Connected to customers/acme").await?;
        managed.get("globex.example").await?;
        managed.platform.get("acme.example", "/orders").await?;
        tail.says("GET http://acme.example/orders - Ok").await?;
        tail.says("(log) asked for /orders { big: 7 }").await?;
        managed.platform.get("acme.example", "/fails").await?;
        tail.says("GET http://acme.example/fails - Exception Thrown").await?;
        tail.says("asked for /fails").await?;
        ensure!(!tail.said().iter().any(|line| line.contains("globex")), "another Worker is not followed");
        tail.interrupt().await?;

        let tails = managed.platform.api().get("workers/dispatch/namespaces/customers/scripts/acme/tails").await?;
        ensure!(tails.result()?.as_array().is_some_and(Vec::is_empty), "the tail ended with its client");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_account_worker_is_followed_by_its_name_but_no_dispatch_worker_and_none_that_is_not_there() -> Result<()> {
    with_each(async |managed| {
        managed.namespace("customers").await?;
        managed.deploy("name = \"shop\"\n", CUSTOMER).await?;
        let project = managed.project()?;
        let mut tail = project.follow(&["tail", "shop", "--format", "pretty", "--status", "error"])?;
        tail.says("Connected to shop").await?;
        managed.platform.get("shop.workers.localhost", "/orders").await?;
        managed.platform.get("shop.workers.localhost", "/fails").await?;
        tail.says("/fails - Exception Thrown").await?;
        let line = tail.says("asked for").await?;
        ensure!(line.trim() == "(log) asked for /fails { big: 7 }", "nothing stands before what it logs: {line}");
        ensure!(!tail.said().iter().any(|line| line.contains("/orders")), "`--status error` leaves the others out");

        project.run_badly(&["tail", "dispatcher"]).await?.said("a dispatch namespace binding cannot be followed")?;
        project.run_badly(&["tail", "nobody"]).await?.said("This Worker does not exist")?;
        project.run_badly(&["tail", "shop", "--ip", "self"]).await?.said("leave `client_ip` out")?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_outbound_worker_is_followed_while_it_judges() -> Result<()> {
    with_each(async |managed| {
        let api = managed.platform.api();
        api.create_namespace("customers").await?;
        let upload = async |path: &str, bindings: serde_json::Value, code: &str| {
            let metadata = json!({ "main_module": "index.js", "bindings": bindings });
            api.upload(path, &metadata, &[Part::module("index.js", code)]).await?.result()
        };
        let outbound = "export default { fetch(request, env) { console.log('judged', request.url, env.customer); return fetch(request); } };";
        upload("workers/scripts/outbound", json!([]), outbound).await?;
        let binding = json!({
            "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "customers",
            "outbound": { "worker": { "service": "outbound" }, "params": [{ "name": "customer" }] },
        });
        let dispatcher = "export default { fetch: (request, env) => env.DISPATCHER.get('acme', {}, { outbound: { customer: 'Acme' } }).fetch(request) };";
        upload("workers/scripts/dispatcher", json!([binding]), dispatcher).await?;
        let customer = "export default { fetch: () => fetch('http://api.example/orders') };";
        upload("workers/dispatch/namespaces/customers/scripts/acme", json!([]), customer).await?;
        managed.get("acme.example").await?;

        let project = managed.project()?;
        let mut tail = project.follow(&["tail", "outbound", "--format", "pretty"])?;
        tail.says("Connected to outbound").await?;
        managed.get("acme.example").await?;
        tail.says("api.example/orders - Ok").await?;
        let line = tail.says("judged").await?;
        ensure!(line.trim() == "(log) judged http://api.example/orders Acme", "{line}");
        Ok(())
    })
    .await
}
