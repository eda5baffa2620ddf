//! KV namespaces.

use axum::body::Body;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Api;
use super::super::body;
use super::super::envelope::{ok, page};
use super::super::error::{Fault, Reply};
use super::super::path::Captures;
use super::super::query::{Query, paged};
use crate::deploy::blocking;
use crate::store::KvNamespace;

/// The longest title, in characters.
const LONGEST_TITLE: usize = 512;

/// Lists them, in pages.
pub(in super::super) async fn list(State(api): State<Api>, query: Query) -> Reply {
    let (number, per_page) = query.page(20, 1000)?;
    let mut namespaces = blocking(&api.store, crate::store::Store::kv_namespaces).await?;
    if query.one("order") == Some("id") {
        namespaces.sort_by(|one, other| one.id.cmp(&other.id));
    }
    if query.one("direction") == Some("desc") {
        namespaces.reverse();
    }
    let (namespaces, info) = paged(namespaces, number, per_page);
    page(namespaces.iter().map(show).collect::<Vec<_>>(), info)
}

/// Makes one.
pub(in super::super) async fn create(State(api): State<Api>, body: Body) -> Reply {
    let title = title(body).await?;
    ok(show(&blocking(&api.store, move |store| store.create_kv_namespace(&title)).await?))
}

/// Shows one.
pub(in super::super) async fn get(State(api): State<Api>, captures: Captures) -> Reply {
    let id = captures.one("id").to_owned();
    ok(show(&blocking(&api.store, move |store| store.kv_namespace(&id)).await?))
}

/// Gives one another title.
pub(in super::super) async fn rename(State(api): State<Api>, captures: Captures, body: Body) -> Reply {
    let (id, title) = (captures.one("id").to_owned(), title(body).await?);
    ok(show(&blocking(&api.store, move |store| store.rename_kv_namespace(&id, &title)).await?))
}

/// Deletes one, and its values.
pub(in super::super) async fn delete(State(api): State<Api>, captures: Captures) -> Reply {
    let id = captures.one("id").to_owned();
    blocking(&api.store, move |store| store.delete_kv_namespace(&id)).await?;
    ok(Value::Null)
}

async fn title(body: Body) -> Result<String, Fault> {
    #[derive(Deserialize)]
    struct Wanted {
        title: String,
    }
    let Wanted { title } = body::json(body).await?;
    if title.is_empty() || title.chars().nth(LONGEST_TITLE).is_some() || title.chars().any(char::is_control) {
        return Err(Fault::KvRequest(format!(
            "a title has 1 to {LONGEST_TITLE} characters, and no control characters"
        )));
    }
    Ok(title)
}

fn show(namespace: &KvNamespace) -> Value {
    json!({ "id": namespace.id, "title": namespace.title, "supports_url_encoding": true })
}
