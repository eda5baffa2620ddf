//! Many values of a KV namespace at once.

use axum::body::Body;
use axum::extract::State;
use base64ct::{Base64, Encoding};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::Api;
use super::super::body;
use super::super::envelope::ok;
use super::super::error::{Fault, Reply, shown};
use super::super::path::Captures;
use super::super::upload::MIB;
use crate::deploy::blocking;
use crate::kv::{check_key, check_metadata, check_value, expiration, now};
use crate::store::KvEntry;

/// The most values written or deleted at once.
const MOST: usize = 10_000;
/// The most values read at once.
const MOST_READ: usize = 100;
/// The largest body.
const LARGEST: usize = 100 * MIB;

#[derive(Deserialize)]
struct Pair {
    key: String,
    value: String,
    #[serde(default)]
    base64: bool,
    expiration: Option<i64>,
    expiration_ttl: Option<i64>,
    metadata: Option<Value>,
}

/// Writes values. All are looked at before the first is written.
pub(in super::super) async fn put(State(api): State<Api>, captures: Captures, body: Body) -> Reply {
    let pairs: Vec<Pair> = body::parse(&body::read(body, LARGEST).await?)?;
    at_most(MOST, pairs.len())?;
    let now = now();
    let entries = pairs.into_iter().map(|pair| entry(pair, now)).collect::<Result<Vec<_>, _>>()?;
    let id = captures.one("id").to_owned();
    let written = entries.len();
    blocking(&api.store, move |store| {
        store.kv_namespace(&id)?;
        entries.iter().try_for_each(|(key, entry)| store.put_kv_value(&id, key, entry))
    })
    .await?;
    ok(json!({ "successful_key_count": written, "unsuccessful_keys": [] }))
}

/// Deletes values; those that are not there are fine.
pub(in super::super) async fn delete(State(api): State<Api>, captures: Captures, body: Body) -> Reply {
    let keys: Vec<String> = body::json(body).await?;
    at_most(MOST, keys.len())?;
    keys.iter().try_for_each(|key| check_key(key))?;
    let id = captures.one("id").to_owned();
    let deleted = keys.len();
    blocking(&api.store, move |store| {
        store.kv_namespace(&id)?;
        keys.iter().try_for_each(|key| store.delete_kv_value(&id, key))
    })
    .await?;
    ok(json!({ "successful_key_count": deleted, "unsuccessful_keys": [] }))
}

/// Reads values, as text or as JSON.
pub(in super::super) async fn get(State(api): State<Api>, captures: Captures, body: Body) -> Reply {
    #[derive(Deserialize)]
    struct Wanted {
        keys: Vec<String>,
        #[serde(default, rename = "type")]
        kind: Option<String>,
        #[serde(default, rename = "withMetadata")]
        with_metadata: bool,
    }
    let Wanted { keys, kind, with_metadata } = body::json(body).await?;
    at_most(MOST_READ, keys.len())?;
    keys.iter().try_for_each(|key| check_key(key))?;
    let as_json = match kind.as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => {
            return Err(Fault::KvRequest(format!("`type` must be `text` or `json`, and is `{}`", shown(other))));
        }
    };
    let id = captures.one("id").to_owned();
    let values = blocking(&api.store, move |store| {
        store.kv_namespace(&id)?;
        let mut values = Map::new();
        for key in keys {
            let shown = match store.kv_value(&id, &key, now())? {
                None => Value::Null,
                Some(entry) => show(&key, &entry, as_json, with_metadata)?,
            };
            values.insert(key, shown);
        }
        Ok::<_, Fault>(values)
    })
    .await?;
    ok(json!({ "values": values }))
}

fn at_most(most: usize, count: usize) -> Result<(), Fault> {
    if count <= most {
        return Ok(());
    }
    Err(Fault::KvRequest(format!("at most {most} keys can be named at once, and these are {count}")))
}

fn entry(pair: Pair, now: i64) -> Result<(String, KvEntry), Fault> {
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

fn show(key: &str, entry: &KvEntry, as_json: bool, with_metadata: bool) -> Result<Value, Fault> {
    let value = if as_json {
        serde_json::from_slice(&entry.value)
            .map_err(|error| Fault::KvRequest(format!("the value of `{}` is not JSON: {error}", shown(key))))?
    } else {
        Value::String(String::from_utf8_lossy(&entry.value).into_owned())
    };
    if !with_metadata {
        return Ok(value);
    }
    let mut shown = json!({ "value": value, "metadata": entry.metadata });
    if let Some(expiration) = entry.expiration {
        shown["expiration"] = json!(expiration);
    }
    Ok(shown)
}
