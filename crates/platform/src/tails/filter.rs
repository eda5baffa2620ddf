//! Which events a tail is told: all filters must let one pass.

use serde_json::Value;
use uuid::Uuid;

/// A filter, as `wrangler tail` names them.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// `outcome`: how the invocation ended, one of these.
    Outcome(Vec<String>),
    /// `method` of the request, one of these.
    Method(Vec<String>),
    /// `header` of the request: its name, and what its value holds.
    Header {
        /// In lower case.
        key: String,
        /// None for any value.
        query: Option<String>,
    },
    /// `query`: what a logged message holds.
    Query(String),
    /// `sampling_rate`: the part of all events that passes, above 0 and at most 1.
    SamplingRate(f64),
    /// `scriptVersion`: the version's id.
    Version(String),
}

/// Reads `filters` of a request for a tail. The error says what is wrong and where.
pub fn read(filters: &Value) -> Result<Vec<Filter>, String> {
    let filters = match filters {
        Value::Null => return Ok(Vec::new()),
        Value::Array(filters) => filters,
        _ => return Err("`filters` must be an array".to_owned()),
    };
    filters
        .iter()
        .enumerate()
        .map(|(index, filter)| one(filter).map_err(|why| format!("`filters[{index}]`: {why}")))
        .collect()
}

fn one(filter: &Value) -> Result<Filter, String> {
    let Some((key, value)) =
        filter.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.iter().next())
    else {
        return Err("a filter is an object with one field".to_owned());
    };
    let text = || value.as_str().map(str::to_owned).ok_or_else(|| format!("`{key}` must be a string"));
    Ok(match key.as_str() {
        "outcome" => Filter::Outcome(strings(key, value)?),
        "method" => Filter::Method(strings(key, value)?.iter().map(|method| method.to_ascii_uppercase()).collect()),
        "query" => Filter::Query(text()?),
        "scriptVersion" => Filter::Version(text()?),
        "header" => {
            let name = value.get("key").and_then(Value::as_str).ok_or("`header` must have a `key`")?;
            let query = value.get("query").and_then(Value::as_str).map(str::to_owned);
            Filter::Header { key: name.to_ascii_lowercase(), query }
        }
        "sampling_rate" => {
            let rate = value.as_f64().filter(|rate| *rate > 0.0 && *rate <= 1.0);
            Filter::SamplingRate(rate.ok_or("`sampling_rate` must be a number above 0 and at most 1")?)
        }
        "client_ip" => {
            return Err("this platform does not know the addresses of clients; leave `client_ip` out".to_owned());
        }
        _ => {
            return Err("a filter is one of `outcome`, `method`, `header`, `query`, `sampling_rate`, `scriptVersion`"
                .to_owned());
        }
    })
}

/// An array of strings, or one.
fn strings(key: &str, value: &Value) -> Result<Vec<String>, String> {
    let wrong = || format!("`{key}` must be an array of strings");
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect(),
        _ => Err(wrong()),
    }
}

impl Filter {
    pub(super) fn passes(&self, event: &Value) -> bool {
        let request = &event["event"]["request"];
        let is_one =
            |value: &Value, of: &[String]| value.as_str().is_some_and(|value| of.iter().any(|one| one == value));
        match self {
            Self::Outcome(outcomes) => is_one(&event["outcome"], outcomes),
            Self::Method(methods) => is_one(&request["method"], methods),
            Self::Header { key, query } => match (request["headers"][key.as_str()].as_str(), query) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(value), Some(query)) => value.contains(query.as_str()),
            },
            Self::Query(query) => logged(event).any(|text| text.contains(query.as_str())),
            // The first 32 bits of such an id are random.
            Self::SamplingRate(rate) => f64::from(Uuid::new_v4().as_fields().0) < rate * f64::from(u32::MAX),
            Self::Version(version) => event["scriptVersion"]["id"].as_str() == Some(version),
        }
    }
}

/// All that an invocation logged, as texts.
fn logged(event: &Value) -> impl Iterator<Item = String> {
    let messages = event["logs"].as_array().into_iter().flatten().filter_map(|log| log["message"].as_array());
    messages.flatten().map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_filter_lets_pass_what_it_names() {
        let event = json!({
            "outcome": "ok", "scriptVersion": { "id": "v1" },
            "logs": [{ "message": ["the order", { "id": 7 }] }],
            "event": { "request": { "method": "POST", "headers": { "x-customer": "acme" } } },
        });
        let cases = [
            (json!({ "outcome": ["ok", "canceled"] }), true),
            (json!({ "outcome": ["exception"] }), false),
            (json!({ "method": ["post"] }), true),
            (json!({ "method": "GET" }), false),
            (json!({ "header": { "key": "X-Customer" } }), true),
            (json!({ "header": { "key": "x-customer", "query": "cme" } }), true),
            (json!({ "header": { "key": "x-customer", "query": "globex" } }), false),
            (json!({ "header": { "key": "accept" } }), false),
            (json!({ "query": "order" }), true),
            (json!({ "query": "\"id\":7" }), true),
            (json!({ "query": "invoice" }), false),
            (json!({ "sampling_rate": 1 }), true),
            (json!({ "scriptVersion": "v1" }), true),
            (json!({ "scriptVersion": "v2" }), false),
        ];
        for (filter, passes) in cases {
            assert_eq!(one(&filter).unwrap().passes(&event), passes, "{filter}");
            let rpc = json!({ "outcome": "ok", "logs": [], "event": { "rpcMethod": "hello" } });
            // What has no request has no method and no header; nothing panics.
            one(&filter).unwrap().passes(&rpc);
        }
    }

    #[test]
    fn a_sample_is_about_as_large_as_was_asked_for() {
        let filter = one(&json!({ "sampling_rate": 0.25 })).unwrap();
        let passed = (0..4000).filter(|_| filter.passes(&json!({}))).count();
        assert!((700..1300).contains(&passed), "{passed} of 4000");
    }

    #[test]
    fn a_filter_that_cannot_be_is_refused_with_its_place() {
        let cases = [
            (json!({}), "`filters` must be an array"),
            (json!(["x"]), "`filters[0]`: a filter is an object"),
            (json!([{ "query": "a" }, { "invented": 1 }]), "`filters[1]`: a filter is one of"),
            (json!([{ "outcome": 1 }]), "`outcome` must be an array of strings"),
            (json!([{ "method": [1] }]), "`method` must be an array of strings"),
            (json!([{ "header": "x" }]), "`header` must have a `key`"),
            (json!([{ "sampling_rate": 0 }]), "above 0"),
            (json!([{ "client_ip": ["self"] }]), "leave `client_ip` out"),
        ];
        for (filters, why) in cases {
            let refused = read(&filters).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
        assert_eq!(read(&Value::Null), Ok(Vec::new()));
    }
}
