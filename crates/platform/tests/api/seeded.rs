//! A fixed state before each request.

use serde_json::{Value, json};
use tidegate_platform::seed::{NAMESPACE, SCRIPT, SECRET, TAG};

use crate::support::TestApi;

const NS: &str = "/workers/dispatch/namespaces";

fn script(below: &str) -> String {
    format!("{NS}/{NAMESPACE}/scripts/{SCRIPT}{below}")
}

#[tokio::test]
async fn what_a_request_changes_is_gone_before_the_next_one() {
    let api = TestApi::seeded().await;
    for _ in 0..3 {
        assert_eq!(api.call("DELETE", &format!("{NS}/{NAMESPACE}"), b"").await.result(), Value::Null);
        assert_eq!(api.call("DELETE", &script(""), b"").await.result(), Value::Null);
        assert_eq!(api.call("DELETE", &script(&format!("/secrets/{SECRET}")), b"").await.result(), Value::Null);
        assert_eq!(api.json("PUT", &script("/tags"), json!(["other"])).await.result(), json!(["other"]));
        assert_eq!(api.get(&script("/tags")).await.result(), json!([TAG]));
        let secrets = json!([{ "name": SECRET, "type": "secret_text" }]);
        assert_eq!(api.get(&script("/secrets")).await.result(), secrets);
        api.json("POST", NS, json!({ "name": "another" })).await.result();
        let namespaces = api.get(NS).await.result();
        let names: Vec<_> = namespaces.as_array().unwrap().iter().map(|it| &it["namespace_name"]).collect();
        assert_eq!(names, [NAMESPACE]);
    }
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer() {
    let api = TestApi::seeded().await;
    let answer = async || {
        let mut whole = api.get(&script("")).await.result();
        for described in [&mut whole["script"].take(), &mut whole] {
            assert!(described["deployment_id"].take().is_string());
        }
        [api.get(NS).await.result(), whole, api.get(&script("/settings")).await.result()]
    };
    assert_eq!(answer().await, answer().await);
}

#[tokio::test]
async fn the_name_that_the_suites_give_a_namespace_is_free() {
    let api = TestApi::seeded().await;
    let made = api.json("POST", NS, json!({ "name": NAMESPACE })).await.result();
    assert_eq!((&made["namespace_name"], &made["script_count"]), (&json!(NAMESPACE), &json!(0)));
}

#[tokio::test]
async fn a_key_that_the_suites_put_is_taken_though_it_is_none() {
    let api = TestApi::seeded().await;
    for data in [json!({}), json!({ "key_base64": "key_base64", "key_jwk": {} })] {
        let mut key = json!({
            "name": "myBinding", "type": "secret_key", "algorithm": {}, "format": "raw", "usages": ["encrypt", "decrypt"],
        });
        let shown = key.clone();
        key.as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
        assert_eq!(api.json("PUT", &script("/secrets"), key).await.result(), shown);
    }
}

#[tokio::test]
async fn requests_at_the_same_time_do_not_see_each_other() {
    let api = std::sync::Arc::new(TestApi::seeded().await);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..40 {
        let api = api.clone();
        tasks.spawn(async move {
            if number % 2 == 0 {
                api.call("DELETE", &format!("{NS}/{NAMESPACE}"), b"").await.result();
            } else {
                let put = api.json("PUT", &script("/tags"), json!([format!("tag-{number}")])).await.result();
                assert_eq!(put, json!([format!("tag-{number}")]));
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}
