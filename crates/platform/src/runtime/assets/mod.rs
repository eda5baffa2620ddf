//! Static assets, as the Workers in workerd ask for them: `GET /assets/{key}/{version}/{who asks}`.
//!
//! What a client asked for is in headers, which `js/assets.js` alone writes. The answer is the client's, as it is; or 204,
//! with which no asset is served, where the Worker's code is to answer.
//!
//! # Which version
//! The one that is named: code goes on with the files that it was deployed with, and so does a request that was under
//! way when another version came. Of user Workers the store keeps the current version alone. Who asks for one that is
//! gone is answered with the one that took its place, as its code would be loaded from there.

mod sites;
mod spool;

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use url::Url;

use self::sites::Sites;
use self::spool::Spools;
use super::control::{Answer, Control, Refusal, key};
use crate::assets::{self, Asked};
use crate::deploy::blocking;
use crate::store::{Store, StoreError};
use crate::worker::ScriptKey;

/// What is kept between requests.
#[derive(Clone, Default)]
pub(super) struct Assets {
    sites: Sites,
    spools: Spools,
}

/// A request, as it is taken to another thread.
struct Asking {
    method: String,
    url: Url,
    if_none_match: Option<String>,
    range: Option<String>,
    if_range: Option<String>,
    authorized: bool,
    navigates: bool,
    asked: Asked,
}

/// What is answered, with what it takes to write it.
enum Outcome {
    Code,
    Response(assets::Response, Content),
}

enum Content {
    None,
    Bytes(Bytes),
    /// Too much to hold at once.
    Spooled(Arc<spool::Spool>),
}

/// A file is not served.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a static asset cannot be copied on its way out: {0}")]
    Copy(io::Error),
}

impl From<ServeError> for Refusal {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Store(error) => error.into(),
            ServeError::Copy(_) => Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

pub(super) async fn serve(
    State(control): State<Control>,
    Path((scope, name, version, asked)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Answer {
    let key = key(&scope, &name)?;
    let asking = Asking::read(&asked, &headers)?;
    let kept = control.assets.clone();
    match blocking(&control.store, move |store| answer(store, &kept, &key, &version, &asking)).await? {
        Outcome::Code => Ok(StatusCode::NO_CONTENT.into_response()),
        Outcome::Response(response, content) => Ok(written(response, content)),
    }
}

/// Answers with the files of a version, or of the current one if it is gone.
fn answer(
    store: &Store,
    kept: &Assets,
    key: &ScriptKey,
    version: &str,
    asking: &Asking,
) -> Result<Outcome, ServeError> {
    let mut version = version.to_owned();
    // Versions may follow one another while one asks for them; hardly as often as this.
    for _ in 0..3 {
        if let Some(outcome) = answer_of(store, kept, &version, asking)? {
            return Ok(outcome);
        }
        let current = store.script(key)?.version;
        if !current.has_assets {
            // Its code is asked, or was: there is no file for it.
            return match asking.asked {
                Asked::BeforeCode => Ok(Outcome::Code),
                Asked::Directly => Err(StoreError::AssetNotFound.into()),
            };
        }
        version = current.id;
    }
    Err(StoreError::VersionNotFound.into())
}

/// Answers with the files of a version; `None` if it is gone, or has none.
fn answer_of(store: &Store, kept: &Assets, version: &str, asking: &Asking) -> Result<Option<Outcome>, ServeError> {
    let Some(site) = kept.sites.of(store, version)? else { return Ok(None) };
    let mut found = false;
    let answer = site.answer(&asking.request(), asking.asked, |path| {
        let file = store.asset(version, path)?;
        found |= file.is_some();
        Ok::<_, StoreError>(file)
    })?;
    // That nothing was found may be because all of it went meanwhile.
    if !found && store.asset_config(version)?.is_none() {
        return Ok(None);
    }
    let response = match answer {
        assets::Answer::Code => return Ok(Some(Outcome::Code)),
        assets::Answer::Response(response) => response,
    };
    match content(store, kept, version, &response.body) {
        Ok(content) => Ok(Some(Outcome::Response(response, content))),
        Err(ServeError::Store(StoreError::AssetNotFound)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn content(store: &Store, kept: &Assets, version: &str, body: &assets::Body) -> Result<Content, ServeError> {
    let assets::Body::File { file, range, head: false } = body else { return Ok(Content::None) };
    if range.end.saturating_sub(range.start) <= spool::PIECE {
        return Ok(Content::Bytes(store.asset_content(version, &file.path, Some(range.clone()))?));
    }
    kept.spools.of(store, version, file).map(Content::Spooled)
}

fn written(response: assets::Response, content: Content) -> Response {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = match (&response.body, content) {
        (_, Content::Bytes(bytes)) => bytes.into(),
        (assets::Body::File { range, .. }, Content::Spooled(spool)) => spool.stream(range.clone()),
        (_, Content::None) | (assets::Body::Empty, Content::Spooled(_)) => Body::empty(),
    };
    let mut answer = (status, body).into_response();
    let headers = answer.headers_mut();
    for (name, value) in response.headers {
        // They were looked at when they were uploaded.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    // Of a stream and of the answer to `HEAD` nobody else knows it.
    if let assets::Body::File { range, .. } = response.body {
        headers.insert(header::CONTENT_LENGTH, range.end.saturating_sub(range.start).into());
    }
    answer
}

impl Asking {
    fn read(asked: &str, headers: &HeaderMap) -> Result<Self, Refusal> {
        let bad = || Refusal(StatusCode::BAD_REQUEST, "this is no request for assets".to_owned());
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Self {
            method: text("x-method").ok_or_else(bad)?,
            url: text("x-url").and_then(|url| Url::parse(&url).ok()).ok_or_else(bad)?,
            if_none_match: text("if-none-match"),
            range: text("range"),
            if_range: text("if-range"),
            authorized: headers.contains_key("x-authorized"),
            navigates: headers.contains_key("x-navigates"),
            asked: match asked {
                "before_code" => Asked::BeforeCode,
                "directly" => Asked::Directly,
                _ => return Err(bad()),
            },
        })
    }

    fn request(&self) -> assets::Request<'_> {
        assets::Request {
            method: &self.method,
            url: &self.url,
            if_none_match: self.if_none_match.as_deref(),
            range: self.range.as_deref(),
            if_range: self.if_range.as_deref(),
            authorized: self.authorized,
            navigates: self.navigates,
        }
    }
}
