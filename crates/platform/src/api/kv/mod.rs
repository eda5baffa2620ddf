//! KV: namespaces, and the values in them.

mod bulk;
mod namespaces;
mod values;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::error::{Fault, shown};

/// The routes of KV, under its path.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(namespaces::list, namespaces::create))
        .routes(routes!(namespaces::get, namespaces::rename, namespaces::delete))
        .routes(routes!(values::keys))
        .routes(routes!(values::get, values::put, values::delete))
        .routes(routes!(values::metadata))
        .routes(routes!(bulk::put, bulk::delete))
        .routes(routes!(bulk::delete_by_post))
        .routes(routes!(bulk::get))
}

/// Reads a number of seconds of a query.
fn seconds(name: &str, text: Option<&str>) -> Result<Option<i64>, Fault> {
    text.map(|text| {
        text.parse().map_err(|_| Fault::KvExpiration(format!("Invalid {name} of `{}`: no integer.", shown(text))))
    })
    .transpose()
}
