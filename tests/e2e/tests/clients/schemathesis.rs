//! schemathesis: requests made from the API's own description, such as it allows and such as it does not. Nothing of it may
//! be answered with a 5xx, or in another way than the description says.
//!
//! It runs twice, since what one request takes away the next cannot find: once without what deletes and renames, once with
//! that alone. Both are seeded, so a failure is found again.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_e2e::{ACCOUNT, LocalPlatform, Part, PythonPackages, Upstream};
use tidegate_platform::api::openapi;

/// What is looked at of each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";
/// The ids of operations that take away what others need.
const TAKES_AWAY: &str = "^(delete_.*|(patch|put)_workers_dispatch_namespaces_dispatch_namespace)$";
const NAMESPACES: [&str; 6] = ["production", "staging", "canary", "preview", "blue", "green"];
const SCRIPTS: [&str; 6] = ["acme", "globex", "initech", "umbrella", "hooli", "vandelay"];

/// What a run came to.
struct Report(Value);

impl Report {
    /// How often each operation did what it was asked to.
    fn accepted(&self) -> BTreeMap<&str, u64> {
        let sum = |phases: &Value| {
            phases.as_object().into_iter().flatten().filter_map(|(_, rates)| rates["accepted"].as_u64()).sum()
        };
        self.0["valid_rates"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, phases)| (name.as_str(), sum(phases)))
            .collect()
    }
}

/// Runs it against a platform that has a few things of each kind. `filter` says which operations.
async fn run(filter: [&str; 2]) -> Result<Report> {
    let upstream = Upstream::start().await?;
    let platform = LocalPlatform::start(upstream.address()).await?;
    let folder = TempDir::with_prefix("tidegate-e2e-").context("cannot make a temporary folder")?;
    fs::write(folder.path().join("schemathesis.toml"), configuration(&platform).await?)?;
    fs::write(folder.path().join("openapi.json"), serde_json::to_vec(openapi())?)?;
    let api = platform.api();
    let ran = PythonPackages::installed()?
        .python()
        .args(["-c", "from schemathesis.cli import schemathesis; schemathesis()"])
        .args(["--config-file", "schemathesis.toml", "run", "openapi.json", "--url", &api.base()])
        .args(["--header", &format!("Authorization: Bearer {}", api.token()), "--checks", CHECKS])
        .args(filter)
        .args(["--no-color", "--continue-on-failure", "--report", "json", "--report-json-path", "report.json"])
        .current_dir(folder.path())
        .output()
        .await
        .context("cannot start Python")?;
    platform.stop().await;
    let said = String::from_utf8_lossy(&ran.stdout);
    ensure!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    let report: Value = serde_json::from_slice(&fs::read(folder.path().join("report.json"))?)?;
    ensure!(
        report["complete"] == true && report["failures"] == json!([]) && report["errors"] == json!([]),
        "{report:#}"
    );
    ensure!(report["operations"]["tested"] == report["operations"]["selected"], "{:#}", report["operations"]);
    Ok(Report(report))
}

/// Makes a few things of each kind, and tells schemathesis of them: it would otherwise find out that random names do not
/// exist, and little else.
async fn configuration(platform: &LocalPlatform) -> Result<String> {
    let api = platform.api();
    let metadata = json!({
        "main_module": "index.js", "compatibility_date": "2026-04-01", "tags": ["paid"],
        "bindings": [{ "type": "secret_text", "name": "KEY", "text": "x" }],
    });
    let module = [Part::module("index.js", "export default { fetch() { return new Response(); } };")];
    let mut versions = Vec::new();
    for script in SCRIPTS {
        api.upload(&format!("workers/scripts/{script}"), &metadata, &module).await?.result()?;
        let kept = api.get(&format!("workers/scripts/{script}/versions")).await?.result()?;
        versions.push(kept["items"][0]["id"].clone());
    }
    for namespace in NAMESPACES {
        api.create_namespace(namespace).await?;
        for script in SCRIPTS {
            let path = format!("workers/dispatch/namespaces/{namespace}/scripts/{script}");
            api.upload(&path, &metadata, &module).await?.result()?;
        }
    }
    let mut kv = Vec::new();
    for title in NAMESPACES {
        let made = api.json("POST", "storage/kv/namespaces", &json!({ "title": title })).await?.result()?;
        let id = made["id"].as_str().context("no id")?;
        let value = json!([{ "key": "key", "value": "{}", "metadata": { "a": 1 } }]);
        api.json("PUT", &format!("storage/kv/namespaces/{id}/bulk"), &value).await?.result()?;
        kv.push(id.to_owned());
    }
    Ok(format!(
        r#"
seed = 1

[generation]
max-examples = 12
deterministic = true
database = "none"

[phases.stateful]
enabled = false

[dictionaries]
keys = {{ values = ["key"] }}
kv = {{ values = {kv:?} }}
namespaces = {{ values = {NAMESPACES:?} }}
scripts = {{ values = {SCRIPTS:?} }}
secrets = {{ values = ["KEY"] }}
versions = {{ values = {versions} }}

[parameters]
"path.account_id" = "{ACCOUNT}"
"path.dispatch_namespace" = {{ dictionary = "namespaces", probability = 0.9 }}
"path.key_name" = {{ dictionary = "keys", probability = 0.5 }}
"path.namespace_id" = {{ dictionary = "kv", probability = 0.9 }}
"path.script_name" = {{ dictionary = "scripts", probability = 0.9 }}
"path.secret_name" = {{ dictionary = "secrets", probability = 0.5 }}
"path.user_worker" = {{ dictionary = "scripts", probability = 0.9 }}
"path.version_id" = {{ dictionary = "versions", probability = 0.9 }}
"#,
        versions = Value::from(versions),
    ))
}

/// Operations in the description whose ids are such, or are not.
fn described(taking_away: bool) -> usize {
    let document = serde_json::to_value(openapi()).unwrap_or_default();
    let operations = document["paths"].as_object().into_iter().flatten().flat_map(|(_, item)| item.as_object());
    let ids = operations.flatten().filter_map(|(_, operation)| operation["operationId"].as_str());
    let renames =
        ["patch_workers_dispatch_namespaces_dispatch_namespace", "put_workers_dispatch_namespaces_dispatch_namespace"];
    ids.filter(|id| (id.starts_with("delete_") || renames.contains(id)) == taking_away).count()
}

#[tokio::test]
async fn whatever_is_asked_the_answer_is_one_that_is_described() -> Result<()> {
    let report = run(["--exclude-operation-id-regex", TAKES_AWAY]).await?;
    let accepted = report.accepted();
    println!("{accepted:#?}\n{:#}\n{:#}", report.0["test_cases"], report.0["running_time"]);
    ensure!(accepted.len() == described(false), "{} of {}", accepted.len(), described(false));
    Ok(())
}

#[tokio::test]
async fn whatever_is_deleted_or_renamed_the_answer_is_one_that_is_described() -> Result<()> {
    let report = run(["--include-operation-id-regex", TAKES_AWAY]).await?;
    let accepted = report.accepted();
    println!("{accepted:#?}\n{:#}\n{:#}", report.0["test_cases"], report.0["running_time"]);
    ensure!(accepted.len() == described(true), "{} of {}", accepted.len(), described(true));
    Ok(())
}
