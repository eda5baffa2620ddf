//! KV namespaces and values.

use serde_json::{Value, json};

use crate::support::TestApi;

const KV: &str = "/storage/kv/namespaces";

async fn namespace(api: &TestApi, title: &str) -> String {
    let made = api.json("POST", KV, json!({ "title": title })).await.result();
    assert_eq!((&made["title"], &made["supports_url_encoding"]), (&json!(title), &json!(true)));
    let id = made["id"].as_str().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    format!("{KV}/{id}")
}

#[tokio::test]
async fn namespaces_are_made_listed_renamed_and_deleted() {
    let api = TestApi::new().await;
    let (b, _) = (namespace(&api, "b").await, namespace(&api, "a").await);
    let titles = async |query: &str| -> Value {
        let list = api.get(&format!("{KV}?{query}")).await.result();
        list.as_array().unwrap().iter().map(|item| item["title"].clone()).collect()
    };
    assert_eq!(titles("per_page=100&order=title&direction=asc&page=1").await, json!(["a", "b"]));
    assert_eq!(titles("order=title&direction=desc").await, json!(["b", "a"]));
    assert_eq!(titles("per_page=1&page=2").await, json!(["b"]));
    assert_eq!(titles("page=3").await, json!([]));
    assert_eq!(api.json("POST", KV, json!({ "title": "a" })).await.code(), (400, 10014));
    assert_eq!(api.json("PUT", &b, json!({ "title": "a" })).await.code(), (400, 10014));
    api.json("PUT", &b, json!({ "title": "c" })).await.result();
    assert_eq!(api.get(&b).await.result()["title"], "c");
    for bad in [json!({ "title": "" }), json!({ "title": "a\n" }), json!({ "title": "x".repeat(513) })] {
        assert_eq!(api.json("POST", KV, bad).await.code(), (400, 10029));
    }
    assert_eq!(api.json("POST", KV, json!({})).await.code(), (400, 10001));
    api.call("DELETE", &b, b"").await.result();
    for (method, path) in
        [("DELETE", b.clone()), ("GET", b.clone()), ("GET", format!("{b}/keys")), ("GET", format!("{b}/values/k"))]
    {
        assert_eq!(api.call(method, &path, b"").await.code(), (404, 10013), "{method} {path}");
    }
    assert_eq!(api.call("PUT", &format!("{b}/values/k"), b"v").await.code(), (404, 10013));
    assert_eq!(api.get(&format!("{KV}/no-such-id/keys")).await.code(), (404, 10013));
}

#[tokio::test]
async fn values_are_bytes_under_any_key() {
    let api = TestApi::new().await;
    let kv = namespace(&api, "kv").await;
    let bytes: Vec<u8> = (0..=255).collect();
    for key in ["plain", "a%2Fb", "a%20b", "%C3%A9", "100%25", "a%3Fb%23c", "..%2Fx", "a%00b"] {
        let path = format!("{kv}/values/{key}");
        assert_eq!(api.get(&path).await.code(), (404, 10009), "{key}");
        api.call("PUT", &path, &bytes).await.result();
        let value = api.get(&path).await;
        assert_eq!((value.status, &value.body), (200, &bytes), "{key}");
        assert_eq!(value.header("content-type"), Some("application/octet-stream"));
        assert_eq!(value.header("expiration"), None);
        assert_eq!(api.get(&format!("{kv}/metadata/{key}")).await.result(), Value::Null);
    }
    let keys = api.get(&format!("{kv}/keys?prefix=a")).await.result();
    assert_eq!(keys, json!([{ "name": "a\0b" }, { "name": "a b" }, { "name": "a/b" }, { "name": "a?b#c" }]));
    api.call("PUT", &format!("{kv}/values/empty"), b"").await.result();
    assert_eq!(api.get(&format!("{kv}/values/empty")).await.body, b"");
    api.call("DELETE", &format!("{kv}/values/plain"), b"").await.result();
    api.call("DELETE", &format!("{kv}/values/plain"), b"").await.result();
    assert_eq!(api.get(&format!("{kv}/values/plain")).await.code(), (404, 10009));
}

#[tokio::test]
async fn a_form_carries_metadata_and_the_query_an_expiration() {
    let api = TestApi::new().await;
    let kv = namespace(&api, "kv").await;
    let path = format!("{kv}/values/k?expiration_ttl=3600");
    let parts = [("value", None, None, &b"v\0"[..]), ("metadata", None, None, br#"{"a":[1]}"#)];
    api.form("PUT", &path, &parts).await.result();
    let value = api.get(&path).await;
    assert_eq!(value.body, b"v\0");
    let expiration: i64 = value.header("expiration").unwrap().parse().unwrap();
    assert_eq!(api.get(&format!("{kv}/metadata/k")).await.result(), json!({ "a": [1] }));
    let expected = json!([{ "name": "k", "expiration": expiration, "metadata": { "a": [1] } }]);
    assert_eq!(api.get(&format!("{kv}/keys")).await.result(), expected);
    let far = "4102444800";
    api.call("PUT", &format!("{kv}/values/far?expiration={far}"), b"v").await.result();
    assert_eq!(api.get(&format!("{kv}/values/far")).await.header("expiration"), Some(far));
}

#[tokio::test]
async fn values_that_cannot_be_are_refused() {
    let api = TestApi::new().await;
    let kv = namespace(&api, "kv").await;
    let put = async |rest: &str| api.call("PUT", &format!("{kv}/values/{rest}"), b"v").await.code();
    assert_eq!(put(&"k".repeat(513)).await, (400, 10030));
    assert_eq!(put("..").await, (400, 10030));
    assert_eq!(put("k?expiration_ttl=59").await, (400, 10033));
    assert_eq!(put("k?expiration=1").await, (400, 10033));
    assert_eq!(put("k?expiration_ttl=soon").await, (400, 10033));
    let no_value = [("metadata", None, None, &b"{}"[..])];
    assert_eq!(api.form("PUT", &format!("{kv}/values/k"), &no_value).await.code(), (400, 10029));
    for metadata in [&b"{"[..], format!("\"{}\"", "x".repeat(1024)).as_bytes()] {
        let parts = [("value", None, None, &b"v"[..]), ("metadata", None, None, metadata)];
        assert_eq!(api.form("PUT", &format!("{kv}/values/k"), &parts).await.code(), (400, 10047));
    }
    let large = vec![b'x'; 25 * 1024 * 1024 + 1];
    assert_eq!(api.call("PUT", &format!("{kv}/values/k"), &large).await.code(), (413, 10001));
    assert_eq!(api.get(&format!("{kv}/keys")).await.result(), json!([]));
    assert_eq!(api.get(&format!("{kv}/keys?cursor=nonsense!")).await.code(), (400, 10001));
}

#[tokio::test]
async fn keys_come_in_pages() {
    let api = TestApi::new().await;
    let kv = namespace(&api, "kv").await;
    let pairs: Vec<Value> = (0..25).map(|number| json!({ "key": format!("k{number:02}"), "value": "v" })).collect();
    let written = api.json("PUT", &format!("{kv}/bulk"), json!(pairs)).await.result();
    assert_eq!(written, json!({ "successful_key_count": 25, "unsuccessful_keys": [] }));
    let (mut cursor, mut seen) = (String::new(), 0);
    loop {
        let page = api.get(&format!("{kv}/keys?limit=10&cursor={cursor}")).await.json();
        seen += page["result"].as_array().unwrap().len();
        assert_eq!(
            page["result"].as_array().unwrap().len(),
            usize::try_from(page["result_info"]["count"].as_u64().unwrap()).unwrap()
        );
        cursor = page["result_info"]["cursor"].as_str().unwrap().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen, 25);
}

#[tokio::test]
async fn many_values_are_written_read_and_deleted_at_once() {
    let api = TestApi::new().await;
    let kv = namespace(&api, "kv").await;
    let pairs = json!([
        { "key": "a", "value": "1" },
        { "key": "b", "value": "AP8=", "base64": true, "metadata": { "m": 1 } },
    ]);
    api.json("PUT", &format!("{kv}/bulk"), pairs).await.result();
    assert_eq!(api.get(&format!("{kv}/values/b")).await.body, [0, 255]);
    let read =
        api.json("POST", &format!("{kv}/bulk/get"), json!({ "keys": ["a", "x"], "type": "json" })).await.result();
    assert_eq!(read, json!({ "values": { "a": 1, "x": null } }));
    let with = json!({ "keys": ["a"], "withMetadata": true });
    let read = api.json("POST", &format!("{kv}/bulk/get"), with).await.result();
    assert_eq!(read, json!({ "values": { "a": { "value": "1", "metadata": null } } }));
    for (bad, code) in [
        (json!([{ "key": "ok", "value": "1" }, { "key": "", "value": "2" }]), 10030),
        (json!([{ "key": "ok", "value": "1" }, { "key": "k", "value": "*", "base64": true }]), 10029),
        (json!([{ "key": "ok", "value": "1" }, { "key": "k", "value": "1", "expiration_ttl": 1 }]), 10033),
        (json!([{ "key": "ok" }]), 10001),
        (json!({}), 10001),
    ] {
        assert_eq!(api.json("PUT", &format!("{kv}/bulk"), bad.clone()).await.code(), (400, code), "{bad}");
    }
    assert_eq!(api.get(&format!("{kv}/values/ok")).await.code(), (404, 10009), "nothing of what was refused is there");
    api.json("POST", &format!("{kv}/bulk/delete"), json!(["a", "nowhere"])).await.result();
    api.json("DELETE", &format!("{kv}/bulk"), json!(["b"])).await.result();
    assert_eq!(api.get(&format!("{kv}/keys")).await.result(), json!([]));
}
