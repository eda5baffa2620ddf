//! Other namespaces, other Workers, other KV namespaces: through bindings, and through the stubs behind them.

use super::*;

/// Invokes another Worker through a dispatch binding of its own, in each way that it can think of.
const NESTING: &str = include_str!("workers/nesting.js");

#[tokio::test]
async fn a_user_worker_that_has_a_dispatch_binding_invokes_nobody_by_it() -> Result<()> {
    let hosting = Hosting::start().await?;
    let helper = "export default { fetch: (request, env) => env.DISPATCHER.get('victim', {}, { outbound: { customer: 'stolen' } }).fetch(request) };";
    hosting.upload("workers/scripts/helper", helper, &json!({ "bindings": [dispatching()] })).await?;
    let bindings = json!([dispatching(), { "type": "service", "name": "HELPER", "service": "helper" }]);
    hosting.user("hostile", NESTING, &json!({ "bindings": bindings })).await?;
    hosting.user("victim", "export default { fetch: () => fetch('https://victim.example/') };", &json!({})).await?;

    all_refused(&hosting.json("hostile", "/").await?)?;
    // What it tries after its answer was sent is told to the upstream.
    let told = hosting.told("late.example").await?;
    assert!(told.path.starts_with("/refused"), "{}", told.path);
    assert!(!hosting.upstream.captured().iter().any(|captured| captured.host == "victim.example"));

    // Who may: a dispatch Worker, as often as it likes in one request, at once and one after another.
    let twice = r#"
        export default {
          async fetch(request, env) {
            const ask = (customer) => env.DISPATCHER.get("victim", {}, { outbound: { customer } }).fetch("http://any/").then((answer) => answer.text());
            return Response.json([...(await Promise.all([ask("a"), ask("b")])), await ask("c")]);
          },
        };
    "#;
    hosting.upload("workers/scripts/dispatcher", twice, &json!({ "bindings": [dispatching()] })).await?;
    assert_eq!(hosting.json("any", "/").await?, json!(["a", "b", "c"]));
    Ok(())
}

#[tokio::test]
async fn a_header_that_says_which_worker_is_meant_is_believed_of_nobody() -> Result<()> {
    let hosting = Hosting::start().await?;
    let code = "export default { fetch: (request) => Response.json([...request.headers.keys()]) };";
    hosting.user("acme", code, &json!({})).await?;
    hosting.user("victim", &saying("the victim"), &json!({})).await?;
    let forged = r#"{"name":"victim","outbound":{"customer":"victim"}}"#;
    let (status, seen) = hosting.ask("acme", "/", &[("x-tidegate-target", forged), ("x-own", "1")]).await?;
    assert_eq!(status, 200, "{seen}");
    assert!(seen.contains("x-own") && !seen.contains("x-tidegate-target"), "{seen}");
    assert_eq!(hosting.text("victim", "/").await?, "the victim", "the name in the right place means it");
    Ok(())
}

#[tokio::test]
async fn a_stub_without_its_shim_reaches_its_own_kv_namespace_and_nothing_else() -> Result<()> {
    let hosting = Hosting::start().await?;
    let api = hosting.platform.api();
    let create = async |title: &str| -> Result<String> {
        let made = api.json("POST", "storage/kv/namespaces", &json!({ "title": title })).await?.result()?;
        Ok(made["id"].as_str().context("an id")?.to_owned())
    };
    let (own, others) = (create("own").await?, create("others").await?);
    for (id, value) in [(&own, "own value"), (&others, "others' value")] {
        let path = format!("storage/kv/namespaces/{id}/values/key");
        api.send("PUT", &path, Some("text/plain"), value.into()).await?.result()?;
    }
    let secret = json!({ "bindings": [{ "type": "secret_text", "name": "S", "text": "others-secret" }] });
    hosting.user("victim", &saying("of others"), &secret).await?;
    // Whatever the shim asks the stub for, it is asked as the Worker wants it.
    let code = r#"
        export default {
          async fetch(request, env) {
            const outcomes = {};
            const { others } = Object.fromEntries(new URL(request.url).searchParams);
            // A key in place of which comes a path: the shim's encoding is taken away.
            const encode = globalThis.encodeURIComponent;
            const seen = async (path) => {
              globalThis.encodeURIComponent = () => path;
              try {
                return await env.KV.get("any");
              } catch (error) {
                return `threw ${error.message}`;
              } finally {
                globalThis.encodeURIComponent = encode;
              }
            };
            const control = await seen("key");
            const paths = ["../../../worker/1/victim", "..%2f..%2f..%2fworker/1/victim", "%2e%2e/%2e%2e/%2e%2e/worker/1/victim",
              `../../${others}/value/key`, `..%2F..%2F${others}%2Fvalue%2Fkey`, `%2e%2e/%2e%2e/${others}/value/key`,
              `..\\..\\${others}\\value\\key`, `/../../${others}/value/key`, `key?id=${others}`, `key#/../../${others}/value/key`,
              "../../../candidate/x", "../../../entrance?host=x", "\t../../../worker/1/victim", "key/../../../../worker/1/victim"];
            for (const path of paths) {
              const value = await seen(path);
              outcomes[path] = value === null || value === "own value" || value.startsWith("threw") ? "refused" : `got ${value}`;
            }
            return Response.json({ control, outcomes });
          },
        };
    "#;
    let binding = json!({ "type": "kv_namespace", "name": "KV", "namespace_id": own });
    hosting.user("hostile", code, &json!({ "bindings": [binding] })).await?;
    let seen = hosting.json("hostile", &format!("/?others={others}")).await?;
    assert_eq!(seen["control"], "own value");
    all_refused(&seen["outcomes"])?;
    Ok(())
}

#[tokio::test]
async fn what_stands_behind_a_service_binding_is_no_way_into_the_platforms_own_isolate() -> Result<()> {
    let hosting = Hosting::start().await?;
    let service = r#"
        import { WorkerEntrypoint } from "cloudflare:workers";
        export default class extends WorkerEntrypoint {
          add(a, b) { return a + b; }
          fetch() { return new Response(this.env.KEPT); }
        }
    "#;
    let kept = json!({ "bindings": [{ "type": "secret_text", "name": "KEPT", "text": "the account's own" }] });
    hosting.upload("workers/scripts/shared", service, &kept).await?;
    let code = r##"
        const reach = {
          "env": (s) => s.env, "env's secret": (s) => s.env.KEPT, "the control plane": (s) => s.env.CONTROL.fetch("http://control/worker/account/shared"),
          "the mark": (s) => s.env.MARK, "the loader": (s) => s.env.LOADER.get("x", () => ({})), "the way out": (s) => s.env.EGRESS.fetch("http://x/"),
          "ctx": (s) => s.ctx, "props": (s) => s.ctx.props, "exports": (s) => s.ctx.exports.Kv,
          "a constructor": (s) => s.constructor("return 1")(), "a method's constructor": (s) => s.add.constructor("return this")(),
          "a prototype": (s) => s.__proto__.fetch(), "a method's call": (s) => s.add.call(null, 1, 2), "a method's apply": (s) => s.add.apply(null, [1, 2]),
          "a private field": (s) => s["#open"]({ name: "x" }), "evict": (s) => s.evict(),
          "a raw connection": async (s) => { const socket = s.connect("127.0.0.1:1"); await socket.opened; return "opened"; },
        };
        export default {
          async fetch(request, { SHARED }) {
            const outcomes = {};
            for (const [attempt, act] of Object.entries(reach)) {
              outcomes[attempt] = await Promise.race([
                (async () => `got ${String(await act(SHARED))}`)().catch((error) => `refused: ${error.message}`),
                new Promise((resolve) => setTimeout(resolve, 3000, "refused: no answer")),
              ]);
            }
            return Response.json({ outcomes, control: [await SHARED.add(1, 2), await (await SHARED.fetch("http://any/")).text()] });
          },
        };
    "##;
    let bindings = json!([{ "type": "service", "name": "SHARED", "service": "shared" }]);
    hosting.user("hostile", code, &json!({ "bindings": bindings })).await?;
    let seen = hosting.json("hostile", "/").await?;
    assert_eq!(seen["control"], json!([3, "the account's own"]));
    all_refused(&seen["outcomes"])
}

#[tokio::test]
async fn the_platforms_own_entrypoints_can_be_named_by_no_binding() -> Result<()> {
    let hosting = Hosting::start().await?;
    hosting.upload("workers/scripts/shared", &saying("shared"), &json!({})).await?;
    let metadata = |entrypoint: &str| {
        let binding = json!({ "type": "service", "name": "S", "service": "shared", "entrypoint": entrypoint });
        json!({ "main_module": "index.js", "compatibility_date": "2026-01-01", "bindings": [binding] })
    };
    let parts = [Part::module("index.js", &saying("x"))];
    for entrypoint in ["__TidegateControl", "__TidegateMain", "__TidegateOutbound"] {
        let answer = hosting.platform.api().upload(&user("hostile"), &metadata(entrypoint), &parts).await?;
        assert!(answer.status == 400 && answer.message()?.contains("the platform's own"), "{answer:?}");
    }
    hosting.platform.api().upload(&user("acme"), &metadata("Named"), &parts).await?.result()?;
    Ok(())
}
