//! Builtins that a user Worker redefines, and values that it makes up: they hurt nobody but itself.

use super::*;

/// Redefines all that the platform's code in the same isolate, or anywhere, might use.
const REDEFINING: &str = include_str!("workers/redefining.js");

/// Gives back, and throws, what no honest Worker would.
const MAKING_UP: &str = include_str!("workers/making-up.js");

#[tokio::test]
async fn a_worker_that_redefines_every_builtin_is_alone_in_what_it_sees() -> Result<()> {
    let hosting = Hosting::start().await?;
    let kv = hosting.platform.api().json("POST", "storage/kv/namespaces", &json!({ "title": "kv" })).await?.result()?;
    let bindings = json!([
        { "type": "kv_namespace", "name": "KV", "namespace_id": kv["id"] },
        { "type": "secret_text", "name": "SECRET", "text": "others-secret" },
    ]);
    let looking = r#"
        export default {
          async fetch(request, { KV, SECRET }) {
            await KV.put("k", "v");
            const stamped = await (await fetch("https://api.example/")).text();
            const polluted = ["polluted", "get", "set", "then", "toJSON"].filter((name) => name in {});
            return Response.json([await KV.get("k"), stamped, SECRET, polluted, globalThis.stolen ?? null, String(console.log).includes("native")]);
          },
        };
    "#;
    let expected = |name: &str| json!(["v", name, "others-secret", [], null, true]);
    hosting.user("before", looking, &json!({ "bindings": bindings })).await?;
    assert_eq!(hosting.json("before", "/").await?, expected("before"));

    hosting
        .user("hostile", REDEFINING, &json!({ "bindings": [bindings[0]], "compatibility_flags": ["nodejs_compat"] }))
        .await?;
    for path in ["/", "/kv", "/fetch", "/throw", "/"] {
        let _ = hosting.ask("hostile", path, &[]).await;
    }
    let (_, seen) = hosting.ask("hostile", "/stolen", &[]).await?;
    assert!(seen.starts_with("redefined"), "it did what it says: {seen}");
    for secret in ["others-secret", "control", "LOADER", "EGRESS", "MARK"] {
        assert!(!seen.contains(secret), "{secret}: {seen}");
    }
    hosting.user("after", looking, &json!({ "bindings": bindings })).await?;
    for name in ["before", "after"] {
        assert_eq!(hosting.json(name, "/").await?, expected(name));
    }
    Ok(())
}

#[tokio::test]
async fn what_a_worker_gives_back_by_rpc_harms_neither_gate_nor_dispatch_worker() -> Result<()> {
    let hosting = Hosting::start().await?;
    hosting.user("hostile", MAKING_UP, &json!({})).await?;
    hosting.user("victim", &saying("served"), &json!({})).await?;
    let (pid, methods) = (hosting.platform.pid()?, hosting.json("hostile", "/methods").await?);
    let methods = methods.as_array().context("methods")?;
    assert!(methods.len() > 15, "{methods:?}");
    for method in methods {
        let method = method.as_str().context("a name")?;
        let headers = [("x-call", method)];
        let asked = hosting.ask("hostile", "/", &headers);
        // One that never answers is given up; whoever else asks is served all the same.
        let outcome = tokio::time::timeout(Duration::from_secs(5), asked).await;
        if let Ok(outcome) = outcome {
            let (_, seen) = outcome?;
            for word in ["CONTROL", "LOADER", "EGRESS", "/tg-", "host.js", "isolates.js"] {
                assert!(!seen.contains(word), "{method} tells {word}: {seen}");
            }
        }
        assert_eq!(hosting.text("victim", "/").await?, "served", "after {method}");
    }
    let (_, honest) = hosting.ask("hostile", "/", &[("x-call", "honest")]).await?;
    assert_eq!(honest, r#"{"gave":"argument"}"#);
    assert_eq!(hosting.platform.pid()?, pid, "nothing ended");
    Ok(())
}

#[tokio::test]
async fn candidates_that_redefine_builtins_or_wait_with_their_harm_are_refused_or_told_apart() -> Result<()> {
    let hosting = Hosting::start().await?;
    let api = hosting.platform.api();
    let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-01-01" });
    let garbage = [
        ("handlers that are no names", "Array.prototype.filter = () => [{}, 1]; export default { fetch() {} };"),
        ("no list of handlers", "Object.keys = () => 42; export default { fetch() {} };"),
        ("a list without end", "Object.keys = () => new Array(3e6).fill('a handler'); export default { fetch() {} };"),
        ("a thenable", "Array.prototype.filter = () => ({ then() {} }); export default { fetch() {} };"),
        ("a getter that throws", "export default { get fetch() { throw new Error('no'); } };"),
        ("a message without end", "export default { get fetch() { throw new Error('x'.repeat(2e6)); } };"),
        ("an error that is none", "export default { get fetch() { throw { get message() { return {}; } }; } };"),
        ("a proxy that throws", "export default new Proxy({}, { ownKeys() { throw 1; } });"),
        ("a top level that throws", "throw new Error('at the top');"),
        ("a top level that waits for ever", "await new Promise(() => {}); export default { fetch() {} };"),
        ("a top level that is rejected", "await Promise.reject(new Error('late')); export default { fetch() {} };"),
        ("an export that throws when it is read", "export let x; export { x as default }; throw null;"),
    ];
    for (what, code) in garbage {
        let answer = api.upload(&user("hostile"), &metadata, &[Part::module("index.js", code)]).await?;
        assert!(answer.status < 500, "{what}: {answer:?}");
        assert!(answer.body.len() < 300_000, "{what}: an answer of {} bytes", answer.body.len());
    }
    // It leaves a loop behind, that begins when its own check is over: the next candidate must not be blamed.
    let trap = r"
        export default {
          get fetch() {
            setTimeout(() => { for (;;) {} }, 0);
            throw new Error('not me');
          },
        };
    ";
    let answer = api.upload(&user("hostile"), &metadata, &[Part::module("index.js", trap)]).await?;
    assert_eq!(answer.status, 400, "{answer:?}");
    hosting.user("honest", &saying("honest"), &json!({})).await?;
    assert_eq!(hosting.text("honest", "/").await?, "honest");
    Ok(())
}
