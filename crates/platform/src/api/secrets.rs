//! Secrets of a script. Their text goes in and is never shown.

use axum::body::Body;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::Api;
use super::bindings::{check_count, secret_text, with_value};
use super::body;
use super::change::{Check, derive};
use super::envelope::ok;
use super::error::{Fault, Reply};
use super::path::{Captures, Target};
use crate::deploy::blocking;
use crate::worker::{Binding, BindingValue};

/// Lists them by name.
pub(super) async fn list(State(api): State<Api>, target: Target) -> Reply {
    ok(names(&api, &target).await?.iter().map(|name| show(name)).collect::<Vec<_>>())
}

/// Shows that there is one.
pub(super) async fn get(State(api): State<Api>, target: Target, captures: Captures) -> Reply {
    let name = captures.one("secret");
    if names(&api, &target).await?.iter().any(|other| other == name) {
        ok(show(name))
    } else {
        Err(Fault::SecretMissing(name.to_owned()))
    }
}

/// Sets one.
pub(super) async fn put(State(api): State<Api>, target: Target, body: Body) -> Reply {
    let mut fields: Map<String, Value> = body::json(body).await?;
    let Some(Value::String(name)) = fields.remove("name").filter(|name| name != "") else {
        return Err(Fault::BindingName(0));
    };
    let secret = secret_text(&name, fields)?;
    let shown = show(&name);
    change(&api, &target, vec![(name, Some(secret))]).await?;
    ok(shown)
}

/// Deletes one.
pub(super) async fn delete(State(api): State<Api>, target: Target, captures: Captures) -> Reply {
    change(&api, &target, vec![(captures.one("secret").to_owned(), None)]).await?;
    ok(Value::Null)
}

/// Sets and deletes several in one step: `{"secrets": {"A": {"text": …}, "B": null}}`.
pub(super) async fn patch_many(State(api): State<Api>, target: Target, body: Body) -> Reply {
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
    ok(all.iter().map(|name| (name.clone(), show(name))).collect::<Map<_, _>>())
}

fn show(name: &str) -> Value {
    json!({ "name": name, "type": "secret_text" })
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
