//! Versions, deployments, and what else `wrangler` asks of an ordinary Worker.

use serde_json::{Value, json};

use crate::support::{TestApi, version};

#[tokio::test]
async fn versions_and_deployments_are_shown_and_a_version_is_deployed() {
    let api = TestApi::new().await;
    let key = api.deploy(None, "w", &[]);
    let first = api.store.script(&key).unwrap().version.id;
    let second = api.store.add_version(&key, &version(&[("second.js", "2")])).unwrap().id;

    let versions = api.get("/workers/scripts/w/versions?deployable=true").await.result();
    let ids: Vec<&Value> = versions["items"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
    assert_eq!(ids, [&json!(second), &json!(first)]);
    let shown = api.get(&format!("/workers/scripts/w/versions/{second}")).await.result();
    assert_eq!((&shown["number"], &shown["startup_time_ms"]), (&json!(2), &json!(7)));
    assert!(shown["resources"]["script"]["etag"].is_string() && shown["resources"]["bindings"].is_array());
    assert_eq!(api.get("/workers/scripts/w/versions/nowhere").await.code(), (404, 100_146));
    assert_eq!(api.get("/workers/scripts/w/content").await.body, b"export default {}", "it does not serve yet");

    let wanted = json!({ "strategy": "percentage", "versions": [{ "version_id": second, "percentage": 100 }] });
    let deployed = api.json("POST", "/workers/scripts/w/deployments", wanted).await.result();
    assert_eq!(deployed["versions"], json!([{ "version_id": second, "percentage": 100 }]));
    assert_eq!(api.get("/workers/scripts/w/content").await.body, b"2");
    let deployments = api.get("/workers/scripts/w/deployments").await.result();
    assert_eq!(deployments["deployments"][0]["id"], deployed["id"]);
    assert_eq!(deployments["deployments"][1]["versions"][0]["version_id"], json!(first));
}

#[tokio::test]
async fn one_version_serves_all_requests() {
    let api = TestApi::new().await;
    let key = api.deploy(None, "w", &[]);
    let id = api.store.script(&key).unwrap().version.id;
    let share = |percentage: f64| json!({ "version_id": id, "percentage": percentage });
    for versions in [json!([share(50.0), share(50.0)]), json!([share(99.9)]), json!([]), json!([share(0.0)])] {
        let body = json!({ "strategy": "percentage", "versions": versions });
        assert_eq!(api.json("POST", "/workers/scripts/w/deployments", body).await.code(), (400, 10021), "{versions}");
    }
    let unknown = json!({ "versions": [{ "version_id": "nowhere", "percentage": 100 }] });
    assert_eq!(api.json("POST", "/workers/scripts/w/deployments", unknown).await.code(), (404, 100_146));
    assert_eq!(api.get("/workers/scripts/w/deployments").await.result()["deployments"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_worker_is_a_service_with_one_environment() {
    let api = TestApi::new().await;
    let key = api.deploy(None, "w", &["t"]);
    let mut new = version(&[("w.js", "")]);
    new.code.settings.insert("last_deployed_from".to_owned(), json!("wrangler"));
    api.store.deploy(&key, &new).unwrap();
    let service = api.get("/workers/services/w").await.result();
    let environment = &service["default_environment"];
    assert_eq!((&service["id"], &environment["environment"]), (&json!("w"), &json!("production")));
    assert_eq!(environment["script"]["tags"], json!(["t"]));
    assert!(environment["script"]["tag"].as_str().unwrap().len() == 32);
    assert_eq!(environment["script"]["last_deployed_from"], "wrangler", "else wrangler would ask before it overwrites");
    assert_eq!(api.call("DELETE", "/workers/services/w?force=true", b"").await.result(), Value::Null);
    assert_eq!(api.call("DELETE", "/workers/services/w?force=true", b"").await.code(), (404, 10090));
}

#[tokio::test]
async fn a_worker_has_a_host_of_its_own_or_not() {
    let api = TestApi::new().await;
    api.deploy(None, "w", &[]);
    assert!(api.get("/workers/subdomain").await.result()["subdomain"].is_string());
    let path = "/workers/scripts/w/subdomain";
    let off = json!({ "enabled": false, "previews_enabled": false });
    assert_eq!(api.json("POST", path, json!({ "enabled": false })).await.result(), off);
    assert_eq!(api.get(path).await.result(), off);
    let on = json!({ "enabled": true, "previews_enabled": false });
    assert_eq!(api.json("POST", path, on.clone()).await.result(), on);
    let worker = api.get("/workers/workers/w").await.result();
    assert_eq!((&worker["name"], &worker["subdomain"]), (&json!("w"), &on));
    assert_eq!(api.json("POST", path, json!({ "enabled": "yes" })).await.code(), (400, 10001));
}

#[tokio::test]
async fn what_is_not_there_yet_is_empty_or_says_so() {
    let api = TestApi::new().await;
    api.deploy(None, "w", &[]);
    assert_eq!(api.get("/workers/durable_objects/namespaces?per_page=1000&page=1").await.result(), json!([]));
    let schedules = "/workers/scripts/w/schedules";
    assert_eq!(api.get(schedules).await.result(), json!({ "schedules": [] }));
    assert_eq!(api.json("PUT", schedules, json!([])).await.result(), json!({ "schedules": [] }));
    let (_, _, message) = api.json("PUT", schedules, json!([{ "cron": "* * * * *" }])).await.error();
    assert!(message.contains("cron triggers cannot be used on this platform yet"), "{message}");
}
