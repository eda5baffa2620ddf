//! Static assets, as they come in: a session, its uploads, and the deployment that takes up what was uploaded.
//!
//! ```text
//!   POST …/scripts/S/assets-upload-session   {manifest}      ─► upload token, buckets        [`manifest`]
//!   POST …/assets/upload?base64=true         a bucket        ─► 202, or 201 and a completion token   [`form`]
//!   PUT  …/scripts/S                         {assets: {jwt}} ─► a version with these files   [`metadata`]
//! ```
//!
//! The buckets name what the namespace does not have yet, in batches of which each is one upload. When there is nothing to
//! upload, there are no buckets, and the token is the completion token at once. Both tokens are [`token`]s; what a session
//! wants and holds is in the store.

mod form;
mod manifest;
mod metadata;
mod token;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use self::manifest::Manifest;
pub(super) use self::metadata::{Assets, NewAssets, check_assets, resolve};
use self::token::Purpose;
use super::Api;
use super::body;
use super::envelope::{Responses, Success, described, ok, one};
use super::error::{ContentTypes, Fault, Reply};
use super::path::Target;
use super::query::Query;
use super::routes::BASE;
use crate::deploy::writing;
use crate::kv::now;
use crate::store::{AssetSession, StoreError};

/// The longest manifest, in bytes: 20,000 files with long paths.
const LARGEST_MANIFEST: usize = 16 << 20;

/// The upload session that a request's token is of.
#[derive(Clone, Debug)]
pub(super) struct Session(String);

/// An upload session that has begun.
#[derive(Serialize, ToSchema)]
pub(super) struct NewSession {
    /// What the uploads show. With nothing to upload: the completion token.
    jwt: String,
    /// The hashes of the files that are to be uploaded, in batches of which each is one upload.
    buckets: Vec<Vec<String>>,
}

/// What an upload answers, on its way out.
pub(super) struct Uploaded(UploadedAssets);

/// What there is once a file is uploaded.
#[derive(Serialize, ToSchema)]
struct UploadedAssets {
    /// The completion token, once no file is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    jwt: Option<String>,
}

/// Begins an upload of static assets, for a script that need not exist yet.
#[utoipa::path(post, path = "/assets-upload-session", tag = "Static assets", request_body = Manifest)]
pub(super) async fn create_session(State(api): State<Api>, target: Target, body: Body) -> Reply<NewSession> {
    let manifest = manifest::parse(&body::read(body, LARGEST_MANIFEST).await?)?;
    let now = now();
    let AssetSession { id, expires_on, missing } =
        writing(&api.store, move |store| store.create_asset_session(&target.key, &manifest, now)).await?;
    let purpose = if missing.is_empty() { Purpose::Deployment } else { Purpose::Upload };
    let jwt = token::issue(&api, purpose, &id, now, expires_on);
    ok(NewSession { jwt, buckets: manifest::buckets(missing) })
}

/// Uploads static assets: each in a part whose name is its hash, whose type is what it is served as, and whose content is
/// base64.
#[utoipa::path(
    post,
    path = "/workers/assets/upload",
    tag = "Static assets",
    security(("asset_token" = [])),
    params(("base64" = bool, Query, description = "Must be `true`.")),
    request_body(content = BTreeMap<String, String>, content_type = "multipart/form-data"),
    responses(ContentTypes),
)]
pub(super) async fn upload(
    State(api): State<Api>,
    Extension(Session(session)): Extension<Session>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Uploaded, Fault> {
    if query.one("base64") != Some("true") {
        return Err(Fault::Query(
            "the contents of files are uploaded in base64, and the query must say so: `base64=true`".to_owned(),
        ));
    }
    form::receive(&api, &session, &headers, body).await.map_err(ended)?;
    let now = now();
    let id = session.clone();
    let complete = writing(&api.store, move |store| store.complete_asset_session(&id, now)).await;
    let complete = complete.map_err(|error| ended(error.into()))?;
    let jwt = complete.map(|expires_on| token::issue(&api, Purpose::Deployment, &session, now, expires_on));
    Ok(Uploaded(UploadedAssets { jwt }))
}

impl IntoResponse for Uploaded {
    fn into_response(self) -> Response {
        let status = if self.0.jwt.is_some() { StatusCode::CREATED } else { StatusCode::ACCEPTED };
        let mut response = Success(self.0).into_response();
        // Unless it could not be written.
        if response.status() == StatusCode::OK {
            *response.status_mut() = status;
        }
        response
    }
}

impl IntoResponses for Uploaded {
    fn responses() -> Responses {
        let mut responses = one("201", described::<UploadedAssets>("All files are there."));
        responses.extend(one("202", described::<UploadedAssets>("Files are still missing.")));
        responses
    }
}

/// Whether a request is an upload, which shows the token of its session and no token of the API.
pub(super) fn is_upload(request: &Request) -> bool {
    let segments = request.uri().path().strip_prefix(BASE).map(|path| path.split('/').collect::<Vec<_>>());
    request.method() == Method::POST
        && matches!(segments.as_deref(), Some(["", "accounts", _, "workers", "assets", "upload"]))
}

/// The session of an upload, by its token. Nothing else of the request has been read yet.
pub(super) fn session(api: &Api, token: &str) -> Result<Session, Fault> {
    let session = token::read(api, Purpose::Upload, token, now());
    session.map(Session).map_err(|error| Fault::AssetToken(error.to_string()))
}

/// The namespace was deleted, say, and its sessions with it: that is about the token.
fn ended(fault: Fault) -> Fault {
    let gone = StoreError::AssetSessionNotFound.to_string();
    if fault == Fault::Invalid(gone.clone()) { Fault::AssetToken(gone) } else { fault }
}
