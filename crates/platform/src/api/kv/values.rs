//! One value of a KV namespace, and the list of keys.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use serde_json::{Value, json};

use super::super::Api;
use super::super::body::{self, content_type};
use super::super::envelope::{ok, page};
use super::super::error::{Fault, Reply};
use super::super::path::Captures;
use super::super::query::Query;
use super::super::upload::{Form, read_form};
use super::seconds;
use crate::deploy::blocking;
use crate::kv::{LARGEST_VALUE, check_key, check_metadata, check_value, expiration, now};
use crate::store::{KvEntry, KvKey};

/// Gives a value as it is.
pub(in super::super) async fn get(State(api): State<Api>, captures: Captures) -> Reply {
    let entry = entry(&api, &captures).await?;
    let mut response = Body::from(entry.value).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if let Some(expiration) = entry.expiration {
        headers.insert(HeaderName::from_static("expiration"), HeaderValue::from(expiration));
    }
    Ok(response)
}

/// Gives the metadata of a value.
pub(in super::super) async fn metadata(State(api): State<Api>, captures: Captures) -> Reply {
    ok(entry(&api, &captures).await?.metadata.unwrap_or(Value::Null))
}

/// Writes a value: the body, or the fields `value` and `metadata` of a form.
pub(in super::super) async fn put(
    State(api): State<Api>,
    captures: Captures,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Reply {
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
    blocking(&api.store, move |store| store.put_kv_value(&id, &key, &entry)).await?;
    ok(json!({}))
}

/// Deletes a value; none is fine.
pub(in super::super) async fn delete(State(api): State<Api>, captures: Captures) -> Reply {
    let (id, key) = named(&captures)?;
    blocking(&api.store, move |store| store.delete_kv_value(&id, &key)).await?;
    ok(json!({}))
}

/// Lists keys, in pages.
pub(in super::super) async fn keys(State(api): State<Api>, captures: Captures, query: Query) -> Reply {
    let id = captures.one("id").to_owned();
    let prefix = query.one("prefix").unwrap_or_default().to_owned();
    let limit = query.number("limit", 1, 1000)?.unwrap_or(1000);
    let cursor = query.one("cursor").filter(|cursor| !cursor.is_empty()).map(str::to_owned);
    let keys = blocking(&api.store, move |store| {
        store.kv_namespace(&id)?;
        store.kv_keys(&id, &prefix, limit, cursor.as_deref(), now())
    })
    .await?;
    let info = json!({ "count": keys.items.len(), "cursor": keys.cursor.unwrap_or_default() });
    page(keys.items.into_iter().map(show).collect::<Vec<_>>(), info)
}

fn show(KvKey { name, metadata, expiration }: KvKey) -> Value {
    let mut shown = json!({ "name": name });
    if let Some(expiration) = expiration {
        shown["expiration"] = json!(expiration);
    }
    if let Some(metadata) = metadata {
        shown["metadata"] = metadata;
    }
    shown
}

fn named(captures: &Captures) -> Result<(String, String), Fault> {
    let (id, key) = (captures.one("id").to_owned(), captures.one("key").to_owned());
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
