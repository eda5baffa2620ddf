//! Settings of a script: everything about it but its modules.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::Api;
use super::bindings::{Before, ShownBinding, resolve, show_all};
use super::body::{self, content_type};
use super::change::{Check, derive};
use super::envelope::ok;
use super::error::{ContentTypes, Fault, Reply, TooMany};
use super::path::Target;
use super::scripts::{Runs, ScriptSettings, describe};
use super::upload::{Form, Metadata, SettingsChange, SettingsForm, read_form};
use crate::deploy::{blocking, writing};
use crate::store::{Script, Store, StoreError};
use crate::worker::{Code, ScriptKey};

/// All settings of a script.
#[derive(Serialize, ToSchema)]
pub(super) struct Settings {
    bindings: Vec<ShownBinding>,
    compatibility_date: String,
    compatibility_flags: Vec<String>,
    #[serde(flatten)]
    runs: Runs,
    #[serde(flatten)]
    of_script: SettingsOfScript,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    annotations: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    cache_options: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    limits: Option<Value>,
}

/// The settings that belong to a script and to no version of it.
#[derive(Serialize, ToSchema)]
pub(super) struct SettingsOfScript {
    tags: Vec<String>,
    #[serde(flatten)]
    settings: ScriptSettings,
}

/// Shows all settings of a script.
#[utoipa::path(get, path = "/settings", tag = "Settings")]
pub(super) async fn get(State(api): State<Api>, target: Target) -> Reply<Settings> {
    shown(&api, target).await
}

/// Changes those settings that are named. `bindings`, when named, are all bindings; one with a name and a type alone stays
/// as it is.
#[utoipa::path(
    patch,
    path = "/settings",
    tag = "Settings",
    request_body(content(
        (SettingsForm = "multipart/form-data"),
        (SettingsChange = "application/json"),
        (SettingsChange = "application/merge-patch+json"),
    )),
    responses(TooMany, ContentTypes),
)]
pub(super) async fn patch(State(api): State<Api>, target: Target, headers: HeaderMap, body: Body) -> Reply<Settings> {
    let (part, value) = read(&headers, body).await?;
    let change = std::sync::Arc::new(Metadata::read(part, value)?);
    if change.assets.are_named() {
        return Err(Fault::Invalid(
            "static assets come with an upload: leave `assets` and `keep_assets` out".to_owned(),
        ));
    }
    let (key, tags) = (target.key.clone(), change.tags.clone());
    derive(&api, &target.key, Check::Started, tags, move |store, code| edit(store, &key, &change, code)).await?;
    shown(&api, target).await
}

/// Shows those settings that belong to the script and to no version of it.
#[utoipa::path(get, path = "/script-settings", tag = "Settings")]
pub(super) async fn get_of_script(State(api): State<Api>, target: Target) -> Reply<SettingsOfScript> {
    shown_of_script(&api, target).await
}

/// Changes those.
#[utoipa::path(
    patch,
    path = "/script-settings",
    tag = "Settings",
    request_body = SettingsChange,
    responses(TooMany),
)]
pub(super) async fn patch_of_script(State(api): State<Api>, target: Target, body: Body) -> Reply<SettingsOfScript> {
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
        // A runtime looks at none of them, so nothing is started.
        derive(&api, &target.key, Check::CarriedOver, change.tags, move |_, code| {
            merge(&mut code.settings, &settings);
            Ok(())
        })
        .await?;
    } else if let Some(tags) = change.tags {
        let key = target.key.clone();
        writing(&api.store, move |store| store.set_tags(&key, &tags)).await?;
    }
    shown_of_script(&api, target).await
}

async fn shown(api: &Api, target: Target) -> Reply<Settings> {
    let shown = blocking(&api.store, move |store| {
        let (script, code) = (store.script(&target.key)?, store.load(&target.key)?.code);
        Ok::<_, StoreError>(show(store, &script, code))
    })
    .await?;
    ok(shown)
}

async fn shown_of_script(api: &Api, target: Target) -> Reply<SettingsOfScript> {
    let script = blocking(&api.store, move |store| store.script(&target.key)).await?;
    ok(show_of_script(&script))
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

fn show(store: &Store, script: &Script, code: Code) -> Settings {
    let setting = |key: &str| code.settings.get(key).cloned();
    Settings {
        bindings: show_all(store, &code.bindings),
        runs: describe(script).runs,
        of_script: show_of_script(script),
        annotations: setting("annotations"),
        cache_options: setting("cache_options"),
        limits: setting("limits"),
        compatibility_date: code.compatibility_date,
        compatibility_flags: code.compatibility_flags,
    }
}

fn show_of_script(script: &Script) -> SettingsOfScript {
    SettingsOfScript { tags: script.tags.clone(), settings: describe(script).settings }
}
