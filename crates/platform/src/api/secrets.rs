//! Secrets of a script. Their text goes in and is never shown.

use axum::body::Body;
use axum::extract::State;
use serde_json::{Map, Value};

use super::Api;
use super::bindings::{Material, check_count, secret, show, with_value};
use super::body;
use super::change::{Check, derive};
use super::envelope::ok;
use super::error::{Fault, Reply};
use super::path::{Captures, Target};
use crate::deploy::blocking;
use crate::worker::{Binding, BindingValue};

/// Lists them by name.
pub(super) async fn list(State(api): State<Api>, target: Target) -> Reply {
    ok(secrets(&api, &target).await?.into_iter().map(|(_, shown)| shown).collect::<Vec<_>>())
}

/// Shows that there is one.
pub(super) async fn get(State(api): State<Api>, target: Target, captures: Captures) -> Reply {
    let name = captures.one("secret");
    match secrets(&api, &target).await?.into_iter().find(|(other, _)| other == name) {
        Some((_, shown)) => ok(shown),
        None => Err(Fault::SecretMissing(name.to_owned())),
    }
}

/// Sets one.
pub(super) async fn put(State(api): State<Api>, target: Target, body: Body) -> Reply {
    let mut fields: Map<String, Value> = body::json(body).await?;
    let Some(Value::String(name)) = fields.remove("name").filter(|name| name != "") else {
        return Err(Fault::BindingName(0));
    };
    let value = secret(&name, fields, api.key_material())?;
    let shown = show(&api.store, &Binding { name: name.clone(), value: value.clone() });
    change(&api, &target, vec![(name, Some(value))]).await?;
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
    ok(secrets(&api, &target).await?.into_iter().collect::<Map<_, _>>())
}

/// All secrets, as they are shown.
async fn secrets(api: &Api, target: &Target) -> Result<Vec<(String, Value)>, Fault> {
    let key = target.key.clone();
    blocking(&api.store, move |store| {
        let bindings = store.load(&key)?.code.bindings;
        Ok(bindings.iter().filter(|it| is_secret(it)).map(|it| (it.name.clone(), show(store, it))).collect())
    })
    .await
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
