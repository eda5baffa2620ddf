//! `examples/`, deployed as they are, by the newest `wrangler`: the tests of `tidegate dev` have the older one do it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tidegate_e2e::{OutboundWorker, Project, Wrangler, repository};

use crate::policy::TidegateOutbound;
use crate::{Managed, with};

/// A user Worker that wants more than the examples' limit of 20 subrequests.
const GREEDY: &str = r#"
export default {
  async fetch(request) {
    const count = Number(new URL(request.url).searchParams.get("count"));
    for (let done = 0; done < count; done++) await fetch("https://example.com/");
    return new Response(`fetched ${count} times`);
  },
};
"#;

#[tokio::test]
async fn the_examples_route_by_subdomain_by_path_and_by_kv_and_tell_the_outbound_worker_who_it_is() -> Result<()> {
    let test = async |managed: &Managed| {
        managed.platform.api().create_namespace("production").await?;
        let policy = repository().join("examples/policy.toml");
        TidegateOutbound::deploy(managed, &OutboundWorker::with_policy_file(&policy)?).await?;
        let examples = managed.project()?;
        copy(&repository().join("examples"), examples.folder())?;
        deploy_user_workers(managed, &examples).await?;

        let deploy = async |example: &str| examples.run_in(example, &["deploy"], "").await?.well().map(drop);
        deploy("dispatch-subdomain").await?;
        by_subdomain(managed).await?;
        remove(managed, "dispatch-subdomain").await?;
        deploy("dispatch-path").await?;
        by_path(managed).await?;
        remove(managed, "dispatch-path").await?;
        deploy("dispatch-kv").await?;
        with_a_route(&examples).await?;
        by_kv(managed).await
    };
    with(Wrangler::v4_164()?, &test).await
}

async fn by_subdomain(managed: &Managed) -> Result<()> {
    let said = get(managed, "acme.apps.example", "/", 200).await?;
    ensure!(said == "https://example.com/ answered 200:\nok\n", "{said}");
    assert_eq!(customers(managed), ["acme"]);
    assert_eq!(get(managed, "beta.apps.example", "/there", 200).await?, "/there: example.com answered 200\n");
    assert_eq!(customers(managed), ["beta"]);
    // It is free, and so must not go to example.org.
    let refused = get(managed, "acme.apps.example", "/?url=https://example.org/", 200).await?;
    ensure!(refused.contains("https://example.org/ answered 403"), "{refused}");
    assert_eq!(customers(managed), [] as [&str; 0]);

    get(managed, "nobody.apps.example", "/", 404).await?;
    get(managed, "localhost", "/", 404).await?;
    assert_eq!(get(managed, "greedy.apps.example", "/?count=20", 200).await?, "fetched 20 times");
    assert_eq!(customers(managed).len(), 20);
    get(managed, "greedy.apps.example", "/?count=21", 429).await?;
    assert_eq!(customers(managed).len(), 20);
    Ok(())
}

async fn by_path(managed: &Managed) -> Result<()> {
    // It has a name of its own, and so a host.
    let host = "dispatch-path.workers.localhost";
    assert_eq!(get(managed, host, "/beta/there/", 200).await?, "/there/: example.com answered 200\n");
    assert_eq!(customers(managed), ["beta"]);
    get(managed, host, "/acme?url=https://example.com/", 200).await?;
    assert_eq!(customers(managed), ["acme"]);
    get(managed, host, "/nobody/there", 404).await?;
    get(managed, host, "/", 404).await?;
    Ok(())
}

async fn by_kv(managed: &Managed) -> Result<()> {
    get(managed, "www.acme.example", "/", 200).await?;
    assert_eq!(customers(managed), ["acme inc"]);
    let paid = get(managed, "www.acme.example", "/?url=https://example.org/", 200).await?;
    ensure!(paid.contains("https://example.org/ answered 200"), "{paid}");
    get(managed, "acme.apps.example", "/", 404).await?;
    Ok(())
}

async fn deploy_user_workers(managed: &Managed, examples: &Project) -> Result<()> {
    for (example, customer) in [("user-worker", "acme"), ("user-service-worker", "beta")] {
        let deploy = ["deploy", "--dispatch-namespace", "production", "--name", customer];
        examples.run_in(example, &deploy, "").await?.well()?;
    }
    let greedy = managed.worker("name = \"greedy\"\n", GREEDY)?;
    greedy.run(&["deploy", "--dispatch-namespace", "production"]).await.map(drop)
}

/// Puts a route into the KV namespace that `wrangler` made with the Worker.
async fn with_a_route(examples: &Project) -> Result<()> {
    let listed: Vec<Value> = serde_json::from_str(examples.run(&["kv", "namespace", "list"]).await?.output())?;
    let [Value::Object(one)] = &listed[..] else { bail!("there is one KV namespace, not {listed:#?}") };
    let id = one["id"].as_str().context("no id")?;
    let route = r#"{"script":"acme","customer":"acme inc","tags":["paid"]}"#;
    let put = ["kv", "key", "put", "--remote", "--namespace-id", id, "www.acme.example", route];
    examples.run(&put).await.map(drop)
}

async fn remove(managed: &Managed, worker: &str) -> Result<()> {
    managed.platform.api().delete(&format!("workers/scripts/{worker}")).await?.result().map(drop)
}

async fn get(managed: &Managed, host: &str, path: &str, expected: u16) -> Result<String> {
    let (status, body) = managed.platform.get(host, path).await?;
    ensure!(status == expected, "{host}{path} answered {status}: {body}");
    Ok(body)
}

/// Who the requests that left were stamped with.
fn customers(managed: &Managed) -> Vec<String> {
    managed.upstream.take().iter().map(|request| request.header("x-customer").unwrap_or_default()).collect()
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_name().to_str() {
            Some("node_modules" | ".wrangler") => {}
            _ if entry.file_type()?.is_dir() => copy(&entry.path(), &target)?,
            _ => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}
