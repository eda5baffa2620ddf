//! Dispatch namespaces.

use serde_json::json;

use crate::support::{ACCOUNT, TestApi};

const NS: &str = "/workers/dispatch/namespaces";

#[tokio::test]
async fn a_namespace_is_made_shown_renamed_and_deleted() {
    let api = TestApi::new().await;
    let made = api.json("POST", NS, json!({ "name": "staging" })).await.result();
    assert_eq!(made["namespace_name"], "staging");
    assert_eq!(made["namespace_id"].as_str().unwrap().len(), 36);
    assert_eq!((&made["script_count"], &made["trusted_workers"]), (&json!(0), &json!(false)));
    assert_eq!(made["created_by"], ACCOUNT);
    assert_eq!(api.get(&format!("{NS}/staging")).await.result(), made);
    assert_eq!(api.get(NS).await.result(), json!([made]));

    api.deploy(Some("staging"), "s", &[]);
    let renamed = api.json("PUT", &format!("{NS}/staging"), json!({ "name": "production" })).await.result();
    assert_eq!((&renamed["namespace_name"], &renamed["namespace_id"]), (&json!("production"), &made["namespace_id"]));
    assert_eq!(renamed["script_count"], 1);
    assert_eq!(api.get(&format!("{NS}/staging")).await.code(), (404, 100_119));
    assert_eq!(api.get(&format!("{NS}/production/scripts/s")).await.status, 200);

    let trusted = api.json("PATCH", &format!("{NS}/production"), json!({ "trusted_workers": true })).await.result();
    assert_eq!((&trusted["namespace_name"], &trusted["trusted_workers"]), (&json!("production"), &json!(true)));
    let same = api.json("PUT", &format!("{NS}/production"), json!({ "name": "production" })).await.result();
    assert_eq!(same["trusted_workers"], true, "what is not named stays");

    assert_eq!(api.call("DELETE", &format!("{NS}/production"), b"").await.result(), json!(null));
    assert_eq!(api.call("DELETE", &format!("{NS}/production"), b"").await.code(), (404, 100_119));
    assert_eq!(api.get(NS).await.result(), json!([]));
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let api = TestApi::new().await;
    for name in ["a", "b"] {
        api.json("POST", NS, json!({ "name": name })).await.result();
    }
    assert_eq!(api.json("POST", NS, json!({ "name": "a" })).await.code(), (409, 100_120));
    assert_eq!(api.json("PUT", &format!("{NS}/a"), json!({ "name": "b" })).await.code(), (409, 100_120));
    assert_eq!(api.get(NS).await.result().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn names_and_bodies_that_cannot_be_are_refused() {
    let api = TestApi::new().await;
    for name in ["a/b", "..", "", "A", "a\u{0}", "é", "a b"] {
        let (status, code, message) = api.json("POST", NS, json!({ "name": name })).await.error();
        assert_eq!((status, code), (400, 10016), "{name:?}");
        assert!(message.contains("dispatch namespace"), "{message}");
    }
    assert_eq!(api.json("POST", NS, json!({ "name": "a".repeat(64) })).await.code(), (400, 100_132));
    for body in [&b""[..], b"{", b"[]", b"\xff", b"{\"name\":3}", b"null", b"{\"name\":\"a\"} x"] {
        assert_eq!(api.call("POST", NS, body).await.code(), (400, 10001), "{}", String::from_utf8_lossy(body));
    }
    let nested = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    assert_eq!(api.call("POST", NS, &nested).await.code(), (400, 10001), "too deep");
    assert_eq!(api.get(NS).await.result(), json!([]));
}

#[tokio::test]
async fn a_namespace_without_a_name_is_given_one_of_its_own() {
    let api = TestApi::new().await;
    let names = [b"{}", b"{}"].map(async |body| {
        let made = api.call("POST", NS, body).await.result();
        made["namespace_name"].as_str().unwrap().to_owned()
    });
    let [one, other] = names;
    let (one, other) = (one.await, other.await);
    assert_ne!(one, other);
    assert_eq!(api.get(&format!("{NS}/{one}")).await.result()["namespace_name"], one);
}

#[tokio::test]
async fn pages_of_namespaces_end() {
    let api = TestApi::new().await;
    for name in ["a", "b", "c"] {
        api.json("POST", NS, json!({ "name": name })).await.result();
    }
    let names = async |query: &str| -> Vec<String> {
        let page = api.get(&format!("{NS}?{query}")).await.result();
        page.as_array().unwrap().iter().map(|it| it["namespace_name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("page=1").await, ["a", "b", "c"]);
    assert!(names("page=2").await.is_empty());
    assert_eq!(names("page=2&per_page=2").await, ["c"]);
    for bad in ["page=0", "page=x", "per_page=0", "per_page=-1", "page=99999999999999999999"] {
        assert_eq!(api.get(&format!("{NS}?{bad}")).await.code(), (400, 10001), "{bad}");
    }
}
