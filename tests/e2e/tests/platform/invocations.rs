//! One user Worker, many customers at once: each request is its own customer's.

use std::collections::BTreeMap;

use axum::body::Body;
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use hyper::Request;

use super::*;

/// Fetches from wherever a Worker can: right away, after a wait, in a timer, in a stream, after the answer.
const EVERYWHERE: &str = r#"
const stamp = async (where) => `${where}:${await (await fetch(`https://api.example/${where}`)).text()}`;
const later = (work) => new Promise((resolve) => setTimeout(() => resolve(work()), 5));
let kept;
export default {
  async fetch(request, env, ctx) {
    const seen = [await stamp("first")];
    seen.push(await later(() => stamp("timer")));
    seen.push(...(await Promise.all([stamp("together"), stamp("together")])));
    const pulled = new ReadableStream({
      async pull(controller) {
        controller.enqueue(new TextEncoder().encode(await stamp("pull")));
        controller.close();
      },
    });
    seen.push(await new Response(pulled).text());
    seen.push(await (await fetch(new Request("https://api.example/request", request))).text().then((text) => `request:${text}`));
    // What another request left behind does not lend its identity.
    kept ??= stamp;
    seen.push(await kept("kept"));
    ctx.waitUntil(later(() => fetch(`https://late.example/${request.headers.get("x-customer")}`)));
    return Response.json(seen);
  },
};
"#;

#[tokio::test]
async fn parameters_follow_each_request_wherever_its_worker_fetches() -> Result<()> {
    const REQUESTS: usize = 600;
    let running = Running::start().await?;
    running.upstream.otherwise(echo_stamp);
    running.user("shared", EVERYWHERE).await?;
    let ask = async |number: usize| -> Result<()> {
        let customer = format!("customer-{}", number % 50);
        let request = Request::builder()
            .uri("/")
            .header("host", "shared.apps.example")
            .header("x-customer", &customer)
            .body(Body::empty())?;
        let answer = running.platform.send(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(&body));
        let seen: Vec<String> = serde_json::from_slice(&body)?;
        ensure!(seen.len() == 7, "{seen:?}");
        for each in seen {
            ensure!(each.ends_with(&format!(":{customer}")), "{customer} was answered {each}");
        }
        Ok(())
    };
    let outcomes: Vec<Result<()>> = stream::iter(0..REQUESTS).map(ask).buffer_unordered(50).collect().await;
    for outcome in outcomes {
        outcome?;
    }
    // What was fetched after the answer carries the parameters of its own request as well.
    let late = async || {
        for _ in 0..500 {
            let captured = running.upstream.captured();
            let late: Vec<_> = captured.into_iter().filter(|captured| captured.host == "late.example").collect();
            if late.len() == REQUESTS {
                return Ok(late);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        anyhow::bail!("what was to come after the answers is missing")
    };
    let mut wrong = BTreeMap::new();
    for captured in late().await? {
        let stamped = captured.header("x-stamped").unwrap_or_default();
        if captured.path.trim_start_matches('/') != stamped {
            *wrong.entry((captured.path.clone(), stamped)).or_insert(0) += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    Ok(())
}

#[tokio::test]
async fn subrequests_are_limited_for_each_invocation_and_redirects_count() -> Result<()> {
    let running = Running::start().await?;
    running.upstream.otherwise(echo_stamp);
    running.upstream.on("https://api.example/hop", |_| Reply::redirect(302, "https://api.example/landed"));
    let code = r#"
        export default {
          async fetch(request) {
            const paths = new URL(request.url).searchParams.getAll("p");
            const seen = [];
            for (const path of paths) {
              seen.push(await fetch(`https://api.example/${path}`).then((answer) => answer.text(), (error) => error.message));
            }
            return Response.json(seen);
          },
        };
    "#;
    running.user("acme", code).await?;
    let ask = async |path: &str, limit: &str| -> Result<Value> {
        let request = Request::builder().uri(path).header("host", "acme.apps.example").header("x-subrequests", limit);
        let answer = running.platform.send(request.body(Body::empty())?).await?;
        Ok(serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?)
    };
    let over = "Too many subrequests by single Worker invocation.";
    let (one, other) = tokio::try_join!(ask("/?p=a&p=b&p=c", "2"), ask("/?p=a&p=b", "2"))?;
    assert_eq!((one, other), (json!(["acme", "acme", over]), json!(["acme", "acme"])), "each has its own count");
    assert_eq!(ask("/?p=hop&p=a", "2").await?, json!(["acme", over]), "a redirect is a request");

    let metadata = json!({ "limits": { "subrequests": 1 } });
    running.deploy(&user("acme"), code, &metadata).await?;
    assert_eq!(ask("/?p=a&p=b", "2").await?, json!(["acme", over]), "the script's own limit holds as well");
    Ok(())
}

#[tokio::test]
async fn a_parameter_that_the_binding_does_not_declare_is_an_error_that_names_it() -> Result<()> {
    let running = Running::start().await?;
    running.user("acme", &saying("never")).await?;
    let careless = r#"
        export default {
          fetch: (request, env) => env.DISPATCHER.get("acme", {}, { outbound: { custmer: "acme" } }).fetch(request)
            .catch((error) => new Response(error.message, { status: 500 })),
        };
    "#;
    let binding = json!({
        "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "customers",
        "outbound": { "worker": { "service": "outbound" }, "params": ["customer"] },
    });
    running.deploy("workers/scripts/dispatcher", careless, &json!({ "bindings": [binding] })).await?;
    let (status, body) = running.get("acme", "/").await?;
    assert_eq!(status, 500);
    assert!(body.contains("\"custmer\" is not declared"), "{body}");
    Ok(())
}

#[tokio::test]
async fn a_missing_script_throws_at_fetch_and_says_what_cloudflare_says() -> Result<()> {
    let running = Running::start().await?;
    assert_eq!(running.get("nobody", "/").await?, (500, "Error: Worker not found.".to_owned()));
    running.user("somebody", &saying("here")).await?;
    assert_eq!(running.text("somebody", "/").await?, "here");
    running.platform.api().delete(&user("somebody")).await?.result()?;
    assert_eq!(running.get("somebody", "/").await?, (500, "Error: Worker not found.".to_owned()));
    Ok(())
}

#[tokio::test]
async fn no_name_that_is_asked_for_leads_out_of_the_namespace() -> Result<()> {
    let running = Running::start().await?;
    running.user("acme", &saying("of customers")).await?;
    running.deploy("workers/scripts/vault", &saying("of the account"), &json!({})).await?;
    running.platform.api().create_namespace("others").await?;
    let theirs = "workers/dispatch/namespaces/others/scripts/acme";
    running.deploy(theirs, &saying("of others"), &json!({})).await?;
    // A dispatch Worker that takes the name from the client as it is, and decodes it.
    let trusting = r"
        export default {
          fetch: (request, env) => env.DISPATCHER.get(decodeURIComponent(new URL(request.url).search.slice(1))).fetch(request)
            .catch((error) => new Response(error.message, { status: 404 })),
        };
    ";
    let binding = json!({ "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "customers" });
    running.deploy("workers/scripts/dispatcher", trusting, &json!({ "bindings": [binding] })).await?;
    assert_eq!(running.text("any", "/?acme").await?, "of customers");
    let outside = [
        "../account/vault",
        "..%2Faccount%2Fvault",
        "..%252Faccount%252Fvault",
        "../2/acme",
        "x/../../account/vault",
        "%2e%2e/account/vault",
        "..\\account\\vault",
        "acme?x",
        "acme#x",
        "acme/",
        "./acme",
        ".",
        "..",
        "",
        "%00",
    ];
    for name in outside {
        let asked = format!("/?{}", name.replace('%', "%25").replace('#', "%23").replace('\\', "%5C"));
        for path in [format!("/?{}", name.replace('#', "%23").replace('\\', "%5C")), asked] {
            assert_eq!(running.get("any", &path).await?, (404, "Worker not found.".to_owned()), "{path}");
        }
    }
    Ok(())
}

/// HTTP allows it, `fetch()` does not.
#[tokio::test]
async fn a_get_that_comes_with_a_body_reaches_a_user_worker_without_it() -> Result<()> {
    let running = Running::start().await?;
    let code = "export default { async fetch(request) {
        return Response.json([request.method, await request.text(), request.headers.get('content-length')]);
    } };";
    running.user("acme", code).await?;
    for (method, body, expected) in [
        ("GET", "", r#"["GET","",null]"#),
        ("GET", "left out", r#"["GET","",null]"#),
        ("POST", "kept", r#"["POST","kept","4"]"#),
    ] {
        let request = Request::builder().method(method).uri("/").header("host", "acme.example");
        let request = request.header("content-length", body.len()).body(Body::from(body))?;
        let answer = running.platform.send(request).await?;
        let seen = answer.into_body().collect().await?.to_bytes();
        assert_eq!(std::str::from_utf8(&seen)?, expected, "{method} with `{body}`");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_user_worker_throws_reaches_the_dispatch_worker_as_it_was_thrown() -> Result<()> {
    let running = Running::start().await?;
    running.user("acme", "export default { fetch() { throw new TypeError('user boom'); } };").await?;
    assert_eq!(running.get("acme", "/").await?, (500, "TypeError: user boom".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_method_of_a_user_worker_can_be_called() -> Result<()> {
    let running = Running::start().await?;
    let code = r#"
        import { WorkerEntrypoint } from "cloudflare:workers";
        export default class extends WorkerEntrypoint { greet(name) { return `hello ${name}`; } }
    "#;
    running.user("acme", code).await?;
    let calling = r#"
        export default {
          async fetch(request, env) {
            const seen = [await env.DISPATCHER.get("acme").greet("tide"), env.DISPATCHER.constructor.name];
            return Response.json(seen);
          },
        };
    "#;
    let binding = json!({ "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "customers" });
    running.deploy("workers/scripts/dispatcher", calling, &json!({ "bindings": [binding] })).await?;
    assert_eq!(running.text("acme", "/").await?, r#"["hello tide","DynamicDispatcher"]"#);
    Ok(())
}

#[tokio::test]
async fn pass_through_on_exception_is_no_way_around_the_outbound_worker() -> Result<()> {
    let running = Running::start().await?;
    let code =
        "export default { fetch(request, env, ctx) { ctx.passThroughOnException(); throw new Error('boom'); } };";
    running.user("acme", code).await?;
    let (status, _) = running.get("acme", "/secret").await?;
    assert_eq!(status, 500);
    assert_eq!(running.upstream.captured().len(), 0, "nothing went out unjudged");
    Ok(())
}
