//! What else `wrangler` asks of an ordinary Worker: its service, its subdomain, its schedules, who refers to it.

use axum::body::Body;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::bindings::OutboundParameter;
use super::body;
use super::envelope::{Empty, Nothing, done, ok};
use super::error::{Fault, Reply};
use super::path::Target;
use super::scripts::{self, describe, remove};
use super::{Api, SUBDOMAIN};
use crate::deploy::{blocking, writing};
use crate::store::{Script, Store, StoreError, TagFilter};
use crate::worker::{BindingValue, Scope};

/// A Worker as a service.
#[derive(Serialize, ToSchema)]
pub(super) struct Service {
    id: String,
    #[schema(format = DateTime)]
    created_on: String,
    #[schema(format = DateTime)]
    modified_on: String,
    usage_model: &'static str,
    default_environment: DefaultEnvironment,
    environments: [Environment; 1],
}

/// An environment of a service. Here each has one, `production`.
#[derive(Clone, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "Cloudflare's names")]
struct Environment {
    environment: &'static str,
    #[schema(format = DateTime)]
    created_on: String,
    #[schema(format = DateTime)]
    modified_on: String,
}

/// The environment that serves, and its script.
#[derive(Serialize, ToSchema)]
struct DefaultEnvironment {
    #[serde(flatten)]
    environment: Environment,
    script: scripts::Script,
}

/// A Worker as newer clients ask for it.
#[derive(Serialize, ToSchema)]
pub(super) struct Worker {
    id: String,
    name: String,
    #[schema(format = DateTime)]
    created_on: String,
    #[schema(format = DateTime)]
    updated_on: String,
    #[schema(format = DateTime)]
    deployed_on: String,
    tags: Vec<String>,
    logpush: bool,
    observability: Observability,
    tail_consumers: Empty,
    subdomain: Subdomain,
}

/// Whether a Worker is observed: no.
#[derive(Serialize, ToSchema)]
struct Observability {
    enabled: bool,
}

/// Whether a Worker answers at its own host, and its versions at theirs.
#[derive(Serialize, ToSchema)]
pub(super) struct Subdomain {
    enabled: bool,
    previews_enabled: bool,
}

/// What is wanted of that.
#[derive(Deserialize, ToSchema)]
struct SubdomainChange {
    enabled: bool,
    /// As `enabled`, unless it is said.
    previews_enabled: Option<bool>,
}

/// What stands between a Worker's name and `workers.dev`.
#[derive(Serialize, ToSchema)]
pub(super) struct AccountSubdomain {
    subdomain: &'static str,
}

/// The cron triggers of a Worker.
#[derive(Serialize, ToSchema)]
pub(super) struct Schedules {
    schedules: Empty,
}

/// Who would miss a Worker that is deleted.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct References {
    services: ServiceReferences,
    durable_objects: Empty,
    dispatch_outbounds: Vec<DispatchOutbound>,
}

/// Service bindings to a Worker, and from it.
#[derive(Default, Serialize, ToSchema)]
struct ServiceReferences {
    incoming: Vec<ServiceReference>,
    outgoing: Empty,
}

/// A service binding to a Worker.
#[derive(Serialize, ToSchema)]
struct ServiceReference {
    /// Whose binding it is.
    service: String,
    environment: &'static str,
    name: String,
}

/// A dispatch binding whose outbound Worker it is.
#[derive(Serialize, ToSchema)]
struct DispatchOutbound {
    /// Whose binding it is.
    service: String,
    environment: &'static str,
    name: String,
    namespace: String,
    params: Vec<OutboundParameter>,
}

/// The one environment.
const PRODUCTION: &str = "production";

/// Shows a Worker as a service with its one environment.
#[utoipa::path(get, path = "/workers/services/{script_name}", tag = "Workers")]
pub(super) async fn get(State(api): State<Api>, target: Target) -> Reply<Service> {
    let script = found(&api, target).await?;
    let environment = Environment {
        environment: PRODUCTION,
        created_on: script.created_on.clone(),
        modified_on: script.modified_on.clone(),
    };
    ok(Service {
        id: script.key.name.as_str().to_owned(),
        created_on: script.created_on.clone(),
        modified_on: script.modified_on.clone(),
        usage_model: "standard",
        default_environment: DefaultEnvironment { environment: environment.clone(), script: describe(&script) },
        environments: [environment],
    })
}

/// Deletes a Worker.
#[utoipa::path(delete, path = "/workers/services/{script_name}", tag = "Workers")]
pub(super) async fn delete(State(api): State<Api>, target: Target) -> Reply<Nothing> {
    remove(&api, target.key).await.map_err(as_service)?;
    done()
}

/// Shows a Worker as newer clients ask for it.
#[utoipa::path(get, path = "/workers/workers/{script_name}", tag = "Workers")]
pub(super) async fn worker(State(api): State<Api>, target: Target) -> Reply<Worker> {
    let script = blocking(&api.store, move |store| store.script(&target.key)).await?;
    let (enabled, previews_enabled) = script.subdomain;
    ok(Worker {
        id: script.tag,
        name: script.key.name.as_str().to_owned(),
        created_on: script.created_on,
        updated_on: script.modified_on,
        deployed_on: script.version.created_on,
        tags: script.tags,
        logpush: false,
        observability: Observability { enabled: false },
        tail_consumers: Empty,
        subdomain: Subdomain { enabled, previews_enabled },
    })
}

/// Shows the account's subdomain.
#[utoipa::path(get, path = "/workers/subdomain", tag = "Workers")]
pub(super) async fn account_subdomain() -> Reply<AccountSubdomain> {
    ok(AccountSubdomain { subdomain: SUBDOMAIN })
}

/// Shows whether a Worker answers at its own host.
#[utoipa::path(get, path = "/subdomain", tag = "Workers")]
pub(super) async fn subdomain(State(api): State<Api>, target: Target) -> Reply<Subdomain> {
    let (enabled, previews_enabled) = blocking(&api.store, move |store| store.script(&target.key)).await?.subdomain;
    ok(Subdomain { enabled, previews_enabled })
}

/// Says whether a Worker answers at its own host.
#[utoipa::path(post, path = "/subdomain", tag = "Workers", request_body = SubdomainChange)]
pub(super) async fn set_subdomain(State(api): State<Api>, target: Target, body: Body) -> Reply<Subdomain> {
    let SubdomainChange { enabled, previews_enabled } = body::json(body).await?;
    let previews_enabled = previews_enabled.unwrap_or(enabled);
    let set = move |store: &Store| store.set_subdomain(&target.key, enabled, previews_enabled);
    let change = writing(&api.store, set).await?;
    // Which hosts lead where is a copy in the runtime, too.
    api.apply(&[change]).await;
    ok(Subdomain { enabled, previews_enabled })
}

/// Lists the cron triggers of a Worker: none.
#[utoipa::path(get, path = "/schedules", tag = "Workers")]
pub(super) async fn schedules(State(api): State<Api>, target: Target) -> Reply<Schedules> {
    blocking(&api.store, move |store| store.script(&target.key)).await?;
    ok(Schedules { schedules: Empty })
}

/// Sets the cron triggers of a Worker: to none.
#[utoipa::path(put, path = "/schedules", tag = "Workers", request_body = Vec<Value>)]
pub(super) async fn set_schedules(state: State<Api>, target: Target, body: Body) -> Reply<Schedules> {
    match body::json::<Value>(body).await? {
        Value::Array(wanted) if wanted.is_empty() => schedules(state, target).await,
        Value::Array(_) => Err(Fault::NotYet("cron triggers")),
        _ => Err(Fault::Unreadable("the body must be an array of schedules".to_owned())),
    }
}

/// Lists who would miss a Worker that is deleted.
#[utoipa::path(get, path = "/references", tag = "Workers")]
pub(super) async fn references(State(api): State<Api>, target: Target) -> Reply<References> {
    ok(blocking(&api.store, move |store| referring(store, &target)).await?)
}

/// Lists the tails that send to a Worker: none.
#[utoipa::path(get, path = "/workers/tails/by-consumer/{script_name}", tag = "Workers")]
pub(super) async fn tails(State(api): State<Api>, target: Target) -> Reply<Empty> {
    blocking(&api.store, move |store| store.script(&target.key)).await?;
    ok(Empty)
}

/// Lists the Durable Object namespaces: none.
#[utoipa::path(get, path = "/workers/durable_objects/namespaces", tag = "Workers")]
pub(super) async fn durable_objects() -> Reply<Empty> {
    ok(Empty)
}

/// The bindings of the account's Workers that name a Worker: as a service, as an outbound Worker.
fn referring(store: &Store, target: &Target) -> Result<References, StoreError> {
    store.script(&target.key)?;
    let name = target.key.name.as_str();
    let (mut references, mut cursor) = (References::default(), None);
    loop {
        let page = store.scripts(Scope::Account, &TagFilter::default(), 100, cursor.as_deref())?;
        for script in page.items.iter().filter(|script| script.key != target.key) {
            for binding in store.load(&script.key)?.code.bindings {
                match binding.value {
                    BindingValue::Service { service, .. } if service.as_str() == name => {
                        references.services.incoming.push(ServiceReference {
                            service: script.key.name.as_str().to_owned(),
                            environment: PRODUCTION,
                            name: binding.name,
                        });
                    }
                    BindingValue::DispatchNamespace { namespace, outbound: Some(outbound) }
                        if outbound.service == name =>
                    {
                        let namespace = store.namespace_by_id(namespace).map(|namespace| namespace.name.to_string());
                        references.dispatch_outbounds.push(DispatchOutbound {
                            service: script.key.name.as_str().to_owned(),
                            environment: PRODUCTION,
                            name: binding.name,
                            namespace: namespace.unwrap_or_default(),
                            params: outbound.parameters.into_iter().map(|name| OutboundParameter { name }).collect(),
                        });
                    }
                    _ => {}
                }
            }
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(references);
        }
    }
}

async fn found(api: &Api, target: Target) -> Result<Script, Fault> {
    blocking(&api.store, move |store| store.script(&target.key)).await.map_err(|error| as_service(error.into()))
}

fn as_service(fault: Fault) -> Fault {
    if fault == Fault::ScriptMissing { Fault::ServiceMissing } else { fault }
}
