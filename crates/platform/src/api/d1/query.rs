//! Queries: `{sql, params}`, or `{batch: [{sql, params}]}`. Each is one transaction.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse as _;
use serde::Deserialize;

use super::super::Api;
use super::super::body;
use super::super::error::{Fault, Reply};
use super::super::path::Captures;
use super::super::upload::MIB;
use super::databases::named;
use crate::d1::{Call, Outcome, Query, Shape};

/// The largest body.
const LARGEST: usize = 25 * MIB;

#[derive(Deserialize)]
#[serde(untagged)]
enum Asked {
    Batch { batch: Vec<Query> },
    One(Query),
}

/// Rows as objects.
pub(in super::super) async fn query(api: State<Api>, captures: Captures, body: Body) -> Reply {
    run(api, &captures, body, Shape::Objects).await
}

/// Rows as arrays.
pub(in super::super) async fn raw(api: State<Api>, captures: Captures, body: Body) -> Reply {
    run(api, &captures, body, Shape::Arrays).await
}

async fn run(State(api): State<Api>, captures: &Captures, body: Body, shape: Shape) -> Reply {
    let asked = body::read(body, LARGEST).await?;
    let asked = serde_json::from_slice(&asked)
        .map_err(|_| Fault::D1Request("the body must be `{sql, params}` or `{batch: [{sql, params}]}`".to_owned()))?;
    let queries = match asked {
        Asked::Batch { batch } => batch,
        Asked::One(query) => vec![query],
    };
    let database = named(&api, captures).await?;
    let outcomes = api.store.databases().call(&database.id, Call { queries, shape, several: true }).await?;
    // The results are JSON already.
    let results = Outcome::all(&outcomes);
    let envelope = format!(r#"{{"success":true,"errors":[],"messages":[],"result":{results}}}"#);
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok((StatusCode::OK, [json], envelope).into_response())
}
