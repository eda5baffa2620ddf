//! Many values of a KV namespace at once.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use base64ct::{Base64, Encoding};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::super::Api;
use super::super::body;
use super::super::envelope::{Empty, ok};
use super::super::error::{Fault, Reply, shown};
use super::super::path::Captures;
use super::super::upload::MIB;
use crate::deploy::{blocking, writing};
use crate::kv::{check_key, check_metadata, check_value, expiration, now};
use crate::store::KvEntry;

/// The most values written or deleted at once.
const MOST: usize = 10_000;
/// The most values read at once.
const MOST_READ: usize = 100;
/// The largest body.
const LARGEST: usize = 100 * MIB;

/// A value that is to be written.
#[derive(Deserialize, ToSchema)]
struct KvPair {
    #[schema(min_length = 1)]
    key: String,
    value: String,
    /// Whether `value` is in base64.
    #[serde(default)]
    base64: bool,
    /// Seconds since 1970 from which on it is gone.
    expiration: Option<i64>,
    /// Seconds from now on after which it is gone.
    expiration_ttl: Option<i64>,
    metadata: Option<Value>,
}

/// What values are wanted, and how.
#[derive(Deserialize, ToSchema)]
struct KvWanted {
    #[schema(max_items = 100)]
    keys: Vec<String>,
    /// `text`, or `json`.
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default, rename = "withMetadata")]
    with_metadata: bool,
}

/// What became of values that were to be written, or deleted.
#[derive(Serialize, ToSchema)]
pub(super) struct KvBulkResult {
    successful_key_count: usize,
    unsuccessful_keys: Empty,
}

/// Values by their keys.
#[derive(Serialize, ToSchema)]
pub(super) struct KvValues {
    values: BTreeMap<String, KvFound>,
}

/// A value, as it was wanted.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum KvFound {
    /// With its metadata.
    WithMetadata {
        value: Value,
        metadata: Option<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        expiration: Option<i64>,
    },
    /// Alone.
    Value(Value),
    /// Of a key that is not there.
    Missing,
}

/// Writes values. All are looked at before the first is written.
#[utoipa::path(put, path = "/{namespace_id}/bulk", tag = "KV", request_body = Vec<KvPair>)]
pub(super) async fn put(State(api): State<Api>, captures: Captures, body: Body) -> Reply<KvBulkResult> {
    let pairs: Vec<KvPair> = body::parse(&body::read(body, LARGEST).await?)?;
    at_most(MOST, pairs.len())?;
    let now = now();
    let entries = pairs.into_iter().map(|pair| entry(pair, now)).collect::<Result<Vec<_>, _>>()?;
    let id = captures.one("namespace_id").to_owned();
    let written = entries.len();
    writing(&api.store, move |store| {
        store.kv_namespace(&id)?;
        entries.iter().try_for_each(|(key, entry)| store.put_kv_value(&id, key, entry))
    })
    .await?;
    ok(KvBulkResult { successful_key_count: written, unsuccessful_keys: Empty })
}

/// Deletes values; those that are not there are fine.
#[utoipa::path(delete, path = "/{namespace_id}/bulk", tag = "KV", request_body = Vec<String>)]
pub(super) async fn delete(state: State<Api>, captures: Captures, body: Body) -> Reply<KvBulkResult> {
    delete_all(state, captures, body).await
}

/// Deletes values, for clients that send no body with `DELETE`.
#[utoipa::path(post, path = "/{namespace_id}/bulk/delete", tag = "KV", request_body = Vec<String>)]
pub(super) async fn delete_by_post(state: State<Api>, captures: Captures, body: Body) -> Reply<KvBulkResult> {
    delete_all(state, captures, body).await
}

async fn delete_all(State(api): State<Api>, captures: Captures, body: Body) -> Reply<KvBulkResult> {
    let keys: Vec<String> = body::json(body).await?;
    at_most(MOST, keys.len())?;
    keys.iter().try_for_each(|key| check_key(key))?;
    let id = captures.one("namespace_id").to_owned();
    let deleted = keys.len();
    writing(&api.store, move |store| {
        store.kv_namespace(&id)?;
        keys.iter().try_for_each(|key| store.delete_kv_value(&id, key))
    })
    .await?;
    ok(KvBulkResult { successful_key_count: deleted, unsuccessful_keys: Empty })
}

/// Reads values, as text or as JSON.
#[utoipa::path(post, path = "/{namespace_id}/bulk/get", tag = "KV", request_body = KvWanted)]
pub(super) async fn get(State(api): State<Api>, captures: Captures, body: Body) -> Reply<KvValues> {
    let KvWanted { keys, kind, with_metadata } = body::json(body).await?;
    at_most(MOST_READ, keys.len())?;
    keys.iter().try_for_each(|key| check_key(key))?;
    let as_json = match kind.as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => {
            return Err(Fault::KvRequest(format!("`type` must be `text` or `json`, and is `{}`", shown(other))));
        }
    };
    let id = captures.one("namespace_id").to_owned();
    let values = blocking(&api.store, move |store| {
        store.kv_namespace(&id)?;
        let mut values = BTreeMap::new();
        for key in keys {
            let shown = match store.kv_value(&id, &key, now())? {
                None => KvFound::Missing,
                Some(entry) => show(&key, entry, as_json, with_metadata)?,
            };
            values.insert(key, shown);
        }
        Ok::<_, Fault>(values)
    })
    .await?;
    ok(KvValues { values })
}

fn at_most(most: usize, count: usize) -> Result<(), Fault> {
    if count <= most {
        return Ok(());
    }
    Err(Fault::KvRequest(format!("at most {most} keys can be named at once, and these are {count}")))
}

fn entry(pair: KvPair, now: i64) -> Result<(String, KvEntry), Fault> {
    check_key(&pair.key)?;
    let value = if pair.base64 {
        Base64::decode_vec(&pair.value)
            .map_err(|_| Fault::KvRequest(format!("the value of `{}` is not base64", shown(&pair.key))))?
    } else {
        pair.value.into_bytes()
    };
    check_value(value.len())?;
    if let Some(metadata) = &pair.metadata {
        check_metadata(metadata)?;
    }
    let expiration = expiration(pair.expiration, pair.expiration_ttl, now)?;
    Ok((pair.key, KvEntry { value: Bytes::from(value), metadata: pair.metadata, expiration }))
}

fn show(key: &str, entry: KvEntry, as_json: bool, with_metadata: bool) -> Result<KvFound, Fault> {
    let value = if as_json {
        serde_json::from_slice(&entry.value)
            .map_err(|error| Fault::KvRequest(format!("the value of `{}` is not JSON: {error}", shown(key))))?
    } else {
        Value::String(String::from_utf8_lossy(&entry.value).into_owned())
    };
    let KvEntry { metadata, expiration, .. } = entry;
    Ok(if with_metadata { KvFound::WithMetadata { value, metadata, expiration } } else { KvFound::Value(value) })
}
