//! Secrets: they go in, and never come out.

use serde_json::{Value, json};
use tidegate_platform::worker::{Binding, BindingValue, ScriptKey};

use crate::support::{TestApi, version};

const SCRIPT: &str = "/workers/dispatch/namespaces/n/scripts/s";
const TEXT: &str = "hunter2-hunter2";

fn secret(name: &str, text: &str) -> Value {
    json!({ "name": name, "text": text, "type": "secret_text" })
}

fn text_of(api: &TestApi, key: &ScriptKey, name: &str) -> Option<String> {
    let bindings = api.store.load(key).unwrap().code.bindings;
    bindings.into_iter().find(|binding| binding.name == name).map(|binding| match binding.value {
        BindingValue::SecretText { text } => text.expose().to_owned(),
        other => panic!("{other:?}"),
    })
}

#[tokio::test]
async fn secrets_are_put_listed_shown_and_deleted_and_their_text_never_comes_back() {
    let api = TestApi::new().await;
    for (scope, script) in [(Some("n"), SCRIPT), (None, "/workers/scripts/s")] {
        let key = api.deploy(scope, "s", &["tag"]);
        let before = api.store.script(&key).unwrap();
        let mut answers = vec![api.json("PUT", &format!("{script}/secrets"), secret("A", TEXT)).await];
        assert_eq!(answers[0].result(), json!({ "name": "A", "type": "secret_text" }));
        assert_eq!(text_of(&api, &key, "A").as_deref(), Some(TEXT));
        let after = api.store.script(&key).unwrap();
        assert_ne!(after.version.id, before.version.id, "the runtime must load it anew");
        assert_eq!(after.version.started, before.version.started);
        assert_eq!(after.tags, ["tag"]);

        for below in ["/secrets", "/secrets/A", "/secrets/A?url_encoded=true", "/bindings", "/settings", "/content"] {
            answers.push(api.get(&format!("{script}{below}")).await);
        }
        answers.push(api.get(script).await);
        for answer in &answers {
            let text = String::from_utf8_lossy(&answer.body);
            assert_eq!(answer.status, 200, "{text}");
            assert!(!text.contains(TEXT) && !text.contains("hunter2"), "{text}");
        }
        assert_eq!(answers[1].result(), json!([{ "name": "A", "type": "secret_text" }]));
        assert_eq!(answers[2].result(), json!({ "name": "A", "type": "secret_text" }));

        let path = format!("{script}/secrets/A?url_encoded=true");
        assert_eq!(api.call("DELETE", &path, b"").await.result(), Value::Null);
        assert_eq!(api.call("DELETE", &path, b"").await.code(), (404, 10056));
        assert_eq!(api.get(&path).await.code(), (404, 10056));
        assert_eq!(api.get(&format!("{script}/secrets")).await.result(), json!([]));
    }
}

#[tokio::test]
async fn names_of_secrets_are_decoded_once() {
    let api = TestApi::new().await;
    let key = api.deploy(Some("n"), "s", &[]);
    api.json("PUT", &format!("{SCRIPT}/secrets"), secret("A/B %2F", TEXT)).await.result();
    assert!(text_of(&api, &key, "A/B %2F").is_some());
    let path = format!("{SCRIPT}/secrets/A%2FB%20%252F");
    assert_eq!(api.get(&path).await.result()["name"], "A/B %2F");
    api.call("DELETE", &path, b"").await.result();
    assert!(text_of(&api, &key, "A/B %2F").is_none());
}

#[tokio::test]
async fn secrets_that_cannot_be_are_refused() {
    let api = TestApi::new().await;
    let key = api.deploy(Some("n"), "s", &[]);
    let mut with_variable = version(&[("w.js", "")]);
    let value = BindingValue::PlainText { text: "x".to_owned() };
    with_variable.code.bindings.push(Binding { name: "TAKEN".to_owned(), value });
    api.store.deploy(&key, &with_variable).unwrap();
    let cases = [
        (json!({ "text": "t" }), (400, 10052)),
        (json!({ "name": "", "text": "t" }), (400, 10052)),
        (json!({ "name": "A" }), (400, 10021)),
        (json!({ "name": "A", "text": 3 }), (400, 10021)),
        (json!({ "name": "A", "text": "x".repeat(5121) }), (400, 10021)),
        (json!({ "name": "__proto__", "text": "t" }), (400, 10021)),
        (json!({ "name": "A", "type": "secret_key", "key_base64": "AA==" }), (400, 10021)),
        (secret("TAKEN", "t"), (400, 10053)),
        (json!([]), (400, 10001)),
    ];
    for (body, expected) in cases {
        let answer = api.json("PUT", &format!("{SCRIPT}/secrets"), body.clone()).await;
        assert_eq!(answer.code(), expected, "{body}");
    }
    assert_eq!(
        api.call("DELETE", &format!("{SCRIPT}/secrets/TAKEN"), b"").await.code(),
        (404, 10056),
        "it is no secret"
    );
    assert_eq!(api.get(&format!("{SCRIPT}/secrets")).await.result(), json!([]));
}

/// What `crypto.subtle.importKey()` makes of it, only a runtime knows: see the end-to-end tests.
#[tokio::test]
async fn a_secret_key_must_be_described_whole() {
    let api = TestApi::new().await;
    api.deploy(Some("n"), "s", &[]);
    let whole = json!({
        "name": "K", "type": "secret_key", "algorithm": { "name": "HMAC", "hash": "SHA-256" }, "format": "raw",
        "usages": ["sign", "verify"], "key_base64": "aHVudGVyMg==",
    });
    let with = |key: &str, value: Value| {
        let mut other = whole.clone();
        other[key] = value;
        other
    };
    let put = async |body: &Value| api.json("PUT", &format!("{SCRIPT}/secrets"), body.clone()).await;
    assert_eq!(put(&whole).await.code(), (503, 10002), "it is started, and there is nothing here to start it");
    let cases = [
        ("algorithm", Value::Null, "must have `algorithm`"),
        ("algorithm", json!(3), "`algorithm` of binding `K`"),
        ("format", Value::Null, "must have `format`"),
        ("format", json!("pem"), "one of `jwk`"),
        ("usages", Value::Null, "must have `usages`"),
        ("usages", json!("sign"), "`usages` of binding `K`"),
        ("usages", json!(["sign", "guess"]), "`wrapKey`"),
        ("key_base64", Value::Null, "must have `key_base64`"),
        ("key_base64", json!("no base64!"), "must be base64"),
        ("key_base64", json!("A".repeat(5124)), "at most 5120"),
        ("format", json!("jwk"), "must have `key_jwk`"),
    ];
    for (key, value, expected) in cases {
        let body = with(key, value);
        let (status, code, message) = put(&body).await.error();
        assert_eq!((status, code), (400, 10021), "{body}");
        assert!(message.contains(expected), "{body}: {message}");
    }
    assert_eq!(api.get(&format!("{SCRIPT}/secrets")).await.result(), json!([]));
}

#[tokio::test]
async fn several_secrets_change_in_one_step_or_not_at_all() {
    let api = TestApi::new().await;
    let key = api.deploy(Some("n"), "s", &[]);
    let bulk = format!("{SCRIPT}/secrets-bulk");
    let set = json!({ "secrets": { "A": { "text": "1", "type": "secret_text" }, "B": { "name": "B", "text": "2" } } });
    let all = api.json("PATCH", &bulk, set).await.result();
    assert_eq!(all["A"], json!({ "name": "A", "type": "secret_text" }));
    assert_eq!(all.as_object().unwrap().len(), 2);
    let version = api.store.script(&key).unwrap().version.id;

    let half = json!({ "secrets": { "A": null, "C": { "text": "3" }, "X": null } });
    assert_eq!(api.json("PATCH", &bulk, half).await.code(), (404, 10056));
    assert_eq!(api.store.script(&key).unwrap().version.id, version, "nothing changed");

    let change = json!({ "secrets": { "A": null, "B": { "text": "4" }, "C": { "text": "3" } } });
    let all = api.json("PATCH", &bulk, change).await.result();
    assert_eq!(all.as_object().unwrap().keys().collect::<Vec<_>>(), ["B", "C"]);
    assert_eq!(text_of(&api, &key, "B").as_deref(), Some("4"));
    assert_eq!(api.json("PATCH", &bulk, json!({})).await.result(), all, "nothing is asked for");
    for bad in [json!({ "secrets": [] }), json!({ "secrets": { "A": "x" } })] {
        assert_eq!(api.json("PATCH", &bulk, bad.clone()).await.code(), (400, 10001), "{bad}");
    }
}

#[tokio::test]
async fn secrets_put_at_the_same_time_are_all_there() {
    let api = std::sync::Arc::new(TestApi::new().await);
    let key = api.deploy(Some("n"), "s", &[]);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..30 {
        let api = api.clone();
        tasks.spawn(async move {
            let body = secret(&format!("S{number}"), TEXT);
            api.json("PUT", &format!("{SCRIPT}/secrets"), body).await.result();
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let list = api.get(&format!("{SCRIPT}/secrets")).await.result();
    assert_eq!(list.as_array().unwrap().len(), 30);
    assert_eq!(text_of(&api, &key, "S0").as_deref(), Some(TEXT));
}

#[tokio::test]
async fn a_hundred_and_twenty_ninth_variable_is_refused() {
    let api = TestApi::new().await;
    api.deploy(Some("n"), "s", &[]);
    let secrets: serde_json::Map<_, _> =
        (0..128).map(|number| (format!("S{number}"), json!({ "text": "t" }))).collect();
    let bulk = format!("{SCRIPT}/secrets-bulk");
    assert_eq!(api.json("PATCH", &bulk, json!({ "secrets": secrets })).await.result().as_object().unwrap().len(), 128);
    let (status, code, message) = api.json("PUT", &format!("{SCRIPT}/secrets"), secret("ONE_MORE", "t")).await.error();
    assert_eq!((status, code), (400, 10021));
    assert!(message.contains("128"), "{message}");
}
