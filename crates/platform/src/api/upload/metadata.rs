//! The metadata of an upload, and the settings of a script, which are the same thing without its code.

use serde_json::{Map, Value};

use super::super::assets::Assets;
use super::super::bindings::Declared;
use super::super::error::{Fault, shown};
use super::super::tags;
use super::modules::Start;

/// The settings that are kept and given back as they came. Keys that are in no list are passed over, as Cloudflare does:
/// clients send more than any server knows.
const KEPT: [&str; 9] = [
    "annotations",
    "cache_options",
    "limits",
    "logpush",
    "observability",
    "placement",
    "streaming_tail_consumers",
    "tail_consumers",
    "usage_model",
];
/// What Cloudflare offers and this platform does not yet, and what to call it.
const NOT_YET: [(&str, &str); 2] =
    [("containers", "containers"), ("migrations", "Durable Objects and their migrations")];

/// What metadata says. What it does not say is `None`: an upload and a change of settings fill that in differently.
#[derive(Debug, Default)]
pub(in super::super) struct Metadata {
    /// Where the Worker starts.
    pub(in super::super) start: Option<Start>,
    /// Its static assets.
    pub(in super::super) assets: Assets,
    /// All bindings.
    pub(in super::super) bindings: Option<Vec<Declared>>,
    /// Types of bindings to be taken over from the version before.
    pub(in super::super) keep_bindings: Option<Vec<String>>,
    /// `YYYY-MM-DD`; whether it is a date of this runtime is for the start check.
    pub(in super::super) compatibility_date: Option<String>,
    /// Flags of the runtime, as unchecked.
    pub(in super::super) compatibility_flags: Option<Vec<String>>,
    /// Tags of the script.
    pub(in super::super) tags: Option<Vec<String>>,
    /// The other settings; `null` takes one away.
    pub(in super::super) settings: Map<String, Value>,
}

impl Metadata {
    /// Reads the JSON of a part.
    pub(in super::super) fn parse(part: &str, json: &[u8]) -> Result<Self, Fault> {
        let value: Value = serde_json::from_slice(json)
            .map_err(|error| Fault::Invalid(format!("Could not parse the part `{part}` as JSON: {error}")))?;
        Self::read(part, value)
    }

    /// Reads JSON that was parsed.
    pub(in super::super) fn read(part: &str, value: Value) -> Result<Self, Fault> {
        let Value::Object(mut object) = value else {
            return Err(Fault::Invalid(format!("the part `{part}` must be a JSON object")));
        };
        // `null` is the same as nothing, but for settings, which it takes away.
        let mut taken = |key: &str| object.remove(key).filter(|value| !value.is_null());
        for (key, what) in NOT_YET {
            if taken(key).is_some_and(|value| value.as_array().is_none_or(|array| !array.is_empty())) {
                return Err(Fault::NotYet(what));
            }
        }
        let assets = Assets::read(part, taken("assets"), taken("keep_assets"))?;
        let start = match (taken("main_module"), taken("body_part")) {
            (Some(_), Some(_)) => {
                return Err(Fault::Invalid(format!("`{part}` has both `main_module` and `body_part`; name one")));
            }
            (Some(name), None) => Some(Start::MainModule(string(part, "main_module", name)?)),
            (None, Some(name)) => Some(Start::BodyPart(string(part, "body_part", name)?)),
            (None, None) => None,
        };
        let bindings = match taken("bindings") {
            None => None,
            Some(Value::Array(bindings)) => Some(Declared::all(bindings)?),
            Some(_) => return Err(Fault::Invalid(format!("`bindings` of `{part}` must be an array"))),
        };
        let list = |key: &str, value: Option<Value>| value.map(|value| strings(part, key, value)).transpose();
        let keep_bindings = list("keep_bindings", taken("keep_bindings"))?;
        let compatibility_flags = list("compatibility_flags", taken("compatibility_flags"))?;
        let tags = taken("tags").map(tags::parse).transpose()?;
        let compatibility_date =
            taken("compatibility_date").map(|value| string(part, "compatibility_date", value)).transpose()?;
        let settings: Map<String, Value> =
            KEPT.iter().filter_map(|key| Some(((*key).to_owned(), object.remove(*key)?))).collect();
        check_settings(part, &settings)?;
        Ok(Self { start, assets, bindings, keep_bindings, compatibility_date, compatibility_flags, tags, settings })
    }
}

/// Settings are of the type that they are described as: what is kept is given back, and clients read it as that.
fn check_settings(part: &str, settings: &Map<String, Value>) -> Result<(), Fault> {
    for (key, value) in settings.iter().filter(|(_, value)| !value.is_null()) {
        let (is_right, wanted) = match key.as_str() {
            "logpush" => (value.is_boolean(), "`true` or `false`"),
            "streaming_tail_consumers" | "tail_consumers" => {
                (value.as_array().is_some_and(|items| items.iter().all(Value::is_object)), "an array of objects")
            }
            "usage_model" => (value.is_string(), "a string"),
            _ => (value.is_object(), "an object"),
        };
        if !is_right {
            return Err(Fault::Invalid(format!("`{key}` of `{part}` must be {wanted}")));
        }
    }
    let Some(Value::Object(limits)) = settings.get("limits") else { return Ok(()) };
    for key in ["cpu_ms", "subrequests", "subRequests"] {
        if limits.get(key).is_some_and(|limit| !limit.is_null() && limit.as_u64().is_none_or(|limit| limit == 0)) {
            return Err(Fault::Invalid(format!("`limits.{key}` of `{part}` must be a positive integer")));
        }
    }
    Ok(())
}

fn string(part: &str, key: &str, value: Value) -> Result<String, Fault> {
    match value {
        Value::String(text) => Ok(text),
        other => {
            Err(Fault::Invalid(format!("`{key}` of `{part}` must be a string, and is `{}`", shown(&other.to_string()))))
        }
    }
}

fn strings(part: &str, key: &str, value: Value) -> Result<Vec<String>, Fault> {
    let Value::Array(items) = value else {
        return Err(Fault::Invalid(format!("`{key}` of `{part}` must be an array of strings")));
    };
    items.into_iter().map(|item| string(part, key, item)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: Value) -> Result<Metadata, Fault> {
        Metadata::read("metadata", value)
    }

    #[test]
    fn what_metadata_says_is_read_and_what_nobody_knows_is_passed_over() {
        let metadata = parse(json!({
            "main_module": "w.js", "compatibility_date": "2026-01-01", "compatibility_flags": ["nodejs_compat"],
            "tags": ["a"], "keep_bindings": ["secret_text"], "limits": { "cpu_ms": 50, "subrequests": 3 },
            "logpush": null, "capnp_schema": "x", "code_update_strategy": { "mode": "deferred" }, "migrations": null,
        }))
        .unwrap();
        assert_eq!(metadata.start, Some(Start::MainModule("w.js".to_owned())));
        assert_eq!(metadata.compatibility_date.as_deref(), Some("2026-01-01"));
        assert_eq!(metadata.tags.as_deref(), Some(["a".to_owned()].as_slice()));
        assert_eq!(
            Value::Object(metadata.settings),
            json!({ "limits": { "cpu_ms": 50, "subrequests": 3 }, "logpush": null })
        );
        assert!(metadata.bindings.is_none());
    }

    #[test]
    fn metadata_that_cannot_be_says_where() {
        let cases = [
            (json!([]), "JSON object"),
            (json!({ "main_module": 1 }), "`main_module`"),
            (json!({ "main_module": "a", "body_part": "b" }), "both"),
            (json!({ "bindings": {} }), "`bindings`"),
            (json!({ "compatibility_flags": "x" }), "`compatibility_flags`"),
            (json!({ "compatibility_flags": [1] }), "`compatibility_flags`"),
            (json!({ "compatibility_date": 20_260_101 }), "`compatibility_date`"),
            (json!({ "limits": 3 }), "`limits`"),
            (json!({ "annotations": "x" }), "`annotations`"),
            (json!({ "cache_options": [] }), "`cache_options`"),
            (json!({ "logpush": "yes" }), "`logpush`"),
            (json!({ "observability": true }), "`observability`"),
            (json!({ "placement": "smart" }), "`placement`"),
            (json!({ "tail_consumers": true }), "`tail_consumers`"),
            (json!({ "tail_consumers": ["x"] }), "`tail_consumers`"),
            (json!({ "streaming_tail_consumers": {} }), "`streaming_tail_consumers`"),
            (json!({ "usage_model": 1 }), "`usage_model`"),
            (json!({ "limits": { "subrequests": -1 } }), "`limits.subrequests`"),
        ];
        for (value, place) in cases {
            let refused = parse(value.clone()).unwrap_err();
            assert!(matches!(&refused, Fault::Invalid(why) if why.contains(place)), "{value}: {refused:?}");
        }
        let refused = Metadata::parse("metadata", b"{\n  \"a\": 1 // no\n}").unwrap_err();
        assert!(matches!(&refused, Fault::Invalid(why) if why.contains("line 2 column 10")), "{refused:?}");
        assert!(Metadata::parse("metadata", b"\xff").is_err());
    }

    #[test]
    fn what_is_not_offered_yet_is_refused_and_its_absence_is_not() {
        assert!(parse(json!({ "migrations": { "new_tag": "v1" } })).is_err());
        assert!(parse(json!({ "containers": [{}] })).is_err());
        assert!(parse(json!({ "containers": [], "assets": null })).is_ok());
    }
}
