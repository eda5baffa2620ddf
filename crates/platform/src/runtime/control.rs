//! What the Workers in workerd ask of the platform, over a unix socket: code, static assets, KV, and D1.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::quarantine::Quarantine;
use super::ratelimit::RateLimits;
use super::{assets, bundle};
use crate::analytics::{AnalyticsError, DataPoint, is_dataset};
use crate::clock;
use crate::d1::{self, Call, Outcome, Query as D1Query, Shape};
use crate::deploy::{blocking, writing};
use crate::kv::{self, KvError};
use crate::names::ScriptName;
use crate::store::{KvEntry, KvKey, Loaded, Store, StoreError};
use crate::tails::Tails;
use crate::worker::{BindingValue, NamespaceId, Scope, ScriptKey};

/// Beneath this name, account Workers have hosts of their own.
pub const WORKERS_DOMAIN: &str = "workers.localhost";

/// What the routes have at hand.
#[derive(Clone)]
pub(super) struct Control {
    pub(super) store: Store,
    pub(super) dispatcher: Option<String>,
    pub(super) candidates: Candidates,
    pub(super) tails: Tails,
    pub(super) quarantine: Quarantine,
    pub(super) limits: RateLimits,
    pub(super) assets: assets::Assets,
}

/// Code that is to be started before it is accepted, as it travels, by a name for the while.
#[derive(Clone, Default)]
pub(super) struct Candidates(Arc<Mutex<HashMap<String, Bytes>>>);

impl Candidates {
    pub(super) fn put(&self, name: &str, bytes: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), bytes.into());
    }

    pub(super) fn remove(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn find(&self, name: &str) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

impl Control {
    pub(super) fn router(self) -> Router {
        Router::new()
            .route("/entrance", get(entrance))
            .route("/worker/{scope}/{name}", get(worker))
            .route("/version/{scope}/{name}/{version}", get(version))
            .route("/candidate/{name}", get(candidate))
            .route("/assets/{scope}/{name}/{version}/{asked}", get(assets::serve))
            .route("/tail/{scope}/{name}", post(tail))
            .route("/kv/{id}/value/{*key}", get(kv_get).put(kv_put).delete(kv_delete))
            .route("/kv/{id}/keys", get(kv_keys))
            .route("/d1/{id}", post(d1_call))
            .route("/ratelimit", post(rate_limit))
            .route("/analytics/{dataset}", post(data_point))
            .layer(DefaultBodyLimit::max(kv::LARGEST_VALUE))
            .with_state(self)
    }
}

pub(super) type Answer = Result<Response, Refusal>;

pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::NamespaceNotFound
            | StoreError::ScriptNotFound
            | StoreError::VersionNotFound
            | StoreError::AssetNotFound
            | StoreError::D1DatabaseNotFound
            | StoreError::KvNamespaceNotFound => StatusCode::NOT_FOUND,
            StoreError::Cursor => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl From<KvError> for Refusal {
    fn from(error: KvError) -> Self {
        Self(StatusCode::BAD_REQUEST, error.to_string())
    }
}

impl axum::response::IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

#[derive(Deserialize)]
struct Host {
    host: String,
}

/// The name of the account Worker that a host belongs to.
async fn entrance(State(control): State<Control>, Query(Host { host }): Query<Host>) -> Answer {
    let host = host.split_once(':').map_or(host.as_str(), |(name, _)| name).to_ascii_lowercase();
    if let Some(name) = host.strip_suffix(WORKERS_DOMAIN).and_then(|rest| rest.strip_suffix('.')) {
        let refusal = || Refusal(StatusCode::NOT_FOUND, format!("there is no Worker at {host}\n"));
        let name = ScriptName::parse(name).map_err(|_| refusal())?;
        let key = ScriptKey { scope: Scope::Account, name };
        let script = blocking(&control.store, move |store| store.script(&key)).await.map_err(|_| refusal())?;
        if !script.subdomain.0 {
            return Err(refusal());
        }
        return Ok(script.key.name.as_str().to_owned().into_response());
    }
    if let Some(name) = control.dispatcher {
        return Ok(name.into_response());
    }
    let dispatchers = blocking(&control.store, dispatchers).await?;
    match dispatchers.as_slice() {
        [only] => Ok(only.as_str().to_owned().into_response()),
        [] => Err(Refusal(
            StatusCode::NOT_FOUND,
            "no dispatch Worker is deployed yet: deploy a Worker with a dispatch namespace binding\n".to_owned(),
        )),
        several => {
            let names = several.iter().map(ScriptName::as_str).collect::<Vec<_>>().join(", ");
            let text = format!(
                "several Workers have a dispatch namespace binding ({names}): choose one with `--dispatcher`, or ask for \
                 NAME.{WORKERS_DOMAIN}\n"
            );
            Err(Refusal(StatusCode::NOT_FOUND, text))
        }
    }
}

/// Account Workers with a dispatch namespace binding.
fn dispatchers(store: &Store) -> Result<Vec<ScriptName>, StoreError> {
    let references = store.account_references()?.into_iter();
    let mut found: Vec<_> = references
        .filter(|(_, binding)| matches!(binding.value, BindingValue::DispatchNamespace { .. }))
        .map(|(owner, _)| owner)
        .collect();
    // One may have several; they come by name.
    found.dedup();
    Ok(found)
}

async fn worker(State(control): State<Control>, Path((scope, name)): Path<(String, String)>) -> Answer {
    if let Some(left) = control.quarantine.rest(&format!("{scope}/{name}"), Instant::now()) {
        // `js/isolates.js` passes both on.
        let seconds = left.as_secs() + 1;
        let text =
            format!("the Worker `{name}` hung or ended the runtime again and again, and rests for {seconds} s\n");
        return Ok((StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, seconds)], text).into_response());
    }
    let key = key(&scope, &name)?;
    let followed = control.tails.follow(&key, clock::now());
    encoded(&blocking(&control.store, move |store| store.load(&key)).await?, followed)
}

async fn version(
    State(control): State<Control>,
    Path((scope, name, version)): Path<(String, String, String)>,
) -> Answer {
    let key = key(&scope, &name)?;
    let followed = control.tails.follow(&key, clock::now());
    encoded(&blocking(&control.store, move |store| store.load_version(&key, &version)).await?, followed)
}

async fn candidate(State(control): State<Control>, Path(name): Path<String>) -> Answer {
    let found = control.candidates.find(&name);
    found.map(Body::from).map(Body::into_response).ok_or_else(|| Refusal(StatusCode::NOT_FOUND, String::new()))
}

/// What an invocation of a script came to, for those who follow it.
async fn tail(
    State(control): State<Control>,
    Path((scope, name)): Path<(String, String)>,
    axum::Json(mut event): axum::Json<serde_json::Map<String, Value>>,
) -> Answer {
    let key = key(&scope, &name)?;
    if control.tails.follow(&key, clock::now()) {
        let followed = key.clone();
        let script = blocking(&control.store, move |store| store.script(&followed)).await?;
        event.insert("scriptName".to_owned(), key.name.as_str().into());
        event.insert("scriptTags".to_owned(), script.tags.into());
        control.tails.publish(&key, &event.into());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn encoded(loaded: &Loaded, followed: bool) -> Answer {
    let bytes = bundle::encode(&loaded.code, &loaded.version, loaded.trusted, followed);
    let bytes = bytes.map_err(|error| Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(Body::from(bytes).into_response())
}

/// `account/NAME`, or the row of a namespace and a name. What is no name names nothing.
pub(super) fn key(scope: &str, name: &str) -> Result<ScriptKey, Refusal> {
    let missing = || Refusal(StatusCode::NOT_FOUND, "no such script".to_owned());
    let scope = match scope {
        "account" => Scope::Account,
        row => Scope::Namespace(NamespaceId(row.parse().map_err(|_| missing())?)),
    };
    Ok(ScriptKey { scope, name: ScriptName::parse(name).map_err(|_| missing())? })
}

async fn kv_get(State(control): State<Control>, Path((id, key)): Path<(String, String)>) -> Answer {
    let entry = blocking(&control.store, move |store| store.kv_value(&id, &key, kv::now())).await?;
    let entry = entry.ok_or_else(|| Refusal(StatusCode::NOT_FOUND, "no such key".to_owned()))?;
    let mut answer = Body::from(entry.value).into_response();
    if let Some(metadata) = entry.metadata {
        let text = utf8_percent_encode(&metadata.to_string(), NON_ALPHANUMERIC).to_string();
        if let Ok(value) = HeaderValue::from_str(&text) {
            answer.headers_mut().insert("kv-metadata", value);
        }
    }
    Ok(answer)
}

async fn kv_put(
    State(control): State<Control>,
    Path((id, key)): Path<(String, String)>,
    headers: HeaderMap,
    value: Bytes,
) -> Answer {
    let bad = |text: &str| Refusal(StatusCode::BAD_REQUEST, text.to_owned());
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let number = |name: &str| match header(name) {
        None => Ok(None),
        Some(text) => text.parse::<i64>().map(Some).map_err(|_| bad("an expiration is a whole number of seconds")),
    };
    kv::check_key(&key)?;
    kv::check_value(value.len())?;
    let expiration = kv::expiration(number("kv-expiration")?, number("kv-expiration-ttl")?, kv::now())?;
    let metadata = match header("kv-metadata") {
        None => None,
        Some(text) => {
            let text = percent_decode_str(text).decode_utf8().map_err(|_| bad("metadata is no UTF-8"))?;
            Some(serde_json::from_str::<Value>(&text).map_err(|_| bad("metadata is no JSON"))?)
        }
    };
    if let Some(metadata) = &metadata {
        kv::check_metadata(metadata)?;
    }
    let entry = KvEntry { value, metadata, expiration };
    writing(&control.store, move |store| store.put_kv_value(&id, &key, &entry)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn kv_delete(State(control): State<Control>, Path((id, key)): Path<(String, String)>) -> Answer {
    writing(&control.store, move |store| store.delete_kv_value(&id, &key)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    prefix: String,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// As `list()` of a KV namespace answers.
#[derive(Serialize)]
struct Listed {
    keys: Vec<Key>,
    list_complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Key {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
}

async fn kv_keys(State(control): State<Control>, Path(id): Path<String>, Query(asked): Query<Listing>) -> Answer {
    let limit = asked.limit.unwrap_or(1000).clamp(1, 1000);
    let list = move |store: &Store| store.kv_keys(&id, &asked.prefix, limit, asked.cursor.as_deref(), kv::now());
    let page = blocking(&control.store, list).await?;
    let key = |KvKey { name, metadata, expiration }| Key { name, expiration, metadata };
    let listed = Listed {
        keys: page.items.into_iter().map(key).collect(),
        list_complete: page.cursor.is_none(),
        cursor: page.cursor,
    };
    Ok(axum::Json(listed).into_response())
}

#[derive(Deserialize)]
struct D1Call {
    queries: Vec<D1Query>,
    #[serde(default)]
    several: bool,
}

/// A call of a D1 database. What fails is an answer too: its text is for the Worker.
async fn d1_call(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Answer {
    let bad = |error: serde_json::Error| Refusal(StatusCode::BAD_REQUEST, error.to_string());
    let D1Call { queries, several } = serde_json::from_slice(&body).map_err(bad)?;
    let database = blocking(&control.store, move |store| store.d1_database(&id)).await?;
    let call = Call { queries, shape: Shape::Arrays, several };
    let answer = match control.store.databases().call(&database.id, call).await {
        // The results are JSON already.
        Ok(outcomes) => format!(r#"{{"bookmark":"{}","results":{}}}"#, d1::bookmark(), Outcome::all(&outcomes)),
        Err(error) => json!({ "error": error.to_string() }).to_string(),
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], answer).into_response())
}

#[derive(Deserialize)]
struct Limited {
    namespace: String,
    key: String,
    limit: u64,
    period: u64,
}

/// Whether a call is within a rate limit.
async fn rate_limit(State(control): State<Control>, axum::Json(asked): axum::Json<Limited>) -> Answer {
    let Limited { namespace, key, limit, period } = asked;
    let success = control.limits.count(&namespace, &key, limit, period);
    Ok(axum::Json(json!({ "success": success })).into_response())
}

/// A data point that a Worker wrote: it is kept when this is answered.
async fn data_point(
    State(control): State<Control>,
    Path(dataset): Path<String>,
    axum::Json(point): axum::Json<DataPoint>,
) -> Answer {
    if !is_dataset(&dataset) {
        return Err(Refusal(StatusCode::BAD_REQUEST, "no dataset has such a name".to_owned()));
    }
    let analytics = control.store.analytics().clone();
    let _turn = analytics.turn_to_write().await;
    let written = blocking(&control.store, move |store| store.analytics().write(&dataset, &point)).await;
    written.map_err(|error| match error {
        AnalyticsError::Point(_) | AnalyticsError::Query(_) => Refusal(StatusCode::BAD_REQUEST, error.to_string()),
        AnalyticsError::Closed | AnalyticsError::File(_) | AnalyticsError::Folder { .. } => {
            Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        }
    })?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
