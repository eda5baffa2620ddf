//! The Worker Loader, the runtime's inner modules, and the flags that would open them.

use super::*;

/// Imports `?module=` and lists what can be seen.
const LOOKING: &str = include_str!("workers/looking.js");

/// Every flag that workerd marks as experimental, as of 2026-11; Cloudflare refuses them, too.
const EXPERIMENTAL: [&str; 29] = [
    "allow_insecure_inefficient_logged_eval",
    "cache_reload_enabled",
    "connect_pass_through",
    "durable_object_get_existing",
    "durable_object_rename",
    "enable_abortsignal_rpc",
    "enable_ctx_version_metadata",
    "enable_d1_with_sessions_api",
    "enable_version_api",
    "enable_web_file_system",
    "experimental",
    "increase_websocket_message_size",
    "js_rpc",
    "kv_direct_binding",
    "memory_cache_delete",
    "precise_timers",
    "python_workers_development",
    "python_workers_durable_objects",
    "replica_routing",
    "rtti_api",
    "service_binding_extra_handlers",
    "spec_compliant_property_attributes",
    "streaming_tail_worker",
    "streams_no_default_auto_allocate_chunk_size",
    "tail_worker_user_spans",
    "typescript_strip_types",
    "unsafe_module",
    "unsupported_process_actual_platform",
    "webgpu",
];

/// Flags that an upload may set, and that change what code can see or how it is loaded.
const ALLOWED: [&[&str]; 7] = [
    &[],
    &["nodejs_compat"],
    &["new_module_registry"],
    &["new_module_registry", "nodejs_compat"],
    &["allow_eval_during_startup", "enable_ctx_exports"],
    &["allow_irrevocable_stub_storage"],
    &["allow_custom_ports", "global_fetch_strictly_public", "fetch_legacy_url", "url_original"],
];

#[tokio::test]
async fn no_experimental_flag_can_be_uploaded() -> Result<()> {
    let hosting = Hosting::start().await?;
    let metadata = |flag: &str| json!({ "main_module": "index.js", "compatibility_date": "2026-01-01", "compatibility_flags": [flag] });
    let parts = [Part::module("index.js", &saying("x"))];
    for flag in EXPERIMENTAL {
        let answer = hosting.platform.api().upload(&user("hostile"), &metadata(flag), &parts).await?;
        let message = if answer.status == 400 { answer.message()? } else { String::new() };
        assert!(
            message.contains("experimental") || message.contains("No such compatibility flag"),
            "{flag}: {answer:?}"
        );
    }
    assert_eq!(hosting.platform.api().get(&user("hostile")).await?.status, 404, "nothing of it was kept");
    hosting.platform.api().upload(&user("hostile"), &metadata("nodejs_compat"), &parts).await?.result()?;
    Ok(())
}

#[tokio::test]
async fn neither_loader_nor_inner_modules_are_within_reach_whatever_flags_are_set() -> Result<()> {
    let hosting = Hosting::start().await?;
    let inner = [
        "workerd:unsafe",
        "workerd:unsafe-eval",
        "workerd:rtti",
        "workerd:debug",
        "workerd:compatibility-flags",
        "cloudflare-internal:workers",
        "cloudflare-internal:env",
        "cloudflare-internal:http",
        "cloudflare-internal:sockets",
        "cloudflare-internal:unsafe-eval",
        "cloudflare-internal:worker-loader",
        "cloudflare-internal:filesystem",
        "cloudflare-internal:d1-api",
        "node-internal:util",
        "node-internal:process",
        "node-internal:module",
        "node-internal:crypto",
        "host.js",
        "./host.js",
        "isolates.js",
        "./within/bindings.js",
        "file:///etc/passwd",
        "file:///proc/self/environ",
        "data:text/javascript,export default 1",
        "http://127.0.0.1/x.js",
        "../x.js",
        "/etc/passwd",
        "unix:/tmp/x",
    ];
    let settings = [("2021-11-02", &["enable_ctx_exports"][..]), ("2026-04-01", &["nodejs_compat"])];
    let settings = settings.into_iter().chain(ALLOWED.into_iter().map(|flags| ("2026-01-01", flags)));
    let own = "export default 'own';";
    for (date, flags) in settings {
        let metadata = json!({ "compatibility_date": date, "compatibility_flags": flags });
        let parts = [Part::module("index.js", LOOKING), Part::module("own.js", own)];
        hosting.upload_parts(&user("hostile"), &metadata, &parts).await?;
        let seen = hosting
            .json("hostile", &format!("/?{}", inner.map(|module| format!("m={}", encoded(module))).join("&")))
            .await?;
        let context = || format!("{date} {flags:?}");
        all_refused(&seen["modules"]).with_context(context)?;
        assert_eq!(seen["control"], "own", "{}: {seen}", context());
        all_refused(&seen["loaders"]).with_context(context)?;
        for name in seen["exports"].as_array().context("exports")? {
            assert!(!name.as_str().is_some_and(|name| name.starts_with("__")), "{}: {seen}", context());
        }
        assert_eq!(seen["env"], json!([]), "{}: there is nothing in env but bindings", context());
        assert_eq!(seen["process"], json!([]), "{}: nothing of the platform's environment", context());
    }
    Ok(())
}

#[tokio::test]
async fn the_platforms_entrypoints_stay_hidden_from_code_that_waits_for_them() -> Result<()> {
    let hosting = Hosting::start().await?;
    // A module that a binding names runs before the shims of bindings do, and this one before all else that it could.
    let early = r#"
        globalThis.stolen = [];
        for (const name of ["__TidegateControl", "__TidegateMain", "__TidegateOutbound", "control"]) {
          try {
            Object.defineProperty(Object.prototype, name, { set(value) { stolen.push([name, value]); }, get() {}, configurable: true });
          } catch (error) {
            stolen.push(`refused: ${name}: ${error.message}`);
          }
        }
        export default "text";
    "#;
    let main = r#"
        import "./early.js";
        import * as platform from "./__tidegate.js";
        import * as workers from "cloudflare:workers";
        export default {
          fetch(request, env, ctx) {
            ({}).control = "kept";
            const control = stolen.filter((entry) => entry[0] === "control").length;
            const taken = stolen.filter((entry) => Array.isArray(entry) && entry[0] !== "control").map(([name]) => name);
            const seen = Object.keys(platform).filter((name) => name in ctx.exports && ctx.exports[name] !== undefined);
            return Response.json({ control, taken, seen, imported: Reflect.ownKeys(workers.exports), own: Reflect.ownKeys(ctx.exports) });
          },
        };
    "#;
    let bindings = json!([{ "type": "text_blob", "name": "T", "part": "early.js" }]);
    let parts = [Part::module("index.js", main), Part::module("early.js", early)];
    hosting.upload_parts(&user("hostile"), &json!({ "bindings": bindings }), &parts).await?;
    let seen = hosting.json("hostile", "/").await?;
    let expected =
        json!({ "control": 1, "taken": [], "seen": ["default"], "imported": ["default"], "own": ["default"] });
    assert_eq!(seen, expected, "the setter works, and what it waits for is not set");
    Ok(())
}

#[tokio::test]
async fn a_worker_cannot_outlive_its_eviction_by_replacing_what_ends_it() -> Result<()> {
    let hosting = Hosting::start().await?;
    let code = r#"
        import { WorkerEntrypoint } from "cloudflare:workers";
        Object.freeze = (object) => object;
        Reflect.freeze = Object.seal = Object.freeze;
        const replacing = {
          assigning: (prototype) => { prototype.evict = () => {}; },
          defining: (prototype) => { Object.defineProperty(prototype, "evict", { value: () => {} }); },
          reflecting: (prototype) => { Reflect.defineProperty(prototype, "evict", { value: () => {} }); },
          deleting: (prototype) => { delete prototype.evict; },
          inheriting: (prototype) => { Object.setPrototypeOf(prototype, { evict() {} }); Object.setPrototypeOf(WorkerEntrypoint.prototype, { evict() {} }); },
        };
        export default {
          async fetch() {
            const { __TidegateControl } = await import("./__tidegate.js");
            class Own { evict() {} }
            const control = Object.keys(replacing).filter((name) => name !== "inheriting").every((name) => {
              class Own { evict() {} }
              const { evict } = Own.prototype;
              replacing[name](Own.prototype);
              return Own.prototype.evict !== evict;
            });
            const outcomes = {};
            for (const [name, act] of Object.entries(replacing)) {
              const { evict } = __TidegateControl.prototype;
              try { act(__TidegateControl.prototype); } catch {}
              outcomes[name] = __TidegateControl.prototype.evict === evict && typeof evict === "function" ? "refused" : "replaced";
            }
            return Response.json({ control, outcomes });
          },
        };
    "#;
    hosting.user("hostile", code, &json!({})).await?;
    let seen = hosting.json("hostile", "/").await?;
    assert_eq!(seen["control"], true, "on a class of its own each way works: {seen}");
    all_refused(&seen["outcomes"])
}

#[tokio::test]
async fn a_worker_that_ends_its_own_isolate_ends_nothing_else() -> Result<()> {
    let hosting = Hosting::start().await?;
    let code = r#"
        import { abortIsolate } from "cloudflare:workers";
        import process from "node:process";
        const loaded = Math.random();
        const acts = {
          abort: () => abortIsolate("bored"), exit: () => process.exit(3), die: () => process.abort(), kill: () => process.kill(process.pid, 9),
          "kill the first": () => process.kill(1, 9), reallyExit: () => process.reallyExit(1), "ctx.abort": (ctx) => ctx.abort(new Error("bored")),
        };
        export default {
          async fetch(request, env, ctx) {
            const act = acts[decodeURIComponent(new URL(request.url).pathname.slice(1))];
            if (!act) return new Response(String(loaded));
            await act(ctx);
            return new Response("it went on");
          },
        };
    "#;
    hosting
        .user("hostile", code, &json!({ "compatibility_flags": ["nodejs_compat"], "compatibility_date": "2026-04-01" }))
        .await?;
    let counting = "let n = 0; export default { fetch: () => new Response(String(++n)) };";
    hosting.user("victim", counting, &json!({})).await?;
    assert_eq!(hosting.text("victim", "/").await?, "1");
    let (pid, mut victim) = (hosting.platform.pid()?, 1);
    let before = hosting.text("hostile", "/").await?;
    assert_eq!(hosting.text("hostile", "/").await?, before, "one isolate");
    for act in ["abort", "exit", "die", "kill", "kill%20the%20first", "reallyExit", "ctx.abort"] {
        let seen = hosting.ask("hostile", &format!("/{act}"), &[]).await?;
        victim += 1;
        assert_eq!(
            hosting.text("victim", "/").await?,
            victim.to_string(),
            "the same isolate serves after {act}: {seen:?}"
        );
        // Its own may be another; it is served again, perhaps at the second request.
        let again = hosting.text("hostile", "/").await.or(hosting.text("hostile", "/").await)?;
        assert!(act != "abort" || again != before, "the isolate is another one after {act}");
    }
    assert_eq!(hosting.platform.pid()?, pid);
    Ok(())
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02X}"))
}
