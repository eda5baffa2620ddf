//! From what is declared to what stands there: names of namespaces to their rows, parts to modules, `inherit` to the
//! bindings of a version before.

use super::super::error::Fault;
use super::declared::{Declared, DeclaredValue, MOST_VARIABLES};
use super::show::type_name;
use crate::analytics::is_dataset;
use crate::store::{Store, StoreError};
use crate::worker::{Binding, BindingValue, Code, Scope, ScriptKey};

/// What declared bindings are resolved against.
pub(in super::super) struct Before<'a> {
    /// The script that they are of.
    pub(in super::super) key: &'a ScriptKey,
    /// The code of its current version, if there is one.
    pub(in super::super) code: Option<&'a Code>,
    /// Which module a part is.
    pub(in super::super) module: &'a dyn Fn(&str) -> Option<String>,
    /// The types of bindings that stay when nothing of their name is declared.
    pub(in super::super) keep: &'a [&'a str],
    /// Whether an `inherit` that finds nothing is an error; else it is as if it had not been said.
    pub(in super::super) strict: bool,
}

/// Bindings that are resolved.
pub(in super::super) struct Resolution {
    /// All of them.
    pub(in super::super) bindings: Vec<Binding>,
    /// Whether any came from the version before, which must then still be the current one when they are written.
    pub(in super::super) inherited: bool,
}

/// Resolves bindings. Calls the store: run it where blocking is fine.
pub(in super::super) fn resolve(
    store: &Store,
    declared: &[Declared],
    before: &Before<'_>,
) -> Result<Resolution, Fault> {
    let old: &[Binding] = before.code.map_or(&[], |code| &code.bindings);
    let mut resolution = Resolution { bindings: Vec::with_capacity(declared.len()), inherited: false };
    for Declared { name, value } in declared {
        let value = match value {
            DeclaredValue::Value(value) => {
                check_exists(store, name, value, before)?;
                value.clone()
            }
            DeclaredValue::Dispatch { namespace, outbound } => {
                let namespace = store.namespace(namespace)?.id;
                if let Some(outbound) = outbound {
                    let service = super::super::path::script_name(&outbound.service)?;
                    check_service(store, name, &service, before)?;
                }
                BindingValue::DispatchNamespace { namespace, outbound: outbound.clone() }
            }
            DeclaredValue::Part { kind, part } => match (before.module)(part) {
                Some(module) => kind.of(module),
                None => {
                    return Err(Fault::Invalid(format!(
                        "binding `{name}` names the part `{}`, which the upload does not have",
                        super::super::error::shown(part)
                    )));
                }
            },
            DeclaredValue::Keep { kind } => match old.iter().find(|binding| binding.name == *name) {
                Some(binding) if type_name(&binding.value) == kind => {
                    resolution.inherited = true;
                    binding.value.clone()
                }
                // One that does not say which dataset it writes to writes to that of its name.
                None if kind == "analytics_engine" && is_dataset(name) => {
                    BindingValue::AnalyticsEngine { dataset: name.clone() }
                }
                _ => return Err(Fault::Inherit(name.clone())),
            },
            DeclaredValue::Inherit { old_name, version } => {
                match inherited(store, before, old_name, version.as_deref())? {
                    Some(value) => {
                        resolution.inherited |= version.is_none();
                        value
                    }
                    None if before.strict => return Err(Fault::Inherit(name.clone())),
                    None => continue,
                }
            }
        };
        resolution.bindings.push(Binding { name: name.clone(), value });
    }
    for binding in old {
        let declared = declared.iter().any(|declared| declared.name == binding.name);
        if !declared && before.keep.contains(&type_name(&binding.value)) {
            resolution.inherited = true;
            resolution.bindings.push(binding.clone());
        }
    }
    check_count(&resolution.bindings)?;
    Ok(resolution)
}

/// Variables and secrets together are bounded.
pub(in super::super) fn check_count(bindings: &[Binding]) -> Result<(), Fault> {
    let is_variable = |binding: &&Binding| {
        matches!(
            binding.value,
            BindingValue::Json { .. }
                | BindingValue::PlainText { .. }
                | BindingValue::SecretKey(_)
                | BindingValue::SecretText { .. }
        )
    };
    if bindings.iter().filter(is_variable).count() > MOST_VARIABLES {
        return Err(Fault::Invalid(format!("a Worker has at most {MOST_VARIABLES} variables and secrets together")));
    }
    Ok(())
}

fn inherited(
    store: &Store,
    before: &Before<'_>,
    name: &str,
    version: Option<&str>,
) -> Result<Option<BindingValue>, Fault> {
    let find = |code: &Code| code.bindings.iter().find(|binding| binding.name == name).map(|found| found.value.clone());
    match version {
        None => Ok(before.code.and_then(find)),
        Some(version) => match store.load_version(before.key, version) {
            Ok(loaded) => Ok(find(&loaded.code)),
            Err(StoreError::ScriptNotFound | StoreError::VersionNotFound) => Ok(None),
            Err(error) => Err(error.into()),
        },
    }
}

fn check_exists(store: &Store, name: &str, value: &BindingValue, before: &Before<'_>) -> Result<(), Fault> {
    match value {
        BindingValue::KvNamespace { namespace_id } => match store.kv_namespace(namespace_id) {
            Ok(_) => Ok(()),
            Err(StoreError::KvNamespaceNotFound) => Err(Fault::KvBinding { id: namespace_id.clone() }),
            Err(error) => Err(error.into()),
        },
        BindingValue::D1 { database_id } => match store.d1_database(database_id) {
            Ok(_) => Ok(()),
            Err(StoreError::D1DatabaseNotFound) => {
                Err(Fault::D1Binding { binding: name.to_owned(), id: database_id.clone() })
            }
            Err(error) => Err(error.into()),
        },
        BindingValue::Service { service, .. } => check_service(store, name, service, before),
        _ => Ok(()),
    }
}

/// Services are Workers of the account; one may name itself before it is there.
fn check_service(
    store: &Store,
    binding: &str,
    service: &crate::names::ScriptName,
    before: &Before<'_>,
) -> Result<(), Fault> {
    let key = ScriptKey { scope: Scope::Account, name: service.clone() };
    if key == *before.key {
        return Ok(());
    }
    match store.script(&key) {
        Ok(_) => Ok(()),
        Err(StoreError::ScriptNotFound) => {
            Err(Fault::ServiceBinding { binding: binding.to_owned(), service: service.to_string() })
        }
        Err(error) => Err(error.into()),
    }
}
