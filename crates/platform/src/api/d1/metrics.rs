//! How much databases are used, as `wrangler d1 info` asks for it, in GraphQL. Nothing of it is counted here.

use axum::Json;
use axum::body::Body;
use axum::response::IntoResponse as _;
use serde::Deserialize;
use serde_json::json;

use super::super::body;
use super::super::error::{Fault, Reply};

/// Datasets of D1.
const DATASETS: [&str; 2] = ["d1AnalyticsAdaptiveGroups", "d1QueriesAdaptiveGroups"];

/// Answers that there is nothing in the datasets of D1, and refuses to know others.
pub(in super::super) async fn graphql(body: Body) -> Reply {
    #[derive(Deserialize)]
    struct Asked {
        query: String,
    }
    let Asked { query } = body::json(body).await?;
    let dataset = DATASETS.into_iter().find(|dataset| query.contains(dataset));
    let dataset = dataset.ok_or(Fault::NotYet("analytics by GraphQL"))?;
    Ok(Json(json!({ "data": { "viewer": { "accounts": [{ dataset: [] }] } }, "errors": null })).into_response())
}
