//! All routes. Each handler says its own path, method, and what it reads and answers; here they are put under the paths
//! that they share. A handler that is not described cannot be routed.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Fault;
use super::{
    Api, analytics, assets, auth, bindings, body, content, d1, handling, kv, namespaces, not_yet, openapi, path,
    scripts, secrets, seeded, services, settings, tags, tails, user, versions,
};

/// Where the API begins.
pub(super) const BASE: &str = "/client/v4";

/// Where scripts for D1 are put. The rest of such a URL is a permission of its own: no token is shown there.
pub(super) const D1_UPLOADS: &str = "/client/v4/d1-uploads";

impl Api {
    /// All routes.
    pub fn router(self) -> Router {
        let account = Router::from(account()).route_layer(from_fn_with_state(self.clone(), path::own_account));
        let base = Router::from(base()).nest(ACCOUNT, account);
        let followed = Router::new().route("/tails/{id}", get(tails::connect)).with_state(self.clone());
        let scripts = Router::new()
            .route(&format!("{D1_UPLOADS}/{{name}}"), put(d1::upload))
            .layer(from_fn_with_state(self.clone(), handling::with_room))
            .layer(from_fn(handling::to_the_end));
        Router::new()
            .nest(BASE, base)
            .fallback(not_routed)
            .method_not_allowed_fallback(method_not_allowed)
            // The last is the first to see a request.
            .layer(from_fn_with_state(self.clone(), seeded::reset))
            .layer(from_fn_with_state(self.clone(), handling::with_room))
            .layer(from_fn(handling::to_the_end))
            .layer(from_fn_with_state(self.clone(), auth::admit))
            .merge(scripts)
            .layer(from_fn_with_state(self.limits.pace, body::drain))
            .layer(map_response(guarded))
            .with_state(self)
            // Whoever has the URL may follow it; `wrangler` shows nothing else.
            .merge(followed)
    }
}

/// All routes under [`BASE`], for what is said of them.
pub(super) fn described() -> OpenApiRouter<Api> {
    base().nest(ACCOUNT, account())
}

/// Where what belongs to an account begins.
const ACCOUNT: &str = "/accounts/{account_id}";

/// What belongs to no account.
fn base() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(openapi::get))
        .routes(routes!(user::user))
        .routes(routes!(user::verify_token))
        .routes(routes!(user::accounts))
        .routes(routes!(user::memberships))
        .routes(routes!(not_yet::zones))
        .routes(routes!(d1::graphql))
}

/// What belongs to the account.
fn account() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(user::account))
        .merge(dispatch_namespaces())
        .merge(workers())
        .nest("/storage/kv/namespaces", kv::routes())
        .nest("/d1/database", d1::routes())
        .routes(routes!(analytics::post, analytics::get))
}

fn dispatch_namespaces() -> OpenApiRouter<Api> {
    let one = OpenApiRouter::default()
        .routes(routes!(namespaces::get, namespaces::update, namespaces::delete))
        .routes(routes!(scripts::list_in_namespace, scripts::delete_many))
        .nest("/scripts/{script_name}", script().routes(routes!(scripts::get)));
    OpenApiRouter::default()
        .routes(routes!(namespaces::list, namespaces::create))
        .nest("/workers/dispatch/namespaces/{dispatch_namespace}", one)
}

/// What is the same of all scripts, wherever they are.
fn script() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(scripts::put, scripts::delete))
        .routes(routes!(content::get, content::put))
        .routes(routes!(bindings::list))
        .routes(routes!(settings::get, settings::patch))
        .routes(routes!(settings::get_of_script, settings::patch_of_script))
        .routes(routes!(secrets::list, secrets::put))
        .routes(routes!(secrets::get, secrets::delete))
        .routes(routes!(secrets::patch_many))
        .routes(routes!(tags::list, tags::replace))
        .routes(routes!(tags::add, tags::remove))
        .routes(routes!(assets::create_session))
        .merge(tails())
}

fn tails() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(tails::list, tails::create)).routes(routes!(tails::delete))
}

/// The account's own Workers.
fn workers() -> OpenApiRouter<Api> {
    let script = script()
        .routes(routes!(content::download))
        .routes(routes!(content::get_v2))
        .routes(routes!(versions::list, versions::create))
        .routes(routes!(versions::get))
        .routes(routes!(versions::deployments, versions::deploy))
        .routes(routes!(services::subdomain, services::set_subdomain))
        .routes(routes!(services::schedules, services::set_schedules))
        .routes(routes!(services::references))
        .routes(routes!(not_yet::routes))
        .routes(routes!(not_yet::domains_changeset))
        .routes(routes!(not_yet::domains_records));
    OpenApiRouter::default()
        .routes(routes!(scripts::list_in_account, scripts::delete_many_in_account))
        .nest("/workers/scripts/{script_name}", script)
        // As `wrangler tail NAMESPACE/SCRIPT` asks.
        .nest("/workers/scripts/{script_name}/{user_worker}", tails())
        .routes(routes!(services::get, services::delete))
        .routes(routes!(services::worker))
        .routes(routes!(services::tails))
        .routes(routes!(services::account_subdomain))
        .routes(routes!(services::durable_objects))
        .routes(routes!(assets::upload))
}

async fn not_routed(State(api): State<Api>, request: Request) -> Response {
    api.not_routed(request.method(), request.uri()).into_response()
}

async fn method_not_allowed() -> Fault {
    Fault::Method
}

/// Contents and values are others' bytes: no browser may take one for a page.
async fn guarded(mut response: Response) -> Response {
    let header = HeaderName::from_static("x-content-type-options");
    response.headers_mut().insert(header, HeaderValue::from_static("nosniff"));
    response
}
