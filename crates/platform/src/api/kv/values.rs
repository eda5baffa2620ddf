//! One value of a KV namespace, and the list of keys.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::super::Api;
use super::super::body::{self, content_type};
use super::super::envelope::{self, Page, Responses, ResultInfo, ok};
use super::super::error::{Fault, Paged, Reply};
use super::super::path::Captures;
use super::super::query::{ByCursor, Query};
use super::super::upload::{Form, read_form};
use super::seconds;
use crate::deploy::{blocking, writing};
use crate::kv::{LARGEST_VALUE, check_key, check_metadata, check_value, expiration, now};
use crate::store::{self, KvEntry};

/// A value as it is, in no envelope.
pub(super) struct KvValue(KvEntry);

impl IntoResponse for KvValue {
    fn into_response(self) -> Response {
        let mut response = Body::from(self.0.value).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        if let Some(expiration) = self.0.expiration {
            headers.insert(HeaderName::from_static("expiration"), HeaderValue::from(expiration));
        }
        response
    }
}

impl IntoResponses for KvValue {
    fn responses() -> Responses {
        let expiration = HeaderBuilder::new()
            .description(Some("Seconds since 1970 from which on it is gone."))
            .schema(Some(ObjectBuilder::new().schema_type(Type::Integer)))
            .build();
        let response = ResponseBuilder::new()
            .description("The value.")
            .header("expiration", expiration)
            .content("application/octet-stream", ContentBuilder::new().build());
        envelope::one("200", response.build())
    }
}

/// A key of a KV namespace.
#[derive(Serialize, ToSchema)]
pub(super) struct KvKey {
    name: String,
    /// Seconds since 1970 from which on it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expiration: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
}

/// A value that is to be written, as a form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what a body is read as by hand")]
struct KvValueForm {
    value: String,
    /// JSON.
    #[schema(content_media_type = "application/json", nullable = false)]
    metadata: Option<String>,
}

/// That something was written, or deleted.
#[derive(Serialize, ToSchema)]
pub(super) struct Written {}

/// Gives a value as it is.
#[utoipa::path(get, path = "/{namespace_id}/values/{key_name}", tag = "KV")]
pub(super) async fn get(State(api): State<Api>, captures: Captures) -> Result<KvValue, Fault> {
    Ok(KvValue(entry(&api, &captures).await?))
}

/// Gives the metadata of a value.
#[utoipa::path(get, path = "/{namespace_id}/metadata/{key_name}", tag = "KV")]
pub(super) async fn metadata(State(api): State<Api>, captures: Captures) -> Reply<Value> {
    ok(entry(&api, &captures).await?.metadata.unwrap_or(Value::Null))
}

/// Writes a value: the body, or the fields `value` and `metadata` of a form.
#[utoipa::path(
    put,
    path = "/{namespace_id}/values/{key_name}",
    tag = "KV",
    params(
        ("expiration" = Option<i64>, Query, description = "Seconds since 1970 from which on it is gone."),
        ("expiration_ttl" = Option<i64>, Query, minimum = 60, description = "Seconds from now on after which it is."),
    ),
    request_body(content((KvValueForm = "multipart/form-data"), (Vec<u8> = "application/octet-stream"))),
)]
pub(super) async fn put(
    State(api): State<Api>,
    captures: Captures,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Reply<Written> {
    let (id, key) = named(&captures)?;
    let at = seconds("expiration", query.one("expiration"))?;
    let ttl = seconds("expiration_ttl", query.one("expiration_ttl"))?;
    let expiration = expiration(at, ttl, now())?;
    let (value, metadata) = match content_type(&headers).as_str() {
        "multipart/form-data" => of_form(&headers, body).await?,
        _ => (body::read(body, LARGEST_VALUE).await?, None),
    };
    check_value(value.len())?;
    let entry = KvEntry { value, metadata, expiration };
    writing(&api.store, move |store| store.put_kv_value(&id, &key, &entry)).await?;
    ok(Written {})
}

/// Deletes a value; none is fine.
#[utoipa::path(delete, path = "/{namespace_id}/values/{key_name}", tag = "KV")]
pub(super) async fn delete(State(api): State<Api>, captures: Captures) -> Reply<Written> {
    let (id, key) = named(&captures)?;
    writing(&api.store, move |store| store.delete_kv_value(&id, &key)).await?;
    ok(Written {})
}

/// Lists the keys of a KV namespace, in pages.
#[utoipa::path(
    get,
    path = "/{namespace_id}/keys",
    tag = "KV",
    params(ByCursor, ("prefix" = Option<String>, Query, description = "What the keys begin with.")),
)]
pub(super) async fn keys(State(api): State<Api>, captures: Captures, query: Query) -> Paged<KvKey> {
    let id = captures.one("namespace_id").to_owned();
    let prefix = query.one("prefix").unwrap_or_default().to_owned();
    let limit = query.number("limit", 1, 1000)?.unwrap_or(1000);
    let cursor = query.one("cursor").filter(|cursor| !cursor.is_empty()).map(str::to_owned);
    let keys = blocking(&api.store, move |store| {
        store.kv_namespace(&id)?;
        store.kv_keys(&id, &prefix, limit, cursor.as_deref(), now())
    })
    .await?;
    let cursor = Some(keys.cursor.unwrap_or_default());
    let info = ResultInfo { count: keys.items.len(), cursor, ..ResultInfo::default() };
    let show = |store::KvKey { name, metadata, expiration }| KvKey { name, expiration, metadata };
    Ok(Page { result: keys.items.into_iter().map(show).collect(), info })
}

fn named(captures: &Captures) -> Result<(String, String), Fault> {
    let (id, key) = (captures.one("namespace_id").to_owned(), captures.one("key_name").to_owned());
    check_key(&key)?;
    Ok((id, key))
}

async fn entry(api: &Api, captures: &Captures) -> Result<KvEntry, Fault> {
    let (id, key) = named(captures)?;
    blocking(&api.store, move |store| {
        store.kv_namespace(&id)?;
        store.kv_value(&id, &key, now())
    })
    .await?
    .ok_or(Fault::KvKeyMissing)
}

async fn of_form(headers: &HeaderMap, body: Body) -> Result<(Bytes, Option<Value>), Fault> {
    let Form { metadata, parts } = read_form(headers, body, "metadata").await?;
    let value = parts.into_iter().find(|part| part.field == "value");
    let value = value.ok_or_else(|| Fault::KvRequest("the form has no part with the name `value`".to_owned()))?;
    let Some(metadata) = metadata.filter(|metadata| !metadata.is_empty()) else { return Ok((value.content, None)) };
    let metadata: Value = serde_json::from_slice(&metadata)
        .map_err(|error| Fault::KvMetadata(format!("metadata must be valid json: {error}")))?;
    check_metadata(&metadata)?;
    Ok((value.content, Some(metadata).filter(|metadata| !metadata.is_null())))
}
