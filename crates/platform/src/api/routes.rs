//! All routes.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post, put};

use super::error::{Fault, Reply};
use super::versions;
use super::{
    Api, auth, bindings, body, content, d1, kv, namespaces, path, scripts, secrets, services, settings, tags, user,
};

/// Where the API begins.
pub(super) const BASE: &str = "/client/v4";

/// Where scripts for D1 are put. The rest of such a URL is a permission of its own: no token is shown there.
pub(super) const D1_UPLOADS: &str = "/client/v4/d1-uploads";

impl Api {
    /// All routes.
    pub fn router(self) -> Router {
        let account = account().route_layer(from_fn_with_state(self.clone(), path::own_account));
        let base = Router::new()
            .route("/user", get(user::user))
            .route("/user/tokens/verify", get(user::verify_token))
            .route("/accounts", get(user::accounts))
            .route("/memberships", get(user::memberships))
            .route("/zones", get(not_yet_routes))
            .route("/graphql", post(d1::graphql))
            .nest("/accounts/{account}", account);
        Router::new()
            .nest(BASE, base)
            .fallback(not_routed)
            .method_not_allowed_fallback(method_not_allowed)
            // The last is the first to see a request.
            .layer(from_fn_with_state(self.clone(), auth::admit))
            .route(&format!("{D1_UPLOADS}/{{name}}"), put(d1::upload))
            .layer(from_fn(body::drain))
            .layer(map_response(guarded))
            .with_state(self)
    }
}

/// What belongs to the account.
fn account() -> Router<Api> {
    Router::new()
        .route("/", get(user::account))
        .merge(dispatch_namespaces())
        .merge(workers())
        .nest("/storage/kv/namespaces", kv_namespaces())
        .nest("/d1/database", d1_databases())
}

fn dispatch_namespaces() -> Router<Api> {
    let script = script().route("/assets-upload-session", post(not_yet_assets));
    let one = Router::new()
        .route("/", get(namespaces::get).put(namespaces::update).patch(namespaces::update).delete(namespaces::delete))
        .route("/scripts", get(scripts::list_in_namespace).delete(scripts::delete_many))
        .nest("/scripts/{script}", script);
    Router::new()
        .route("/workers/dispatch/namespaces", get(namespaces::list).post(namespaces::create))
        .nest("/workers/dispatch/namespaces/{namespace}", one)
}

/// What is the same of all scripts, wherever they are.
fn script() -> Router<Api> {
    Router::new()
        .route("/", put(scripts::put).get(scripts::get).delete(scripts::delete))
        .route("/content", get(content::get).put(content::put))
        .route("/bindings", get(bindings::list))
        .route("/settings", get(settings::get).patch(settings::patch))
        .route("/script-settings", get(settings::get_of_script).patch(settings::patch_of_script))
        .route("/secrets", get(secrets::list).put(secrets::put))
        .route("/secrets/{secret}", get(secrets::get).delete(secrets::delete))
        .route("/secrets-bulk", patch(secrets::patch_many))
        .route("/tags", get(tags::list).put(tags::replace))
        .route("/tags/{tag}", put(tags::add).delete(tags::remove))
}

/// The account's own Workers.
fn workers() -> Router<Api> {
    let script = script()
        .route("/content/v2", get(content::get))
        .route("/versions", get(versions::list).post(versions::create))
        .route("/versions/{version}", get(versions::get))
        .route("/deployments", get(versions::deployments).post(versions::deploy))
        .route("/subdomain", get(services::subdomain).post(services::set_subdomain))
        .route("/schedules", get(services::schedules).put(services::set_schedules))
        .route("/references", get(services::references))
        .route("/routes", put(not_yet_routes))
        .route("/domains/changeset", post(not_yet_routes))
        .route("/domains/records", put(not_yet_routes))
        .route("/assets-upload-session", post(not_yet_assets));
    Router::new()
        .route("/workers/scripts", get(scripts::list_in_account))
        .nest("/workers/scripts/{script}", script)
        .route("/workers/services/{script}", get(services::get).delete(services::delete))
        .route("/workers/workers/{script}", get(services::worker))
        .route("/workers/tails/by-consumer/{script}", get(services::tails))
        .route("/workers/subdomain", get(services::account_subdomain))
        .route("/workers/durable_objects/namespaces", get(services::durable_objects))
        .route("/workers/assets/upload", post(not_yet_assets))
}

fn kv_namespaces() -> Router<Api> {
    Router::new()
        .route("/", get(kv::list).post(kv::create))
        .route("/{id}", get(kv::get).put(kv::rename).delete(kv::delete))
        .route("/{id}/keys", get(kv::keys))
        .route("/{id}/values/{key}", get(kv::get_value).put(kv::put_value).delete(kv::delete_value))
        .route("/{id}/metadata/{key}", get(kv::metadata))
        .route("/{id}/bulk", put(kv::put_many).merge(delete(kv::delete_many)))
        .route("/{id}/bulk/delete", post(kv::delete_many))
        .route("/{id}/bulk/get", post(kv::get_many))
}

fn d1_databases() -> Router<Api> {
    Router::new()
        .route("/", get(d1::list).post(d1::create))
        .route("/{database}", get(d1::get).put(d1::update).patch(d1::update).delete(d1::delete))
        .route("/{database}/query", post(d1::query))
        .route("/{database}/raw", post(d1::raw))
        .route("/{database}/import", post(d1::import))
        .route("/{database}/export", post(d1::not_yet_export))
        .route("/{database}/time_travel/bookmark", get(d1::not_yet_time_travel))
        .route("/{database}/time_travel/restore", post(d1::not_yet_time_travel))
}

async fn not_yet_assets() -> Reply {
    Err(Fault::NotYet("static assets"))
}

/// `wrangler` asks for these after a deployment with `routes`; for the zones, to find those that the routes are in.
async fn not_yet_routes() -> Reply {
    Err(Fault::NotYet("routes and custom domains"))
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
