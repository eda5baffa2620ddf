//! Versions and deployments of the account's own Workers: how `wrangler deploy` updates one that is there.
//!
//! Here one version serves all requests: a deployment names one, at 100 percent.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Api;
use super::bindings::show_all;
use super::body;
use super::change::{DEPLOYED_FROM, Made, Prepared};
use super::envelope::{ok, page};
use super::error::{Fault, Reply};
use super::path::{Captures, Target};
use super::query::{Query, paged};
use super::scripts::client;
use super::upload::Upload;
use crate::deploy::blocking;
use crate::runtime::StartError;
use crate::store::{NewVersion, Started, Version};
use crate::worker::Entry;

/// Uploads a version that does not serve yet. It is started once, as every version is.
pub(super) async fn create(
    State(api): State<Api>,
    target: Target,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let key = target.key.clone();
    blocking(&api.store, move |store| store.script(&key)).await?;
    let upload = Upload::read(&headers, body).await?;
    let upload = Prepared::new(upload, query.one("bindings_inherit") == Some("strict"), client(&headers))?;
    let Made { code, files, .. } = upload.make(&api, &target.key).await?;
    let started = match code.entry {
        Entry::AssetsOnly => Started::default(),
        _ => api.runtime()?.check(&code).await.map_err(|refused| match refused {
            StartError::Runtime(why) => Fault::Internal(why),
            refused => Fault::Invalid(refused.to_string()),
        })?,
    };
    let shown = blocking(&api.store, move |store| {
        let bindings = show_all(store, &code.bindings);
        // Tags are the script's, and change with what serves.
        let new = NewVersion { code, started, tags: None, derived_from: None, files };
        store.add_version(&target.key, &new).map(|version| show(&version, Some(bindings)))
    })
    .await?;
    ok(shown)
}

/// Lists the versions that are kept.
pub(super) async fn list(State(api): State<Api>, target: Target, query: Query) -> Reply {
    let versions = blocking(&api.store, move |store| store.versions(&target.key)).await?;
    let (number, per_page) = query.page(25, 100)?;
    let (versions, info) = paged(versions, number, per_page);
    let items: Vec<Value> = versions.iter().map(|version| show(version, None)).collect();
    // An object with a list in it, and paged all the same.
    page(json!({ "items": items }), info)
}

/// Shows one.
pub(super) async fn get(State(api): State<Api>, target: Target, captures: Captures) -> Reply {
    let id = captures.one("version").to_owned();
    let shown = blocking(&api.store, move |store| {
        let versions = store.versions(&target.key)?;
        let version = versions.iter().find(|version| version.id == id).ok_or(Fault::VersionMissing)?;
        let code = store.load_version(&target.key, &id)?.code;
        Ok::<_, Fault>(show(version, Some(show_all(store, &code.bindings))))
    })
    .await?;
    ok(shown)
}

/// Lists the deployments, the newest first.
pub(super) async fn deployments(State(api): State<Api>, target: Target) -> Reply {
    let deployments = blocking(&api.store, move |store| store.deployments(&target.key)).await?;
    ok(json!({ "deployments": deployments.iter().map(show_deployment).collect::<Vec<_>>() }))
}

/// Makes a version the one that serves.
pub(super) async fn deploy(State(api): State<Api>, target: Target, headers: HeaderMap, body: Body) -> Reply {
    #[derive(Deserialize)]
    struct Wanted {
        versions: Vec<Share>,
        #[serde(default)]
        annotations: Map<String, Value>,
    }
    #[derive(Deserialize)]
    struct Share {
        version_id: String,
        percentage: f64,
    }
    let Wanted { versions, annotations } = body::json(body).await?;
    let mut shares = versions.into_iter().filter(|share| share.percentage != 0.0);
    let version = match (shares.next(), shares.next()) {
        // The number is as it came, and no other is meant.
        (Some(Share { version_id, percentage }), None) if (percentage - 100.0).abs() < f64::EPSILON => version_id,
        _ => {
            return Err(Fault::Invalid(
                "on this platform one version serves all requests: `versions` must name one, with a `percentage` of 100"
                    .to_owned(),
            ));
        }
    };
    let _turn = api.turns.take(&target.key).await;
    let settings = Map::from_iter([
        ("annotations".to_owned(), annotations.into()),
        (DEPLOYED_FROM.to_owned(), client(&headers).into()),
    ]);
    let (deployment, change) =
        blocking(&api.store, move |store| store.deploy_version(&target.key, &version, &settings)).await?;
    api.apply(&[change]).await;
    ok(show_deployment(&deployment))
}

fn show_deployment(deployment: &crate::store::Deployment) -> Value {
    let setting = |key: &str| deployment.settings.get(key).cloned();
    json!({
        "id": deployment.id,
        "source": setting(DEPLOYED_FROM).unwrap_or_else(|| json!("api")),
        "strategy": "percentage",
        "author_email": super::user::EMAIL,
        "created_on": deployment.created_on,
        "annotations": setting("annotations").unwrap_or_else(|| json!({})),
        "versions": [{ "version_id": deployment.version, "percentage": 100 }],
    })
}

fn show(version: &Version, bindings: Option<Vec<Value>>) -> Value {
    let setting = |key: &str| version.settings.get(key).cloned();
    let from = setting(DEPLOYED_FROM).unwrap_or_else(|| json!("api"));
    let mut shown = json!({
        "id": version.id,
        "number": version.number,
        "metadata": {
            "created_on": version.created_on,
            "modified_on": version.created_on,
            "source": from,
            "author_email": super::user::EMAIL,
        },
        "annotations": setting("annotations").unwrap_or_else(|| json!({})),
        "startup_time_ms": version.started.startup_time_ms,
    });
    if let Some(bindings) = bindings {
        shown["resources"] = json!({
            "script": {
                "etag": version.etag,
                "handlers": version.started.handlers,
                "last_deployed_from": from,
            },
            "script_runtime": {
                "compatibility_date": version.compatibility_date,
                "compatibility_flags": version.compatibility_flags,
                "usage_model": setting("usage_model").unwrap_or_else(|| json!("standard")),
                "limits": setting("limits").unwrap_or_else(|| json!({})),
            },
            "bindings": bindings,
        });
    }
    shown
}
