//! Secrets of a script. Their text goes in and is never shown.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Api;
use super::bindings::{check_count, secret_text, with_value};
use super::body;
use super::change::{Check, derive};
use super::envelope::{List, Nothing, done, ok};
use super::error::{Fault, Reply, TooMany};
use super::path::{Captures, Target};
use crate::deploy::blocking;
use crate::worker::{Binding, BindingValue};

/// A secret, without its text.
#[derive(Serialize, ToSchema)]
pub(super) struct Secret {
    name: String,
    #[serde(rename = "type")]
    kind: SecretType,
}

/// The types of secrets.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SecretType {
    SecretText,
}

/// A secret that is to be set.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what a body is read as by hand")]
struct NewSecret {
    #[schema(min_length = 1)]
    name: String,
    text: String,
    #[serde(rename = "type")]
    #[schema(nullable = false)]
    kind: Option<SecretType>,
}

/// Secrets that are to be set, and with `null` to be deleted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what a body is read as by hand")]
struct SecretChanges {
    secrets: BTreeMap<String, SecretChange>,
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
        kind: Option<SecretType>,
    },
    Delete,
}

/// Lists the secrets of a script.
#[utoipa::path(get, path = "/secrets", tag = "Secrets")]
pub(super) async fn list(State(api): State<Api>, target: Target) -> Reply<List<Secret>> {
    ok(names(&api, &target).await?.into_iter().map(show).collect())
}

/// Shows that there is a secret.
#[utoipa::path(get, path = "/secrets/{secret_name}", tag = "Secrets")]
pub(super) async fn get(State(api): State<Api>, target: Target, captures: Captures) -> Reply<Secret> {
    let name = captures.one("secret_name");
    if names(&api, &target).await?.iter().any(|other| other == name) {
        ok(show(name.to_owned()))
    } else {
        Err(Fault::SecretMissing(name.to_owned()))
    }
}

/// Sets a secret.
#[utoipa::path(put, path = "/secrets", tag = "Secrets", request_body = NewSecret, responses(TooMany))]
pub(super) async fn put(State(api): State<Api>, target: Target, body: Body) -> Reply<Secret> {
    let mut fields: Map<String, Value> = body::json(body).await?;
    let Some(Value::String(name)) = fields.remove("name").filter(|name| name != "") else {
        return Err(Fault::BindingName(0));
    };
    let secret = secret_text(&name, fields)?;
    change(&api, &target, vec![(name.clone(), Some(secret))]).await?;
    ok(show(name))
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
    let Some(Value::Object(secrets)) = fields.remove("secrets") else {
        return Err(Fault::Unreadable("the body must have an object `secrets`".to_owned()));
    };
    let mut changes = Vec::with_capacity(secrets.len());
    for (name, value) in secrets {
        let secret = match value {
            Value::Null => None,
            Value::Object(mut fields) => {
                // The entry may repeat its name.
                fields.remove("name");
                Some(secret_text(&name, fields)?)
            }
            _ => return Err(Fault::Unreadable(format!("secret `{name}` must be an object, or `null` to delete it"))),
        };
        changes.push((name, secret));
    }
    change(&api, &target, changes).await?;
    let all = names(&api, &target).await?;
    ok(all.into_iter().map(|name| (name.clone(), show(name))).collect())
}

fn show(name: String) -> Secret {
    Secret { name, kind: SecretType::SecretText }
}

async fn names(api: &Api, target: &Target) -> Result<Vec<String>, Fault> {
    let key = target.key.clone();
    let code = blocking(&api.store, move |store| store.load(&key)).await?.code;
    Ok(code.bindings.into_iter().filter(is_secret).map(|binding| binding.name).collect())
}

fn is_secret(binding: &Binding) -> bool {
    matches!(binding.value, BindingValue::SecretText { .. })
}

/// Sets (`Some`) and deletes (`None`) secrets: all or, on an error, none.
async fn change(api: &Api, target: &Target, changes: Vec<(String, Option<BindingValue>)>) -> Result<(), Fault> {
    derive(api, &target.key, Check::CarriedOver, None, move |_, code| {
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
