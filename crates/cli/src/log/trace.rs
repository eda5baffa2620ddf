//! Trace events of Workers, as `wrangler tail` and Logpush write them, with decision records among what the Worker printed.

use serde_json::Value;

use super::record::Record;

/// The names of members: of `wrangler tail`, and of Logpush's dataset `workers_trace_events`.
struct Names {
    logs: &'static str,
    message: &'static str,
    printed_at: &'static str,
    began_at: &'static str,
}

const TAIL: Names = Names { logs: "logs", message: "message", printed_at: "timestamp", began_at: "eventTimestamp" };
const LOGPUSH: Names =
    Names { logs: "Logs", message: "Message", printed_at: "TimestampMs", began_at: "EventTimestampMs" };

/// A trace event.
pub(super) struct Trace<'v> {
    value: &'v Value,
    names: &'static Names,
}

impl<'v> Trace<'v> {
    /// Takes an object for a trace event if it holds what a Worker printed.
    pub(super) fn of(value: &'v Value) -> Option<Self> {
        let names = [&TAIL, &LOGPUSH].into_iter().find(|names| value.get(names.logs).is_some_and(Value::is_array))?;
        Some(Self { value, names })
    }

    /// Whether the Worker is one of a dispatch namespace, so that a tenant wrote all this.
    pub(super) fn is_of_a_tenant(&self) -> bool {
        ["dispatchNamespace", "DispatchNamespace"].iter().any(|name| match self.value.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::String(namespace)) => !namespace.is_empty(),
            Some(_) => true,
        })
    }

    /// The Worker's name.
    pub(super) fn worker(&self) -> Option<&'v Value> {
        self.value.get("scriptName").or_else(|| self.value.get("ScriptName"))
    }

    /// The decision records among what was printed.
    pub(super) fn records(&self) -> Result<Vec<Record>, String> {
        let milliseconds = |value: &Value, name| value.get(name).and_then(Value::as_i64);
        let began_at = milliseconds(self.value, self.names.began_at);
        let mut records = Vec::new();
        for log in self.value.get(self.names.logs).and_then(Value::as_array).into_iter().flatten() {
            let at = milliseconds(log, self.names.printed_at).or(began_at).map(|at| at.div_euclid(1000));
            let printed = match log.get(self.names.message) {
                Some(Value::Array(printed)) => printed.as_slice(),
                Some(printed) => std::slice::from_ref(printed),
                None => &[],
            };
            for printed in printed {
                if let Some(record) = decision(printed) {
                    records.push(Record::read(record, at)?);
                }
            }
        }
        Ok(records)
    }
}

/// What was printed, if it is a decision record.
fn decision(printed: &Value) -> Option<Value> {
    let object = match printed {
        Value::String(text) if text.starts_with('{') => serde_json::from_str(text).ok()?,
        Value::Object(_) => printed.clone(),
        _ => return None,
    };
    (object.get("event")? == "decision").then_some(object)
}
