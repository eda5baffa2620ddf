//! schemathesis: requests made from the API's own description, such as it allows and such as it does not. Nothing of it may
//! be answered with a 5xx, or in another way than the description says.
//!
//! It runs twice, since what one request takes away the next cannot find: once without what deletes or renames whole
//! scripts and namespaces, once with that alone. Both are seeded, so a failure is found again.

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
/// The operations that take away what others need, by their ids.
const TAKES_AWAY: [&str; 7] = [
    "delete_storage_kv_namespaces_namespace_id",
    "delete_workers_dispatch_namespaces_dispatch_namespace",
    "delete_workers_dispatch_namespaces_dispatch_namespace_scripts",
    "delete_workers_scripts_script_name",
    "delete_workers_services_script_name",
    "patch_workers_dispatch_namespaces_dispatch_namespace",
    "put_workers_dispatch_namespaces_dispatch_namespace",
];

/// What a run came to.
struct Report(Value);

impl Report {
    /// How many operations were tested.
    fn tested(&self) -> usize {
        self.0["operations"]["tested"].as_u64().and_then(|tested| usize::try_from(tested).ok()).unwrap_or_default()
    }

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
async fn run(filter: &str) -> Result<Report> {
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
        .args([filter, &format!("^({})$", TAKES_AWAY.join("|"))])
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
    let secrets = ["ONE", "TWO", "THREE", "FOUR"];
    let secret = |name: &&str| json!({ "type": "secret_text", "name": name, "text": "x" });
    let metadata = json!({
        "main_module": "index.js", "compatibility_date": "2026-04-01", "tags": ["paid"],
        "bindings": secrets.iter().map(secret).collect::<Value>(),
    });
    let module = [Part::module("index.js", "export default { fetch() { return new Response(); } };")];
    let numbered = |what: &str, count: u8| (0..count).map(|number| format!("{what}-{number}")).collect::<Vec<_>>();
    let (namespaces, scripts) = (numbered("namespace", 12), numbered("script", 12));
    let mut versions = Vec::new();
    for script in &scripts {
        api.upload(&format!("workers/scripts/{script}"), &metadata, &module).await?.result()?;
        let kept = api.get(&format!("workers/scripts/{script}/versions")).await?.result()?;
        versions.push(kept["items"][0]["id"].clone());
    }
    for namespace in &namespaces {
        api.create_namespace(namespace).await?;
        for script in scripts.iter().take(6) {
            let path = format!("workers/dispatch/namespaces/{namespace}/scripts/{script}");
            api.upload(&path, &metadata, &module).await?.result()?;
        }
    }
    let (mut kv, keys) = (Vec::new(), numbered("key", 12));
    for title in &namespaces {
        let made = api.json("POST", "storage/kv/namespaces", &json!({ "title": title })).await?.result()?;
        let id = made["id"].as_str().context("no id")?;
        let value = |key| json!({ "key": key, "value": "{}", "metadata": { "a": 1 } });
        let values: Value = keys.iter().map(value).collect();
        api.json("PUT", &format!("storage/kv/namespaces/{id}/bulk"), &values).await?.result()?;
        kv.push(id.to_owned());
    }
    Ok(format!(
        r#"
seed = 1
# How long it takes to make up a request says nothing of the API.
suppress-health-check = ["all"]

[generation]
max-examples = 20
deterministic = true
database = "none"

[phases.coverage]
unexpected-methods = []

# Requests that the description does not allow are made up by chance; all of their kinds would be ten times as many.
[phases.coverage.generation]
mode = "positive"

[phases.stateful]
enabled = false

[dictionaries]
keys = {{ values = {keys:?} }}
kv = {{ values = {kv:?} }}
namespaces = {{ values = {namespaces:?} }}
scripts = {{ values = {scripts:?} }}
secrets = {{ values = {secrets:?} }}
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

/// How many operations there are.
fn described() -> usize {
    let document = serde_json::to_value(openapi()).unwrap_or_default();
    let items = document["paths"].as_object().into_iter().flatten().filter_map(|(_, item)| item.as_object());
    items.flatten().filter(|(_, operation)| !operation["operationId"].is_null()).count()
}

#[tokio::test]
async fn whatever_is_asked_the_answer_is_one_that_is_described() -> Result<()> {
    let report = run("--exclude-operation-id-regex").await?;
    let accepted = report.accepted();
    ensure!(report.tested() == described() - TAKES_AWAY.len(), "{} of {} were tested", report.tested(), described());
    // What is not offered never is; what must name a version, a token or a module by chance seldom.
    let never: Vec<_> = accepted.iter().filter(|(_, times)| **times == 0).map(|(name, _)| *name).collect();
    ensure!(never.len() * 4 < accepted.len(), "{} of {} were never accepted: {never:#?}", never.len(), accepted.len());
    Ok(())
}

#[tokio::test]
async fn whatever_is_taken_away_the_answer_is_one_that_is_described() -> Result<()> {
    let report = run("--include-operation-id-regex").await?;
    let accepted = report.accepted();
    ensure!(report.tested() == TAKES_AWAY.len(), "{accepted:#?}");
    ensure!(accepted.values().all(|times| *times > 0), "{accepted:#?}");
    Ok(())
}
