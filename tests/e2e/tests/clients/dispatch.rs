//! Dispatch Workers and outbound Workers, deployed by `wrangler`.

use anyhow::{Context as _, Result, ensure};

use crate::with_each;

/// Tells the outbound Worker the customer (a string) and what else is known (an object).
const DISPATCHER: &str = r#"
export default {
  async fetch(request, env) {
    const customer = new URL(request.url).hostname.split(".")[0];
    const context = { plan: env.PLAN, tags: ["paid", customer] };
    const worker = env.DISPATCHER.get(customer, {}, { outbound: { customer, context } });
    try {
      return await worker.fetch(request);
    } catch (error) {
      return new Response(error.message, { status: error.message === "Worker not found." ? 404 : 500 });
    }
  },
};
"#;

const OUTBOUND: &str = r#"
export default {
  fetch(request, env) {
    const headers = new Headers(request.headers);
    headers.set("x-customer", env.customer);
    headers.set("x-context", JSON.stringify(env.context));
    return fetch(new Request(request, { headers, redirect: "manual" }));
  },
};
"#;

const USER: &str = "export default { fetch() { return fetch('https://upstream.example/path?q=1'); } };";

fn dispatcher(plan: &str) -> String {
    format!(
        "name = \"dispatcher\"\n[vars]\nPLAN = \"{plan}\"\n\
         [[dispatch_namespaces]]\nbinding = \"DISPATCHER\"\nnamespace = \"customers\"\n\
         outbound = {{ service = \"outbound\", parameters = [\"customer\", \"context\"] }}\n"
    )
}

#[tokio::test]
async fn what_a_dispatch_worker_says_of_a_customer_reaches_the_outbound_worker_whoever_was_deployed_again() -> Result<()>
{
    with_each(async |managed| {
        let outbound = managed.deploy("name = \"outbound\"\nworkers_dev = false\n", OUTBOUND).await?;
        managed.project()?.run(&["dispatch-namespace", "create", "customers"]).await?;
        let user = managed.worker("name = \"acme\"\n", USER)?;
        user.run(&["deploy", "--dispatch-namespace", "customers"]).await?;
        let dispatching = managed.deploy(&dispatcher("gold"), DISPATCHER).await?;
        let arrived = async || -> Result<(String, String)> {
            ensure!(managed.get("acme.example").await? == "ok", "the upstream's answer does not come back");
            let captured = managed.upstream.take();
            let [request] = &captured[..] else { anyhow::bail!("one request leaves, not {captured:#?}") };
            ensure!(request.url() == "https://upstream.example/path?q=1", "{}", request.url());
            let header = |name| request.header(name).context("the outbound Worker was not asked");
            Ok((header("x-customer")?, header("x-context")?))
        };
        assert_eq!(arrived().await?, ("acme".to_owned(), r#"{"plan":"gold","tags":["paid","acme"]}"#.to_owned()));

        // Each of them again: one that exists goes another way, by versions and deployments.
        dispatching.file("wrangler.toml", crate::configuration(&dispatcher("silver")))?;
        dispatching.run(&["deploy"]).await?;
        assert_eq!(arrived().await?.1, r#"{"plan":"silver","tags":["paid","acme"]}"#);
        outbound.file("index.js", OUTBOUND.replace("env.customer)", "env.customer.toUpperCase())"))?;
        outbound.run(&["deploy"]).await?;
        assert_eq!(arrived().await?.0, "ACME");

        assert_eq!(managed.platform.get("nobody.example", "/").await?, (404, "Worker not found.".to_owned()));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_dispatch_worker_for_a_namespace_that_does_not_exist_is_not_deployed() -> Result<()> {
    with_each(async |managed| {
        managed.deploy("name = \"outbound\"\n", OUTBOUND).await?;
        let project = managed.worker(&dispatcher("gold"), DISPATCHER)?;
        let ran = project.run_in(".", &["deploy"], "").await?;
        // The newer one makes the namespace that it misses, where nobody is there to be asked.
        if managed.wrangler.version() == "4.86.0" {
            ran.badly()?.said("customers")?;
        } else {
            ran.well()?;
            managed.platform.api().get("workers/dispatch/namespaces/customers").await?.result()?;
        }
        Ok(())
    })
    .await
}
