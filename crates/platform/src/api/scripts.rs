//! Scripts, in a dispatch namespace or the account's own: upload, describe, list, delete.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Api;
use super::change::{DEPLOYED_FROM, Prepared};
use super::envelope::{AtTopToo, Nothing, Page, ResultInfo, done, ok};
use super::error::{ContentTypes, Fault, Paged, Reply, TooMany};
use super::path::{InNamespace, Target};
use super::query::{ByCursor, Numbered, Query, Tagged};
use super::upload::{Upload, UploadForm};
use crate::deploy::{blocking, writing};
use crate::store::{self, Store, StoreError, TagFilter};
use crate::worker::{Scope, ScriptKey};

/// A script, without its code.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct Script {
    /// Its name.
    id: String,
    /// What stays the same for as long as the script exists.
    tag: String,
    tags: Vec<String>,
    /// What is the same of two versions of the same code.
    etag: String,
    /// The version that serves.
    #[schema(format = Uuid)]
    deployment_id: String,
    /// The handlers of the default export.
    handlers: Vec<String>,
    named_handlers: Vec<NamedHandler>,
    #[schema(format = DateTime)]
    created_on: String,
    #[schema(format = DateTime)]
    modified_on: String,
    startup_time_ms: u64,
    /// Whether it is made of ES modules.
    has_modules: bool,
    has_assets: bool,
    compatibility_date: String,
    compatibility_flags: Vec<String>,
    #[serde(flatten)]
    pub(super) runs: Runs,
    /// `wrangler`, or `api`.
    #[schema(value_type = String)]
    last_deployed_from: Value,
    #[serde(flatten)]
    pub(super) settings: ScriptSettings,
}

/// A named entrypoint.
#[derive(Clone, Serialize, ToSchema)]
struct NamedHandler {
    name: String,
    handlers: Vec<String>,
}

/// How a script runs. Kept, and of no effect here.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct Runs {
    #[schema(value_type = String)]
    pub(super) usage_model: Value,
    /// Left out where it was not set: an empty object is none of those that Cloudflare's description has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub(super) placement: Option<Value>,
}

/// The settings of a script that belong to no version of it. Kept, and of no effect here.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct ScriptSettings {
    #[schema(value_type = bool)]
    pub(super) logpush: Value,
    #[schema(value_type = Option<Object>)]
    pub(super) observability: Value,
    #[schema(value_type = Option<Vec<Object>>)]
    pub(super) tail_consumers: Value,
}

/// A script that was just uploaded.
#[derive(Serialize, ToSchema)]
pub(super) struct UploadedScript {
    #[serde(flatten)]
    pub(super) script: Script,
    /// The module that it starts with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) entry_point: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) dispatch_namespace: Option<String>,
}

/// A script of a namespace: nested under `script` as Cloudflare's description says, and flat as its examples read it.
#[derive(Serialize, ToSchema)]
pub(super) struct ScriptInNamespace {
    #[serde(flatten)]
    flat: Script,
    dispatch_namespace: String,
    script: Script,
}

/// What a bulk deletion deleted.
#[derive(Serialize, ToSchema)]
pub(super) struct DeletedScripts {
    deleted: Vec<DeletedScript>,
    deleted_count: usize,
    /// Whether there are more that the filter meets.
    has_more: bool,
}

/// A script that was deleted.
#[derive(Serialize, ToSchema)]
struct DeletedScript {
    id: String,
}

/// The most scripts on one page, and of one bulk deletion.
const MOST: usize = 1000;

/// Uploads a script.
#[utoipa::path(
    put,
    path = "/",
    tag = "Scripts",
    params(("bindings_inherit" = Option<String>, Query, description = "`strict`: an `inherit` binding must find one.")),
    request_body(content(
        (UploadForm = "multipart/form-data"),
        (String = "application/javascript"),
        (String = "application/javascript+module"),
    )),
    responses(TooMany, ContentTypes),
)]
pub(super) async fn put(
    State(api): State<Api>,
    target: Target,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Reply<UploadedScript> {
    let upload = Upload::read(&headers, body).await?;
    let strict = query.one("bindings_inherit") == Some("strict");
    let upload = Prepared::new(upload, strict, client(&headers))?;
    let script = upload.deploy(&api, &target.key).await?;
    ok(UploadedScript {
        script: describe(&script),
        entry_point: upload.entry_point().map(str::to_owned),
        dispatch_namespace: target.namespace.map(|namespace| namespace.name.to_string()),
    })
}

/// Describes a script of a namespace.
#[utoipa::path(get, path = "/", tag = "Scripts")]
pub(super) async fn get(
    State(api): State<Api>,
    InNamespace(namespace): InNamespace,
    target: Target,
) -> Reply<ScriptInNamespace> {
    match blocking(&api.store, move |store| store.script(&target.key)).await {
        Ok(script) => ok(in_namespace(&script, namespace.name.as_str())),
        // `wrangler` takes this code alone to mean that there is none yet.
        Err(StoreError::ScriptNotFound) => Err(Fault::EnvironmentMissing),
        Err(error) => Err(error.into()),
    }
}

/// Deletes a script.
#[utoipa::path(delete, path = "/", tag = "Scripts")]
pub(super) async fn delete(State(api): State<Api>, target: Target) -> Reply<Nothing> {
    remove(&api, target.key).await?;
    done()
}

/// Deletes a script, and tells the runtime.
pub(super) async fn remove(api: &Api, key: ScriptKey) -> Result<(), Fault> {
    let _turn = api.turns.take(&key).await;
    let change = writing(&api.store, move |store| store.delete_script(&key)).await?;
    api.apply(&[change]).await;
    Ok(())
}

/// Lists the scripts of a namespace.
#[utoipa::path(get, path = "/scripts", tag = "Scripts", params(ByCursor, Numbered, Tagged))]
pub(super) async fn list_in_namespace(
    State(api): State<Api>,
    InNamespace(namespace): InNamespace,
    query: Query,
) -> Paged<ScriptInNamespace> {
    let (scripts, info) = listed(&api, Scope::Namespace(namespace.id), &query).await?;
    let result = scripts.iter().map(|script| in_namespace(script, namespace.name.as_str())).collect();
    Ok(Page { result, info })
}

/// Lists the account's own scripts.
#[utoipa::path(get, path = "/workers/scripts", tag = "Scripts", params(ByCursor, Numbered, Tagged))]
pub(super) async fn list_in_account(State(api): State<Api>, query: Query) -> Paged<Script> {
    let (scripts, info) = listed(&api, Scope::Account, &query).await?;
    Ok(Page { result: scripts.iter().map(describe).collect(), info })
}

/// Deletes the scripts of a namespace that a filter meets; without a filter, all. Few at a time: `has_more` says to go on.
#[utoipa::path(
    delete,
    path = "/scripts",
    tag = "Scripts",
    params(Tagged, ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "How many at most.")),
)]
pub(super) async fn delete_many(
    State(api): State<Api>,
    InNamespace(namespace): InNamespace,
    query: Query,
) -> Result<AtTopToo<DeletedScripts>, Fault> {
    let filter = query.tags()?.unwrap_or_default();
    deleted(&api, Scope::Namespace(namespace.id), filter, &query).await
}

/// Deletes those of the account's own scripts that a filter meets. An older page of Cloudflare's has this; without a filter
/// nobody can have meant it.
#[utoipa::path(
    delete,
    path = "/workers/scripts",
    tag = "Scripts",
    params(
        ("tags" = String, Query, description = "Pairs of a tag and `yes` or `no`, such as `paid:yes,trial:no`."),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "How many at most."),
    ),
)]
pub(super) async fn delete_many_in_account(
    State(api): State<Api>,
    query: Query,
) -> Result<AtTopToo<DeletedScripts>, Fault> {
    let filter = query
        .tags()?
        .ok_or_else(|| Fault::Query("say which Workers of the account to delete, as in `tags=trial:yes`".to_owned()))?;
    deleted(&api, Scope::Account, filter, &query).await
}

async fn deleted(api: &Api, scope: Scope, filter: TagFilter, query: &Query) -> Result<AtTopToo<DeletedScripts>, Fault> {
    let limit = query.number("limit", 1, MOST)?.unwrap_or(MOST);
    let (changes, has_more) = writing(&api.store, move |store| store.delete_scripts(scope, &filter, limit)).await?;
    api.apply(&changes).await;
    let deleted: Vec<_> =
        changes.into_iter().map(|change| DeletedScript { id: change.key.name.as_str().to_owned() }).collect();
    Ok(AtTopToo(DeletedScripts { deleted_count: deleted.len(), deleted, has_more }))
}

/// A page of scripts: by `limit` and `cursor`, or by `per_page` and `page`.
async fn listed(api: &Api, scope: Scope, query: &Query) -> Result<(Vec<store::Script>, ResultInfo), Fault> {
    let filter = query.tags()?.unwrap_or_default();
    if query.one("page").is_some() || query.one("per_page").is_some() {
        let (page, per_page) = query.page(100, MOST)?;
        let scripts = blocking(&api.store, move |store| numbered(store, scope, &filter, page, per_page)).await?;
        let (page, per_page) = (Some(page), Some(per_page));
        let info = ResultInfo { count: scripts.len(), page, per_page, ..ResultInfo::default() };
        return Ok((scripts, info));
    }
    let limit = query.number("limit", 1, MOST)?.unwrap_or(MOST);
    let cursor = query.one("cursor").filter(|cursor| !cursor.is_empty()).map(str::to_owned);
    let store::Page { items, cursor } =
        blocking(&api.store, move |store| store.scripts(scope, &filter, limit, cursor.as_deref())).await?;
    let (per_page, cursor) = (Some(limit), Some(cursor.unwrap_or_default()));
    let info = ResultInfo { count: items.len(), per_page, cursor, ..ResultInfo::default() };
    Ok((items, info))
}

/// The page of a number, found by going through those before it.
fn numbered(
    store: &Store,
    scope: Scope,
    filter: &TagFilter,
    number: usize,
    per_page: usize,
) -> Result<Vec<store::Script>, StoreError> {
    let mut cursor = None;
    for passed in 1.. {
        let page = store.scripts(scope, filter, per_page, cursor.as_deref())?;
        if passed == number {
            return Ok(page.items);
        }
        match page.cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    Ok(Vec::new())
}

fn in_namespace(script: &store::Script, namespace: &str) -> ScriptInNamespace {
    let described = describe(script);
    ScriptInNamespace { flat: described.clone(), dispatch_namespace: namespace.to_owned(), script: described }
}

/// A script as all answers describe it.
pub(super) fn describe(script: &store::Script) -> Script {
    let store::Version { settings, started, .. } = &script.version;
    let named =
        |(name, handlers): &(String, Vec<String>)| NamedHandler { name: name.clone(), handlers: handlers.clone() };
    let setting = |key: &str, usual: Value| settings.get(key).cloned().unwrap_or(usual);
    Script {
        id: script.key.name.as_str().to_owned(),
        tag: script.tag.clone(),
        tags: script.tags.clone(),
        etag: script.version.etag.clone(),
        deployment_id: script.version.id.clone(),
        handlers: started.handlers.clone(),
        named_handlers: started.named_handlers.iter().map(named).collect(),
        created_on: script.created_on.clone(),
        modified_on: script.modified_on.clone(),
        startup_time_ms: started.startup_time_ms,
        has_modules: script.version.has_modules,
        has_assets: script.version.has_assets,
        compatibility_date: script.version.compatibility_date.clone(),
        compatibility_flags: script.version.compatibility_flags.clone(),
        runs: Runs {
            usage_model: setting("usage_model", json!("standard")),
            placement: settings.get("placement").cloned(),
        },
        last_deployed_from: setting(DEPLOYED_FROM, json!("api")),
        settings: ScriptSettings {
            logpush: setting("logpush", json!(false)),
            observability: setting("observability", Value::Null),
            tail_consumers: setting("tail_consumers", Value::Null),
        },
    }
}

/// What [`DEPLOYED_FROM`] says of a request.
pub(super) fn client(headers: &HeaderMap) -> &'static str {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    if agent.starts_with("wrangler") { "wrangler" } else { "api" }
}
