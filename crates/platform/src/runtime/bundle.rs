//! A Worker as it travels to the loader: a length (32 bits, big-endian), a JSON object of that many bytes, and the bytes
//! of the modules one after another. `js/isolates.js` reads it.

use serde::Serialize;
use serde_json::{Value, json};

use crate::worker::{Binding, BindingValue, Code, Entry, ModuleKind, SecretKey};

#[derive(Serialize)]
struct Head<'c> {
    version: &'c str,
    trusted: bool,
    /// Whether what it does is to be told.
    followed: bool,
    subrequests: Option<u64>,
    entry: &'c Entry,
    compatibility_date: &'c str,
    compatibility_flags: &'c [String],
    bindings: Vec<Value>,
    modules: Vec<ModuleHead<'c>>,
}

#[derive(Serialize)]
struct ModuleHead<'c> {
    name: &'c str,
    kind: ModuleKind,
    size: usize,
}

/// Writes one.
pub(super) fn encode(code: &Code, version: &str, trusted: bool, followed: bool) -> Result<Vec<u8>, serde_json::Error> {
    let module = |module: &'_ crate::worker::Module| module.content.len();
    let head = Head {
        version,
        trusted,
        followed,
        subrequests: code.subrequests(),
        entry: &code.entry,
        compatibility_date: &code.compatibility_date,
        compatibility_flags: &code.compatibility_flags,
        bindings: code.bindings.iter().map(binding).collect(),
        modules: code
            .modules
            .iter()
            .map(|known| ModuleHead { name: &known.name, kind: known.kind, size: module(known) })
            .collect(),
    };
    let head = serde_json::to_vec(&head)?;
    let length = u32::try_from(head.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(4 + head.len() + code.modules.iter().map(module).sum::<usize>());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&head);
    for module in &code.modules {
        bytes.extend_from_slice(&module.content);
    }
    Ok(bytes)
}

fn binding(binding: &Binding) -> Value {
    let name = &binding.name;
    match &binding.value {
        BindingValue::AnalyticsEngine { dataset } => {
            json!({ "type": "analytics_engine", "name": name, "dataset": dataset })
        }
        BindingValue::D1 { database_id } => json!({ "type": "d1", "name": name, "database_id": database_id }),
        BindingValue::Assets => json!({ "type": "assets", "name": name }),
        BindingValue::DataBlob { part } => json!({ "type": "data_blob", "name": name, "part": part }),
        BindingValue::DispatchNamespace { namespace, outbound } => {
            json!({ "type": "dispatch_namespace", "name": name, "namespace": namespace.0.to_string(), "outbound": outbound })
        }
        BindingValue::Json { json } => json!({ "type": "json", "name": name, "json": json }),
        BindingValue::KvNamespace { namespace_id } => {
            json!({ "type": "kv_namespace", "name": name, "namespace_id": namespace_id })
        }
        BindingValue::PlainText { text } => json!({ "type": "plain_text", "name": name, "text": text }),
        BindingValue::Ratelimit { namespace_id, limit, period } => {
            json!({ "type": "ratelimit", "name": name, "namespace_id": namespace_id, "limit": limit, "period": period })
        }
        BindingValue::SecretKey(SecretKey { algorithm, format, usages, data }) => json!({
            "type": "secret_key", "name": name, "algorithm": algorithm, "format": format, "usages": usages,
            "data": data.expose(),
        }),
        BindingValue::SecretText { text } => json!({ "type": "secret_text", "name": name, "text": text.expose() }),
        BindingValue::Service { service, entrypoint, .. } => {
            json!({ "type": "service", "name": name, "service": service.as_str(), "entrypoint": entrypoint })
        }
        BindingValue::TextBlob { part } => json!({ "type": "text_blob", "name": name, "part": part }),
        BindingValue::WasmModule { part } => json!({ "type": "wasm_module", "name": name, "part": part }),
    }
}
