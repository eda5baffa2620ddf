//! What Workers wrote to the Analytics Engine, by SQL.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, ResponseBuilder};

use super::Api;
use super::body;
use super::envelope::{self, Responses};
use super::error::Fault;
use super::query::Query;
use crate::analytics::AnalyticsError;
use crate::deploy::blocking;

/// The longest query, in bytes.
const LONGEST: usize = 100_000;

/// Asks what is in the datasets of the Analytics Engine; the body is a query.
#[utoipa::path(post, path = "/analytics_engine/sql", tag = "Analytics Engine", request_body(content((String = "text/plain"))))]
pub(super) async fn post(State(api): State<Api>, body: Body) -> Result<Rows, Fault> {
    let sql = body::read(body, LONGEST).await?;
    let sql = String::from_utf8(sql.to_vec()).map_err(|_| Fault::Unreadable("the query is no UTF-8".to_owned()))?;
    run(&api, sql).await
}

/// The same; the query is a parameter.
#[utoipa::path(
    get,
    path = "/analytics_engine/sql",
    tag = "Analytics Engine",
    params(("query" = String, Query, description = "SQL.")),
)]
pub(super) async fn get(State(api): State<Api>, query: Query) -> Result<Rows, Fault> {
    run(&api, query.one("query").unwrap_or_default().to_owned()).await
}

async fn run(api: &Api, sql: String) -> Result<Rows, Fault> {
    match blocking(&api.store, move |store| store.analytics().query(&sql)).await {
        Ok(rows) => Ok(Rows(rows)),
        Err(error @ (AnalyticsError::Closed | AnalyticsError::File(_) | AnalyticsError::Folder { .. })) => {
            Err(Fault::Internal(error.to_string()))
        }
        Err(refused) => Err(Fault::Unreadable(refused.to_string())),
    }
}

/// What a query gave: `{meta, data, rows}`. It stands in no envelope.
pub(super) struct Rows(Value);

impl IntoResponse for Rows {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

impl IntoResponses for Rows {
    fn responses() -> Responses {
        let content = ContentBuilder::new().build();
        envelope::one("200", ResponseBuilder::new().description("Rows.").content("application/json", content).build())
    }
}
