//! Clients that nobody here wrote, unmodified, against the platform: two versions of `wrangler`, curl, and schemathesis.
//!
//! A test with `wrangler` is one body, run with each version on a platform of its own. Whatever a version asks of the
//! API that the API does not have fails the test: that is how a client that moved on is noticed.

mod account;
mod assets;
mod curl;
mod d1;
mod dispatch;
mod examples;
mod kv;
mod namespaces;
mod policy;
mod schemathesis;
mod secrets;
mod tails;
mod user_workers;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tidegate_e2e::{LocalPlatform, Part, Project, Upstream, Wrangler};

/// Calls the user Worker that the first label of the host names.
const DISPATCHER: &str = r#"
export default {
  async fetch(request, env) {
    try {
      return await env.DISPATCHER.get(new URL(request.url).hostname.split(".")[0]).fetch(request);
    } catch (error) {
      return new Response(error.message, { status: 500 });
    }
  },
};
"#;

/// A platform, what it reaches, and the client that manages it.
struct Managed {
    wrangler: Wrangler,
    platform: LocalPlatform,
    upstream: Upstream,
}

impl Managed {
    /// An empty project.
    fn project(&self) -> Result<Project> {
        self.wrangler.project(&self.platform)
    }

    /// A project of two files: `wrangler.toml` and `index.js`.
    fn worker(&self, config: &str, code: &str) -> Result<Project> {
        let project = self.project()?;
        project.file("wrangler.toml", configuration(config))?.file("index.js", code)?;
        Ok(project)
    }

    /// Deploys a Worker of two files.
    async fn deploy(&self, config: &str, code: &str) -> Result<Project> {
        let project = self.worker(config, code)?;
        project.run(&["deploy"]).await?;
        Ok(project)
    }

    /// Makes a namespace, and a dispatch Worker for it that answers all hosts; not by way of `wrangler`.
    async fn namespace(&self, name: &str) -> Result<()> {
        let api = self.platform.api();
        api.create_namespace(name).await?;
        let binding = json!({ "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": name });
        let metadata = json!({ "main_module": "index.js", "bindings": [binding] });
        api.upload("workers/scripts/dispatcher", &metadata, &[Part::module("index.js", DISPATCHER)]).await?.result()?;
        Ok(())
    }

    /// What a host answers to `GET /`, with 200.
    async fn get(&self, host: &str) -> Result<String> {
        let (status, body) = self.platform.get(host, "/").await?;
        ensure!(status == 200, "{host} answered {status}: {body}");
        Ok(body)
    }
}

/// A configuration with what all have in common.
fn configuration(rest: &str) -> String {
    format!("main = \"index.js\"\ncompatibility_date = \"2026-04-01\"\nsend_metrics = false\n{rest}")
}

/// Runs a test with each `wrangler`.
async fn with_each(test: impl AsyncFn(&Managed) -> Result<()>) -> Result<()> {
    for wrangler in Wrangler::all()? {
        with(wrangler, &test).await?;
    }
    Ok(())
}

/// Runs a test with one `wrangler`.
async fn with(wrangler: Wrangler, test: &impl AsyncFn(&Managed) -> Result<()>) -> Result<()> {
    let version = wrangler.version();
    let upstream = Upstream::start().await?;
    let platform = LocalPlatform::start(upstream.address()).await?;
    let managed = Managed { wrangler, platform, upstream };
    test(&managed).await.with_context(|| format!("with wrangler {version}"))?;
    let unknown = managed.platform.unknown_routes();
    ensure!(unknown.is_empty(), "wrangler {version} asked for what there is not: {unknown:#?}");
    managed.platform.stop().await;
    Ok(())
}
