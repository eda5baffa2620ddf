//! Scripts, in a dispatch namespace or the account's own: upload, describe, list, delete.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use serde_json::{Map, Value, json};

use super::change::{DEPLOYED_FROM, Prepared};
use super::envelope::{ok, ok_at_top_too, page};
use super::error::{Fault, Reply};
use super::path::{InNamespace, Target};
use super::query::Query;
use super::upload::Upload;
use super::{Api, content};
use crate::deploy::blocking;
use crate::store::{Page, Script, Store, StoreError, TagFilter};
use crate::worker::{Scope, ScriptKey};

/// The most scripts on one page, and of one bulk deletion.
const MOST: usize = 1000;

/// Uploads one.
pub(super) async fn put(State(api): State<Api>, target: Target, query: Query, headers: HeaderMap, body: Body) -> Reply {
    let upload = Upload::read(&headers, body).await?;
    let strict = query.one("bindings_inherit") == Some("strict");
    let upload = Prepared::new(upload, strict, client(&headers))?;
    let script = upload.deploy(&api, &target.key).await?;
    let mut described = describe(&script);
    described.insert("entry_point".to_owned(), json!(upload.entry_point()));
    if let Some(namespace) = &target.namespace {
        described.insert("dispatch_namespace".to_owned(), json!(namespace.name.as_str()));
    }
    ok(described)
}

/// Describes one of a namespace; of the account's own, gives its content, as Cloudflare does.
pub(super) async fn get(State(api): State<Api>, target: Target) -> Reply {
    let Some(namespace) = target.namespace.clone() else { return content::get(State(api), target).await };
    match blocking(&api.store, move |store| store.script(&target.key)).await {
        Ok(script) => ok(in_namespace(&script, namespace.name.as_str())),
        // `wrangler` takes this code alone to mean that there is none yet.
        Err(StoreError::ScriptNotFound) => Err(Fault::EnvironmentMissing),
        Err(error) => Err(error.into()),
    }
}

/// Deletes one.
pub(super) async fn delete(State(api): State<Api>, target: Target) -> Reply {
    remove(&api, target.key).await?;
    ok(Value::Null)
}

/// Deletes a script, and tells the runtime.
pub(super) async fn remove(api: &Api, key: ScriptKey) -> Result<(), Fault> {
    let _turn = api.turns.take(&key).await;
    let change = blocking(&api.store, move |store| store.delete_script(&key)).await?;
    api.apply(&[change]).await;
    Ok(())
}

/// Lists those of a namespace.
pub(super) async fn list_in_namespace(
    State(api): State<Api>,
    InNamespace(namespace): InNamespace,
    query: Query,
) -> Reply {
    let (scripts, info) = listed(&api, Scope::Namespace(namespace.id), &query).await?;
    page(scripts.iter().map(|script| in_namespace(script, namespace.name.as_str())).collect::<Vec<_>>(), info)
}

/// Lists the account's own.
pub(super) async fn list_in_account(State(api): State<Api>, query: Query) -> Reply {
    let (scripts, info) = listed(&api, Scope::Account, &query).await?;
    page(scripts.iter().map(|script| Value::from(describe(script))).collect::<Vec<_>>(), info)
}

/// Deletes those of a namespace that a filter meets; without a filter, all. Few at a time: `has_more` says to go on.
pub(super) async fn delete_many(State(api): State<Api>, InNamespace(namespace): InNamespace, query: Query) -> Reply {
    let filter = query.tags()?.unwrap_or_default();
    let limit = query.number("limit", 1, MOST)?.unwrap_or(MOST);
    let (changes, has_more) =
        blocking(&api.store, move |store| store.delete_scripts(Scope::Namespace(namespace.id), &filter, limit)).await?;
    api.apply(&changes).await;
    let deleted: Vec<Value> = changes.iter().map(|change| json!({ "id": change.key.name.as_str() })).collect();
    ok_at_top_too(&[
        ("deleted_count", json!(deleted.len())),
        ("deleted", json!(deleted)),
        ("has_more", json!(has_more)),
    ])
}

/// A page of scripts: by `limit` and `cursor`, or by `per_page` and `page`.
async fn listed(api: &Api, scope: Scope, query: &Query) -> Result<(Vec<Script>, Value), Fault> {
    let filter = query.tags()?.unwrap_or_default();
    if query.one("page").is_some() || query.one("per_page").is_some() {
        let (page, per_page) = query.page(100, MOST)?;
        let scripts = blocking(&api.store, move |store| numbered(store, scope, &filter, page, per_page)).await?;
        let info = json!({ "count": scripts.len(), "page": page, "per_page": per_page });
        return Ok((scripts, info));
    }
    let limit = query.number("limit", 1, MOST)?.unwrap_or(MOST);
    let cursor = query.one("cursor").filter(|cursor| !cursor.is_empty()).map(str::to_owned);
    let Page { items, cursor } =
        blocking(&api.store, move |store| store.scripts(scope, &filter, limit, cursor.as_deref())).await?;
    let info = json!({ "count": items.len(), "per_page": limit, "cursor": cursor.unwrap_or_default() });
    Ok((items, info))
}

/// The page of a number, found by going through those before it.
fn numbered(
    store: &Store,
    scope: Scope,
    filter: &TagFilter,
    number: usize,
    per_page: usize,
) -> Result<Vec<Script>, StoreError> {
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

/// A script of a namespace: nested under `script` as the specification says, and flat as the examples read it.
fn in_namespace(script: &Script, namespace: &str) -> Value {
    let described = describe(script);
    let mut outer = described.clone();
    outer.insert("dispatch_namespace".to_owned(), json!(namespace));
    outer.insert("script".to_owned(), described.into());
    outer.into()
}

/// A script as all answers describe it.
pub(super) fn describe(script: &Script) -> Map<String, Value> {
    let version = &script.version;
    let named: Vec<Value> = version
        .started
        .named_handlers
        .iter()
        .map(|(name, handlers)| json!({ "name": name, "handlers": handlers }))
        .collect();
    let setting = |key: &str| version.settings.get(key).cloned().unwrap_or(Value::Null);
    let mut described = Map::new();
    let mut set = |key: &str, value: Value| described.insert(key.to_owned(), value);
    set("id", json!(script.key.name.as_str()));
    set("tag", json!(script.tag));
    set("tags", json!(script.tags));
    set("etag", json!(version.etag));
    set("deployment_id", json!(version.id));
    set("handlers", json!(version.started.handlers));
    set("named_handlers", json!(named));
    set("created_on", json!(script.created_on));
    set("modified_on", json!(script.modified_on));
    set("startup_time_ms", json!(version.started.startup_time_ms));
    set("has_modules", json!(version.has_modules));
    set("has_assets", json!(false));
    set("compatibility_date", json!(version.compatibility_date));
    set("compatibility_flags", json!(version.compatibility_flags));
    set("usage_model", version.settings.get("usage_model").cloned().unwrap_or_else(|| json!("standard")));
    set("logpush", version.settings.get("logpush").cloned().unwrap_or(json!(false)));
    set("last_deployed_from", version.settings.get(DEPLOYED_FROM).cloned().unwrap_or_else(|| json!("api")));
    set("observability", setting("observability"));
    set("tail_consumers", setting("tail_consumers"));
    // An object without a mode is none of those that Cloudflare's description has.
    if let Some(placement) = version.settings.get("placement") {
        set("placement", placement.clone());
    }
    described
}

/// What [`DEPLOYED_FROM`] says of a request.
pub(super) fn client(headers: &HeaderMap) -> &'static str {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    if agent.starts_with("wrangler") { "wrangler" } else { "api" }
}
