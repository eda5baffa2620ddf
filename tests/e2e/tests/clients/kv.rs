//! `wrangler kv …`, and a dispatch Worker that routes by what was put.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{configuration, with_each};

/// Asks KV whose Worker a host is.
const ROUTER: &str = r"
export default {
  async fetch(request, env) {
    const { hostname } = new URL(request.url);
    const { value: name, metadata } = await env.ROUTES.getWithMetadata(hostname);
    if (name === null) return new Response(`nobody is at ${hostname}`, { status: 404 });
    const answer = await env.DISPATCHER.get(name).fetch(request);
    return new Response(`${await answer.text()} ${JSON.stringify(metadata)}`);
  },
};
";

#[tokio::test]
async fn hosts_that_are_put_into_kv_lead_to_their_workers_until_they_are_deleted() -> Result<()> {
    with_each(async |managed| {
        let project = managed.project()?;
        project.run(&["kv", "namespace", "create", "ROUTES"]).await?.said("ROUTES")?;
        let listed: Vec<Value> = serde_json::from_str(project.run(&["kv", "namespace", "list"]).await?.output())?;
        let [Value::Object(one)] = &listed[..] else { anyhow::bail!("there is one namespace, not {listed:#?}") };
        let id = one["id"].as_str().context("no id")?;

        managed.platform.api().create_namespace("customers").await?;
        let user =
            managed.worker("name = \"acme\"\n", "export default { fetch() { return new Response('acme'); } };")?;
        user.run(&["deploy", "--dispatch-namespace", "customers"]).await?;
        let config = format!(
            "name = \"router\"\n[[kv_namespaces]]\nbinding = \"ROUTES\"\nid = \"{id}\"\n\
             [[dispatch_namespaces]]\nbinding = \"DISPATCHER\"\nnamespace = \"customers\"\n"
        );
        project.file("wrangler.toml", configuration(&config))?.file("index.js", ROUTER)?;
        project.run(&["deploy"]).await?;
        assert_eq!(managed.platform.get("www.acme.example", "/").await?.0, 404);

        let key = |verb, rest: &[&'static str]| -> Vec<String> {
            let words = ["kv", "key", verb, "--remote", "--namespace-id", id];
            words.iter().chain(rest).map(|&word| word.to_owned()).collect()
        };
        let run = async |words: Vec<String>| project.run(&words.iter().map(String::as_str).collect::<Vec<_>>()).await;
        run(key("put", &["www.acme.example", "acme", "--metadata", r#"{"plan":"gold"}"#])).await?;
        run(key("put", &["a key / of % its own?", "a value"])).await?;
        assert_eq!(managed.get("www.acme.example").await?, r#"acme {"plan":"gold"}"#);
        run(key("get", &["a key / of % its own?", "--text"])).await?.said("a value")?;
        run(key("list", &[])).await?.said("www.acme.example")?.said("a key / of % its own?")?.said("gold")?;
        run(key("list", &["--prefix", "www."])).await?.said("www.acme.example")?.did_not_say("a key")?;
        run(key("delete", &["www.acme.example"])).await?;
        assert_eq!(managed.platform.get("www.acme.example", "/").await?.0, 404);

        project.file("entries.json", r#"[{"key":"bulk.example","value":"acme"},{"key":"other","value":"x"}]"#)?;
        project.run(&["kv", "bulk", "put", "entries.json", "--remote", "--namespace-id", id]).await?;
        assert_eq!(managed.get("bulk.example").await?, "acme null");
        project.file("keys.json", r#"["bulk.example"]"#)?;
        project.run(&["kv", "bulk", "delete", "keys.json", "--remote", "--namespace-id", id, "--force"]).await?;
        assert_eq!(managed.platform.get("bulk.example", "/").await?.0, 404);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_kv_namespace_is_renamed_and_deleted() -> Result<()> {
    with_each(async |managed| {
        let project = managed.project()?;
        let list = async || managed.platform.api().get("storage/kv/namespaces").await?.result();
        project.run(&["kv", "namespace", "create", "ROUTES"]).await?;
        project.run_badly(&["kv", "namespace", "create", "ROUTES"]).await?.said("already exists")?;
        let id = list().await?[0]["id"].as_str().context("no id")?.to_owned();
        project.run(&["kv", "namespace", "rename", "--namespace-id", &id, "--new-name", "PLACES"]).await?;
        assert_eq!(list().await?[0]["title"], "PLACES");
        project.run(&["kv", "namespace", "delete", "--namespace-id", &id, "--skip-confirmation"]).await?;
        assert_eq!(list().await?, json!([]));
        Ok(())
    })
    .await
}
