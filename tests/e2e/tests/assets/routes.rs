//! Who answers: assets or code.

use super::*;

const FILES: &[File<'_>] = &[
    ("/index.html", "text/html", b"home"),
    ("/about.html", "text/html", b"about"),
    ("/app.js", "text/javascript", b"app"),
    ("/404.html", "text/html", b"nothing here"),
    ("/ü [1].txt", "text/plain", b"named"),
];

#[tokio::test]
async fn assets_answer_what_they_have_and_code_the_rest() -> Result<()> {
    let running = Running::start().await?;
    running.deploy(&user("acme"), Some(CODE), FILES, &json!({ "bindings": assets_binding() })).await?;
    let cases = [
        ("GET", "/", "200 home"),
        ("GET", "/about", "200 about"),
        ("GET", "/about.html", "307 → /about"),
        ("GET", "/about.html?q=1", "307 → /about?q=1"),
        ("GET", "/api", "200 code: GET /api "),
        ("POST", "/api", "200 code: POST /api "),
        ("POST", "/app.js", "405"),
        ("HEAD", "/app.js", "200"),
        ("GET", "/%C3%BC%20%5B1%5D.txt", "200 named"),
        ("GET", "/%c3%bc%20[1].txt", "307 → /%C3%BC%20%5B1%5D.txt"),
        ("GET", "//app.js", "307 → /app.js"),
        // The binding knows what is not found, and files by any host.
        ("GET", "/?asset=http://any.example/app.js", "200 home"),
        ("GET", "/x?asset=http://any.example/app.js", "200 app"),
        // A request that code makes follows where it is led, unless it says otherwise.
        ("GET", "/x?asset=http://any.example/about.html", "200 about"),
        ("GET", "/x?asset=http://any.example/missing", "404"),
        ("HEAD", "/x?asset=http://any.example/app.js", "200"),
        ("POST", "/x?asset=http://any.example/app.js", "405"),
    ];
    for (method, path, expected) in cases {
        assert_eq!(running.ask(method, "acme", path, &[]).await?.words(), expected, "{method} {path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_assets_do_not_want_reaches_code_whole() -> Result<()> {
    let running = Running::start().await?;
    running.deploy(&user("acme"), Some(CODE), FILES, &json!({})).await?;
    let body = "x".repeat(300_000);
    let mut request = request("POST", "acme", "/api", &[("content-length", "300000")])?;
    *request.body_mut() = Body::from(body.clone());
    let answer = running.platform.send(request).await?.into_body().collect().await?.to_bytes();
    assert_eq!(answer, format!("code: POST /api {body}"));
    Ok(())
}

#[tokio::test]
async fn run_worker_first_is_for_all_or_by_rules() -> Result<()> {
    let running = Running::start().await?;
    let with = |first: Value| json!({ "bindings": assets_binding(), "config": { "run_worker_first": first } });
    running.deploy(&user("all"), Some(CODE), FILES, &with(json!(true))).await?;
    running.deploy(&user("some"), Some(CODE), FILES, &with(json!(["/a*", "!/app.js"]))).await?;
    let cases = [
        ("all", "/", "200 code: GET / "),
        ("all", "/app.js", "200 code: GET /app.js "),
        ("all", "/?asset=http://x/app.js", "200 app"),
        ("some", "/about", "200 code: GET /about "),
        ("some", "/app.js", "200 app"),
        ("some", "/", "200 home"),
        ("some", "/missing", "200 code: GET /missing "),
    ];
    for (worker, path, expected) in cases {
        assert_eq!(running.get(worker, path).await?.words(), expected, "{worker} {path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_single_page_application_is_given_to_a_browser_and_code_to_its_scripts() -> Result<()> {
    let running = Running::start().await?;
    let config = json!({ "not_found_handling": "single-page-application" });
    let now = json!({ "config": config, "compatibility_date": "2025-04-01", "bindings": assets_binding() });
    running.deploy(&user("now"), Some(CODE), FILES, &now).await?;
    let before = json!({ "config": config, "compatibility_date": "2025-03-31" });
    running.deploy(&user("before"), Some(CODE), FILES, &before).await?;
    let flag = json!({ "config": config, "compatibility_date": "2025-03-31",
        "compatibility_flags": ["assets_navigation_prefers_asset_serving"] });
    running.deploy(&user("flag"), Some(CODE), FILES, &flag).await?;
    let navigating = [("sec-fetch-mode", "navigate")];
    for (worker, expected) in [("now", "200 home"), ("before", "200 code: GET /deep/link "), ("flag", "200 home")] {
        assert_eq!(running.ask("GET", worker, "/deep/link", &navigating).await?.words(), expected, "{worker}");
        assert_eq!(running.get(worker, "/deep/link").await?.words(), "200 code: GET /deep/link ", "{worker}");
    }
    assert_eq!(running.text("now", "/x?asset=http://x/deep/link").await?, "home");
    Ok(())
}

#[tokio::test]
async fn a_worker_that_has_assets_alone_needs_no_code() -> Result<()> {
    let running = Running::start().await?;
    let config = json!({ "config": { "not_found_handling": "404-page" } });
    running.deploy(&user("site"), None, FILES, &config).await?;
    running.deploy("workers/scripts/pages", None, FILES, &config).await?;
    running.platform.give_host("pages").await?;
    for host in ["site", "pages.workers.localhost"] {
        for (method, path, expected) in [
            ("GET", "/", "200 home"),
            ("GET", "/about.html", "307 → /about"),
            ("GET", "/missing/page", "404 nothing here"),
            ("POST", "/missing", "405"),
        ] {
            assert_eq!(running.ask(method, host, path, &[]).await?.words(), expected, "{host} {method} {path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn account_workers_have_assets_at_their_hosts_and_behind_service_bindings() -> Result<()> {
    let running = Running::start().await?;
    let shared = r#"
        import { WorkerEntrypoint } from "cloudflare:workers";
        export default class extends WorkerEntrypoint {
          fetch(request) { return new Response(`shared: ${new URL(request.url).pathname}`); }
          add(a, b) { return a + b; }
        }
        export class Named extends WorkerEntrypoint { fetch() { return new Response("named"); } }
    "#;
    running.deploy("workers/scripts/shared", Some(shared), FILES, &json!({})).await?;
    running.deploy("workers/scripts/alone", None, FILES, &json!({})).await?;
    running.platform.give_host("shared").await?;
    assert_eq!(running.get("shared.workers.localhost", "/app.js").await?.words(), "200 app");
    assert_eq!(running.get("shared.workers.localhost", "/api").await?.words(), "200 shared: /api");
    let code = r#"
        export default {
          async fetch(request, { SHARED, NAMED, ALONE }) {
            const text = async (answer) => `${(await answer).status} ${await (await answer).text()}`;
            return Response.json([
              await text(SHARED.fetch("http://x/app.js")), await text(SHARED.fetch("http://x/api")), await SHARED.add(1, 2),
              await text(NAMED.fetch("http://x/app.js")),
              await text(ALONE.fetch("http://x/")), await text(ALONE.fetch("http://x/missing")),
              await ALONE.add(1, 2).catch(({ message }) => message),
            ]);
          },
        };
    "#;
    let service = |name: &str, service: &str| json!({ "type": "service", "name": name, "service": service });
    let named = json!({ "type": "service", "name": "NAMED", "service": "shared", "entrypoint": "Named" });
    let bindings = json!({ "bindings": [service("SHARED", "shared"), service("ALONE", "alone"), named] });
    let expected = json!([
        "200 app",
        "200 shared: /api",
        3,
        "200 named",
        "200 home",
        "404 ",
        "this Worker has static assets alone, and no code to call",
    ]);
    // Behind the gate, and in front of it.
    running.deploy(&user("acme"), Some(code), &[], &bindings).await?;
    running.deploy("workers/scripts/caller", Some(code), &[], &bindings).await?;
    running.platform.give_host("caller").await?;
    for host in ["acme", "caller.workers.localhost"] {
        assert_eq!(serde_json::from_str::<Value>(&running.text(host, "/").await?)?, expected, "{host}");
    }
    Ok(())
}

#[tokio::test]
async fn what_assets_answer_is_no_invocation_and_what_they_are_asked_no_way_out() -> Result<()> {
    let running = Running::start().await?;
    let code = r#"
        export default {
          async fetch(request, env) {
            const texts = [];
            for (let i = 0; i < 5; i++) texts.push(await (await env.ASSETS.fetch("http://x/app.js")).text());
            const out = await (await fetch("https://out.example/app.js")).text();
            return Response.json([texts.join(), out]);
          },
        };
    "#;
    let metadata = json!({ "bindings": assets_binding(), "limits": { "subrequests": 1 } });
    running.deploy(&user("acme"), Some(code), FILES, &metadata).await?;
    assert_eq!(running.text("acme", "/api").await?, r#"["app,app,app,app,app","refused https://out.example/app.js"]"#);
    let got = running.get("acme", "/app.js").await?;
    assert_eq!((got.words().as_str(), got.header("cf-ray")), ("200 app", None));
    Ok(())
}

#[tokio::test]
async fn no_path_and_no_header_of_a_client_is_one_of_the_control_plane() -> Result<()> {
    let running = Running::start().await?;
    running.deploy(&user("acme"), Some(CODE), FILES, &json!({ "bindings": assets_binding() })).await?;
    running.deploy(&user("other"), None, &[("/secret.txt", "text/plain", b"of the other")], &json!({})).await?;
    let paths = [
        "/../other/secret.txt",
        "/..%2f..%2fother%2fsecret.txt",
        "/%2e%2e/%2e%2e/worker/account/outbound",
        "/..\\..\\worker\\account\\outbound",
        "/x%00/../secret.txt",
        "/http://control/worker/account/outbound",
        "//control/worker/account/outbound",
        "/secret.txt#/../x",
    ];
    for path in paths {
        let got = running.get("acme", path).await?;
        assert!(!got.text().contains("of the other") && !got.text().contains("refused"), "{path}: {}", got.words());
        let through = format!("/x?asset=http://x{}", path.replace('%', "%25").replace('#', "%23"));
        let got = running.get("acme", &through).await?;
        assert!(matches!(got.status, 307 | 404), "{path}: {}", got.words());
    }
    let forged = [
        ("x-url", "http://x/404.html"),
        ("x-method", "POST"),
        ("x-navigates", "1"),
        ("x-tidegate-target", "{\"name\":\"other\"}"),
    ];
    let got = running.ask("GET", "acme", "/app.js", &forged).await?;
    assert_eq!(got.words(), "200 app");
    Ok(())
}
