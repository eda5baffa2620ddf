//! Scripts: described, listed, filtered, deleted.

use serde_json::{Value, json};

use crate::support::{TestApi, version};

const SCRIPTS: &str = "/workers/dispatch/namespaces/n/scripts";

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_script_of_a_namespace_is_described_flat_and_nested() {
    let api = TestApi::new().await;
    api.deploy(Some("n"), "s", &["paid"]);
    let script = api.get(&format!("{SCRIPTS}/s")).await.result();
    for described in [&script, &script["script"], &api.get(SCRIPTS).await.result()[0]] {
        assert_eq!(described["id"], "s");
        assert_eq!(described["tags"], json!(["paid"]));
        assert_eq!(described["handlers"], json!(["fetch"]));
        assert_eq!(described["startup_time_ms"], 7);
        assert_eq!(described["compatibility_date"], "2026-01-01");
        assert_eq!((&described["has_modules"], &described["has_assets"]), (&json!(true), &json!(false)));
        assert_eq!(described["usage_model"], "standard");
        assert!(described["created_on"].is_string() && described["modified_on"].is_string());
        assert!(described["etag"].is_string() && described["deployment_id"].is_string());
    }
    assert_eq!(script["dispatch_namespace"], "n");
}

#[tokio::test]
async fn what_is_missing_has_the_code_that_clients_tell_it_by() {
    let api = TestApi::new().await;
    api.deploy(Some("n"), "other", &[]);
    let (status, code, message) = api.get(&format!("{SCRIPTS}/s")).await.error();
    assert_eq!((status, code, message.as_str()), (404, 10092, "workers.api.error.environment_not_found"));
    let (status, code, message) = api.get("/workers/dispatch/namespaces/x/scripts/s").await.error();
    assert_eq!((status, code, message.as_str()), (404, 100_119, "workers.api.error.dispatch_namespace_not_found"));
    let (status, code, message) = api.get("/workers/services/s").await.error();
    assert_eq!((status, code, message.as_str()), (404, 10090, "workers.api.error.service_not_found"));
    for path in ["/workers/scripts/s", "/workers/dispatch/namespaces/n/scripts/s"] {
        assert_eq!(api.call("DELETE", path, b"").await.code(), (404, 10007), "DELETE {path}");
        for below in ["/content", "/bindings", "/settings", "/script-settings", "/secrets", "/secrets/x", "/tags"] {
            assert_eq!(api.get(&format!("{path}{below}")).await.code(), (404, 10007), "{path}{below}");
        }
        assert_eq!(api.call("PUT", &format!("{path}/tags/x"), b"").await.code(), (404, 10007));
        let secret = json!({ "name": "A", "text": "t", "type": "secret_text" });
        assert_eq!(api.json("PUT", &format!("{path}/secrets"), secret).await.code(), (404, 10007));
    }
    for below in ["", "/deployments", "/versions", "/subdomain", "/schedules", "/references"] {
        assert_eq!(api.get(&format!("/workers/scripts/s{below}")).await.code(), (404, 10007), "{below}");
    }
    assert_eq!(api.get("/workers/workers/s").await.code(), (404, 10007));
}

#[tokio::test]
async fn namespaces_and_the_account_keep_their_scripts_apart() {
    let api = TestApi::new().await;
    for scope in [Some("n"), Some("m"), None] {
        api.deploy(scope, "s", &[]);
    }
    api.call("DELETE", &format!("{SCRIPTS}/s"), b"").await.result();
    assert_eq!(api.get(SCRIPTS).await.result(), json!([]));
    assert_eq!(ids(&api.get("/workers/dispatch/namespaces/m/scripts").await.result()), ["s"]);
    assert_eq!(ids(&api.get("/workers/scripts").await.result()), ["s"]);
}

#[tokio::test]
async fn scripts_are_listed_by_tags_in_pages_of_either_kind() {
    let api = TestApi::new().await;
    for (name, tags) in [("a", &["paid", "eu"][..]), ("b", &["paid"]), ("c", &["trial"]), ("d", &[]), ("e", &["paid"])]
    {
        api.deploy(Some("n"), name, tags);
    }
    let listed = async |query: &str| api.get(&format!("{SCRIPTS}?{query}")).await.result();
    for (query, expected) in [
        ("tags=paid:yes", &["a", "b", "e"][..]),
        ("tags=paid%3Ayes%2Ceu%3Ano", &["b", "e"]),
        ("tags=paid:no", &["c", "d"]),
        ("tags=paid:yes,trial:yes", &[]),
        ("limit=2", &["a", "b"]),
        ("per_page=2&page=2", &["c", "d"]),
        ("per_page=2&page=3", &["e"]),
        ("per_page=2&page=4", &[]),
        ("per_page=100&page=1", &["a", "b", "c", "d", "e"]),
    ] {
        assert_eq!(ids(&listed(query).await), expected, "{query}");
    }
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let page = api.get(&format!("{SCRIPTS}?tags=paid:yes&limit=1&cursor={cursor}")).await.json();
        seen.extend(ids(&page["result"]).into_iter().map(str::to_owned));
        cursor = page["result_info"]["cursor"].as_str().unwrap().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["a", "b", "e"]);
    for bad in ["limit=0", "limit=1001", "limit=x", "tags=", "tags=paid", "tags=%ff", "per_page=1001"] {
        assert_eq!(api.get(&format!("{SCRIPTS}?{bad}")).await.code(), (400, 10001), "{bad}");
    }
}

#[tokio::test]
async fn many_are_deleted_by_tags_a_few_at_a_time() {
    let api = TestApi::new().await;
    for (name, tags) in [("a", &["x"][..]), ("b", &["x"]), ("c", &["x"]), ("d", &["keep"])] {
        api.deploy(Some("n"), name, tags);
    }
    let answer = api.call("DELETE", &format!("{SCRIPTS}?tags=x%3Ayes&limit=2"), b"").await.json();
    let expected = json!({ "deleted": [{ "id": "a" }, { "id": "b" }], "deleted_count": 2, "has_more": true });
    assert_eq!(answer["result"], expected);
    for key in ["deleted", "deleted_count", "has_more"] {
        assert_eq!(answer[key], expected[key], "`{key}` is at the top, too");
    }
    let rest = api.call("DELETE", &format!("{SCRIPTS}?tags=x:yes"), b"").await.result();
    assert_eq!(rest, json!({ "deleted": [{ "id": "c" }], "deleted_count": 1, "has_more": false }));
    let none = api.call("DELETE", &format!("{SCRIPTS}?tags=x:yes"), b"").await.result();
    assert_eq!(none, json!({ "deleted": [], "deleted_count": 0, "has_more": false }));
    for bad in ["tags=", "tags=x", "limit=0"] {
        assert_eq!(api.call("DELETE", &format!("{SCRIPTS}?{bad}"), b"").await.code(), (400, 10001), "{bad}");
    }
    assert_eq!(ids(&api.get(SCRIPTS).await.result()), ["d"]);
    assert_eq!(api.call("DELETE", SCRIPTS, b"").await.result()["deleted_count"], 1, "no filter meets all");
}

#[tokio::test]
async fn workers_of_the_account_are_listed_and_deleted_by_their_tags() {
    const SCRIPTS: &str = "/workers/scripts";
    let api = TestApi::new().await;
    for (name, tags) in [("a", &["x"][..]), ("b", &["x", "keep"]), ("c", &[])] {
        api.deploy(None, name, tags);
    }
    api.deploy(Some("n"), "a", &["x"]);
    assert_eq!(ids(&api.get(&format!("{SCRIPTS}?tags=x:yes")).await.result()), ["a", "b"]);
    for bad in ["", "?tags=", "?tags=x", "?limit=1"] {
        assert_eq!(api.call("DELETE", &format!("{SCRIPTS}{bad}"), b"").await.code(), (400, 10001), "{bad}");
    }
    let deleted = api.call("DELETE", &format!("{SCRIPTS}?tags=x:yes,keep:no"), b"").await.result();
    assert_eq!(deleted, json!({ "deleted": [{ "id": "a" }], "deleted_count": 1, "has_more": false }));
    assert_eq!(ids(&api.get(SCRIPTS).await.result()), ["b", "c"]);
    let others = api.get("/workers/dispatch/namespaces/n/scripts").await.result();
    assert_eq!(ids(&others), ["a"], "user Workers are none of the account's own");
}

#[tokio::test]
async fn content_of_one_module_is_itself_and_of_several_a_form() {
    let api = TestApi::new().await;
    let key = api.deploy(Some("n"), "s", &[]);
    let one = api.get(&format!("{SCRIPTS}/s/content")).await;
    assert_eq!((one.status, one.body.as_slice()), (200, b"export default {}".as_slice()));
    assert_eq!(one.header("content-type"), Some("application/javascript+module"));
    assert_eq!(one.header("cf-entrypoint"), Some("worker.js"));

    api.store.deploy(&key, &version(&[("main.js", "import './b.js'"), ("./b\".js", "1")])).unwrap();
    let several = api.get(&format!("{SCRIPTS}/s/content")).await;
    assert_eq!(several.header("cf-entrypoint"), Some("main.js"));
    let boundary = several.header("content-type").unwrap().strip_prefix("multipart/form-data; boundary=").unwrap();
    let text = String::from_utf8(several.body.clone()).unwrap();
    assert_eq!(
        text,
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"main.js\"; filename=\"main.js\"\r\n\
             Content-Type: application/javascript+module\r\n\r\nimport './b.js'\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"./b%22.js\"; filename=\"./b%22.js\"\r\n\
             Content-Type: application/javascript+module\r\n\r\n1\r\n--{boundary}--\r\n"
        )
    );
    api.deploy(None, "s", &[]);
    assert_eq!(
        api.get("/workers/scripts/s").await.body,
        b"export default {}",
        "an ordinary Worker's GET is its content"
    );
    assert_eq!(api.get("/workers/scripts/s/content/v2").await.body, b"export default {}");
}

#[tokio::test]
async fn puts_and_deletes_of_one_script_at_once_leave_it_whole_or_gone() {
    let api = std::sync::Arc::new(TestApi::new().await);
    api.deploy(Some("n"), "s", &["t"]);
    let mut tasks = tokio::task::JoinSet::new();
    for round in 0..40 {
        let api = api.clone();
        tasks.spawn(async move {
            if round % 2 == 0 {
                let api = api.clone();
                tokio::task::spawn_blocking(move || drop(api.deploy(Some("n"), "s", &["t"]))).await.unwrap();
            } else {
                let status = api.call("DELETE", &format!("{SCRIPTS}/s"), b"").await.status;
                assert!(matches!(status, 200 | 404), "{status}");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let answer = api.get(&format!("{SCRIPTS}/s")).await;
    match answer.status {
        200 => assert_eq!(api.get(&format!("{SCRIPTS}/s/content")).await.body, b"export default {}"),
        404 => assert_eq!(ids(&api.get(SCRIPTS).await.result()), [] as [&str; 0]),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn who_would_miss_a_worker_is_told() {
    use tidegate_platform::names::ScriptName;
    use tidegate_platform::worker::{Binding, BindingValue};
    let api = TestApi::new().await;
    api.deploy(None, "target", &[]);
    let key = api.deploy(None, "caller", &[]);
    let mut calling = version(&[("w.js", "export default {}")]);
    let service =
        BindingValue::Service { service: ScriptName::parse("target").unwrap(), entrypoint: None, environment: None };
    calling.code.bindings.push(Binding { name: "T".to_owned(), value: service });
    api.store.deploy(&key, &calling).unwrap();
    let references = api.get("/workers/scripts/target/references").await.result();
    assert_eq!(
        references["services"]["incoming"],
        json!([{ "service": "caller", "environment": "production", "name": "T" }])
    );
    assert_eq!(references["dispatch_outbounds"], json!([]));
    assert_eq!(api.get("/workers/tails/by-consumer/target").await.result(), json!([]));
}
