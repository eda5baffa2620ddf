//! Bindings as answers show them: a secret's text, or key, never.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::store::Store;
use crate::worker::{Binding, BindingValue, KeyFormat, Outbound, SecretKey};

/// A binding, without what is secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Binding)]
pub(in super::super) struct ShownBinding {
    name: String,
    #[serde(flatten)]
    value: ShownValue,
}

/// What stands behind a binding.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BindingValue)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ShownValue {
    AnalyticsEngine {
        dataset: String,
    },
    Assets,
    D1 {
        /// What clients send.
        id: String,
        /// The same.
        database_id: String,
    },
    DataBlob {
        part: String,
    },
    DispatchNamespace {
        /// Of a namespace that was deleted since, there is no name to show.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        namespace: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        outbound: Option<ShownOutbound>,
    },
    Json {
        json: Value,
    },
    KvNamespace {
        namespace_id: String,
    },
    PlainText {
        text: String,
    },
    Ratelimit {
        namespace_id: String,
        simple: RateLimit,
    },
    SecretKey {
        #[schema(value_type = Object)]
        algorithm: Value,
        #[schema(value_type = String)]
        format: KeyFormat,
        usages: Vec<String>,
    },
    SecretText,
    Service {
        service: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        entrypoint: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        environment: Option<String>,
    },
    TextBlob {
        part: String,
    },
    WasmModule {
        part: String,
    },
}

/// So many in so many seconds.
#[derive(Debug, Serialize, ToSchema)]
struct RateLimit {
    limit: u64,
    /// 10 or 60.
    period: u64,
}

/// What the requests of a dispatch namespace's Workers go through.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Outbound)]
struct ShownOutbound {
    worker: OutboundWorker,
    params: Vec<OutboundParameter>,
}

/// An outbound Worker.
#[derive(Debug, Serialize, ToSchema)]
struct OutboundWorker {
    service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    entrypoint: Option<String>,
}

/// A parameter that `get()` may pass to the outbound Worker.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct OutboundParameter {
    pub(in super::super) name: String,
}

/// What the API calls the type of a binding.
pub(in super::super) fn type_name(value: &BindingValue) -> &'static str {
    match value {
        BindingValue::AnalyticsEngine { .. } => "analytics_engine",
        BindingValue::D1 { .. } => "d1",
        BindingValue::Assets => "assets",
        BindingValue::DataBlob { .. } => "data_blob",
        BindingValue::DispatchNamespace { .. } => "dispatch_namespace",
        BindingValue::Json { .. } => "json",
        BindingValue::KvNamespace { .. } => "kv_namespace",
        BindingValue::PlainText { .. } => "plain_text",
        BindingValue::Ratelimit { .. } => "ratelimit",
        BindingValue::SecretKey(_) => "secret_key",
        BindingValue::SecretText { .. } => "secret_text",
        BindingValue::Service { .. } => "service",
        BindingValue::TextBlob { .. } => "text_blob",
        BindingValue::WasmModule { .. } => "wasm_module",
    }
}

/// All bindings. Calls the store: run it where blocking is fine.
pub(in super::super) fn show_all(store: &Store, bindings: &[Binding]) -> Vec<ShownBinding> {
    bindings.iter().map(|binding| show(store, binding.clone())).collect()
}

/// One binding.
fn show(store: &Store, Binding { name, value }: Binding) -> ShownBinding {
    let value = match value {
        BindingValue::AnalyticsEngine { dataset } => ShownValue::AnalyticsEngine { dataset },
        BindingValue::D1 { database_id } => ShownValue::D1 { id: database_id.clone(), database_id },
        BindingValue::Assets => ShownValue::Assets,
        BindingValue::DataBlob { part } => ShownValue::DataBlob { part },
        BindingValue::DispatchNamespace { namespace, outbound } => ShownValue::DispatchNamespace {
            namespace: store.namespace_by_id(namespace).ok().map(|namespace| namespace.name.to_string()),
            outbound: outbound.map(show_outbound),
        },
        BindingValue::Json { json } => ShownValue::Json { json },
        BindingValue::KvNamespace { namespace_id } => ShownValue::KvNamespace { namespace_id },
        BindingValue::PlainText { text } => ShownValue::PlainText { text },
        BindingValue::Ratelimit { namespace_id, limit, period } => {
            ShownValue::Ratelimit { namespace_id, simple: RateLimit { limit, period } }
        }
        BindingValue::SecretKey(SecretKey { algorithm, format, usages, .. }) => {
            ShownValue::SecretKey { algorithm, format, usages }
        }
        BindingValue::SecretText { .. } => ShownValue::SecretText,
        BindingValue::Service { service, entrypoint, environment } => {
            ShownValue::Service { service: service.to_string(), entrypoint, environment }
        }
        BindingValue::TextBlob { part } => ShownValue::TextBlob { part },
        BindingValue::WasmModule { part } => ShownValue::WasmModule { part },
    };
    ShownBinding { name, value }
}

fn show_outbound(Outbound { service, environment, entrypoint, parameters }: Outbound) -> ShownOutbound {
    ShownOutbound {
        worker: OutboundWorker { service, environment, entrypoint },
        params: parameters.into_iter().map(|name| OutboundParameter { name }).collect(),
    }
}
