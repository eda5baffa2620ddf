//! Bindings as answers show them: a secret's text never.

use serde_json::{Value, json};

use crate::store::Store;
use crate::worker::{Binding, BindingValue};

/// What the API calls the type of a binding.
pub(in super::super) fn type_name(value: &BindingValue) -> &'static str {
    match value {
        BindingValue::AnalyticsEngine { .. } => "analytics_engine",
        BindingValue::D1 { .. } => "d1",
        BindingValue::DataBlob { .. } => "data_blob",
        BindingValue::DispatchNamespace { .. } => "dispatch_namespace",
        BindingValue::Json { .. } => "json",
        BindingValue::KvNamespace { .. } => "kv_namespace",
        BindingValue::PlainText { .. } => "plain_text",
        BindingValue::Ratelimit { .. } => "ratelimit",
        BindingValue::SecretText { .. } => "secret_text",
        BindingValue::Service { .. } => "service",
        BindingValue::TextBlob { .. } => "text_blob",
        BindingValue::WasmModule { .. } => "wasm_module",
    }
}

/// All bindings. Calls the store: run it where blocking is fine.
pub(in super::super) fn show_all(store: &Store, bindings: &[Binding]) -> Vec<Value> {
    bindings.iter().map(|binding| show(store, binding)).collect()
}

/// One binding.
pub(in super::super) fn show(store: &Store, Binding { name, value }: &Binding) -> Value {
    let mut shown = json!({ "name": name, "type": type_name(value) });
    let mut set = |key: &str, value: Value| {
        if !value.is_null() {
            shown[key] = value;
        }
    };
    match value {
        BindingValue::AnalyticsEngine { dataset } => set("dataset", json!(dataset)),
        // Two names of the same: the first is what clients send, the second what they call it by now.
        BindingValue::D1 { database_id } => {
            set("id", json!(database_id));
            set("database_id", json!(database_id));
        }
        BindingValue::DataBlob { part } | BindingValue::TextBlob { part } | BindingValue::WasmModule { part } => {
            set("part", json!(part));
        }
        BindingValue::DispatchNamespace { namespace, outbound } => {
            // Of a namespace that was deleted since, there is no name to show.
            set("namespace", json!(store.namespace_by_id(*namespace).ok().map(|namespace| namespace.name.to_string())));
            if let Some(outbound) = outbound {
                let mut worker = json!({ "service": outbound.service });
                if let Some(environment) = &outbound.environment {
                    worker["environment"] = json!(environment);
                }
                if let Some(entrypoint) = &outbound.entrypoint {
                    worker["entrypoint"] = json!(entrypoint);
                }
                let parameters: Vec<Value> = outbound.parameters.iter().map(|name| json!({ "name": name })).collect();
                set("outbound", json!({ "worker": worker, "params": parameters }));
            }
        }
        // `null` is a value.
        BindingValue::Json { json } => shown["json"] = json.clone(),
        BindingValue::KvNamespace { namespace_id } => set("namespace_id", json!(namespace_id)),
        BindingValue::PlainText { text } => set("text", json!(text)),
        BindingValue::Ratelimit { namespace_id, limit, period } => {
            set("namespace_id", json!(namespace_id));
            set("simple", json!({ "limit": limit, "period": period }));
        }
        BindingValue::SecretText { .. } => {}
        BindingValue::Service { service, entrypoint, environment } => {
            set("service", json!(service.as_str()));
            set("entrypoint", json!(entrypoint));
            set("environment", json!(environment));
        }
    }
    shown
}
