//! Tags of a script.

use serde_json::{Value, json};

use crate::support::TestApi;

const TAGS: &str = "/workers/dispatch/namespaces/n/scripts/s/tags";

#[tokio::test]
async fn tags_are_set_added_and_taken_away() {
    let api = TestApi::new().await;
    api.deploy(Some("n"), "s", &[]);
    let put = api.json("PUT", TAGS, json!(["b", "a", "b"])).await.result();
    assert_eq!(put, json!(["a", "b"]));
    assert_eq!(api.call("PUT", &format!("{TAGS}/c"), b"").await.result(), Value::Null);
    assert_eq!(api.call("PUT", &format!("{TAGS}/c"), b"").await.result(), Value::Null, "there already is fine");
    assert_eq!(api.call("DELETE", &format!("{TAGS}/a"), b"").await.result(), Value::Null);
    assert_eq!(api.call("DELETE", &format!("{TAGS}/a"), b"").await.result(), Value::Null, "none such is fine");
    assert_eq!(api.get(TAGS).await.result(), json!(["b", "c"]));
    assert_eq!(api.json("PUT", TAGS, Value::Null).await.result(), json!([]));
    assert_eq!(api.get(TAGS).await.result(), json!([]));
}

#[tokio::test]
async fn tags_in_paths_are_decoded_once() {
    let api = TestApi::new().await;
    api.deploy(Some("n"), "s", &[]);
    for (path, tag) in
        [("team%3Ablue", "team:blue"), ("a%2Fb", "a/b"), ("100%25", "100%"), ("%C3%A9", "é"), ("..", "..")]
    {
        api.call("PUT", &format!("{TAGS}/{path}"), b"").await.result();
        assert_eq!(api.get(TAGS).await.result(), json!([tag]), "{path}");
        api.call("DELETE", &format!("{TAGS}/{path}"), b"").await.result();
        assert_eq!(api.get(TAGS).await.result(), json!([]), "{path}");
    }
}

#[tokio::test]
async fn a_filter_says_whether_it_meets_the_tags() {
    let api = TestApi::new().await;
    api.deploy(Some("n"), "s", &["paid", "eu"]);
    for (filter, met) in [
        ("paid:yes", true),
        ("paid:yes,eu:no", false),
        ("trial:no", true),
        ("paid%3Ayes%2Ctrial%3Ano", true),
        ("x:yes", false),
    ] {
        assert_eq!(api.get(&format!("{TAGS}?tags={filter}")).await.result(), json!(met), "{filter}");
    }
}

#[tokio::test]
async fn tags_that_cannot_be_are_refused_and_change_nothing() {
    let api = TestApi::new().await;
    api.deploy(Some("n"), "s", &["keep"]);
    for bad in
        [json!(["a,b"]), json!(["a&b"]), json!([""]), json!([1]), json!("a"), json!({}), json!(["x".repeat(1025)])]
    {
        assert_eq!(api.json("PUT", TAGS, bad.clone()).await.code(), (400, 100_134), "{bad}");
    }
    for bad in ["a%2Cb", "a%26b", "a%00b"] {
        assert_eq!(api.call("PUT", &format!("{TAGS}/{bad}"), b"").await.code(), (400, 100_134), "{bad}");
    }
    let nine: Vec<String> = (0..9).map(|tag| tag.to_string()).collect();
    assert_eq!(api.json("PUT", TAGS, json!(nine)).await.code(), (400, 100_134));
    let (_, code, message) = api.call("PUT", TAGS, b"['TAG1', 'TAG2']").await.error();
    assert_eq!(code, 10001);
    assert!(message.contains("line 1 column 2"), "{message}");
    assert_eq!(api.get(TAGS).await.result(), json!(["keep"]));
}

#[tokio::test]
async fn a_ninth_tag_is_refused() {
    let api = TestApi::new().await;
    api.deploy(Some("n"), "s", &["1", "2", "3", "4", "5", "6", "7"]);
    api.call("PUT", &format!("{TAGS}/8"), b"").await.result();
    assert_eq!(api.call("PUT", &format!("{TAGS}/9"), b"").await.code(), (400, 100_134));
    assert_eq!(api.call("PUT", &format!("{TAGS}/8"), b"").await.status, 200, "one that is there is no ninth");
}

#[tokio::test]
async fn a_hundred_thousand_tags_are_a_clear_error() {
    let api = TestApi::new().await;
    api.deploy(Some("n"), "s", &[]);
    let many: Vec<String> = (0..100_000).map(|tag| format!("tag-{tag}")).collect();
    let (status, code, message) = api.json("PUT", TAGS, json!(many)).await.error();
    assert_eq!((status, code), (400, 100_134));
    assert!(message.contains("at most 8"), "{message}");
    assert_eq!(api.get(TAGS).await.result(), json!([]));
}
