//! D1 databases: what there is of them.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::Api;
use super::super::body;
use super::super::envelope::{Nothing, Page, done, ok};
use super::super::error::{Fault, Paged, Reply, shown};
use super::super::path::Captures;
use super::super::query::{Numbered, Query, paged};
use super::shown::{D1Database, ReadReplication};
use crate::d1::{Call, Shape};
use crate::deploy::{blocking, writing};
use crate::store::{self, StoreError};

/// The longest name, in characters.
const LONGEST_NAME: usize = 64;

/// A database that is busy for longer is shown without what is in it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lists the D1 databases, in pages.
#[utoipa::path(
    get,
    path = "/",
    tag = "D1",
    params(Numbered, ("name" = Option<String>, Query, description = "A part of the names of those that are wanted.")),
)]
pub(super) async fn list(State(api): State<Api>, query: Query) -> Paged<D1Database> {
    let (number, per_page) = query.page(100, 10_000)?;
    let mut databases = blocking(&api.store, crate::store::Store::d1_databases).await?;
    if let Some(name) = query.one("name") {
        databases.retain(|database| database.name.contains(name));
    }
    let (databases, info) = paged(databases, number, per_page);
    Ok(Page { result: databases.0.iter().map(D1Database::of).collect(), info })
}

/// A D1 database that is to be made. Where it is to lie (`primary_location_hint`, `jurisdiction`) means nothing here.
#[derive(Deserialize, ToSchema)]
struct NewD1Database {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    #[serde(default)]
    #[schema(nullable = false)]
    read_replication: Option<NewReadReplication>,
}

/// What can be changed of a D1 database, which is nothing: there is one copy of each.
#[derive(Deserialize, ToSchema)]
struct D1DatabaseChange {
    #[serde(default)]
    #[schema(nullable = false)]
    read_replication: Option<NewReadReplication>,
}

/// Whether there are to be replicas.
#[derive(Deserialize, ToSchema)]
struct NewReadReplication {
    /// `disabled`.
    mode: String,
}

/// Makes a D1 database.
#[utoipa::path(post, path = "/", tag = "D1", request_body = NewD1Database)]
pub(super) async fn create(State(api): State<Api>, body: Body) -> Reply<D1Database> {
    let NewD1Database { name, read_replication } = body::json(body).await?;
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | ' ');
    if name.is_empty() || name.chars().nth(LONGEST_NAME).is_some() || !name.chars().all(plain) {
        return Err(Fault::D1Request(format!(
            "a database's name has 1 to {LONGEST_NAME} letters, digits, `-`, `_`, `.` and spaces, and is not `{}`",
            shown(&name)
        )));
    }
    if name.parse::<uuid::Uuid>().is_ok() {
        return Err(Fault::D1Request(format!("`{name}` looks like a database's id: choose another name")));
    }
    not_replicated(read_replication.as_ref())?;
    let made = writing(&api.store, move |store| {
        store.create_d1_database(&name).map_err(|error| match error {
            StoreError::D1DatabaseExists => Fault::D1Exists(name),
            other => other.into(),
        })
    })
    .await?;
    ok(detailed(&api, &made).await)
}

/// Shows a D1 database.
#[utoipa::path(
    get,
    path = "/{database_id}",
    tag = "D1",
    params(("fields" = Option<String>, Query, description = "The fields that are wanted, with commas between them.")),
)]
pub(super) async fn get(State(api): State<Api>, captures: Captures, query: Query) -> Reply<D1Database> {
    let database = named(&api, &captures).await?;
    let Some(fields) = query.one("fields") else { return ok(detailed(&api, &database).await) };
    let all = D1Database::of(&database);
    let wanted = |field: &str| fields.split(',').any(|wanted| wanted == field);
    ok(D1Database {
        uuid: all.uuid.filter(|_| wanted("uuid")),
        name: all.name.filter(|_| wanted("name")),
        version: all.version.filter(|_| wanted("version")),
        created_at: all.created_at.filter(|_| wanted("created_at")),
        ..D1Database::default()
    })
}

/// Changes a D1 database.
#[utoipa::path(method(patch, put), path = "/{database_id}", tag = "D1", request_body = D1DatabaseChange)]
pub(super) async fn update(State(api): State<Api>, captures: Captures, body: Body) -> Reply<D1Database> {
    let D1DatabaseChange { read_replication } = body::json(body).await?;
    not_replicated(read_replication.as_ref())?;
    let database = named(&api, &captures).await?;
    ok(detailed(&api, &database).await)
}

/// Deletes a D1 database, and all that is in it. What runs on it ends.
#[utoipa::path(delete, path = "/{database_id}", tag = "D1")]
pub(super) async fn delete(State(api): State<Api>, captures: Captures) -> Reply<Nothing> {
    let database = named(&api, &captures).await?;
    let id = database.id.clone();
    writing(&api.store, move |store| store.delete_d1_database(&id)).await?;
    // Not within the turn to write: this waits for what runs there.
    blocking(&api.store, move |store| store.databases().delete(&database.id)).await;
    done()
}

/// The database that a path names, by its id or its name.
pub(super) async fn named(api: &Api, captures: &Captures) -> Result<store::D1Database, Fault> {
    let name = captures.one("database_id").to_owned();
    blocking(&api.store, move |store| match store.d1_database(&name) {
        Err(StoreError::D1DatabaseNotFound) => {
            let databases = store.d1_databases()?;
            databases.into_iter().find(|database| database.name == name).ok_or(Fault::D1Missing(name))
        }
        found => Ok(found?),
    })
    .await
}

fn not_replicated(wanted: Option<&NewReadReplication>) -> Result<(), Fault> {
    match wanted {
        Some(NewReadReplication { mode }) if mode != "disabled" => Err(Fault::D1Request(format!(
            "`read_replication.mode` is `{}`, and there are no replicas here; leave it out",
            shown(mode)
        ))),
        _ => Ok(()),
    }
}

/// With what is known of its content.
async fn detailed(api: &Api, database: &store::D1Database) -> D1Database {
    const TABLES: &str =
        "SELECT count(*) AS tables FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'";
    let mut shown = D1Database::of(database);
    shown.read_replication = Some(ReadReplication { mode: "disabled" });
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
        shown.num_tables = rows[0]["tables"].as_u64();
        shown.file_size = outcome.meta["size_after"].as_u64();
    }
    shown
}
