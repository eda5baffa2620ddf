//! D1 as Workers see it.

use std::time::Duration;

use super::*;

impl Running {
    /// Makes a database, and says what binds it as `DB`.
    async fn database(&self, name: &str) -> Result<Value> {
        let made = self.platform.api().json("POST", "d1/database", &json!({ "name": name })).await?.result()?;
        Ok(json!({ "type": "d1", "name": "DB", "id": made["uuid"] }))
    }
}

#[tokio::test]
async fn d1_does_what_its_documentation_says() -> Result<()> {
    let running = Running::start().await?;
    let binding = running.database("main").await?;
    let code = r#"
        const caught = (promise) => promise.then(() => "nothing", (error) => `${error.message} | ${error.cause?.message}`);
        export default {
          async fetch(request, { DB }) {
            const made = await DB.exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB, score REAL)\nCREATE TABLE log (line TEXT); INSERT INTO log VALUES ('a')");
            const insert = DB.prepare("INSERT INTO users (name, data, score) VALUES (?1, ?2, ?3)");
            const inserted = await insert.bind("Ann", new Uint8Array([1, 2, 255]), 1.5).run();
            const batch = await DB.batch([
              insert.bind("Bob", new Uint8Array([9]).buffer, true),
              insert.bind("Cat é\n\"", null, false),
              DB.prepare("SELECT name FROM users ORDER BY id"),
            ]);
            const failed = await caught(DB.batch([insert.bind("Dan", null, 1), insert.bind("Ann", null, 1)]));
            const bound = (value) => { try { DB.prepare("SELECT ?").bind(value); return "bound"; } catch (error) { return error.message; } };
            const session = DB.withSession("first-primary");
            const before = session.getBookmark();
            const counted = await session.prepare("SELECT count(*) AS n FROM users").first("n");
            const bookmark = session.getBookmark();
            await session.batch([session.prepare("SELECT 1")]);
            const all = await DB.prepare("SELECT * FROM users WHERE name = ?").bind("Ann").all();
            return Response.json({
              made: [made.count, typeof made.duration],
              inserted: [inserted.success, inserted.meta.changes, inserted.meta.last_row_id, inserted.meta.changed_db, inserted.results],
              batch: batch.map(({ success, results, meta }) => [success, results, meta.changes]),
              failed,
              count: counted,
              first: await DB.prepare("SELECT name, score FROM users WHERE id = 2").first(),
              column: await DB.prepare("SELECT name FROM users WHERE id = 1").first("name"),
              none: await DB.prepare("SELECT name FROM users WHERE id = 99").first(),
              missing: await caught(DB.prepare("SELECT name FROM users").first("nope")),
              all: [all.success, all.results, Object.keys(all.meta).sort()],
              raw: await DB.prepare("SELECT id, name FROM users LIMIT 1").raw(),
              columns: await DB.prepare("SELECT id AS a, name AS a FROM users LIMIT 1").raw({ columnNames: true }),
              big: await DB.prepare("SELECT 9007199254740991 AS big, typeof(?) AS a, typeof(?) AS b, ? AS c").bind(1, 1.5, NaN).first(),
              types: [undefined, 1n, {}, Symbol("s"), () => 1, [1, 256], [1, 2], "x", null, NaN].map(bound),
              refused: await caught(DB.prepare("ATTACH 'x' AS y").run()),
              transaction: await caught(DB.prepare("BEGIN").run()),
              unknown: await caught(DB.prepare("SELECT * FROM nowhere").all()),
              several: await caught(DB.prepare("SELECT 1; SELECT 2").all()),
              exec: await caught(DB.exec("SELECT 1\nnonsense")),
              dump: await caught(DB.dump()),
              sessions: [before, bookmark < session.getBookmark(), DB.withSession(bookmark).getBookmark() === bookmark],
              classes: [DB, DB.prepare("SELECT 1"), session].map((one) => one.constructor.name),
            });
          },
        };
    "#;
    running.deploy(&user("acme"), code, &json!({ "bindings": [binding] })).await?;
    let seen: Value = serde_json::from_str(&running.text("acme", "/").await?)?;
    let no = |kind: &str, value: &str| format!("D1_TYPE_ERROR: Type '{kind}' not supported for value '{value}'");
    let twice = |kind: &str, message: &str| format!("{kind}: {message} | {message}");
    let expected = json!({
        "made": [3, "number"],
        "inserted": [true, 1, 1, true, []],
        "batch": [
            [true, [], 1], [true, [], 1],
            [true, [{ "name": "Ann" }, { "name": "Bob" }, { "name": "Cat é\n\"" }], 0],
        ],
        "failed": twice("D1_ERROR", "UNIQUE constraint failed: users.name: SQLITE_CONSTRAINT"),
        "count": 3,
        "first": { "name": "Bob", "score": 1 }, "column": "Ann", "none": null,
        "missing": "D1_COLUMN_NOTFOUND: Column not found (nope) | Column not found",
        "all": [
            true, [{ "id": 1, "name": "Ann", "data": [1, 2, 255], "score": 1.5 }],
            [
                "changed_db", "changes", "duration", "last_row_id", "rows_read", "rows_written", "served_by",
                "served_by_primary", "size_after", "timings", "total_attempts",
            ],
        ],
        "raw": [[1, "Ann"]], "columns": [["a", "a"], [1, "Ann"]],
        "big": { "big": 9_007_199_254_740_991_i64, "a": "integer", "b": "real", "c": null },
        "types": [
            no("undefined", "undefined"), no("bigint", "1"), no("object", "[object Object]"), no("symbol", "Symbol(s)"),
            no("function", "() => 1"), no("object", "1,256"), "bound", "bound", "bound", "bound",
        ],
        "refused": twice("D1_ERROR", "not authorized: ATTACH and DETACH: SQLITE_AUTH"),
        "transaction": twice(
            "D1_ERROR",
            "not authorized: BEGIN, COMMIT, ROLLBACK and SAVEPOINT; `batch()` is one transaction: SQLITE_AUTH",
        ),
        "unknown": twice("D1_ERROR", "no such table: nowhere: SQLITE_ERROR"),
        "several": twice("D1_ERROR", "A prepared SQL statement must contain only one statement.: SQLITE_ERROR"),
        "exec": twice(
            "D1_EXEC_ERROR",
            "Error in line 1: SELECT 1: near \"nonsense\": syntax error at offset 0: SQLITE_ERROR",
        ),
        "dump": twice("D1_DUMP_ERROR", "dump() is of the first databases alone, which there are none of any more"),
        "sessions": [null, true, true],
        "classes": ["D1Database", "D1PreparedStatement", "D1DatabaseSession"],
    });
    assert_eq!(seen, expected);
    Ok(())
}

#[tokio::test]
async fn a_service_worker_has_its_database_as_a_global() -> Result<()> {
    let running = Running::start().await?;
    let binding = running.database("main").await?;
    let code = r#"
        addEventListener("fetch", (event) => event.respondWith(
          DB.prepare("SELECT ? AS v").bind("global").first("v").then((value) => new Response(value))));
    "#;
    let part = Part::new("worker.js", "application/javascript", code);
    running.upload(&user("acme"), &json!({ "body_part": "worker.js", "bindings": [binding] }), &[part]).await?;
    assert_eq!(running.text("acme", "/").await?, "global");
    Ok(())
}

#[tokio::test]
async fn bindings_of_databases_are_shown_inherited_and_kept_and_one_that_is_not_there_is_refused() -> Result<()> {
    let running = Running::start().await?;
    let binding = running.database("main").await?;
    let api = running.platform.api();
    let shown = json!({ "type": "d1", "name": "DB", "id": binding["id"], "database_id": binding["id"] });
    let code = "export default { fetch: (_, { DB }) => new Response(DB.constructor.name) };";
    let metadata = |bindings: Value| json!({ "bindings": bindings, "keep_bindings": [] });
    let bindings = async || api.get(&format!("{}/bindings", user("acme"))).await?.result();

    running.deploy(&user("acme"), code, &metadata(json!([binding]))).await?;
    assert_eq!(bindings().await?, json!([shown]));
    let by_other_name = json!([{ "type": "d1", "name": "DB", "database_id": binding["id"] }]);
    running.deploy(&user("acme"), code, &metadata(by_other_name)).await?;
    assert_eq!(bindings().await?, json!([shown]));
    running.deploy(&user("acme"), code, &metadata(json!([{ "type": "inherit", "name": "DB" }]))).await?;
    assert_eq!(bindings().await?, json!([shown]));
    running.deploy(&user("acme"), code, &json!({ "bindings": [], "keep_bindings": ["d1"] })).await?;
    assert_eq!(bindings().await?, json!([shown]));
    assert_eq!(running.text("acme", "/").await?, "D1Database");
    running.deploy(&user("acme"), code, &metadata(json!([]))).await?;
    assert_eq!(bindings().await?, json!([]));

    let unknown = json!([{ "type": "d1", "name": "DB", "id": "00000000-0000-0000-0000-000000000000" }]);
    let parts = [Part::module("index.js", code)];
    let metadata = json!({ "main_module": "index.js", "bindings": unknown });
    let refused = api.upload(&user("acme"), &metadata, &parts).await?;
    assert_eq!((refused.status, refused.code()?), (400, 10181));
    Ok(())
}

#[tokio::test]
async fn a_query_that_does_not_end_keeps_nobody_else_and_a_deleted_database_answers_nobody() -> Result<()> {
    let running = Running::start().await?;
    let code = r"
        export default {
          async fetch(request, { DB }) {
            const sql = decodeURIComponent(new URL(request.url).search.slice(1));
            return DB.prepare(sql).all().then(({ results }) => Response.json(results), (error) => new Response(error.message));
          },
        };
    ";
    let hostile = running.database("hostile").await?;
    let other = running.database("other").await?;
    running.deploy(&user("hostile"), code, &json!({ "bindings": [hostile] })).await?;
    running.deploy(&user("other"), code, &json!({ "bindings": [other] })).await?;
    assert_eq!(running.text("hostile", "/?SELECT%201%20AS%20a").await?, r#"[{"a":1}]"#);
    let forever = "/?WITH%20RECURSIVE%20n(i)%20AS%20(SELECT%201%20UNION%20ALL%20SELECT%20i%2B1%20FROM%20n)%20SELECT%20count(*)%20FROM%20n";
    let api = running.platform.api();
    let (ended, ()) = tokio::try_join!(running.text("hostile", forever), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        for round in 0..5 {
            ensure!(running.text("other", "/?SELECT%202%20AS%20a").await? == r#"[{"a":2}]"#);
            api.create_namespace(&format!("n{round}")).await?;
        }
        api.delete(&format!("d1/database/{}", hostile["id"].as_str().context("no id")?)).await?.result()?;
        Ok(())
    })?;
    assert!(ended.contains("deleted"), "{ended}");
    let gone = running.text("hostile", "/?SELECT%201").await?;
    assert!(gone.starts_with("D1_ERROR: there is no such D1 database"), "{gone}");
    assert_eq!(running.text("other", "/?SELECT%203%20AS%20a").await?, r#"[{"a":3}]"#);
    Ok(())
}
