//! Settings of a script: everything about it but its modules.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Map, Value, json};

use super::bindings::{Before, resolve, show_all};
use super::body::{self, content_type};
use super::change::{Check, derive};
use super::envelope::ok;
use super::error::{Fault, Reply};
use super::path::Target;
use super::upload::{Form, Metadata, read_form};
use super::{Api, scripts};
use crate::deploy::blocking;
use crate::store::{Script, Store, StoreError};
use crate::worker::{Code, ScriptKey};

/// Shows all settings.
pub(super) async fn get(State(api): State<Api>, target: Target) -> Reply {
    let shown = blocking(&api.store, move |store| {
        let (script, code) = (store.script(&target.key)?, store.load(&target.key)?.code);
        Ok::<_, StoreError>(show(store, &script, &code))
    })
    .await?;
    ok(shown)
}

/// Changes those that are named. `bindings`, when named, are all bindings; one with a name and a type alone stays as it is.
pub(super) async fn patch(State(api): State<Api>, target: Target, headers: HeaderMap, body: Body) -> Reply {
    let (part, value) = read(&headers, body).await?;
    let change = std::sync::Arc::new(Metadata::read(part, value)?);
    let (key, tags) = (target.key.clone(), change.tags.clone());
    derive(&api, &target.key, Check::Started, tags, move |store, code| edit(store, &key, &change, code)).await?;
    get(State(api), target).await
}

/// Shows those settings that belong to the script and to no version of it.
pub(super) async fn get_of_script(State(api): State<Api>, target: Target) -> Reply {
    let script = blocking(&api.store, move |store| store.script(&target.key)).await?;
    ok(show_of_script(&script))
}

/// Changes those. A runtime looks at none of them, so nothing is started.
pub(super) async fn patch_of_script(State(api): State<Api>, target: Target, body: Body) -> Reply {
    let change = Metadata::read("settings", body::json(body).await?)?;
    let settings: Map<String, Value> =
        change.settings.into_iter().filter(|(key, _)| OF_SCRIPT.contains(&key.as_str())).collect();
    let key = target.key.clone();
    let before = blocking(&api.store, move |store| store.script(&key)).await?;
    let changes = |(key, value): (&String, &Value)| {
        let before = before.version.settings.get(key).unwrap_or(&Value::Null);
        before != value && !(is_off(before) && is_off(value))
    };
    if settings.iter().any(changes) {
        derive(&api, &target.key, Check::CarriedOver, change.tags, move |_, code| {
            merge(&mut code.settings, &settings);
            Ok(())
        })
        .await?;
    } else if let Some(tags) = change.tags {
        let key = target.key.clone();
        blocking(&api.store, move |store| store.set_tags(&key, &tags)).await?;
    }
    get_of_script(State(api), target).await
}

/// The settings that belong to a script and to no version.
const OF_SCRIPT: [&str; 4] = ["logpush", "observability", "streaming_tail_consumers", "tail_consumers"];

/// Whether a setting says what its absence says as well. `wrangler` says so after each deployment, and would otherwise make
/// another version of it.
fn is_off(setting: &Value) -> bool {
    match setting {
        Value::Null | Value::Bool(false) => true,
        Value::Array(consumers) => consumers.is_empty(),
        other => *other == json!({ "enabled": false }),
    }
}

/// A change of settings: a form whose part `settings` is JSON, or JSON.
async fn read(headers: &HeaderMap, body: Body) -> Result<(&'static str, Value), Fault> {
    match content_type(headers).as_str() {
        "multipart/form-data" => {
            let Form { metadata, .. } = read_form(headers, body, "settings").await?;
            let json = metadata
                .ok_or_else(|| Fault::Unreadable("the form has no part with the name `settings`".to_owned()))?;
            let value = serde_json::from_slice(&json)
                .map_err(|error| Fault::Unreadable(format!("Could not parse the part `settings` as JSON: {error}")))?;
            Ok(("settings", value))
        }
        "application/json" | "application/merge-patch+json" => {
            let mut value: Value = body::json(body).await?;
            if let Some(settings) = value.get_mut("settings") {
                value = settings.take();
            }
            Ok(("settings", value))
        }
        other => {
            Err(Fault::ContentType { found: other.to_owned(), taken: "'multipart/form-data', 'application/json'" })
        }
    }
}

fn edit(store: &Store, key: &ScriptKey, change: &Metadata, code: &mut Code) -> Result<(), Fault> {
    if let Some(declared) = &change.bindings {
        let modules: Vec<String> = code.modules.iter().map(|module| module.name.clone()).collect();
        let resolution = resolve(
            store,
            declared,
            &Before {
                key,
                code: Some(code),
                module: &|part| modules.iter().find(|name| *name == part).cloned(),
                keep: &[],
                strict: true,
            },
        )?;
        code.bindings = resolution.bindings;
    }
    if let Some(date) = &change.compatibility_date {
        code.compatibility_date.clone_from(date);
    }
    if let Some(flags) = &change.compatibility_flags {
        code.compatibility_flags.clone_from(flags);
    }
    merge(&mut code.settings, &change.settings);
    Ok(())
}

fn merge(settings: &mut Map<String, Value>, change: &Map<String, Value>) {
    for (key, value) in change {
        if value.is_null() {
            settings.remove(key);
        } else {
            settings.insert(key.clone(), value.clone());
        }
    }
}

/// All settings of a script.
pub(super) fn show(store: &Store, script: &Script, code: &Code) -> Value {
    let mut shown = show_of_script(script);
    let mut set = |key: &str, value: Value| shown.insert(key.to_owned(), value);
    set("bindings", show_all(store, &code.bindings).into());
    set("compatibility_date", json!(code.compatibility_date));
    set("compatibility_flags", json!(code.compatibility_flags));
    for key in ["usage_model", "placement"] {
        if let Some(value) = scripts::describe(script).remove(key) {
            set(key, value);
        }
    }
    for key in ["annotations", "cache_options", "limits"] {
        if let Some(value) = code.settings.get(key) {
            set(key, value.clone());
        }
    }
    shown.into()
}

fn show_of_script(script: &Script) -> Map<String, Value> {
    let mut described = scripts::describe(script);
    described.retain(|key, _| matches!(key.as_str(), "logpush" | "observability" | "tags" | "tail_consumers"));
    described
}
