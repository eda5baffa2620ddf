//! What else `wrangler` asks of an ordinary Worker: its service, its subdomain, its schedules, who refers to it.

use axum::body::Body;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body;
use super::envelope::ok;
use super::error::{Fault, Reply};
use super::path::Target;
use super::scripts::{describe, remove};
use super::{Api, SUBDOMAIN};
use crate::deploy::blocking;
use crate::store::{Script, Store, StoreError, TagFilter};
use crate::worker::{BindingValue, Scope};

/// Shows a Worker as a service with its one environment.
pub(super) async fn get(State(api): State<Api>, target: Target) -> Reply {
    let script = found(&api, target).await?;
    let environment = json!({
        "environment": "production",
        "created_on": script.created_on,
        "modified_on": script.modified_on,
        "script": describe(&script),
    });
    ok(json!({
        "id": script.key.name.as_str(),
        "created_on": script.created_on,
        "modified_on": script.modified_on,
        "usage_model": "standard",
        "default_environment": environment,
        "environments": [{
            "environment": "production",
            "created_on": script.created_on,
            "modified_on": script.modified_on,
        }],
    }))
}

/// Deletes a Worker.
pub(super) async fn delete(State(api): State<Api>, target: Target) -> Reply {
    remove(&api, target.key).await.map_err(as_service)?;
    ok(Value::Null)
}

/// Shows a Worker as newer clients ask for it.
pub(super) async fn worker(State(api): State<Api>, target: Target) -> Reply {
    let script = blocking(&api.store, move |store| store.script(&target.key)).await?;
    let (enabled, previews_enabled) = script.subdomain;
    ok(json!({
        "id": script.tag,
        "name": script.key.name.as_str(),
        "created_on": script.created_on,
        "updated_on": script.modified_on,
        "deployed_on": script.version.created_on,
        "tags": script.tags,
        "logpush": false,
        "observability": { "enabled": false },
        "tail_consumers": [],
        "subdomain": { "enabled": enabled, "previews_enabled": previews_enabled },
    }))
}

/// The account's subdomain.
pub(super) async fn account_subdomain() -> Reply {
    ok(json!({ "subdomain": SUBDOMAIN }))
}

/// Whether a Worker answers at its own host.
pub(super) async fn subdomain(State(api): State<Api>, target: Target) -> Reply {
    let (enabled, previews_enabled) = blocking(&api.store, move |store| store.script(&target.key)).await?.subdomain;
    ok(json!({ "enabled": enabled, "previews_enabled": previews_enabled }))
}

/// Changes that.
pub(super) async fn set_subdomain(State(api): State<Api>, target: Target, body: Body) -> Reply {
    #[derive(Deserialize)]
    struct Wanted {
        enabled: bool,
        previews_enabled: Option<bool>,
    }
    let Wanted { enabled, previews_enabled } = body::json(body).await?;
    let previews_enabled = previews_enabled.unwrap_or(enabled);
    let set = move |store: &Store| store.set_subdomain(&target.key, enabled, previews_enabled);
    let change = blocking(&api.store, set).await?;
    // Which hosts lead where is a copy in the runtime, too.
    api.apply(&[change]).await;
    ok(json!({ "enabled": enabled, "previews_enabled": previews_enabled }))
}

/// The cron triggers of a Worker: none.
pub(super) async fn schedules(State(api): State<Api>, target: Target) -> Reply {
    blocking(&api.store, move |store| store.script(&target.key)).await?;
    ok(json!({ "schedules": [] }))
}

/// Sets the cron triggers of a Worker: to none.
pub(super) async fn set_schedules(state: State<Api>, target: Target, body: Body) -> Reply {
    match body::json::<Value>(body).await? {
        Value::Array(wanted) if wanted.is_empty() => schedules(state, target).await,
        Value::Array(_) => Err(Fault::NotYet("cron triggers")),
        _ => Err(Fault::Unreadable("the body must be an array of schedules".to_owned())),
    }
}

/// Who would miss a Worker that is deleted.
pub(super) async fn references(State(api): State<Api>, target: Target) -> Reply {
    let (services, outbounds) = blocking(&api.store, move |store| referring(store, &target)).await?;
    ok(json!({
        "services": { "incoming": services, "outgoing": [] },
        "durable_objects": [],
        "dispatch_outbounds": outbounds,
    }))
}

/// The tails that send to a Worker: none.
pub(super) async fn tails(State(api): State<Api>, target: Target) -> Reply {
    blocking(&api.store, move |store| store.script(&target.key)).await?;
    ok(json!([]))
}

/// Durable Object namespaces: none.
pub(super) async fn durable_objects() -> Reply {
    ok(json!([]))
}

/// The bindings of the account's Workers that name a Worker: as a service, as an outbound Worker.
fn referring(store: &Store, target: &Target) -> Result<(Vec<Value>, Vec<Value>), StoreError> {
    store.script(&target.key)?;
    let name = target.key.name.as_str();
    let (mut services, mut outbounds, mut cursor) = (Vec::new(), Vec::new(), None);
    loop {
        let page = store.scripts(Scope::Account, &TagFilter::default(), 100, cursor.as_deref())?;
        for script in page.items.iter().filter(|script| script.key != target.key) {
            for binding in store.load(&script.key)?.code.bindings {
                match binding.value {
                    BindingValue::Service { service, .. } if service.as_str() == name => {
                        services.push(json!({
                            "service": script.key.name.as_str(),
                            "environment": "production",
                            "name": binding.name,
                        }));
                    }
                    BindingValue::DispatchNamespace { namespace, outbound: Some(outbound) }
                        if outbound.service == name =>
                    {
                        let namespace = store.namespace_by_id(namespace).map(|namespace| namespace.name.to_string());
                        outbounds.push(json!({
                            "service": script.key.name.as_str(),
                            "environment": "production",
                            "name": binding.name,
                            "namespace": namespace.unwrap_or_default(),
                            "params": outbound.parameters.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
                        }));
                    }
                    _ => {}
                }
            }
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok((services, outbounds));
        }
    }
}

async fn found(api: &Api, target: Target) -> Result<Script, Fault> {
    blocking(&api.store, move |store| store.script(&target.key)).await.map_err(|error| as_service(error.into()))
}

fn as_service(fault: Fault) -> Fault {
    if fault == Fault::ScriptMissing { Fault::ServiceMissing } else { fault }
}
