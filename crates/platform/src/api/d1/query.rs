//! Queries: `{sql, params}`, or `{batch: [{sql, params}]}`. Each is one transaction.

use axum::body::Body;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::Api;
use super::super::body;
use super::super::error::Fault;
use super::super::path::Captures;
use super::super::upload::MIB;
use super::databases::named;
use super::shown::Answered;
use crate::d1::{Call, Query, Shape};

/// The largest body.
const LARGEST: usize = 25 * MIB;

#[derive(Deserialize)]
#[serde(untagged)]
enum Asked {
    Batch { batch: Vec<Query> },
    One(Query),
}

/// One query, or several in one transaction (`batch`).
#[derive(ToSchema)]
#[expect(dead_code, reason = "a type of a description")]
struct D1Asked {
    /// A statement, or several without parameters.
    #[schema(nullable = false)]
    sql: Option<String>,
    /// Numbers, texts, `null`, booleans, or arrays of bytes.
    #[schema(nullable = false)]
    params: Option<Vec<Value>>,
    #[schema(nullable = false)]
    batch: Option<Vec<D1Query>>,
}

/// A query of a batch.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a type of a description")]
struct D1Query {
    sql: String,
    #[schema(nullable = false)]
    params: Option<Vec<Value>>,
}

/// Queries a D1 database; rows come as objects.
#[utoipa::path(post, path = "/{database_id}/query", tag = "D1", request_body = D1Asked)]
pub(super) async fn query(api: State<Api>, captures: Captures, body: Body) -> Result<Answered, Fault> {
    run(api, &captures, body, Shape::Objects).await
}

/// Queries a D1 database; rows come as arrays.
#[utoipa::path(post, path = "/{database_id}/raw", tag = "D1", request_body = D1Asked)]
pub(super) async fn raw(api: State<Api>, captures: Captures, body: Body) -> Result<Answered, Fault> {
    run(api, &captures, body, Shape::Arrays).await
}

async fn run(State(api): State<Api>, captures: &Captures, body: Body, shape: Shape) -> Result<Answered, Fault> {
    let asked = body::read(body, LARGEST).await?;
    let asked = serde_json::from_slice(&asked)
        .map_err(|_| Fault::D1Request("the body must be `{sql, params}` or `{batch: [{sql, params}]}`".to_owned()))?;
    let queries = match asked {
        Asked::Batch { batch } => batch,
        Asked::One(query) => vec![query],
    };
    let database = named(&api, captures).await?;
    let outcomes = api.store.databases().call(&database.id, Call { queries, shape, several: true }).await?;
    Ok(Answered(outcomes))
}
