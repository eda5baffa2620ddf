//! D1 databases: what there is of them.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Api;
use super::super::body;
use super::super::envelope::{ok, page};
use super::super::error::{Fault, Reply, shown};
use super::super::path::Captures;
use super::super::query::{Query, paged};
use crate::d1::{Call, Shape};
use crate::deploy::blocking;
use crate::store::{D1Database, StoreError};

/// The longest name, in characters.
const LONGEST_NAME: usize = 64;

/// A database that is busy for longer is shown without what is in it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lists them, in pages.
pub(in super::super) async fn list(State(api): State<Api>, query: Query) -> Reply {
    let (number, per_page) = query.page(100, 10_000)?;
    let mut databases = blocking(&api.store, crate::store::Store::d1_databases).await?;
    if let Some(name) = query.one("name") {
        databases.retain(|database| database.name.contains(name));
    }
    let (databases, info) = paged(databases, number, per_page);
    page(databases.iter().map(show).collect::<Vec<_>>(), info)
}

/// Makes one.
pub(in super::super) async fn create(State(api): State<Api>, body: Body) -> Reply {
    // Where it is to lie (`primary_location_hint`, `jurisdiction`) means nothing here.
    #[derive(Deserialize)]
    struct Wanted {
        name: String,
        #[serde(default)]
        read_replication: Option<Replication>,
    }
    let Wanted { name, read_replication } = body::json(body).await?;
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | ' ');
    if name.is_empty() || name.chars().nth(LONGEST_NAME).is_some() || !name.chars().all(plain) {
        return Err(Fault::D1Request(format!(
            "a database's name has 1 to {LONGEST_NAME} letters, digits, `-`, `_`, `.` and spaces, and is not `{}`",
            shown(&name)
        )));
    }
    not_replicated(read_replication.as_ref())?;
    let made = blocking(&api.store, move |store| {
        store.create_d1_database(&name).map_err(|error| match error {
            StoreError::D1DatabaseExists => Fault::D1Exists(name),
            other => other.into(),
        })
    })
    .await?;
    ok(detailed(&api, &made).await)
}

/// Shows one, by its id or its name.
pub(in super::super) async fn get(State(api): State<Api>, captures: Captures, query: Query) -> Reply {
    let database = named(&api, &captures).await?;
    let mut shown = detailed(&api, &database).await;
    if let (Some(fields), Value::Object(all)) = (query.one("fields"), &mut shown) {
        all.retain(|field, _| fields.split(',').any(|wanted| wanted == field));
    }
    ok(shown)
}

/// Changes what can be changed, which is nothing: there is one copy of each database.
pub(in super::super) async fn update(State(api): State<Api>, captures: Captures, body: Body) -> Reply {
    #[derive(Deserialize)]
    struct Wanted {
        #[serde(default)]
        read_replication: Option<Replication>,
    }
    let Wanted { read_replication } = body::json(body).await?;
    not_replicated(read_replication.as_ref())?;
    let database = named(&api, &captures).await?;
    ok(detailed(&api, &database).await)
}

/// Deletes one, and all that is in it. What runs on it ends.
pub(in super::super) async fn delete(State(api): State<Api>, captures: Captures) -> Reply {
    let database = named(&api, &captures).await?;
    blocking(&api.store, move |store| store.delete_d1_database(&database.id)).await?;
    ok(Value::Null)
}

/// The database that a path names, by its id or its name.
pub(super) async fn named(api: &Api, captures: &Captures) -> Result<D1Database, Fault> {
    let name = captures.one("database").to_owned();
    blocking(&api.store, move |store| match store.d1_database(&name) {
        Err(StoreError::D1DatabaseNotFound) => {
            let databases = store.d1_databases()?;
            databases.into_iter().find(|database| database.name == name).ok_or(Fault::D1Missing(name))
        }
        found => Ok(found?),
    })
    .await
}

#[derive(Deserialize)]
struct Replication {
    mode: String,
}

fn not_replicated(wanted: Option<&Replication>) -> Result<(), Fault> {
    match wanted {
        Some(Replication { mode }) if mode != "disabled" => Err(Fault::D1Request(format!(
            "`read_replication.mode` is `{}`, and there are no replicas here; leave it out",
            shown(mode)
        ))),
        _ => Ok(()),
    }
}

fn show(database: &D1Database) -> Value {
    let D1Database { id, name, created_on } = database;
    json!({ "uuid": id, "name": name, "version": "production", "created_at": created_on })
}

/// With what is known of its content.
async fn detailed(api: &Api, database: &D1Database) -> Value {
    const TABLES: &str =
        "SELECT count(*) AS tables FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'";
    let mut shown = show(database);
    shown["read_replication"] = json!({ "mode": "disabled" });
    let call = Call {
        queries: vec![crate::d1::Query { sql: TABLES.to_owned(), params: None }],
        shape: Shape::Objects,
        several: false,
    };
    // Not told of, the call is not made: see `Databases`.
    if let Ok(Ok(outcomes)) = tokio::time::timeout(PATIENCE, api.store.databases().call(&database.id, call)).await
        && let Some(outcome) = outcomes.first()
    {
        let rows: Value = serde_json::from_str(&outcome.results).unwrap_or_default();
        shown["num_tables"] = rows[0]["tables"].clone();
        shown["file_size"] = outcome.meta["size_after"].clone();
    }
    shown
}
