//! The outbound Worker that Tidegate builds, deployed by `wrangler`.

use std::fs;

use anyhow::{Context as _, Result};
use tidegate_e2e::{OutboundWorker, Project};

use crate::{Managed, configuration, with_each};

const POLICY: &str = r#"
policy  = 1
default = "deny"

[[rule]]
id     = "billing"
effect = "allow"
hosts  = ["api.billing.example"]
set    = { x-tenant = "{customer}" }
"#;

/// Passes on what it is asked to fetch.
const USER: &str = r#"
export default {
  async fetch(request) {
    const answer = await fetch(new URL(request.url).searchParams.get("url"));
    return new Response(await answer.text(), answer);
  },
};
"#;

const DISPATCHER: &str = r#"
export default {
  fetch(request, env) {
    const customer_name = new URL(request.url).hostname.split(".")[0];
    return env.DISPATCHER.get(customer_name, {}, { outbound: { customer_name } }).fetch(request);
  },
};
"#;

/// The outbound Worker, which is deployed again with each policy.
pub(crate) struct TidegateOutbound(Project);

impl TidegateOutbound {
    pub(crate) async fn deploy(managed: &Managed, worker: &OutboundWorker) -> Result<Self> {
        let project = managed.project()?;
        let config = "name = \"tidegate-outbound\"\nworkers_dev = false\nno_bundle = true\n\
                      find_additional_modules = true\n\
                      rules = [{ type = \"CompiledWasm\", globs = [\"**/*.wasm\"] }]\n";
        project.file("wrangler.toml", configuration(config))?;
        let outbound = Self(project);
        outbound.deploy_again(worker).await?;
        Ok(outbound)
    }

    async fn deploy_again(&self, worker: &OutboundWorker) -> Result<()> {
        for module in ["index.js", "index_bg.wasm"] {
            self.0.file(module, fs::read(worker.folder().join(module))?)?;
        }
        self.0.run(&["deploy"]).await.map(drop)
    }
}

#[tokio::test]
async fn the_outbound_worker_that_wrangler_deploys_judges_by_its_policy() -> Result<()> {
    with_each(async |managed| {
        let outbound = TidegateOutbound::deploy(managed, &OutboundWorker::with_policy(POLICY)?).await?;
        managed.platform.api().create_namespace("customers").await?;
        managed
            .deploy(
                "name = \"dispatcher\"\n[[dispatch_namespaces]]\nbinding = \"DISPATCHER\"\nnamespace = \"customers\"\n\
                 outbound = { service = \"tidegate-outbound\", parameters = [\"customer_name\"] }\n",
                DISPATCHER,
            )
            .await?;
        managed.worker("name = \"acme\"\n", USER)?.run(&["deploy", "--dispatch-namespace", "customers"]).await?;

        let fetched = async |url: &str| managed.platform.get("acme.example", &format!("/?url={url}")).await;
        assert_eq!(fetched("https://api.billing.example/v1").await?, (200, "ok".to_owned()));
        let [request] = &managed.upstream.take()[..] else { anyhow::bail!("one request leaves") };
        assert_eq!(request.url(), "https://api.billing.example/v1");
        assert_eq!(request.header("x-tenant").as_deref(), Some("acme"));
        let (status, refusal) = fetched("https://elsewhere.example/").await?;
        let refusal: serde_json::Value = serde_json::from_str(&refusal).context(refusal)?;
        assert_eq!((status, refusal["reason"].as_str()), (403, Some("default")));
        assert_eq!(managed.upstream.take(), []);

        // Another policy is another deployment.
        let other = POLICY.replace("api.billing.example", "elsewhere.example");
        outbound.deploy_again(&OutboundWorker::with_policy(&other)?).await?;
        assert_eq!(fetched("https://elsewhere.example/").await?.0, 200);
        assert_eq!(fetched("https://api.billing.example/v1").await?.0, 403);
        Ok(())
    })
    .await
}
