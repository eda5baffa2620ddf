//! D1 databases by way of the API.

use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::support::TestApi;

const D1: &str = "/d1/database";

async fn database(api: &TestApi, name: &str) -> String {
    let made = api.json("POST", D1, json!({ "name": name })).await.result();
    let id = made["uuid"].as_str().unwrap();
    assert_eq!((id.len(), &made["name"], &made["version"]), (36, &json!(name), &json!("production")));
    format!("{D1}/{id}")
}

#[tokio::test]
async fn databases_are_made_listed_found_by_id_and_name_and_deleted() {
    let api = TestApi::new().await;
    let (one, _) = (database(&api, "one").await, database(&api, "two").await);
    let names = async |query: &str| -> Value {
        let list = api.get(&format!("{D1}?{query}")).await.result();
        list.as_array().unwrap().iter().map(|item| item["name"].clone()).collect()
    };
    assert_eq!(names("").await, json!(["two", "one"]));
    assert_eq!(names("per_page=1&page=2").await, json!(["one"]));
    assert_eq!(names("name=tw").await, json!(["two"]));
    let by_name = api.get(&format!("{D1}/one")).await.result();
    assert_eq!(api.get(&one).await.result(), by_name);
    assert_eq!((&by_name["num_tables"], &by_name["read_replication"]), (&json!(0), &json!({ "mode": "disabled" })));
    let fields = api.get(&format!("{D1}/one?fields=uuid,name")).await.result();
    assert_eq!(fields, json!({ "uuid": by_name["uuid"], "name": "one" }));
    assert_eq!(api.json("POST", D1, json!({ "name": "one" })).await.code(), (400, 7502));
    for bad in
        [json!({ "name": "" }), json!({ "name": "a/b" }), json!({ "name": "a\0" }), json!({ "name": "x".repeat(65) })]
    {
        assert_eq!(api.json("POST", D1, bad.clone()).await.code(), (400, 7400), "{bad}");
    }
    api.call("DELETE", &one, b"").await.result();
    for (method, path) in
        [("GET", one.clone()), ("DELETE", one.clone()), ("POST", format!("{one}/query")), ("GET", format!("{D1}/one"))]
    {
        assert_eq!(api.call(method, &path, br#"{"sql":"SELECT 1"}"#).await.code(), (404, 7404), "{method} {path}");
    }
    assert_eq!(names("").await, json!(["two"]));
}

#[tokio::test]
async fn replicas_exports_and_time_travel_are_refused_by_name() {
    let api = TestApi::new().await;
    let path = database(&api, "db").await;
    let replicated = json!({ "read_replication": { "mode": "auto" } });
    assert_eq!(api.json("PATCH", &path, replicated).await.code(), (400, 7400));
    api.json("PUT", &path, json!({ "read_replication": { "mode": "disabled" } })).await.result();
    assert_eq!(api.json("POST", &format!("{path}/export"), json!({})).await.code(), (400, 10021));
    assert_eq!(api.get(&format!("{path}/time_travel/bookmark")).await.code(), (400, 10021));
}

#[tokio::test]
async fn queries_are_one_statement_with_parameters_or_several_or_a_batch() {
    let api = TestApi::new().await;
    let path = database(&api, "db").await;
    let query = async |body: Value| api.json("POST", &format!("{path}/query"), body).await;
    let made = query(json!({ "sql": "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, x'00ff'); SELECT * FROM t" }))
        .await
        .result();
    assert_eq!(made.as_array().unwrap().len(), 3);
    assert_eq!((&made[2]["results"], &made[2]["success"]), (&json!([{ "a": 1, "b": [0, 255] }]), &json!(true)));
    assert_eq!((&made[1]["meta"]["changes"], &made[1]["meta"]["changed_db"]), (&json!(1), &json!(true)));
    let batch = json!({ "batch": [
        { "sql": "INSERT INTO t VALUES (?, ?)", "params": ["2", null] },
        { "sql": "SELECT count(*) AS n FROM t WHERE a = ?", "params": ["2"] },
    ] });
    assert_eq!(query(batch).await.result()[1]["results"], json!([{ "n": 1 }]));
    let raw = api.json("POST", &format!("{path}/raw"), json!({ "sql": "SELECT a, a AS a FROM t" })).await.result();
    assert_eq!(raw[0]["results"], json!({ "columns": ["a", "a"], "rows": [[1, 1], ["2", "2"]] }));
    for (bad, code, said) in [
        (json!({ "sql": "SELECT * FROM nowhere" }), 7500, "no such table: nowhere: SQLITE_ERROR"),
        (json!({ "sql": "ATTACH 'x' AS y" }), 7500, "not authorized"),
        (json!({ "sql": "SELECT ?", "params": [] }), 7500, "Wrong number of parameter bindings"),
        (json!({ "sql": 1 }), 7400, "`{sql, params}`"),
        (json!([]), 7400, "`{sql, params}`"),
        (json!({ "batch": [] }), 7500, "No SQL statements detected."),
    ] {
        let (status, found, message) = query(bad.clone()).await.error();
        assert_eq!((status, found), (400, code), "{bad}: {message}");
        assert!(message.contains(said), "{bad}: {message}");
    }
    let failed = json!({ "batch": [{ "sql": "DELETE FROM t" }, { "sql": "nonsense" }] });
    assert_eq!(query(failed).await.code(), (400, 7500));
    assert_eq!(
        query(json!({ "sql": "SELECT count(*) AS n FROM t" })).await.result()[0]["results"],
        json!([{ "n": 2 }])
    );
}

#[tokio::test]
async fn a_script_is_uploaded_without_a_token_once_to_where_it_was_announced_and_nowhere_else() {
    let api = TestApi::new().await;
    let path = database(&api, "db").await;
    let other = database(&api, "other").await;
    let import = async |path: &str, body: Value| api.json("POST", &format!("{path}/import"), body).await;
    let script = b"CREATE TABLE t (a); INSERT INTO t VALUES (1), (2);";
    let etag = format!("{:032x}", u128::from_be_bytes(Md5::digest(script).into()));
    assert_eq!(import(&path, json!({ "action": "init", "etag": "x" })).await.code(), (400, 7400));
    let begun = import(&path, json!({ "action": "init", "etag": etag })).await.result();
    let name = begun["filename"].as_str().unwrap();
    let url = begun["upload_url"].as_str().unwrap();
    let place = url.split_once("/client/v4").unwrap().1;
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let ingest = json!({ "action": "ingest", "etag": etag, "filename": name });
    assert_eq!(import(&path, ingest.clone()).await.code(), (400, 7400), "nothing is there yet");
    assert_eq!(api.send("PUT", "/d1-uploads/0123", &[], script).await.code(), (400, 7400));
    assert_eq!(api.send("PUT", place, &[], b"something else").await.code(), (400, 7400));
    let put = api.send("PUT", place, &[], script).await;
    assert_eq!((put.status, put.header("etag")), (200, Some(format!("\"{etag}\"").as_str())));
    assert_eq!(api.send("PUT", place, &[], script).await.code(), (400, 7400), "once");
    assert_eq!(api.send("POST", "/user", &[], b"").await.code(), (400, 9106), "a token is asked for elsewhere");
    assert_eq!(import(&other, ingest.clone()).await.code(), (400, 7400), "another database");
    let done = import(&path, ingest.clone()).await.result();
    assert_eq!((&done["status"], &done["result"]["num_queries"]), (&json!("complete"), &json!(2)));
    assert_eq!(import(&path, ingest).await.code(), (400, 7400), "once");
    let read = api.json("POST", &format!("{path}/query"), json!({ "sql": "SELECT a FROM t" })).await.result();
    assert_eq!(read[0]["results"], json!([{ "a": 1 }, { "a": 2 }]));
}
