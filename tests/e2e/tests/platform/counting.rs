//! Rate limits and datasets of the Analytics Engine.

use super::*;

#[tokio::test]
async fn a_rate_limit_holds_over_isolates_and_for_each_key() -> Result<()> {
    let running = Running::start().await?;
    let code = r#"
        export default {
          async fetch(request, { LIMITER }) {
            const key = new URL(request.url).searchParams.get("key");
            const bad = await Promise.all([undefined, { other: 1 }, { key: 7 }].map((options) => LIMITER.limit(options).catch((error) => error.message)));
            const answers = [];
            for (let index = 0; index < 4; index++) answers.push((await LIMITER.limit({ key })).success);
            return Response.json({ answers, bad, class: LIMITER.constructor.name });
          },
        };
    "#;
    let binding = json!({
        "type": "ratelimit", "name": "LIMITER", "namespace_id": "1001", "simple": { "limit": 3, "period": 60 },
    });
    for name in ["acme", "globex"] {
        running.deploy(&user(name), code, &json!({ "bindings": [binding] })).await?;
    }
    let shown = running.platform.api().get(&format!("{}/bindings", user("acme"))).await?.result()?;
    assert_eq!(shown, json!([binding]));
    let ask = async |name: &str, key: &str| -> Result<Value> {
        Ok(serde_json::from_str(&running.text(name, &format!("/?key={key}")).await?)?)
    };
    let first = ask("acme", "a").await?;
    assert_eq!(
        first["bad"],
        json!(["invalid rate limit options", "bad rate limit options: [other]", "invalid key: 7"])
    );
    assert_eq!(first["class"], "Ratelimit");
    // A window may end between any two, and no two end within this test: three of all that come in one are let through.
    let second = ask("globex", "a").await?;
    let answers = [&first, &second].map(|seen| seen["answers"].as_array().cloned().unwrap_or_default()).concat();
    let through = answers.iter().filter(|success| **success == true).count();
    assert!(through == 3 || (4..=6).contains(&through) && answers[0] == true, "{answers:?}");
    assert_eq!(ask("globex", "b").await?["answers"][0], true);
    Ok(())
}

#[tokio::test]
async fn data_points_are_read_back_by_sql() -> Result<()> {
    let running = Running::start().await?;
    let code = r#"
        const refused = (write) => { try { write(); return "written"; } catch (error) { return `${error.name}: ${error.message}`; } };
        export default {
          fetch(request, { VISITS }) {
            VISITS.writeDataPoint({ blobs: [new URL(request.url).pathname, new TextEncoder().encode("bytes").buffer, null], doubles: [2.5], indexes: ["acme"] });
            return Response.json([
              refused(() => VISITS.writeDataPoint()),
              refused(() => VISITS.writeDataPoint({ blobs: Array(21).fill("x") })),
              refused(() => VISITS.writeDataPoint({ blobs: ["x".repeat(16385)] })),
              refused(() => VISITS.writeDataPoint({ doubles: ["1"] })),
              refused(() => VISITS.writeDataPoint({ indexes: ["a", "b"] })),
              VISITS.constructor.name,
            ]);
          },
        };
    "#;
    let binding = json!({ "type": "analytics_engine", "name": "VISITS", "dataset": "visits" });
    running.deploy(&user("acme"), code, &json!({ "bindings": [binding] })).await?;
    let seen: Value = serde_json::from_str(&running.text("acme", "/a").await?)?;
    let expected = json!([
        "written",
        "TypeError: Maximum of 20 blobs supported.",
        "TypeError: Size of blobs exceeds the limit of 16384 bytes.",
        "TypeError: doubles must be numbers.",
        "TypeError: Maximum of 1 indexes supported.",
        "AnalyticsEngineDataset",
    ]);
    assert_eq!(seen, expected);
    let api = running.platform.api();
    let sql = "SELECT blob1, blob2, blob3, index1, SUM(_sample_interval * double1) AS total FROM visits \
               WHERE index1 = 'acme' AND timestamp > datetime('now', '-1 hour') GROUP BY 1, 2, 3, 4";
    let rows = loop {
        // It is written after the answer.
        let answer = api.send("POST", "analytics_engine/sql", None, sql.into()).await?;
        if answer.status == 200 && answer.json()?["rows"] == 1 {
            break answer.json()?;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let row = json!({ "blob1": "/a", "blob2": "bytes", "blob3": "", "index1": "acme", "total": 2.5 });
    assert_eq!(rows["data"], json!([row]));
    assert_eq!(rows["meta"][4], json!({ "name": "total", "type": "Float64" }));
    let refused = api.send("POST", "analytics_engine/sql", None, "DROP TABLE points".into()).await?;
    assert_eq!((refused.status, refused.code()?), (400, 10001));
    Ok(())
}
