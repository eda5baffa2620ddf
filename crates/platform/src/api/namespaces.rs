//! Dispatch namespaces.

use axum::body::Body;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::body;
use super::envelope::{ok, page};
use super::error::{Fault, Reply};
use super::path::{InNamespace, namespace_name};
use super::query::{Query, paged};
use crate::deploy::blocking;
use crate::store::{Namespace, StoreError};

/// Lists them: all, unless pages are asked for.
pub(super) async fn list(State(api): State<Api>, query: Query) -> Reply {
    let namespaces = blocking(&api.store, crate::store::Store::namespaces).await?;
    // Without `per_page` the first page has all, and those behind it none.
    let (number, per_page) = query.page(MOST, MOST)?;
    let (namespaces, info) = paged(namespaces, number, per_page);
    page(namespaces.iter().map(|namespace| show(&api, namespace)).collect::<Vec<_>>(), info)
}

/// Makes one. Cloudflare's description asks for no name: without one it is made.
pub(super) async fn create(State(api): State<Api>, body: Body) -> Reply {
    #[derive(Deserialize)]
    struct Wanted {
        name: Option<String>,
    }
    let Wanted { name } = body::json(body).await?;
    let name = namespace_name(&name.unwrap_or_else(|| format!("namespace-{}", uuid::Uuid::new_v4().simple())))?;
    let namespace = blocking(&api.store, move |store| {
        store.create_namespace(&name).map_err(|error| existing(error, name.as_str()))
    })
    .await?;
    ok(show(&api, &namespace))
}

/// Shows one.
pub(super) async fn get(State(api): State<Api>, InNamespace(namespace): InNamespace) -> Reply {
    ok(show(&api, &namespace))
}

/// Changes what the body names, by `PUT` as by `PATCH`: `wrangler` renames with a `PUT` that says nothing else.
pub(super) async fn update(State(api): State<Api>, InNamespace(namespace): InNamespace, body: Body) -> Reply {
    #[derive(Deserialize)]
    struct Wanted {
        name: Option<String>,
        trusted_workers: Option<bool>,
    }
    let Wanted { name, trusted_workers } = body::json(body).await?;
    let name = name.as_deref().map(namespace_name).transpose()?;
    let namespace = blocking(&api.store, move |store| {
        let wanted = name.as_ref().filter(|name| **name != namespace.name);
        store
            .update_namespace(&namespace.name, wanted, trusted_workers)
            .map_err(|error| existing(error, wanted.map_or("", |name| name.as_str())))
    })
    .await?;
    ok(show(&api, &namespace))
}

/// Deletes one, and its scripts.
pub(super) async fn delete(State(api): State<Api>, InNamespace(namespace): InNamespace) -> Reply {
    let changes = blocking(&api.store, move |store| store.delete_namespace(&namespace.name)).await?;
    api.apply(&changes).await;
    ok(Value::Null)
}

/// The most namespaces on one page.
const MOST: usize = 1000;

fn existing(error: StoreError, name: &str) -> Fault {
    match error {
        StoreError::NamespaceExists => Fault::NamespaceExists(name.to_owned()),
        other => other.into(),
    }
}

fn show(api: &Api, namespace: &Namespace) -> Value {
    json!({
        "namespace_id": namespace.uuid,
        "namespace_name": namespace.name.as_str(),
        "script_count": namespace.scripts,
        "trusted_workers": namespace.trusted,
        "created_by": api.account,
        "created_on": namespace.created_on,
        "modified_by": api.account,
        "modified_on": namespace.modified_on,
    })
}
