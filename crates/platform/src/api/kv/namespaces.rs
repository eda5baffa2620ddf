//! KV namespaces.

use axum::body::Body;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::Api;
use super::super::body;
use super::super::envelope::{Nothing, Page, done, ok};
use super::super::error::{Fault, Paged, Reply};
use super::super::path::Captures;
use super::super::query::{Numbered, Query, paged};
use crate::deploy::{blocking, writing};
use crate::store;

/// A KV namespace.
#[derive(Serialize, ToSchema)]
pub(super) struct KvNamespace {
    id: String,
    title: String,
    supports_url_encoding: bool,
}

/// A KV namespace that is to be made, or renamed.
#[derive(Deserialize, ToSchema)]
struct KvNamespaceTitle {
    #[schema(min_length = 1, max_length = 512)]
    title: String,
}

/// The longest title, in characters.
const LONGEST_TITLE: usize = 512;

/// Lists the KV namespaces, in pages.
#[utoipa::path(
    get,
    path = "/",
    tag = "KV",
    params(
        Numbered,
        ("order" = Option<String>, Query, description = "By what: `id`, or `title`."),
        ("direction" = Option<String>, Query, description = "`asc`, or `desc`."),
    ),
)]
pub(super) async fn list(State(api): State<Api>, query: Query) -> Paged<KvNamespace> {
    let (number, per_page) = query.page(20, 1000)?;
    let mut namespaces = blocking(&api.store, crate::store::Store::kv_namespaces).await?;
    if query.one("order") == Some("id") {
        namespaces.sort_by(|one, other| one.id.cmp(&other.id));
    }
    if query.one("direction") == Some("desc") {
        namespaces.reverse();
    }
    let (namespaces, info) = paged(namespaces, number, per_page);
    Ok(Page { result: namespaces.0.into_iter().map(show).collect(), info })
}

/// Makes a KV namespace.
#[utoipa::path(post, path = "/", tag = "KV", request_body = KvNamespaceTitle)]
pub(super) async fn create(State(api): State<Api>, body: Body) -> Reply<KvNamespace> {
    let title = title(body).await?;
    ok(show(writing(&api.store, move |store| store.create_kv_namespace(&title)).await?))
}

/// Shows a KV namespace.
#[utoipa::path(get, path = "/{namespace_id}", tag = "KV")]
pub(super) async fn get(State(api): State<Api>, captures: Captures) -> Reply<KvNamespace> {
    let id = captures.one("namespace_id").to_owned();
    ok(show(blocking(&api.store, move |store| store.kv_namespace(&id)).await?))
}

/// Gives a KV namespace another title.
#[utoipa::path(put, path = "/{namespace_id}", tag = "KV", request_body = KvNamespaceTitle)]
pub(super) async fn rename(State(api): State<Api>, captures: Captures, body: Body) -> Reply<KvNamespace> {
    let (id, title) = (captures.one("namespace_id").to_owned(), title(body).await?);
    ok(show(writing(&api.store, move |store| store.rename_kv_namespace(&id, &title)).await?))
}

/// Deletes a KV namespace, and its values.
#[utoipa::path(delete, path = "/{namespace_id}", tag = "KV")]
pub(super) async fn delete(State(api): State<Api>, captures: Captures) -> Reply<Nothing> {
    let id = captures.one("namespace_id").to_owned();
    writing(&api.store, move |store| store.delete_kv_namespace(&id)).await?;
    done()
}

async fn title(body: Body) -> Result<String, Fault> {
    let KvNamespaceTitle { title } = body::json(body).await?;
    if title.is_empty() || title.chars().nth(LONGEST_TITLE).is_some() || title.chars().any(char::is_control) {
        return Err(Fault::KvRequest(format!(
            "a title has 1 to {LONGEST_TITLE} characters, and no control characters"
        )));
    }
    Ok(title)
}

fn show(store::KvNamespace { id, title }: store::KvNamespace) -> KvNamespace {
    KvNamespace { id, title, supports_url_encoding: true }
}
