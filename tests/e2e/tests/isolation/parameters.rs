//! Another customer's outbound parameters: what one request left behind, used by the next.

use super::*;

/// At `/leave` it leaves behind all that could carry an identity; at `/use` it fetches by each of these.
const STEALING: &str = include_str!("workers/stealing.js");

#[tokio::test]
async fn what_a_request_left_behind_lends_the_next_one_no_identity() -> Result<()> {
    let hosting = Hosting::start().await?;
    let settings = [
        ("2026-04-01", &["nodejs_compat"][..]),
        // As it was when continuations and snapshots ran in whatever request was there.
        (
            "2024-01-01",
            &[
                "nodejs_compat",
                "no_handle_cross_request_promise_resolution",
                "do_not_bind_asynclocalstorage_snapshot_to-request",
            ],
        ),
        (
            "2026-04-01",
            &["nodejs_compat", "do_not_bind_asynclocalstorage_snapshot_to-request", "allow_irrevocable_stub_storage"],
        ),
    ];
    for (round, (date, flags)) in settings.into_iter().enumerate() {
        let metadata = json!({ "compatibility_date": date, "compatibility_flags": flags });
        let name = format!("hostile{round}");
        hosting.user(&name, STEALING, &metadata).await?;
        hosting.upstream.take();
        let (status, left) = hosting.ask(&name, "/leave", &[("x-customer", "victim")]).await?;
        assert_eq!((status, left.as_str()), (200, "left"), "{date} {flags:?}");
        assert_eq!(hosting.told("control.example").await?.header("x-stamped").as_deref(), Some("victim"), "its own");
        let (status, used) = hosting.ask(&name, "/use", &[("x-customer", "thief")]).await?;
        assert_eq!(status, 200, "{date} {flags:?}: {used}");
        let used: Value = serde_json::from_str(&used).with_context(|| used.clone())?;
        assert_eq!(used["control"], "thief", "what it asks for itself is asked in its name: {used}");
        for (means, outcome) in used.as_object().context("outcomes by means")? {
            let outcome = outcome.as_str().unwrap_or_default();
            assert!(outcome == "thief" || outcome.starts_with("refused"), "{date} {flags:?}: {means}: {outcome}");
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        for captured in hosting.upstream.captured() {
            let by_thief = captured.path.starts_with("/by-thief");
            assert!(!by_thief || captured.header("x-stamped").as_deref() == Some("thief"), "{captured:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_trace_that_a_client_names_joins_no_two_requests() -> Result<()> {
    let hosting = Hosting::start().await?;
    let code = "export default { async fetch(request) { await scheduler.wait(100); return fetch('https://api.example/', { headers: request.headers }); } };";
    hosting.user("acme", code, &json!({})).await?;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let ask = async |customer: &str| {
        let headers = [
            ("x-customer", customer),
            ("traceparent", trace),
            ("cf-trace-id", trace),
            ("x-b3-traceid", "0af7651916cd43dd"),
        ];
        hosting.ask("acme", "/", &headers).await
    };
    let (one, other) = tokio::try_join!(ask("one"), ask("other"))?;
    assert_eq!((one, other), ((200, "one".to_owned()), (200, "other".to_owned())));
    Ok(())
}

#[tokio::test]
async fn an_invocation_ends_when_it_is_over_and_not_when_somebody_says_so() -> Result<()> {
    let hosting = Hosting::start().await?;
    // The thief learns the victim's ray, as any upstream might, and is called with it in every way that it can bring about.
    let victim = r#"
        export default {
          async fetch(request) {
            const { searchParams } = new URL(request.url);
            await scheduler.wait(Number(searchParams.get("wait")));
            return fetch("https://api.example/", { headers: { "x-ray": request.headers.get("cf-ray") } });
          },
        };
    "#;
    let thief = r#"
        import { WorkerEntrypoint } from "cloudflare:workers";
        export class Named extends WorkerEntrypoint { fetch() { return new Response("named"); } }
        export default {
          async fetch(request, env, ctx) {
            if (request.headers.has("x-again")) return new Response("again");
            const headers = { "cf-ray": new URL(request.url).searchParams.get("ray"), "x-again": "1" };
            await ctx.exports.default.fetch("http://any/", { headers });
            await ctx.exports.Named.fetch("http://any/", { headers });
            await env.SELF.fetch("http://any/", { headers });
            await env.SHARED.fetch("http://any/", { headers });
            await scheduler.wait(600);
            return fetch("https://api.example/");
          },
        };
    "#;
    hosting.upload("workers/scripts/shared", &saying("shared"), &json!({})).await?;
    let bindings = json!([
        { "type": "service", "name": "SELF", "service": "shared" }, { "type": "service", "name": "SHARED", "service": "shared" },
    ]);
    hosting.user("victim", victim, &json!({})).await?;
    hosting.user("thief", thief, &json!({ "bindings": bindings })).await?;
    let ray = {
        hosting.text("victim", "/?wait=0").await?;
        let seen = hosting.upstream.captured().pop().and_then(|captured| captured.header("x-ray")).context("a ray")?;
        assert_eq!(seen.len(), "0123456789abcdef-LOC".len(), "{seen}");
        seen
    };
    // A client sets the ray of another, too: it is given one of its own.
    hosting.ask("victim", "/?wait=0", &[("cf-ray", &ray)]).await?;
    let other = hosting.upstream.captured();
    assert_ne!(other.last().and_then(|captured| captured.header("x-ray")), Some(ray));

    let early = r#"
        export default {
          async fetch(request) {
            await fetch("https://early.example/", { headers: { "x-ray": request.headers.get("cf-ray") } });
            await scheduler.wait(1500);
            return fetch("https://api.example/");
          },
        };
    "#;
    hosting.user("victim", early, &json!({})).await?;
    let attacked = async {
        let ray = hosting.told("early.example").await?.header("x-ray").context("the ray of what is under way")?;
        hosting.ask("thief", &format!("/?ray={ray}"), &[("cf-ray", &ray)]).await
    };
    let (served, attack) = tokio::try_join!(hosting.ask("victim", "/", &[]), attacked)?;
    assert_eq!(attack, (200, "thief".to_owned()));
    assert_eq!(served, (200, "victim".to_owned()), "it was under way all the while");
    Ok(())
}

#[tokio::test]
async fn an_invocation_that_is_over_is_known_no_more() -> Result<()> {
    let hosting = Hosting::start().await?;
    // A call by itself outlives nothing: what it leaves running is cancelled with it, or belongs to it.
    let code = r#"
        let kept;
        export default {
          async fetch(request) {
            if (new URL(request.url).pathname === "/leave") {
              kept = new ReadableStream({ async pull(controller) { controller.enqueue(await (await fetch("https://api.example/by-thief")).text()); controller.close(); } });
              return new Response("left");
            }
            try {
              const { value } = await kept.getReader().read();
              return new Response(value);
            } catch (error) {
              return new Response(`refused: ${error.message}`);
            }
          },
        };
    "#;
    hosting.user("hostile", code, &json!({})).await?;
    assert_eq!(hosting.ask("hostile", "/leave", &[("x-customer", "victim")]).await?, (200, "left".to_owned()));
    let (status, seen) = hosting.ask("hostile", "/use", &[("x-customer", "thief")]).await?;
    // The runtime ends a request that waits for what another will never do.
    assert!(status == 500 || seen == "thief" || seen.starts_with("refused"), "{seen}");
    let by_thief = hosting.upstream.captured().into_iter().filter(|captured| captured.path == "/by-thief");
    for captured in by_thief {
        assert_eq!(captured.header("x-stamped").as_deref(), Some("thief"));
    }
    Ok(())
}

#[tokio::test]
async fn a_limit_that_is_no_number_is_an_error_and_not_no_limit() -> Result<()> {
    let hosting = Hosting::start().await?;
    let code = r#"
        import { WorkerEntrypoint } from "cloudflare:workers";
        export default class extends WorkerEntrypoint {
          async fetch() { return new Response(await this.twice()); }
          async twice() {
            const seen = [];
            for (const n of [1, 2]) seen.push(await fetch("https://api.example/").then(() => "went", (error) => error.message));
            return seen.join(", ");
          }
        }
    "#;
    hosting.user("acme", code, &json!({})).await?;
    let dispatcher = r#"
        export default {
          async fetch(request, env) {
            const limit = { NaN, "1": 1, text: "none", negative: -1, object: {}, none: undefined, null: null, zero: 0, infinite: Infinity }[request.headers.get("x-limit")];
            try {
              const worker = env.DISPATCHER.get("acme", {}, { limits: { subRequests: limit }, outbound: { customer: "acme" } });
              if (request.headers.has("x-call")) return new Response(await worker.twice());
              return await worker.fetch(request);
            } catch (error) {
              return new Response(error.message, { status: 500 });
            }
          },
        };
    "#;
    hosting.upload("workers/scripts/dispatcher", dispatcher, &json!({ "bindings": [dispatching()] })).await?;
    let over = "Too many subrequests by single Worker invocation.";
    for call in [&[][..], &[("x-call", "1")]] {
        let ask = async |limit: &str| hosting.ask("acme", "/", &[&[("x-limit", limit)], call].concat()).await;
        for limit in ["NaN", "text", "negative", "object", "infinite"] {
            let (status, seen) = ask(limit).await?;
            assert!(status == 500 && seen.contains("limits.subRequests"), "{limit}: {status}: {seen}");
        }
        for limit in ["none", "null"] {
            assert_eq!(ask(limit).await?, (200, "went, went".to_owned()), "{limit}");
        }
        assert_eq!(ask("1").await?, (200, format!("went, {over}")));
        assert_eq!(ask("zero").await?, (200, format!("{over}, {over}")));
    }
    Ok(())
}
