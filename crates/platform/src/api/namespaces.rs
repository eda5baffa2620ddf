//! Dispatch namespaces.

use axum::body::Body;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::body;
use super::envelope::{Nothing, Page, done, ok};
use super::error::{Exists, Fault, Paged, Reply};
use super::path::{InNamespace, namespace_name};
use super::query::{Numbered, Query, paged};
use crate::deploy::{blocking, writing};
use crate::store::{self, StoreError};

/// A dispatch namespace.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "Cloudflare's names")]
pub(super) struct Namespace {
    #[schema(format = Uuid)]
    namespace_id: String,
    namespace_name: String,
    /// How many scripts it has.
    script_count: u64,
    /// Whether its Workers see `request.cf`.
    trusted_workers: bool,
    created_by: String,
    #[schema(format = DateTime)]
    created_on: String,
    modified_by: String,
    #[schema(format = DateTime)]
    modified_on: String,
}

/// A dispatch namespace that is to be made.
#[derive(Deserialize, ToSchema)]
struct NewNamespace {
    /// Without one it is made.
    #[schema(nullable = false)]
    name: Option<String>,
}

/// What is to change of a dispatch namespace; what is not named stays.
#[derive(Deserialize, ToSchema)]
struct NamespaceChange {
    name: Option<String>,
    trusted_workers: Option<bool>,
}

/// Lists the dispatch namespaces: all, unless pages are asked for.
#[utoipa::path(get, path = "/workers/dispatch/namespaces", tag = "Dispatch namespaces", params(Numbered))]
pub(super) async fn list(State(api): State<Api>, query: Query) -> Paged<Namespace> {
    let namespaces = blocking(&api.store, crate::store::Store::namespaces).await?;
    // Without `per_page` the first page has all, and those behind it none.
    let (number, per_page) = query.page(MOST, MOST)?;
    let (namespaces, info) = paged(namespaces, number, per_page);
    Ok(Page { result: namespaces.0.into_iter().map(|namespace| show(&api, namespace)).collect(), info })
}

/// Makes a dispatch namespace.
#[utoipa::path(
    post,
    path = "/workers/dispatch/namespaces",
    tag = "Dispatch namespaces",
    request_body = NewNamespace,
    responses(Exists),
)]
pub(super) async fn create(State(api): State<Api>, body: Body) -> Reply<Namespace> {
    let NewNamespace { name } = body::json(body).await?;
    let name = namespace_name(&name.unwrap_or_else(|| format!("namespace-{}", uuid::Uuid::new_v4().simple())))?;
    let namespace =
        writing(&api.store, move |store| store.create_namespace(&name).map_err(|error| existing(error, name.as_str())))
            .await?;
    ok(show(&api, namespace))
}

/// Shows a dispatch namespace.
#[utoipa::path(get, path = "/", tag = "Dispatch namespaces")]
pub(super) async fn get(State(api): State<Api>, InNamespace(namespace): InNamespace) -> Reply<Namespace> {
    ok(show(&api, namespace))
}

/// Changes what the body names, by `PUT` as by `PATCH`: `wrangler` renames with a `PUT` that says nothing else.
#[utoipa::path(
    method(patch, put),
    path = "/",
    tag = "Dispatch namespaces",
    request_body = NamespaceChange,
    responses(Exists),
)]
pub(super) async fn update(
    State(api): State<Api>,
    InNamespace(namespace): InNamespace,
    body: Body,
) -> Reply<Namespace> {
    let NamespaceChange { name, trusted_workers } = body::json(body).await?;
    let name = name.as_deref().map(namespace_name).transpose()?;
    let namespace = writing(&api.store, move |store| {
        let wanted = name.as_ref().filter(|name| **name != namespace.name);
        store
            .update_namespace(&namespace.name, wanted, trusted_workers)
            .map_err(|error| existing(error, wanted.map_or("", |name| name.as_str())))
    })
    .await?;
    ok(show(&api, namespace))
}

/// Deletes a dispatch namespace, and its scripts.
#[utoipa::path(delete, path = "/", tag = "Dispatch namespaces")]
pub(super) async fn delete(State(api): State<Api>, InNamespace(namespace): InNamespace) -> Reply<Nothing> {
    let changes = writing(&api.store, move |store| store.delete_namespace(&namespace.name)).await?;
    api.apply(&changes).await;
    done()
}

/// The most namespaces on one page.
const MOST: usize = 1000;

fn existing(error: StoreError, name: &str) -> Fault {
    match error {
        StoreError::NamespaceExists => Fault::NamespaceExists(name.to_owned()),
        other => other.into(),
    }
}

fn show(api: &Api, namespace: store::Namespace) -> Namespace {
    Namespace {
        namespace_id: namespace.uuid,
        namespace_name: namespace.name.as_str().to_owned(),
        script_count: namespace.scripts,
        trusted_workers: namespace.trusted,
        created_by: api.account.clone(),
        created_on: namespace.created_on,
        modified_by: api.account.clone(),
        modified_on: namespace.modified_on,
    }
}
