//! D1: databases, and queries by the account's owner. A Worker's queries come another way (`runtime::control`).

mod databases;
mod import;
mod query;
mod shown;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::openapi::{ContentBuilder, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use import::upload;

use self::import::Upload;
use super::Api;
use super::body;
use super::envelope::{self, Responses};
use super::error::Fault;

/// Scripts that were announced, and those that were uploaded and not run yet.
pub(super) type Uploads = Arc<Mutex<VecDeque<Upload>>>;

/// The routes of D1, under its path.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(databases::list, databases::create))
        .routes(routes!(databases::get, databases::update, databases::delete))
        .routes(routes!(query::query))
        .routes(routes!(query::raw))
        .routes(routes!(import::import))
        .routes(routes!(export))
        .routes(routes!(bookmark))
        .routes(routes!(restore))
}

/// Exports a D1 database.
#[utoipa::path(post, path = "/{database_id}/export", tag = "D1")]
async fn export() -> Fault {
    Fault::NotYet("exports of D1 databases")
}

/// Says where Time Travel is.
#[utoipa::path(get, path = "/{database_id}/time_travel/bookmark", tag = "D1")]
async fn bookmark() -> Fault {
    TIME_TRAVEL
}

/// Takes a D1 database back to what it was.
#[utoipa::path(post, path = "/{database_id}/time_travel/restore", tag = "D1")]
async fn restore() -> Fault {
    TIME_TRAVEL
}

const TIME_TRAVEL: Fault = Fault::NotYet("Time Travel of D1 databases");

/// A question in GraphQL.
#[derive(Deserialize, ToSchema)]
struct GraphQl {
    query: String,
}

/// Says how much D1 databases are used, as `wrangler d1 info` asks for it. Nothing of it is counted here; of other datasets
/// nothing is known.
#[utoipa::path(post, path = "/graphql", tag = "D1", request_body = GraphQl)]
pub(super) async fn graphql(body: Body) -> Result<Metrics, Fault> {
    const DATASETS: [&str; 2] = ["d1AnalyticsAdaptiveGroups", "d1QueriesAdaptiveGroups"];
    let GraphQl { query } = body::json(body).await?;
    let dataset = DATASETS.into_iter().find(|dataset| query.contains(dataset));
    let dataset = dataset.ok_or(Fault::NotYet("analytics by GraphQL"))?;
    Ok(Metrics(json!({ "data": { "viewer": { "accounts": [{ dataset: [] }] } }, "errors": null })))
}

/// An answer of GraphQL. It stands in no envelope.
pub(super) struct Metrics(Value);

impl IntoResponse for Metrics {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

impl IntoResponses for Metrics {
    fn responses() -> Responses {
        let content = ContentBuilder::new().build();
        envelope::one(
            "200",
            ResponseBuilder::new().description("An answer.").content("application/json", content).build(),
        )
    }
}
