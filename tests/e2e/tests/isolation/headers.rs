//! `cf`, and the headers with which the platform speaks to itself.

use super::*;

#[tokio::test]
async fn what_the_platform_says_in_headers_a_user_worker_can_neither_say_nor_hear() -> Result<()> {
    let hosting = Hosting::start().await?;
    let code = r#"
        export default {
          async fetch(request) {
            const forged = {
              "x-tidegate-scheme": "gopher", "x-tidegate-cf": '{"forged":true}', "x-tidegate-target": '{"name":"victim"}',
              "cf-worker": "victim.example", "cf-connecting-ip": "10.0.0.1", "x-forwarded-proto": "gopher", "x-own": "1",
              "cf-blob": '{"forged":true}', "cf-ray": "0000000000000000-LOC",
            };
            await fetch("https://api.example/", { headers: forged, cf: { resolveOverride: "127.0.0.1", cacheKey: "shared", cacheEverything: true } });
            return Response.json([Object.fromEntries(request.headers), request.cf ?? null]);
          },
        };
    "#;
    hosting.user("acme", code, &json!({})).await?;
    let sent = [
        ("x-tidegate-target", "x"),
        ("x-tidegate-cf", "{\"forged\":1}"),
        ("cf-blob", "{}"),
        ("cf-ray", "1"),
        ("x-tidegate-scheme", "ftp"),
        ("x-own", "1"),
    ];
    let (status, seen) = hosting.ask("acme", "/", &sent).await?;
    assert_eq!(status, 200, "{seen}");
    let [headers, cf] = serde_json::from_str::<[Value; 2]>(&seen)?;
    assert_eq!(headers["x-own"], "1");
    assert_eq!(headers["x-tidegate-target"], Value::Null, "{headers}");
    assert_ne!(headers["cf-ray"], "1", "the ray is the platform's");
    assert_eq!(cf, Value::Null);
    let captured = hosting.told("api.example").await?;
    assert_eq!(captured.header("x-own").as_deref(), Some("1"));
    assert_eq!(captured.scheme, "https", "the runtime says the scheme");
    assert_ne!(captured.cf.as_deref(), Some(r#"{"forged":true}"#), "and the `cf`");
    assert_eq!(captured.header("x-stamped").as_deref(), Some("acme"));
    Ok(())
}

#[tokio::test]
async fn names_and_values_with_odd_bytes_split_no_request() -> Result<()> {
    let hosting = Hosting::start().await?;
    let code = r#"
        const odd = ["\r\n", "\n", "\r", "\0", "\x01", "\x7f", ":", " ", "\t", "\r\nx-stamped: victim"];
        export default {
          async fetch(request) {
            const outcomes = {};
            const attempt = async (name, act) => {
              outcomes[JSON.stringify(name)] = await act().then((answer) => `sent ${answer.status}`, (error) => `refused: ${error.message}`);
            };
            for (const bytes of odd) {
              if (/[\r\n\0\x01\x7f:]/.test(bytes)) await attempt(`name ${bytes}`, async () => fetch("https://api.example/odd", { headers: { [`x-a${bytes}b`]: "1" } }));
              if (/[\r\n\0]/.test(bytes)) await attempt(`value ${bytes}`, async () => fetch("https://api.example/odd", { headers: { "x-a": `1${bytes}x-stamped: victim` } }));
              if (/[\r\n \t]/.test(bytes)) await attempt(`method ${bytes}`, async () => fetch("https://api.example/odd", { method: `GET${bytes}X` }));
            }
            await attempt("url", async () => fetch("https://api.example\r\nx-stamped: victim/odd"));
            const control = (await fetch("https://api.example/plain", { headers: { "x-a": "1" } })).status;
            return Response.json({ outcomes, control });
          },
        };
    "#;
    hosting.user("acme", code, &json!({})).await?;
    let seen = hosting.json("acme", "/").await?;
    assert_eq!(seen["control"], 200);
    for captured in hosting.upstream.captured() {
        assert_eq!(captured.header("x-stamped").as_deref(), Some("acme"), "{captured:?}");
    }
    let sent: Vec<&String> = seen["outcomes"]
        .as_object()
        .context("outcomes")?
        .iter()
        .filter_map(|(name, outcome)| (!outcome.as_str()?.starts_with("refused")).then_some(name))
        .collect();
    assert_eq!(sent, [""; 0], "{seen}");
    Ok(())
}

#[tokio::test]
async fn nothing_is_shared_by_a_cache_and_no_cache_key_reaches_anybody() -> Result<()> {
    let hosting = Hosting::start().await?;
    let code = r#"
        export default {
          async fetch(request, env) {
            const url = "https://shared.example/page";
            const put = new URL(request.url).pathname === "/put";
            const outcomes = [];
            const prototype = Object.getPrototypeOf(globalThis);
            const native = Object.getOwnPropertyDescriptor(prototype, "caches")?.get?.call(globalThis);
            for (const store of [caches, native].filter(Boolean)) {
              for (const cache of [async () => store.default, () => store.open("named")]) {
                try {
                  const opened = await cache();
                  if (put) await opened.put(url, new Response("left behind", { headers: { "cache-control": "max-age=1000" } }));
                  outcomes.push((await opened.match(url)) === undefined ? "nothing" : "found");
                } catch (error) {
                  outcomes.push("nothing");
                }
              }
            }
            const cached = await (await fetch(url, { cf: { cacheKey: "k", cacheEverything: true, cacheTtl: 1000 } })).text();
            return Response.json([...new Set(outcomes), cached]);
          },
        };
    "#;
    for name in ["one", "other"] {
        hosting.user(name, code, &json!({})).await?;
        assert_eq!(hosting.json(name, "/put").await?, json!(["nothing", name]));
        assert_eq!(hosting.json(name, "/").await?, json!(["nothing", name]));
    }
    assert_eq!(hosting.upstream.captured().len(), 4, "each request arrived");
    Ok(())
}

#[tokio::test]
async fn every_means_of_asking_passes_the_outbound_worker() -> Result<()> {
    let hosting = Hosting::start().await?;
    let code = r#"
        export default {
          async fetch(request, env, ctx) {
            ctx.passThroughOnException();
            await fetch("https://a.example/fetch");
            await fetch(new Request("https://a.example/request", { method: "POST", body: new ReadableStream({ start(c) { c.enqueue(new Uint8Array(3)); c.close(); } }) }));
            navigator.sendBeacon("https://a.example/beacon", "x");
            const source = new EventSource("https://a.example/events");
            const socket = new WebSocket("wss://a.example/socket");
            await scheduler.wait(200);
            source.close();
            const page = new HTMLRewriter().on("p", { element: async (p) => p.setInnerContent(await (await fetch("https://a.example/rewriter")).text()) });
            await page.transform(new Response("<p></p>")).text();
            ctx.waitUntil(scheduler.wait(50).then(() => fetch("https://a.example/late")));
            return fetch("https://a.example/answer");
          },
        };
    "#;
    hosting.user("acme", code, &json!({})).await?;
    assert_eq!(hosting.text("acme", "/").await?, "acme");
    for _ in 0..100 {
        if hosting.upstream.captured().iter().any(|captured| captured.path == "/late") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let captured = hosting.upstream.captured();
    for path in ["/fetch", "/request", "/beacon", "/events", "/socket", "/rewriter", "/late", "/answer"] {
        let arrived = captured.iter().find(|captured| captured.path == path).with_context(|| path.to_owned())?;
        assert_eq!(arrived.header("x-stamped").as_deref(), Some("acme"), "{path}");
    }
    Ok(())
}
