//! Versions and deployments of the account's own Workers: how `wrangler deploy` updates one that is there.
//!
//! Here one version serves all requests: a deployment names one, at 100 percent.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::Api;
use super::bindings::{ShownBinding, show_all};
use super::body;
use super::change::{DEPLOYED_FROM, Made, Prepared};
use super::envelope::{Page, ok};
use super::error::{ContentTypes, Fault, Reply};
use super::path::{Captures, Target};
use super::query::{Numbered, Query, paged};
use super::scripts::client;
use super::upload::{Upload, UploadForm};
use crate::deploy::{blocking, writing};
use crate::runtime::StartError;
use crate::store::{self, NewVersion, Started};
use crate::worker::Entry;

/// A version of a Worker.
#[derive(Serialize, ToSchema)]
pub(super) struct Version {
    #[schema(format = Uuid)]
    id: String,
    /// Counted from 1 within the Worker.
    number: u64,
    metadata: VersionMetadata,
    #[schema(value_type = Object)]
    annotations: Value,
    startup_time_ms: u64,
}

/// When a version was made, and by whom.
#[derive(Serialize, ToSchema)]
struct VersionMetadata {
    #[schema(format = DateTime)]
    created_on: String,
    #[schema(format = DateTime)]
    modified_on: String,
    #[schema(value_type = String)]
    source: Value,
    author_email: &'static str,
}

/// A version of a Worker, and what it is made of.
#[derive(Serialize, ToSchema)]
pub(super) struct VersionWithResources {
    #[serde(flatten)]
    version: Version,
    resources: Resources,
}

/// What a version is made of.
#[derive(Serialize, ToSchema)]
struct Resources {
    script: VersionScript,
    script_runtime: ScriptRuntime,
    bindings: Vec<ShownBinding>,
}

/// The script of a version.
#[derive(Serialize, ToSchema)]
struct VersionScript {
    etag: String,
    handlers: Vec<String>,
    #[schema(value_type = String)]
    last_deployed_from: Value,
}

/// What a version runs on.
#[derive(Serialize, ToSchema)]
struct ScriptRuntime {
    compatibility_date: String,
    compatibility_flags: Vec<String>,
    #[schema(value_type = String)]
    usage_model: Value,
    #[schema(value_type = Object)]
    limits: Value,
}

/// Versions of a Worker.
#[derive(Serialize, ToSchema)]
pub(super) struct Versions {
    items: Vec<Version>,
}

/// Which version of a Worker serves.
#[derive(Serialize, ToSchema)]
pub(super) struct Deployment {
    #[schema(format = Uuid)]
    id: String,
    #[schema(value_type = String)]
    source: Value,
    strategy: &'static str,
    author_email: &'static str,
    #[schema(format = DateTime)]
    created_on: String,
    #[schema(value_type = Object)]
    annotations: Value,
    versions: [DeployedVersion; 1],
}

/// The share of requests that a version serves.
#[derive(Serialize, ToSchema)]
struct DeployedVersion {
    #[schema(format = Uuid)]
    version_id: String,
    percentage: u8,
}

/// The deployments of a Worker.
#[derive(Serialize, ToSchema)]
pub(super) struct Deployments {
    deployments: Vec<Deployment>,
}

/// Which version is to serve.
#[derive(Deserialize, ToSchema)]
struct NewDeployment {
    /// One, at 100 percent.
    versions: Vec<NewDeployedVersion>,
    #[serde(default)]
    annotations: Map<String, Value>,
}

/// The share of requests that a version is to serve.
#[derive(Deserialize, ToSchema)]
struct NewDeployedVersion {
    version_id: String,
    percentage: f64,
}

/// Uploads a version that does not serve yet. It is started once, as every version is.
#[utoipa::path(
    post,
    path = "/versions",
    tag = "Versions",
    params(("bindings_inherit" = Option<String>, Query, description = "`strict`: an `inherit` binding must find one.")),
    request_body(content(
        (UploadForm = "multipart/form-data"),
        (String = "application/javascript"),
        (String = "application/javascript+module"),
    )),
    responses(ContentTypes),
)]
pub(super) async fn create(
    State(api): State<Api>,
    target: Target,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Reply<VersionWithResources> {
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
    let shown = writing(&api.store, move |store| {
        let bindings = show_all(store, &code.bindings);
        // Tags are the script's, and change with what serves.
        let new = NewVersion { code, started, tags: None, derived_from: None, files };
        store.add_version(&target.key, &new).map(|version| show_with_resources(&version, bindings))
    })
    .await?;
    ok(shown)
}

/// Lists the versions of a Worker that are kept.
#[utoipa::path(get, path = "/versions", tag = "Versions", params(Numbered))]
pub(super) async fn list(State(api): State<Api>, target: Target, query: Query) -> Result<Page<Versions>, Fault> {
    let versions = blocking(&api.store, move |store| store.versions(&target.key)).await?;
    let (number, per_page) = query.page(25, 100)?;
    let (versions, info) = paged(versions, number, per_page);
    // An object with a list in it, and paged all the same.
    Ok(Page { result: Versions { items: versions.0.iter().map(show).collect() }, info })
}

/// Shows a version of a Worker.
#[utoipa::path(get, path = "/versions/{version_id}", tag = "Versions")]
pub(super) async fn get(State(api): State<Api>, target: Target, captures: Captures) -> Reply<VersionWithResources> {
    let id = captures.one("version_id").to_owned();
    let shown = blocking(&api.store, move |store| {
        let versions = store.versions(&target.key)?;
        let version = versions.iter().find(|version| version.id == id).ok_or(Fault::VersionMissing)?;
        let code = store.load_version(&target.key, &id)?.code;
        Ok::<_, Fault>(show_with_resources(version, show_all(store, &code.bindings)))
    })
    .await?;
    ok(shown)
}

/// Lists the deployments of a Worker, the newest first.
#[utoipa::path(get, path = "/deployments", tag = "Versions")]
pub(super) async fn deployments(State(api): State<Api>, target: Target) -> Reply<Deployments> {
    let deployments = blocking(&api.store, move |store| store.deployments(&target.key)).await?;
    ok(Deployments { deployments: deployments.into_iter().map(show_deployment).collect() })
}

/// Makes a version the one that serves.
#[utoipa::path(post, path = "/deployments", tag = "Versions", request_body = NewDeployment)]
pub(super) async fn deploy(
    State(api): State<Api>,
    target: Target,
    headers: HeaderMap,
    body: Body,
) -> Reply<Deployment> {
    let NewDeployment { versions, annotations } = body::json(body).await?;
    let mut shares = versions.into_iter().filter(|share| share.percentage != 0.0);
    let version = match (shares.next(), shares.next()) {
        // The number is as it came, and no other is meant.
        (Some(NewDeployedVersion { version_id, percentage }), None) if (percentage - 100.0).abs() < f64::EPSILON => {
            version_id
        }
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
        writing(&api.store, move |store| store.deploy_version(&target.key, &version, &settings)).await?;
    api.apply(&[change]).await;
    ok(show_deployment(deployment))
}

fn show_deployment(deployment: store::Deployment) -> Deployment {
    let setting = |key: &str| deployment.settings.get(key).cloned();
    Deployment {
        source: setting(DEPLOYED_FROM).unwrap_or_else(|| json!("api")),
        strategy: "percentage",
        author_email: super::user::EMAIL,
        annotations: setting("annotations").unwrap_or_else(|| json!({})),
        id: deployment.id,
        created_on: deployment.created_on,
        versions: [DeployedVersion { version_id: deployment.version, percentage: 100 }],
    }
}

fn show(version: &store::Version) -> Version {
    Version {
        id: version.id.clone(),
        number: version.number,
        metadata: VersionMetadata {
            created_on: version.created_on.clone(),
            modified_on: version.created_on.clone(),
            source: deployed_from(version),
            author_email: super::user::EMAIL,
        },
        annotations: version.settings.get("annotations").cloned().unwrap_or_else(|| json!({})),
        startup_time_ms: version.started.startup_time_ms,
    }
}

fn show_with_resources(version: &store::Version, bindings: Vec<ShownBinding>) -> VersionWithResources {
    let setting = |key: &str| version.settings.get(key).cloned();
    VersionWithResources {
        version: show(version),
        resources: Resources {
            script: VersionScript {
                etag: version.etag.clone(),
                handlers: version.started.handlers.clone(),
                last_deployed_from: deployed_from(version),
            },
            script_runtime: ScriptRuntime {
                compatibility_date: version.compatibility_date.clone(),
                compatibility_flags: version.compatibility_flags.clone(),
                usage_model: setting("usage_model").unwrap_or_else(|| json!("standard")),
                limits: setting("limits").unwrap_or_else(|| json!({})),
            },
            bindings,
        },
    }
}

fn deployed_from(version: &store::Version) -> Value {
    version.settings.get(DEPLOYED_FROM).cloned().unwrap_or_else(|| json!("api"))
}
