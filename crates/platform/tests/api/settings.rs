//! Settings: shown, and changed as far as nothing is started.

use serde_json::{Value, json};
use tidegate_platform::names::ScriptName;
use tidegate_platform::worker::{Binding, BindingValue, Outbound, Secret};

use crate::support::{TestApi, version};

const SCRIPT: &str = "/workers/dispatch/namespaces/n/scripts/s";

#[tokio::test]
async fn every_binding_is_shown_as_it_was_declared_and_secrets_without_their_text() {
    let api = TestApi::new().await;
    let key = api.deploy(Some("n"), "s", &["t"]);
    let namespace = api.store.namespaces().unwrap()[0].id;
    let mut new = version(&[("w.js", ""), ("m.wasm", "")]);
    let part = || "m.wasm".to_owned();
    let values = [
        ("ASSETS", BindingValue::Assets),
        ("BLOB", BindingValue::DataBlob { part: part() }),
        (
            "DISPATCH",
            BindingValue::DispatchNamespace {
                namespace,
                outbound: Some(Outbound {
                    service: "out".to_owned(),
                    environment: Some("production".to_owned()),
                    entrypoint: None,
                    parameters: vec!["customer".to_owned()],
                }),
            },
        ),
        ("JSON", BindingValue::Json { json: Value::Null }),
        ("KV", BindingValue::KvNamespace { namespace_id: "0".repeat(32) }),
        ("PLAIN", BindingValue::PlainText { text: "text".to_owned() }),
        ("SECRET", BindingValue::SecretText { text: Secret::new("hidden".to_owned()) }),
        (
            "SERVICE",
            BindingValue::Service {
                service: ScriptName::parse("other").unwrap(),
                entrypoint: Some("E".to_owned()),
                environment: None,
            },
        ),
        ("TEXT", BindingValue::TextBlob { part: part() }),
        ("WASM", BindingValue::WasmModule { part: part() }),
    ];
    new.code.bindings = values.into_iter().map(|(name, value)| Binding { name: name.to_owned(), value }).collect();
    new.code.settings = json!({ "limits": { "subrequests": 3 }, "logpush": true }).as_object().unwrap().clone();
    api.store.deploy(&key, &new).unwrap();

    let expected = json!([
        { "name": "ASSETS", "type": "assets" },
        { "name": "BLOB", "type": "data_blob", "part": "m.wasm" },
        { "name": "DISPATCH", "type": "dispatch_namespace", "namespace": "n", "outbound": {
            "worker": { "service": "out", "environment": "production" }, "params": [{ "name": "customer" }] } },
        { "name": "JSON", "type": "json", "json": null },
        { "name": "KV", "type": "kv_namespace", "namespace_id": "0".repeat(32) },
        { "name": "PLAIN", "type": "plain_text", "text": "text" },
        { "name": "SECRET", "type": "secret_text" },
        { "name": "SERVICE", "type": "service", "service": "other", "entrypoint": "E" },
        { "name": "TEXT", "type": "text_blob", "part": "m.wasm" },
        { "name": "WASM", "type": "wasm_module", "part": "m.wasm" },
    ]);
    assert_eq!(api.get(&format!("{SCRIPT}/bindings")).await.result(), expected);
    let settings = api.get(&format!("{SCRIPT}/settings")).await.result();
    assert_eq!(settings["bindings"], expected);
    assert_eq!(settings["compatibility_date"], "2026-01-01");
    assert_eq!(settings["tags"], json!(["t"]));
    assert_eq!(settings["limits"], json!({ "subrequests": 3 }));
    assert_eq!((&settings["logpush"], &settings["usage_model"]), (&json!(true), &json!("standard")));
}

#[tokio::test]
async fn settings_of_a_script_change_without_a_start() {
    let api = TestApi::new().await;
    let key = api.deploy(None, "s", &["old"]);
    let path = "/workers/scripts/s/script-settings";
    let change = json!({ "observability": { "enabled": true }, "tags": ["new"], "compatibility_date": "1999-01-01" });
    let after = api.json("PATCH", path, change).await.result();
    assert_eq!((&after["observability"], &after["tags"]), (&json!({ "enabled": true }), &json!(["new"])));
    let script = api.store.script(&key).unwrap();
    assert_eq!(script.version.compatibility_date, "2026-01-01", "that is a version's");

    api.json("PATCH", path, json!({ "observability": { "enabled": true }, "tags": [] })).await.result();
    let same = api.store.script(&key).unwrap();
    assert_eq!(same.version.id, script.version.id, "what changes nothing of the code makes no version");
    assert_eq!(same.tags, [] as [&str; 0]);
    let removed = api.json("PATCH", path, json!({ "observability": null })).await.result();
    assert_eq!(removed["observability"], Value::Null);

    for (setting, value) in [("tail_consumers", json!(true)), ("logpush", json!("on")), ("observability", json!([]))] {
        let (status, code, message) = api.json("PATCH", path, json!({ (setting): value })).await.error();
        assert_eq!((status, code), (400, 10021), "{message}");
        assert!(message.contains(&format!("`{setting}`")), "{message}");
    }
    assert_eq!(api.get(path).await.result(), removed, "what clients read as a list is one");
}

#[tokio::test]
async fn changes_that_cannot_be_are_refused_before_anything_is_started() {
    let api = TestApi::new().await;
    let key = api.deploy(Some("n"), "s", &[]);
    let version = api.store.script(&key).unwrap().version.id;
    let path = format!("{SCRIPT}/settings");
    let change = async |settings: Value| {
        let text = settings.to_string();
        api.form("PATCH", &path, &[("settings", None, Some("application/json"), text.as_bytes())]).await
    };
    assert_eq!(change(json!({ "bindings": [{ "type": "secret_text", "name": "GONE" }] })).await.code(), (400, 10057));
    assert_eq!(change(json!({ "bindings": [{ "type": "inherit", "name": "GONE" }] })).await.code(), (400, 10057));
    assert_eq!(
        change(json!({ "bindings": [{ "type": "r2_bucket", "name": "R2", "bucket_name": "x" }] })).await.code(),
        (400, 10021)
    );
    assert_eq!(change(json!({ "migrations": { "new_tag": "v1" } })).await.code(), (400, 10021));
    assert_eq!(change(json!({ "tags": ["a,b"] })).await.code(), (400, 100_134));
    assert_eq!(change(json!([])).await.code(), (400, 10021));
    assert_eq!(api.form("PATCH", &path, &[("other", None, None, b"{}")]).await.code(), (400, 10001));
    assert_eq!(api.call("PATCH", &path, b"{}").await.code(), (415, 10001), "a Content-Type is required");
    assert_eq!(api.form("PATCH", &path, &[("settings", None, None, b"{")]).await.code(), (400, 10001));
    assert_eq!(api.store.script(&key).unwrap().version.id, version);
}
