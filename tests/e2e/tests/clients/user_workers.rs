//! `wrangler deploy --dispatch-namespace …`.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{configuration, with_each};

/// `(module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))`
const ADD: &[u8] = b"\0asm\x01\0\0\0\x01\x07\x01\x60\x02\x7f\x7f\x01\x7f\x03\x02\x01\0\x07\x07\x01\x03add\0\0\x0a\x09\x01\x07\0\x20\0\x20\x01\x6a\x0b";

const ACME: &str = r#"
import greeting from "./greeting.txt";
import wasm from "./add.wasm";
import { PUNCTUATION } from "./punctuation";

const { add } = new WebAssembly.Instance(wasm).exports;

export default {
  async fetch(request: Request, env: { PLAN: string; LIMITS: { sites: number }; KEY?: string }): Promise<Response> {
    return new Response(`${greeting.trim()}, ${env.PLAN} ${env.LIMITS.sites} ${add(2, 3)} ${env.KEY}${PUNCTUATION}`);
  },
};
"#;

fn acme(plan: &str) -> String {
    configuration("name = \"acme\"\n").replace("index.js", "src/index.ts")
        + &format!("[vars]\nPLAN = \"{plan}\"\nLIMITS = {{ sites = 7 }}\n")
}

#[tokio::test]
async fn a_user_worker_with_variables_and_modules_is_deployed_and_again_and_its_secrets_stay() -> Result<()> {
    with_each(async |managed| {
        managed.namespace("customers").await?;
        let project = managed.project()?;
        project.file("wrangler.toml", acme("gold"))?;
        project.file("src/index.ts", ACME)?.file("src/punctuation.ts", "export const PUNCTUATION: string = '!';")?;
        project.file("src/greeting.txt", "hello\n")?.file("src/add.wasm", ADD)?;
        let deploy = ["deploy", "--dispatch-namespace", "customers"];
        project.run(&deploy).await?.said("acme")?.did_not_say("undefined")?;
        assert_eq!(managed.get("acme.example").await?, "hello, gold 7 5 undefined!");

        let secret = json!({ "name": "KEY", "type": "secret_text", "text": "sesame" });
        let path = "workers/dispatch/namespaces/customers/scripts/acme/secrets";
        managed.platform.api().json("PUT", path, &secret).await?.result()?;
        project.file("wrangler.toml", acme("silver"))?.file("src/greeting.txt", "good-bye\n")?;
        project.run(&deploy).await?;
        assert_eq!(managed.get("acme.example").await?, "good-bye, silver 7 5 sesame!");
        Ok(())
    })
    .await
}

/// Bundled with what stands in for Node's modules that the runtime does not have itself.
const OF_NODE: &str = r#"
import { createHash } from "node:crypto";
import { join } from "node:path";

export default {
  fetch() {
    const digest = createHash("sha256").update("x").digest("hex").slice(0, 6);
    return new Response(`${join("a", "..", "b")} ${digest} ${process.env.PLAN}`);
  },
};
"#;

/// Everything that it has is a global.
const SERVICE_WORKER: &str = r#"
addEventListener("fetch", (event) => {
  const { add } = new WebAssembly.Instance(ADD).exports;
  event.respondWith(new Response(`${GREETING} ${PLAN} ${add(2, 3)} ${new Uint8Array(BYTES)[0]}`));
});
"#;

#[tokio::test]
async fn a_user_worker_may_import_modules_of_node_or_be_in_service_worker_syntax() -> Result<()> {
    with_each(async |managed| {
        managed.namespace("customers").await?;
        let deploy = ["deploy", "--dispatch-namespace", "customers"];
        let config = "name = \"of-node\"\ncompatibility_flags = [\"nodejs_compat\"]\n[vars]\nPLAN = \"gold\"\n";
        managed.worker(config, OF_NODE)?.run(&deploy).await?;
        assert_eq!(managed.get("of-node.example").await?, "b 2d7116 gold");

        let config = "name = \"service\"\n[vars]\nPLAN = \"gold\"\n[wasm_modules]\nADD = \"add.wasm\"\n\
                      [text_blobs]\nGREETING = \"greeting.txt\"\n[data_blobs]\nBYTES = \"bytes.bin\"\n";
        let project = managed.worker(config, SERVICE_WORKER)?;
        project.file("add.wasm", ADD)?.file("greeting.txt", "hello")?.file("bytes.bin", [7])?;
        project.run(&deploy).await?;
        assert_eq!(managed.get("service.example").await?, "hello gold 5 7");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn code_that_does_not_start_is_refused_with_the_message_of_the_runtime_and_the_old_goes_on_serving() -> Result<()>
{
    with_each(async |managed| {
        managed.namespace("customers").await?;
        let good = "export default { fetch() { return new Response('as before'); } };";
        let project = managed.worker("name = \"acme\"\nno_bundle = true\n", good)?;
        let deploy = ["deploy", "--dispatch-namespace", "customers"];
        project.run(&deploy).await?;
        let broken = [
            ("const pattern = /(/; export default { fetch() {} };", "SyntaxError: Invalid regular expression"),
            ("import './missing.js'; export default { fetch() {} };", "No such module \"missing.js\""),
            ("throw new Error('no luck'); export default { fetch() {} };", "Error: no luck"),
        ];
        for (code, message) in broken {
            project.file("index.js", code)?;
            let refused = project.run_badly(&deploy).await?;
            refused.said(message)?.said("[code: 10021]")?;
            let served = managed.get("acme.example").await?;
            ensure!(served == "as before", "after `{code}` it serves `{served}`");
        }
        // The same for one that has never run: there is none afterwards.
        project.run_badly(&["deploy", "--dispatch-namespace", "customers", "--name", "beta"]).await?.said("10021")?;
        let (_, answer) = managed.platform.get("beta.example", "/").await?;
        assert_eq!(answer, "Worker not found.");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_namespace_that_does_not_exist_is_named_as_what_is_missing() -> Result<()> {
    with_each(async |managed| {
        let project = managed.worker("name = \"acme\"\n", "export default { fetch() { return new Response(); } };")?;
        let refused = project.run_badly(&["deploy", "--dispatch-namespace", "nowhere"]).await?;
        refused.said("namespaces/nowhere")?.said("dispatch_namespace_not_found [code: 100119]")?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_binding_that_the_platform_does_not_have_is_refused_by_its_name() -> Result<()> {
    with_each(async |managed| {
        managed.namespace("customers").await?;
        let config =
            "name = \"acme\"\n[[hyperdrive]]\nbinding = \"LEGACY\"\nid = \"57b7076f58be42419276f058a8968187\"\n";
        let project = managed.worker(config, "export default { fetch() { return new Response(); } };")?;
        let refused = project.run_badly(&["deploy", "--dispatch-namespace", "customers"]).await?;
        refused.said("LEGACY")?.said("hyperdrive")?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn limits_and_data_points_are_bound_as_a_project_says_and_a_dataset_without_a_name_has_the_bindings() -> Result<()>
{
    with_each(async |managed| {
        managed.namespace("customers").await?;
        let config = "name = \"acme\"\n[[analytics_engine_datasets]]\nbinding = \"METRICS\"\n\
                      [[ratelimits]]\nname = \"LIMITER\"\nnamespace_id = \"1001\"\nsimple = { limit = 1, period = 60 }\n";
        let code = "export default { async fetch(request, env) {
            env.METRICS.writeDataPoint({ blobs: ['asked'] });
            const calls = [];
            for (let i = 0; i < 4; i++) calls.push((await env.LIMITER.limit({ key: 'a' })).success);
            return Response.json(calls);
        } };";
        let project = managed.worker(config, code)?;
        project.run(&["deploy", "--dispatch-namespace", "customers"]).await?;
        let bindings = "workers/dispatch/namespaces/customers/scripts/acme/bindings";
        let bindings = managed.platform.api().get(bindings).await?.result()?;
        let metrics = json!({ "type": "analytics_engine", "name": "METRICS", "dataset": "METRICS" });
        ensure!(bindings.as_array().is_some_and(|all| all.contains(&metrics)), "{bindings}");
        // A window may end between two calls, and another begin.
        let answer = managed.get("acme.example").await?;
        ensure!(answer.starts_with("[true,") && answer.contains("false"), "{answer}");
        Ok(())
    })
    .await
}
