//! Uploads and changes of settings, content and secrets, each started before it serves.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tidegate_e2e::{ApiAnswer, LocalPlatform, Part, Upstream};

const NAMESPACE: &str = "workers/dispatch/namespaces/n";
const SCRIPT: &str = "workers/dispatch/namespaces/n/scripts/s";
/// Shows its environment, as far as JSON does.
const SHOWS_ENV: &str = "export default { fetch: (request, env) => Response.json(env) };";

/// A platform with a Worker that dispatches everything to the script `s`.
async fn platform() -> Result<(LocalPlatform, Upstream)> {
    let upstream = Upstream::start().await?;
    let platform = LocalPlatform::start(upstream.address()).await?;
    platform.api().create_namespace("n").await?;
    let dispatcher = "export default { fetch: (request, env) => env.D.get('s').fetch(request) };";
    let binding = json!([{ "type": "dispatch_namespace", "name": "D", "namespace": "n" }]);
    upload(&platform, "workers/scripts/dispatcher", json!({ "bindings": binding }), dispatcher).await?.result()?;
    Ok((platform, upstream))
}

async fn upload(platform: &LocalPlatform, path: &str, metadata: Value, code: &str) -> Result<ApiAnswer> {
    let mut whole = json!({ "main_module": "index.js", "compatibility_date": "2026-01-01" });
    for (key, value) in metadata.as_object().into_iter().flatten() {
        whole[key] = value.clone();
    }
    platform.api().upload(path, &whole, &[Part::module("index.js", code)]).await
}

/// What the script answers.
async fn served(platform: &LocalPlatform) -> Result<Value> {
    let (status, body) = platform.get("dispatcher.example", "/").await?;
    ensure!(status == 200, "{status}: {body}");
    Ok(serde_json::from_str(&body)?)
}

fn plain(name: &str, text: &str) -> Value {
    json!({ "type": "plain_text", "name": name, "text": text })
}

#[tokio::test]
async fn code_that_does_not_start_is_answered_with_its_fault_and_what_served_goes_on_serving() -> Result<()> {
    let (platform, _upstream) = platform().await?;
    upload(&platform, SCRIPT, json!({ "bindings": [plain("V", "1")] }), SHOWS_ENV).await?.result()?;
    let none = json!({});
    let cases = [
        ("a syntax error", none.clone(), "export default {", "SyntaxError"),
        ("a missing module", none.clone(), "import './gone.js'; export default {}", "gone.js"),
        ("an exception at the top", none.clone(), "throw new Error('at the top')", "at the top"),
        ("a date that is none", json!({ "compatibility_date": "yesterday" }), SHOWS_ENV, "yesterday"),
        ("a date to come", json!({ "compatibility_date": "2999-01-01" }), SHOWS_ENV, "2999-01-01"),
        ("an unknown flag", json!({ "compatibility_flags": ["no_such_flag"] }), SHOWS_ENV, "no_such_flag"),
    ];
    for (case, metadata, code, says) in cases {
        for path in [SCRIPT.to_owned(), format!("{SCRIPT}?bindings_inherit=strict")] {
            let answer = upload(&platform, &path, metadata.clone(), code).await?;
            assert_eq!((answer.status, answer.code()?), (400, 10021), "{case}");
            assert!(answer.message()?.contains(says), "{case}: {}", answer.message()?);
        }
        assert_eq!(served(&platform).await?, json!({ "V": "1" }), "{case}");
    }
    let settings = json!({ "compatibility_date": "2999-01-01" });
    let answer = platform.api().json("PATCH", &format!("{SCRIPT}/settings"), &settings).await?;
    assert_eq!((answer.status, answer.code()?), (400, 10021));
    assert_eq!(served(&platform).await?, json!({ "V": "1" }));
    platform.stop().await;
    Ok(())
}

#[tokio::test]
async fn secrets_outlive_uploads_and_other_bindings_do_where_that_is_said() -> Result<()> {
    let (platform, _upstream) = platform().await?;
    upload(&platform, SCRIPT, json!({ "bindings": [plain("V", "1"), plain("W", "2")] }), SHOWS_ENV).await?.result()?;
    let secret = json!({ "name": "S", "text": "hidden", "type": "secret_text" });
    platform.api().json("PUT", &format!("{SCRIPT}/secrets"), &secret).await?.result()?;
    assert_eq!(served(&platform).await?, json!({ "V": "1", "W": "2", "S": "hidden" }), "a secret serves at once");

    let cases = [
        (json!({}), json!({ "S": "hidden" })),
        (json!({ "bindings": [plain("V", "3")] }), json!({ "V": "3", "S": "hidden" })),
        (json!({ "keep_bindings": ["plain_text", "secret_text"] }), json!({ "V": "3", "S": "hidden" })),
        (
            json!({ "bindings": [{ "type": "inherit", "name": "X", "old_name": "V" }] }),
            json!({ "X": "3", "S": "hidden" }),
        ),
        (json!({ "bindings": [{ "type": "inherit", "name": "GONE" }] }), json!({ "S": "hidden" })),
        (json!({ "keep_bindings": ["plain_text"] }), json!({})),
    ];
    for (metadata, expected) in cases {
        upload(&platform, SCRIPT, metadata.clone(), SHOWS_ENV).await?.result()?;
        assert_eq!(served(&platform).await?, expected, "{metadata}");
    }
    platform.stop().await;
    Ok(())
}

#[tokio::test]
async fn settings_and_content_change_apart_from_each_other() -> Result<()> {
    let (platform, _upstream) = platform().await?;
    let api = platform.api();
    upload(&platform, SCRIPT, json!({ "bindings": [plain("V", "1")] }), SHOWS_ENV).await?.result()?;
    let secret = json!({ "name": "S", "text": "hidden", "type": "secret_text" });
    api.json("PUT", &format!("{SCRIPT}/secrets"), &secret).await?.result()?;

    // A name and a type alone: it stays.
    let bindings =
        json!([{ "type": "secret_text", "name": "S" }, { "type": "json", "name": "J", "json": { "a": [1] } }]);
    let settings = json!({ "bindings": bindings, "compatibility_date": "2026-02-01", "tags": ["t"] });
    let changed = api.json("PATCH", &format!("{SCRIPT}/settings"), &settings).await?.result()?;
    assert_eq!((&changed["compatibility_date"], &changed["tags"]), (&json!("2026-02-01"), &json!(["t"])));
    assert!(!changed.to_string().contains("hidden"));
    assert_eq!(served(&platform).await?, json!({ "S": "hidden", "J": { "a": [1] } }));

    let code = "export default { fetch: (request, env) => Response.json(Object.keys(env).sort()) };";
    let metadata = json!({ "main_module": "other.js" });
    let path = format!("{SCRIPT}/content");
    let content = api.upload(&path, &metadata, &[Part::module("other.js", code)]).await?.result()?;
    assert_eq!((&content["compatibility_date"], &content["tags"]), (&json!("2026-02-01"), &json!(["t"])));
    assert_eq!(served(&platform).await?, json!(["J", "S"]));
    assert_eq!(api.get(&path).await?.body, code.as_bytes());
    platform.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_upload_and_a_secret_at_the_same_time_lose_neither() -> Result<()> {
    let (platform, _upstream) = platform().await?;
    upload(&platform, SCRIPT, json!({}), SHOWS_ENV).await?.result()?;
    let path = format!("{SCRIPT}/secrets");
    for round in 0..5 {
        let secret = json!({ "name": format!("S{round}"), "text": "hidden", "type": "secret_text" });
        let bindings = json!({ "bindings": [plain("ROUND", &round.to_string())] });
        let (uploaded, put) =
            tokio::join!(upload(&platform, SCRIPT, bindings, SHOWS_ENV), platform.api().json("PUT", &path, &secret),);
        uploaded?.result()?;
        put?.result()?;
        let env = served(&platform).await?;
        assert_eq!(env["ROUND"], json!(round.to_string()));
        assert_eq!(env.as_object().map(serde_json::Map::len), Some(round + 2), "{env}");
    }
    platform.stop().await;
    Ok(())
}

#[tokio::test]
async fn what_is_deleted_serves_no_more() -> Result<()> {
    let (platform, _upstream) = platform().await?;
    for path in [SCRIPT.to_owned(), format!("{NAMESPACE}/scripts?tags=t:yes"), NAMESPACE.to_owned()] {
        if path == NAMESPACE {
            platform.api().delete(NAMESPACE).await?.result()?;
            let (status, _) = platform.get("dispatcher.example", "/").await?;
            assert_eq!(status, 500, "its dispatch Worker has nothing to call");
            continue;
        }
        upload(&platform, SCRIPT, json!({ "tags": ["t"] }), SHOWS_ENV).await?.result()?;
        assert_eq!(served(&platform).await?, json!({}));
        platform.api().delete(&path).await?.result()?;
        let (status, _) = platform.get("dispatcher.example", "/").await?;
        assert_eq!(status, 500, "{path}");
    }
    platform.stop().await;
    Ok(())
}
