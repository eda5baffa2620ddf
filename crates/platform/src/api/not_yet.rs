//! What Cloudflare has and this platform has not yet, where clients ask for it: answered by name, and not with "no route".

use super::error::Fault;

/// Lists zones. `wrangler` asks for those that routes are in, after a deployment with `routes`.
#[utoipa::path(get, path = "/zones", tag = "Routes")]
pub(super) async fn zones() -> Fault {
    ROUTES
}

/// Sets the routes of a Worker.
#[utoipa::path(put, path = "/routes", tag = "Routes")]
pub(super) async fn routes() -> Fault {
    ROUTES
}

/// Says what a change of a Worker's custom domains would change.
#[utoipa::path(post, path = "/domains/changeset", tag = "Routes")]
pub(super) async fn domains_changeset() -> Fault {
    ROUTES
}

/// Sets the custom domains of a Worker.
#[utoipa::path(put, path = "/domains/records", tag = "Routes")]
pub(super) async fn domains_records() -> Fault {
    ROUTES
}

const ROUTES: Fault = Fault::NotYet("routes and custom domains");
