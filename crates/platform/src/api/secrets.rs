//! Secrets of a script, texts and keys. They go in and are never shown.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Api;
use super::bindings::{Material, NewKey, check_count, secret, with_value};
use super::body;
use super::change::{Check, derive};
use super::envelope::{List, Nothing, done, ok};
use super::error::{Fault, Reply, TooMany};
use super::path::{Captures, Target};
use crate::deploy::blocking;
use crate::worker::{Binding, BindingValue, KeyFormat, SecretKey};

/// A secret, without its text or key.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Secret {
    SecretKey {
        name: String,
        #[schema(value_type = Object)]
        algorithm: Value,
        #[schema(value_type = String)]
        format: KeyFormat,
        usages: Vec<String>,
    },
    SecretText {
        name: String,
    },
}

/// The type of a text.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "what a body is read as by hand")]
enum TextType {
    SecretText,
}

/// The type of a key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "what a body is read as by hand")]
enum KeyType {
    SecretKey,
}

/// A secret that is to be set.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "what a body is read as by hand")]
enum NewSecret {
    Text {
        #[schema(min_length = 1)]
        name: String,
        text: String,
        #[serde(rename = "type")]
        #[schema(nullable = false)]
        kind: Option<TextType>,
    },
    Key {
        #[schema(min_length = 1)]
        name: String,
        #[serde(rename = "type")]
        kind: KeyType,
        #[serde(flatten)]
        key: NewKey,
    },
}

/// Secrets that are to be set, and with `null` to be deleted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what a body is read as by hand")]
struct SecretChanges {
    #[schema(nullable = false)]
    secrets: Option<BTreeMap<String, SecretChange>>,
}

/// What a secret is to be.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "what a body is read as by hand")]
enum SecretChange {
    Set {
        #[schema(nullable = false)]
        name: Option<String>,
        text: String,
        #[serde(rename = "type")]
        #[schema(nullable = false)]
        kind: Option<TextType>,
    },
    SetKey {
        #[schema(nullable = false)]
        name: Option<String>,
        #[serde(rename = "type")]
        kind: KeyType,
        #[serde(flatten)]
        key: NewKey,
    },
    Delete,
}

/// Lists the secrets of a script.
#[utoipa::path(get, path = "/secrets", tag = "Secrets")]
pub(super) async fn list(State(api): State<Api>, target: Target) -> Reply<List<Secret>> {
    ok(secrets(&api, &target).await?.into_values().collect())
}

/// Shows that there is a secret.
#[utoipa::path(get, path = "/secrets/{secret_name}", tag = "Secrets")]
pub(super) async fn get(State(api): State<Api>, target: Target, captures: Captures) -> Reply<Secret> {
    let name = captures.one("secret_name");
    match secrets(&api, &target).await?.remove(name) {
        Some(secret) => ok(secret),
        None => Err(Fault::SecretMissing(name.to_owned())),
    }
}

/// Sets a secret.
#[utoipa::path(put, path = "/secrets", tag = "Secrets", request_body = NewSecret, responses(TooMany))]
pub(super) async fn put(State(api): State<Api>, target: Target, body: Body) -> Reply<Secret> {
    let mut fields: Map<String, Value> = body::json(body).await?;
    let Some(Value::String(name)) = fields.remove("name").filter(|name| name != "") else {
        return Err(Fault::BindingName(0));
    };
    let value = secret(&name, fields, api.key_material())?;
    let shown = show(&name, &value).ok_or_else(|| Fault::SecretMissing(name.clone()))?;
    change(&api, &target, vec![(name, Some(value))]).await?;
    ok(shown)
}

/// Deletes a secret.
#[utoipa::path(delete, path = "/secrets/{secret_name}", tag = "Secrets", responses(TooMany))]
pub(super) async fn delete(State(api): State<Api>, target: Target, captures: Captures) -> Reply<Nothing> {
    change(&api, &target, vec![(captures.one("secret_name").to_owned(), None)]).await?;
    done()
}

/// Sets and deletes several secrets in one step.
#[utoipa::path(
    patch,
    path = "/secrets-bulk",
    tag = "Secrets",
    request_body(content((SecretChanges = "application/json"), (SecretChanges = "application/merge-patch+json"))),
    responses(TooMany),
)]
pub(super) async fn patch_many(State(api): State<Api>, target: Target, body: Body) -> Reply<BTreeMap<String, Secret>> {
    let mut fields: Map<String, Value> = body::json(body).await?;
    let wanted = match fields.remove("secrets") {
        None => Map::new(),
        Some(Value::Object(wanted)) => wanted,
        Some(_) => return Err(Fault::Unreadable("`secrets` must be an object".to_owned())),
    };
    let mut changes = Vec::with_capacity(wanted.len());
    for (name, value) in wanted {
        let secret = match value {
            Value::Null => None,
            Value::Object(mut fields) => {
                // The entry may repeat its name.
                fields.remove("name");
                Some(secret(&name, fields, api.key_material())?)
            }
            _ => return Err(Fault::Unreadable(format!("secret `{name}` must be an object, or `null` to delete it"))),
        };
        changes.push((name, secret));
    }
    if !changes.is_empty() {
        change(&api, &target, changes).await?;
    }
    ok(secrets(&api, &target).await?)
}

/// All secrets, as they are shown.
async fn secrets(api: &Api, target: &Target) -> Result<BTreeMap<String, Secret>, Fault> {
    let key = target.key.clone();
    let bindings = blocking(&api.store, move |store| store.load(&key)).await?.code.bindings;
    Ok(bindings.into_iter().filter_map(|Binding { name, value }| Some((name.clone(), show(&name, &value)?))).collect())
}

/// A binding as a secret; none if it is no secret.
fn show(name: &str, value: &BindingValue) -> Option<Secret> {
    let name = name.to_owned();
    match value {
        BindingValue::SecretKey(SecretKey { algorithm, format, usages, .. }) => {
            Some(Secret::SecretKey { name, algorithm: algorithm.clone(), format: *format, usages: usages.clone() })
        }
        BindingValue::SecretText { .. } => Some(Secret::SecretText { name }),
        _ => None,
    }
}

fn is_secret(binding: &Binding) -> bool {
    matches!(binding.value, BindingValue::SecretKey(_) | BindingValue::SecretText { .. })
}

/// Sets (`Some`) and deletes (`None`) secrets: all or, on an error, none.
async fn change(api: &Api, target: &Target, changes: Vec<(String, Option<BindingValue>)>) -> Result<(), Fault> {
    // A text cannot keep a Worker from starting; a key that cannot be imported does.
    let is_key = |(_, secret): &(String, Option<BindingValue>)| matches!(secret, Some(BindingValue::SecretKey(_)));
    let check = match api.key_material() {
        Material::Given if changes.iter().any(is_key) => Check::Started,
        _ => Check::CarriedOver,
    };
    derive(api, &target.key, check, None, move |_, code| {
        for (name, secret) in &changes {
            let taken = code.bindings.iter().any(|binding| binding.name == *name && !is_secret(binding));
            match secret {
                Some(_) if taken => return Err(Fault::BindingTwice(name.clone())),
                Some(secret) => with_value(&mut code.bindings, name, secret.clone()),
                None => {
                    let before = code.bindings.len();
                    code.bindings.retain(|binding| binding.name != *name || !is_secret(binding));
                    if code.bindings.len() == before {
                        return Err(Fault::SecretMissing(name.clone()));
                    }
                }
            }
        }
        check_count(&code.bindings)
    })
    .await?;
    Ok(())
}
