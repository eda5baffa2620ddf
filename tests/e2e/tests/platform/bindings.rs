//! What stands behind the bindings of user Workers, and what does not.

use super::*;

#[tokio::test]
async fn kv_does_what_its_documentation_says() -> Result<()> {
    let running = Running::start().await?;
    let kv =
        running.platform.api().json("POST", "storage/kv/namespaces", &json!({ "title": "routes" })).await?.result()?;
    let code = r#"
        export default {
          async fetch(request, { KV }) {
            await KV.put("text", "é\n1");
            await KV.put("a/b?c=%20", new Uint8Array([1, 2, 3]), { metadata: { kind: "bytes ü" } });
            await KV.put("stream", new Response("streamed").body, { expirationTtl: 600 });
            const short = await KV.put("short", "x", { expirationTtl: 5 }).catch((error) => error.message);
            const bytes = await KV.getWithMetadata("a/b?c=%20", "arrayBuffer");
            await KV.put("json", JSON.stringify({ deep: [1] }));
            await KV.put("gone", "soon");
            await KV.delete("gone");
            const first = await KV.list({ limit: 2 });
            const rest = await KV.list({ cursor: first.cursor });
            return Response.json({
              text: await KV.get("text"),
              bytes: [...new Uint8Array(bytes.value)], metadata: bytes.metadata,
              stream: await new Response(await KV.get("stream", { type: "stream" })).text(),
              json: await KV.get("json", "json"),
              gone: await KV.get("gone"),
              nothing: await KV.getWithMetadata("nothing"),
              names: [...first.keys, ...rest.keys].map(({ name }) => name),
              complete: [first.list_complete, rest.list_complete],
              prefixed: (await KV.list({ prefix: "a/" })).keys,
              refused: short.includes("at least 60"),
              class: KV.constructor.name,
            });
          },
        };
    "#;
    let binding = json!({ "type": "kv_namespace", "name": "KV", "namespace_id": kv["id"] });
    running.deploy(&user("acme"), code, &json!({ "bindings": [binding] })).await?;
    let seen: Value = serde_json::from_str(&running.text("acme", "/").await?)?;
    let expected = json!({
        "text": "é\n1", "bytes": [1, 2, 3], "metadata": { "kind": "bytes ü" }, "stream": "streamed",
        "json": { "deep": [1] }, "gone": null,
        "nothing": { "value": null, "metadata": null, "cacheStatus": null },
        "names": ["a/b?c=%20", "json", "stream", "text"], "complete": [false, true],
        "prefixed": [{ "name": "a/b?c=%20", "metadata": { "kind": "bytes ü" } }],
        "refused": true, "class": "KvNamespace",
    });
    assert_eq!(seen, expected);
    Ok(())
}

#[tokio::test]
async fn what_a_user_worker_reaches_by_a_service_binding_goes_out_through_the_outbound_worker_too() -> Result<()> {
    let running = Running::start().await?;
    running.upstream.otherwise(echo_stamp);
    let service = r#"
        import { WorkerEntrypoint } from "cloudflare:workers";
        export default class extends WorkerEntrypoint {
          add(a, b) { return a + b; }
          async fetch() { return fetch("https://api.example/of-the-service"); }
        }
        export class Named extends WorkerEntrypoint { greet(name) { return `hello ${name}`; } }
    "#;
    running.deploy("workers/scripts/shared", service, &json!({})).await?;
    let code = r#"
        export default {
          async fetch(request, { SHARED, NAMED }) {
            // As it came, with all of its headers: what it belongs to does not end with what it is handed on to.
            await (await SHARED.fetch(request)).text();
            // Longer than it takes until the platform looks at what is over.
            await new Promise((resolve) => setTimeout(resolve, 600));
            const own = await (await fetch("https://api.example/of-the-worker")).text();
            const answer = await SHARED.fetch("http://any/");
            const hidden = await Promise.resolve(SHARED.env).then(() => "shown", () => "hidden");
            return Response.json([own, await answer.text(), await SHARED.add(1, 2), await NAMED.greet("acme"), hidden]);
          },
        };
    "#;
    let bindings = json!([
        { "type": "service", "name": "SHARED", "service": "shared" },
        { "type": "service", "name": "NAMED", "service": "shared", "entrypoint": "Named" },
    ]);
    running.deploy(&user("acme"), code, &json!({ "bindings": bindings })).await?;
    let seen: Value = serde_json::from_str(&running.text("acme", "/").await?)?;
    assert_eq!(seen, json!(["acme", "acme", 3, "hello acme", "hidden"]));
    Ok(())
}

#[tokio::test]
async fn an_untrusted_worker_has_no_cf_and_no_shared_cache_and_a_trusted_one_has_cf() -> Result<()> {
    let running = Running::start().await?;
    let code = r#"
        export default {
          async fetch(request) {
            await caches.default.put("https://shared.example/", new Response("left behind"));
            const named = await caches.open("mine");
            const found = [await caches.default.match("https://shared.example/"), await named.match("https://shared.example/")];
            return Response.json([typeof request.cf, found.map((answer) => typeof answer), request.headers.has("cf-ray")]);
          },
        };
    "#;
    running.user("acme", code).await?;
    assert_eq!(running.text("acme", "/").await?, r#"["undefined",["undefined","undefined"],true]"#);
    let api = running.platform.api();
    api.json("PATCH", "workers/dispatch/namespaces/customers", &json!({ "trusted_workers": true })).await?.result()?;
    assert_eq!(
        running.text("acme", "/").await?,
        r#"["undefined",["undefined","undefined"],true]"#,
        "until it is deployed again"
    );
    running.user("acme", code).await?;
    assert_eq!(running.text("acme", "/").await?, r#"["object",["undefined","undefined"],true]"#);
    Ok(())
}

#[tokio::test]
async fn raw_tcp_leads_nowhere() -> Result<()> {
    let running = Running::start().await?;
    let code = r#"
        import { connect } from "cloudflare:sockets";
        export default {
          async fetch(request) {
            const address = new URL(request.url).searchParams.get("to");
            try {
              const socket = connect(address);
              await socket.opened;
              return new Response("opened");
            } catch (error) {
              return new Response(`refused: ${error.message}`);
            }
          },
        };
    "#;
    running.user("acme", code).await?;
    let seen = running.text("acme", &format!("/?to={}", running.upstream.address())).await?;
    assert!(seen.starts_with("refused"), "{seen}");
    assert_eq!(running.upstream.captured().len(), 0);
    Ok(())
}

#[tokio::test]
async fn the_platforms_own_sockets_are_out_of_reach_of_user_workers() -> Result<()> {
    let upstream = Upstream::start().await?;
    let platform = LocalPlatform::with(tidegate_platform::Options {
        egress: tidegate_platform::runtime::Egress::Public,
        ..LocalPlatform::options(upstream.address())?
    })
    .await?;
    let running = Running { platform, upstream };
    running.furnish().await?;
    let code = r#"
        export default {
          async fetch(request) {
            const to = new URL(request.url).searchParams.get("to");
            return fetch(to).then((answer) => new Response(`reached ${answer.status}`), (error) => new Response(`refused: ${error.message}`));
          },
        };
    "#;
    running.user("acme", code).await?;
    let api = running.platform.platform().api_address();
    for to in [format!("http://{api}/client/v4/user"), "http://control/worker/account/outbound".to_owned()] {
        let seen = running.text("acme", &format!("/?to={to}")).await?;
        assert!(seen.starts_with("refused"), "{to}: {seen}");
    }
    Ok(())
}

#[tokio::test]
async fn what_the_outbound_worker_reaches_by_a_service_binding_goes_out_directly() -> Result<()> {
    let running = Running::start().await?;
    running.upstream.otherwise(echo_stamp);
    let inner = "export default { fetch: () => fetch('https://vault.example/key') };";
    let outer = "export default { fetch: (request, env) => env.INNER.fetch(request) };";
    let bound =
        |name: &str, service: &str| json!({ "bindings": [{ "type": "service", "name": name, "service": service }] });
    running.deploy("workers/scripts/inner", inner, &json!({})).await?;
    running.deploy("workers/scripts/outer", outer, &bound("INNER", "inner")).await?;
    let outbound = r#"
        export default {
          async fetch(request, env) {
            const key = await (await env.OUTER.fetch("http://any/")).text();
            return fetch(new Request(request, { headers: { "x-stamped": `${env.customer} with ${key}` }, redirect: "manual" }));
          },
        };
    "#;
    running.deploy("workers/scripts/outbound", outbound, &bound("OUTER", "outer")).await?;
    running.user("acme", "export default { fetch: () => fetch('https://api.example/') };").await?;
    assert_eq!(running.text("acme", "/").await?, "acme with nothing");
    let seen: Vec<String> = running.upstream.captured().iter().map(|captured| captured.host.clone()).collect();
    assert_eq!(seen, ["vault.example", "api.example"]);
    Ok(())
}
