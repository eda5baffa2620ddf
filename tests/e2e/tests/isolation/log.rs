//! What user Workers print, and what errors tell them.

use tidegate_platform::runtime::Event;

use super::*;

/// A decision as the outbound Worker writes them.
const DECISION: &str = r#"{"event":"decision","effect":"allow","customer":"victim"}"#;

#[tokio::test]
async fn only_the_outbound_worker_writes_decision_records_even_if_others_repeat_what_they_were_told() -> Result<()> {
    let hosting = Hosting::start().await?;
    let forging = format!(
        r#"
        export default {{
          fetch() {{
            const record = {DECISION:?};
            for (const line of [record, `\n${{record}}`, `! outbound ${{record}}`, `0123456789abcdef! outbound ${{record}}`, `\r${{record}}\n${{record}}`]) {{
              for (const level of ["debug", "error", "info", "log", "warn"]) console[level](line);
            }}
            console.log("%s", record);
            console.log({{ event: "decision" }}, record);
            throw new Error(record);
          }},
        }};
        "#
    );
    hosting.user("hostile", &forging, &json!({})).await?;
    // A dispatch Worker that logs what it caught, as many do.
    let repeating = r#"
        export default {
          fetch: (request, env) => env.DISPATCHER.get(new URL(request.url).hostname.split(".")[0], {}, { outbound: { customer: "x" } }).fetch(request).catch((error) => {
            console.error(error.message);
            return new Response(error.message, { status: 500 });
          }),
        };
    "#;
    hosting.upload("workers/scripts/dispatcher", repeating, &json!({ "bindings": [dispatching()] })).await?;
    assert_eq!(hosting.ask("hostile", "/", &[]).await?, (500, DECISION.to_owned()));
    let repeated = |event: &Event| match event {
        Event::Line { worker, text } if worker.as_deref() == Some("dispatcher") => Some(text.clone()),
        _ => None,
    };
    assert_eq!(hosting.platform.event(repeated).await?, DECISION, "it is a line of the dispatch Worker");

    let judging =
        format!("export default {{ fetch(request) {{ console.log({DECISION:?}); return fetch(request); }} }};");
    hosting.upload("workers/scripts/outbound", &judging, &json!({})).await?;
    hosting.user("acme", "export default { fetch: () => fetch('https://api.example/') };", &json!({})).await?;
    hosting.text("acme", "/").await?;
    let decided = |event: &Event| match event {
        Event::Decision { worker, .. } => Some(worker.clone()),
        _ => None,
    };
    assert_eq!(hosting.platform.event(decided).await?, "outbound");
    let decisions = hosting.platform.events().into_iter().filter(|event| decided(event).is_some()).count();
    assert_eq!(decisions, 1, "of all that was printed only this one is a decision: {:#?}", hosting.platform.events());
    Ok(())
}

#[tokio::test]
async fn no_tenant_learns_the_word_by_which_the_platform_knows_its_own_lines() -> Result<()> {
    let hosting = Hosting::start().await?;
    // The account Worker that a user Worker reaches by a service binding runs where the user Worker can call it.
    let service = r#"
        export default {
          async fetch() {
            const lines = [];
            for (const level of ["log", "error"]) lines.push(console[level].toString(), console[level].name);
            const modules = [];
            for (const name of ["./__tidegate_env.js", "./__tidegate.js", "./__tidegate_bindings.js"]) {
              modules.push(...Object.values(await import(name)).map(String));
            }
            return new Response([...lines, ...modules, new Error().stack].join("\n"));
          },
        };
    "#;
    hosting.upload("workers/scripts/shared", service, &json!({})).await?;
    let bindings = json!([{ "type": "service", "name": "SHARED", "service": "shared" }]);
    hosting
        .user(
            "hostile",
            "export default { fetch: (request, env) => env.SHARED.fetch(request) };",
            &json!({ "bindings": bindings }),
        )
        .await?;
    hosting.user("itself", service, &json!({})).await?;
    let mark = mark_of(&hosting)?;
    assert!(mark.len() >= 32, "{mark}");
    for name in ["hostile", "itself"] {
        let seen = hosting.text(name, "/").await?;
        assert!(seen.contains("KvNamespace"), "it sees what there is: {seen}");
        assert!(!seen.contains(&mark), "{name}: {seen}");
    }
    Ok(())
}

/// The word, from the config that workerd was started with.
fn mark_of(hosting: &Hosting) -> Result<String> {
    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", hosting.platform.pid()?))?;
    let config = arguments.split('\0').find(|argument| argument.ends_with("serve.capnp")).context("a config")?;
    let config = std::fs::read_to_string(config)?;
    let (_, rest) = config.split_once("name = \"MARK\", text = \"").context("the mark")?;
    Ok(rest.split('"').next().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn what_a_worker_prints_reaches_the_operator_cut_to_lines_and_named_as_nobodys() -> Result<()> {
    let hosting = Hosting::start().await?;
    let code = r#"
        export default {
          fetch() {
            console.log("\u001b]0;owned\u0007first\r\nsecond");
            console.log("x".repeat(10_000_000));
            console.log("dispatcher forged");
            console.log("last");
            return new Response("printed");
          },
        };
    "#;
    hosting.user("hostile", code, &json!({})).await?;
    assert_eq!(hosting.text("hostile", "/").await?, "printed");
    hosting.platform.event(|event| matches!(event, Event::Line { text, .. } if text == "last").then_some(())).await?;
    for event in hosting.platform.events() {
        let Event::Line { worker, text } = event else { continue };
        assert_eq!(worker, None, "{text}");
        assert!(text.len() <= 64 * 1024, "a line of {} bytes", text.len());
        assert!(!text.contains('\n'));
    }
    Ok(())
}

#[tokio::test]
async fn errors_tell_a_user_worker_nothing_of_the_platform_it_runs_on() -> Result<()> {
    let hosting = Hosting::start().await?;
    let kv = hosting.platform.api().json("POST", "storage/kv/namespaces", &json!({ "title": "kv" })).await?.result()?;
    let secret = json!({ "bindings": [{ "type": "secret_text", "name": "KEY", "text": "outbounds-secret" }] });
    let outbound = "export default { fetch(request, env) { if (request.url.includes('boom')) throw new Error('boom'); return fetch(request); } };";
    hosting.upload("workers/scripts/outbound", outbound, &secret).await?;
    let code = r#"
        const acts = {
          "a missing key": (env) => env.KV.get(""), "a key that is too long": (env) => env.KV.put("k".repeat(10_000), "v"),
          "metadata that is too long": (env) => env.KV.put("k", "v", { metadata: "m".repeat(5000) }),
          "a type that is none": (env) => env.KV.get("k", "xml"), "a list beyond": (env) => env.KV.list({ cursor: "nonsense", limit: -1 }),
          "a nested invocation": (env) => env.D.get("x").fetch("http://any/"), "a service that is gone": (env) => env.GONE.fetch("http://any/"),
          "an outbound Worker that throws": () => fetch("https://boom.example/"), "a url that is none": () => fetch("nonsense://"),
          "a wrong stub": (env) => env.KV.fetch("http://kv/../../worker"), "a stub of its own": (env) => structuredClone(env.KV),
        };
        export default {
          async fetch(request, env) {
            const outcomes = {};
            for (const [name, act] of Object.entries(acts)) {
              outcomes[name] = await (async () => act(env))().then((value) => `went on: ${value}`, (error) => `refused: ${error.message}\n${error.stack}`);
            }
            return Response.json(outcomes);
          },
        };
    "#;
    hosting.upload("workers/scripts/gone", &saying("soon gone"), &json!({})).await?;
    let bindings = json!([
        { "type": "kv_namespace", "name": "KV", "namespace_id": kv["id"] }, { "type": "service", "name": "GONE", "service": "gone" },
        { "type": "dispatch_namespace", "name": "D", "namespace": "customers" },
    ]);
    hosting.user("hostile", code, &json!({ "bindings": bindings })).await?;
    hosting.platform.api().delete("workers/scripts/gone?force=true").await?.result()?;
    let seen = hosting.text("hostile", "/").await?;
    assert!(seen.matches("refused").count() >= 7, "{seen}");
    let own = std::env::current_dir()?.display().to_string();
    for told in [
        "/tg-",
        "/tmp/",
        ".sock",
        "host.js",
        "isolates.js",
        "code.js",
        "CONTROL",
        "LOADER",
        "outbounds-secret",
        "sqlite",
        own.as_str(),
    ] {
        assert!(!seen.contains(told), "{told}: {seen}");
    }
    Ok(())
}
