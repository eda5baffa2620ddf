//! Bindings as metadata declares them.

use base64ct::{Base64, Encoding as _};
use serde_json::{Map, Value};

use super::super::error::{Fault, shown};
use super::super::path::{namespace_name, script_name};
use crate::analytics::is_dataset;
use crate::names::NamespaceName;
use crate::worker::{BindingValue, KeyFormat, Outbound, Secret, SecretKey};

/// The most bytes of one variable or secret.
const LARGEST_VARIABLE: usize = 5 * 1024;
/// The longest name of a binding, in bytes.
const LONGEST_NAME: usize = 255;
/// Entrypoints that begin so are the platform's own.
const RESERVED: &str = "__Tidegate";
/// The most bindings, before anything of them is looked at.
const MOST_BINDINGS: usize = 1000;
/// The most variables and secrets, together.
pub(super) const MOST_VARIABLES: usize = 128;

/// A binding as it was declared: nothing of it has been looked up.
#[derive(Debug)]
pub(in super::super) struct Declared {
    /// Its name in the Worker's `env`.
    pub(in super::super) name: String,
    /// What is declared to stand behind it.
    pub(super) value: DeclaredValue,
}

/// What is declared to stand behind a binding.
#[derive(Debug)]
pub(super) enum DeclaredValue {
    /// The value itself; whether the KV namespace or the Worker that it names exists is not known.
    Value(BindingValue),
    /// A dispatch namespace, by its name.
    Dispatch { namespace: NamespaceName, outbound: Option<Outbound> },
    /// A module, by the name of its part.
    Part { kind: PartKind, part: String },
    /// A binding of a version before: of which name, in which version (none for the current one).
    Inherit { old_name: String, version: Option<String> },
    /// A name and a type alone: in a change of settings, what the script has already.
    Keep { kind: String },
}

/// What a module is bound as.
#[derive(Clone, Copy, Debug)]
pub(super) enum PartKind {
    Data,
    Text,
    Wasm,
}

impl PartKind {
    /// The binding of a module.
    pub(super) fn of(self, part: String) -> BindingValue {
        match self {
            Self::Data => BindingValue::DataBlob { part },
            Self::Text => BindingValue::TextBlob { part },
            Self::Wasm => BindingValue::WasmModule { part },
        }
    }
}

impl Declared {
    /// Reads the array of bindings.
    pub(in super::super) fn all(bindings: Vec<Value>) -> Result<Vec<Self>, Fault> {
        if bindings.len() > MOST_BINDINGS {
            return Err(Fault::Invalid(format!("a Worker has at most {MOST_BINDINGS} bindings")));
        }
        let mut names = std::collections::HashSet::new();
        bindings
            .into_iter()
            .enumerate()
            .map(|(index, binding)| {
                let binding = Self::read(index, binding)?;
                if !names.insert(binding.name.clone()) {
                    return Err(Fault::BindingTwice(binding.name));
                }
                Ok(binding)
            })
            .collect()
    }

    fn read(index: usize, binding: Value) -> Result<Self, Fault> {
        let Value::Object(mut fields) = binding else {
            return Err(Fault::Invalid(format!("`bindings[{index}]` must be an object")));
        };
        let name = match fields.remove("name") {
            Some(Value::String(name)) if !name.is_empty() => name,
            _ => return Err(Fault::BindingName(index)),
        };
        check_name(&name)?;
        let Some(Value::String(kind)) = fields.remove("type") else {
            return Err(Fault::Invalid(format!("binding `{}` must have a `type`", shown(&name))));
        };
        let mut fields = Fields { binding: &name, fields };
        let value = DeclaredValue::read(&kind, &mut fields)?;
        Ok(Self { name, value })
    }
}

impl DeclaredValue {
    fn read(kind: &str, fields: &mut Fields<'_>) -> Result<Self, Fault> {
        // A name and a type are all that it takes.
        if kind == "assets" {
            return Ok(Self::Value(BindingValue::Assets));
        }
        if fields.fields.is_empty() && kind != "inherit" {
            return if OFFERED.contains(&kind) {
                Ok(Self::Keep { kind: kind.to_owned() })
            } else {
                Err(not_offered(kind, fields.binding))
            };
        }
        Ok(match kind {
            "plain_text" => Self::Value(BindingValue::PlainText { text: fields.variable("text")? }),
            "secret_text" => Self::Value(BindingValue::SecretText { text: Secret::new(fields.variable("text")?) }),
            "secret_key" => Self::Value(BindingValue::SecretKey(fields.key(Material::Given)?)),
            "json" => {
                let json = fields.fields.remove("json").ok_or_else(|| fields.missing("json"))?;
                fields.check_length(json.to_string().len())?;
                Self::Value(BindingValue::Json { json })
            }
            "analytics_engine" => {
                let dataset = fields.optional("dataset")?.unwrap_or_else(|| fields.binding.to_owned());
                if !is_dataset(&dataset) {
                    return Err(fields.wrong("dataset", "a name: letters, digits and `_`, no digit first, at most 100"));
                }
                Self::Value(BindingValue::AnalyticsEngine { dataset })
            }
            "ratelimit" => rate_limit(fields)?,
            "d1" => {
                let id = fields.optional("id")?;
                let database_id = match id {
                    Some(id) => id,
                    None => fields.string("database_id")?,
                };
                Self::Value(BindingValue::D1 { database_id })
            }
            "kv_namespace" => Self::Value(BindingValue::KvNamespace { namespace_id: fields.string("namespace_id")? }),
            "service" => Self::Value(BindingValue::Service {
                service: script_name(&fields.string("service")?)?,
                entrypoint: entrypoint(fields)?,
                environment: fields.optional("environment")?,
            }),
            // The second is what `unsafe` bindings were once told to say.
            "dispatch_namespace" | "namespace" => {
                Self::Dispatch { namespace: namespace_name(&fields.string("namespace")?)?, outbound: outbound(fields)? }
            }
            "wasm_module" => Self::Part { kind: PartKind::Wasm, part: fields.string("part")? },
            "text_blob" => Self::Part { kind: PartKind::Text, part: fields.string("part")? },
            "data_blob" => Self::Part { kind: PartKind::Data, part: fields.string("part")? },
            "inherit" => Self::Inherit {
                old_name: fields.optional("old_name")?.unwrap_or_else(|| fields.binding.to_owned()),
                version: fields.optional("version_id")?.filter(|version| version != "latest"),
            },
            other => return Err(not_offered(other, fields.binding)),
        })
    }
}

/// The types that can be kept by name.
const OFFERED: [&str; 13] = [
    "analytics_engine",
    "d1",
    "data_blob",
    "dispatch_namespace",
    "json",
    "kv_namespace",
    "plain_text",
    "ratelimit",
    "secret_key",
    "secret_text",
    "service",
    "text_blob",
    "wasm_module",
];

fn not_offered(kind: &str, binding: &str) -> Fault {
    Fault::Invalid(format!(
        "binding `{}` is of the type `{}`, which this platform does not offer; take it out",
        shown(binding),
        shown(kind)
    ))
}

/// A secret: the body of `PUT …/secrets`, or an entry of `PATCH …/secrets-bulk`.
pub(in super::super) fn secret(
    name: &str,
    fields: Map<String, Value>,
    material: Material,
) -> Result<BindingValue, Fault> {
    check_name(name)?;
    let mut fields = Fields { binding: name, fields };
    match fields.fields.remove("type") {
        Some(Value::String(kind)) if kind == "secret_key" => Ok(BindingValue::SecretKey(fields.key(material)?)),
        Some(other) if other != "secret_text" => {
            let kind = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            Err(not_offered(&kind, name))
        }
        _ => Ok(BindingValue::SecretText { text: Secret::new(fields.variable("text")?) }),
    }
}

/// Whether a key must be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Material {
    /// It must.
    Given,
    /// It need not, since no Worker will ever see it: a seeded platform has forgotten it by the next request. The suites
    /// that it is there for put keys that are none.
    Passing,
}

/// Bindings with one of them given another value, or added.
pub(in super::super) fn with_value(bindings: &mut Vec<crate::worker::Binding>, name: &str, value: BindingValue) {
    match bindings.iter_mut().find(|binding| binding.name == name) {
        Some(binding) => binding.value = value,
        None => bindings.push(crate::worker::Binding { name: name.to_owned(), value }),
    }
}

/// A name is a property of `env` and, in service-worker syntax, a global.
fn check_name(name: &str) -> Result<(), Fault> {
    let refused = |why: &str| Err(Fault::Invalid(format!("`{}` cannot be the name of a binding: {why}", shown(name))));
    if name.len() > LONGEST_NAME {
        return refused("a name has at most 255 bytes");
    }
    if name.chars().any(char::is_control) {
        return refused("it holds a control character");
    }
    // Assigning it would change what the object is, and not give it a property.
    if name == "__proto__" || name.starts_with("__tidegate") {
        return refused("it has a meaning of its own; choose another");
    }
    Ok(())
}

/// `namespace_id` is a positive integer as text, `simple` the one kind that there is.
fn rate_limit(fields: &mut Fields<'_>) -> Result<DeclaredValue, Fault> {
    let namespace_id = match fields.fields.remove("namespace_id") {
        Some(Value::String(text)) => text,
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err(fields.missing("namespace_id")),
    };
    if !namespace_id.parse::<u64>().is_ok_and(|number| number > 0) {
        return Err(fields.wrong("namespace_id", "a positive integer, as a string"));
    }
    let simple = fields.fields.remove("simple").unwrap_or_default();
    let limit = simple["limit"].as_u64().filter(|limit| *limit > 0);
    let limit = limit.ok_or_else(|| fields.wrong("simple.limit", "a positive integer"))?;
    let period = simple["period"].as_u64().filter(|period| matches!(period, 10 | 60));
    let period = period.ok_or_else(|| fields.wrong("simple.period", "10 or 60"))?;
    Ok(DeclaredValue::Value(BindingValue::Ratelimit { namespace_id, limit, period }))
}

fn outbound(fields: &mut Fields<'_>) -> Result<Option<Outbound>, Fault> {
    let outbound = match fields.fields.remove("outbound") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(outbound)) => outbound,
        Some(_) => return Err(fields.wrong("outbound", "an object")),
    };
    let mut outbound = Fields { binding: fields.binding, fields: outbound };
    let parameters: Vec<String> = match outbound.fields.remove("params") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(parameters)) if parameters.len() > MOST_VARIABLES => {
            return Err(outbound.wrong("outbound.params", "of 128 names at most"));
        }
        Some(Value::Array(parameters)) => {
            parameters.iter().map(|parameter| parameter_name(parameter, &outbound)).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(outbound.wrong("outbound.params", "an array")),
    };
    for (index, parameter) in parameters.iter().enumerate() {
        if parameters.iter().take(index).any(|other| other == parameter) {
            return Err(Fault::Invalid(format!(
                "binding `{}` names the outbound parameter `{}` twice",
                shown(fields.binding),
                shown(parameter)
            )));
        }
    }
    let Some(Value::Object(worker)) = outbound.fields.remove("worker") else {
        return Err(outbound.wrong("outbound.worker", "an object"));
    };
    let mut worker = Fields { binding: fields.binding, fields: worker };
    let service = script_name(&worker.string("service")?)?;
    Ok(Some(Outbound {
        service: service.as_str().to_owned(),
        environment: worker.optional("environment")?,
        entrypoint: entrypoint(&mut worker)?,
        parameters,
    }))
}

/// A named entrypoint; those of the platform are for the platform.
fn entrypoint(fields: &mut Fields<'_>) -> Result<Option<String>, Fault> {
    let entrypoint = fields.optional("entrypoint")?;
    if entrypoint.as_ref().is_some_and(|name| name.starts_with(RESERVED)) {
        return Err(Fault::Invalid(format!(
            "binding `{}` names an entrypoint that begins with `{RESERVED}`: such names are the platform's own",
            shown(fields.binding)
        )));
    }
    Ok(entrypoint)
}

/// A parameter's name: today `{"name": "a"}`, once `"a"`.
fn parameter_name(parameter: &Value, outbound: &Fields<'_>) -> Result<String, Fault> {
    let name = parameter.as_str().or_else(|| parameter.get("name").and_then(Value::as_str));
    let name = name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| outbound.wrong("outbound.params", "an array of objects with a `name`"))?;
    check_name(name)?;
    Ok(name.to_owned())
}

/// The fields of a binding that were not read yet.
struct Fields<'a> {
    binding: &'a str,
    fields: Map<String, Value>,
}

impl Fields<'_> {
    fn string(&mut self, key: &str) -> Result<String, Fault> {
        match self.fields.remove(key) {
            Some(Value::String(text)) => Ok(text),
            None | Some(Value::Null) => Err(self.missing(key)),
            Some(_) => Err(self.wrong(key, "a string")),
        }
    }

    fn optional(&mut self, key: &str) -> Result<Option<String>, Fault> {
        match self.fields.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(_) => Err(self.wrong(key, "a string")),
        }
    }

    /// What `crypto.subtle.importKey()` is called with. Whether it makes a key of that is for the start check.
    fn key(&mut self, material: Material) -> Result<SecretKey, Fault> {
        const USAGES: [&str; 8] =
            ["decrypt", "deriveBits", "deriveKey", "encrypt", "sign", "unwrapKey", "verify", "wrapKey"];
        let algorithm = match self.fields.remove("algorithm") {
            None | Some(Value::Null) => return Err(self.missing("algorithm")),
            Some(algorithm @ (Value::Object(_) | Value::String(_))) => algorithm,
            Some(_) => return Err(self.wrong("algorithm", "an object")),
        };
        let format = self.string("format")?;
        let format = serde_json::from_value(Value::String(format))
            .map_err(|_| self.wrong("format", "one of `jwk`, `pkcs8`, `raw`, `spki`"))?;
        let one_of = || self.wrong("usages", &format!("an array of some of `{}`", USAGES.join("`, `")));
        let usages = match self.fields.get("usages") {
            None | Some(Value::Null) => return Err(self.missing("usages")),
            Some(Value::Array(usages)) => usages
                .iter()
                .map(|usage| {
                    usage.as_str().filter(|usage| USAGES.contains(usage)).map(str::to_owned).ok_or_else(one_of)
                })
                .collect::<Result<Vec<_>, _>>()?,
            Some(_) => return Err(one_of()),
        };
        let data = match self.key_data(format) {
            Err(_) if material == Material::Passing => String::new(),
            other => other?,
        };
        self.check_length(data.len())?;
        Ok(SecretKey { algorithm, format, usages, data: Secret::new(data) })
    }

    fn key_data(&mut self, format: KeyFormat) -> Result<String, Fault> {
        if format == KeyFormat::Jwk {
            return match self.fields.remove("key_jwk") {
                None | Some(Value::Null) => Err(self.missing("key_jwk")),
                Some(key @ Value::Object(_)) => Ok(key.to_string()),
                Some(_) => Err(self.wrong("key_jwk", "an object")),
            };
        }
        let data = self.string("key_base64")?;
        match Base64::decode_vec(&data) {
            Ok(_) => Ok(data),
            Err(_) => Err(self.wrong("key_base64", "base64")),
        }
    }

    fn variable(&mut self, key: &str) -> Result<String, Fault> {
        let text = self.string(key)?;
        self.check_length(text.len())?;
        Ok(text)
    }

    fn check_length(&self, length: usize) -> Result<(), Fault> {
        if length <= LARGEST_VARIABLE {
            return Ok(());
        }
        Err(Fault::Invalid(format!(
            "binding `{}` is too large: it has {length} bytes, and variables and secrets have at most {LARGEST_VARIABLE}",
            shown(self.binding)
        )))
    }

    fn missing(&self, key: &str) -> Fault {
        Fault::Invalid(format!("binding `{}` must have `{key}`", shown(self.binding)))
    }

    fn wrong(&self, key: &str, what: &str) -> Fault {
        Fault::Invalid(format!("`{key}` of binding `{}` must be {what}", shown(self.binding)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(binding: Value) -> String {
        match Declared::all(vec![binding]) {
            Err(Fault::Invalid(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_type_that_is_not_offered_is_refused_by_name() {
        let others = [
            "ai",
            "browser",
            "durable_object_namespace",
            "hyperdrive",
            "images",
            "logfwdr",
            "mtls_certificate",
            "pipelines",
            "queue",
            "r2_bucket",
            "secrets_store_secret",
            "send_email",
            "vectorize",
            "version_metadata",
            "vpc_service",
            "worker_loader",
            "workflow",
            "invented",
        ];
        for kind in others {
            for binding in [json!({ "type": kind, "name": "B" }), json!({ "type": kind, "name": "B", "id": "x" })] {
                let why = refusal(binding);
                assert!(why.contains("`B`") && why.contains(&format!("`{kind}`")), "{why}");
            }
        }
    }

    #[test]
    fn a_binding_of_assets_is_a_name_and_a_type() {
        for binding in
            [json!({ "type": "assets", "name": "ASSETS" }), json!({ "type": "assets", "name": "ASSETS", "x": 1 })]
        {
            let [Declared { name, value }] = Declared::all(vec![binding]).unwrap().try_into().unwrap();
            assert_eq!(name, "ASSETS");
            assert!(matches!(value, DeclaredValue::Value(BindingValue::Assets)));
        }
    }

    #[test]
    fn a_dispatch_binding_is_read_in_each_form_that_was_ever_documented() {
        let worker = json!({ "service": "outbound", "environment": "production" });
        let cases = [
            ("objects", "dispatch_namespace", json!([{ "name": "customer" }, { "name": "url" }])),
            ("strings", "dispatch_namespace", json!(["customer", "url"])),
            ("the type of the first pages", "namespace", json!(["customer", "url"])),
        ];
        for (case, kind, params) in cases {
            let binding = json!({
                "type": kind, "name": "D", "namespace": "production",
                "outbound": { "worker": worker, "params": params },
            });
            let [Declared { name, value }] = Declared::all(vec![binding]).unwrap().try_into().unwrap();
            let DeclaredValue::Dispatch { namespace, outbound: Some(outbound) } = value else { panic!("{case}") };
            assert_eq!((name.as_str(), namespace.as_str()), ("D", "production"), "{case}");
            assert_eq!(outbound.service, "outbound", "{case}");
            assert_eq!(outbound.environment.as_deref(), Some("production"), "{case}");
            assert_eq!(outbound.parameters, ["customer", "url"], "{case}");
        }
    }

    #[test]
    fn bindings_that_cannot_be_say_which_they_are() {
        let cases = [
            (json!({ "type": "plain_text", "name": "V", "text": 1 }), "`text` of binding `V` must be a string"),
            (json!({ "type": "plain_text", "name": "V", "value": "x" }), "binding `V` must have `text`"),
            (json!({ "type": "plain_text", "name": "V", "text": "x".repeat(5121) }), "at most 5120"),
            (json!({ "type": "json", "name": "V", "json": "x".repeat(5121) }), "at most 5120"),
            (json!({ "type": "kv_namespace", "name": "V", "id": "x" }), "binding `V` must have `namespace_id`"),
            (json!({ "type": "analytics_engine", "name": "V", "dataset": "a-b" }), "`dataset` of binding `V` must be"),
            (json!({ "type": "ratelimit", "name": "V", "simple": {} }), "binding `V` must have `namespace_id`"),
            (json!({ "type": "ratelimit", "name": "V", "namespace_id": "x" }), "`namespace_id` of binding `V`"),
            (
                json!({ "type": "ratelimit", "name": "V", "namespace_id": "1", "simple": { "limit": 5, "period": 30 } }),
                "`simple.period` of binding `V` must be 10 or 60",
            ),
            (
                json!({ "type": "ratelimit", "name": "V", "namespace_id": "1", "simple": { "period": 10 } }),
                "`simple.limit`",
            ),
            (json!({ "name": "V", "text": "x" }), "binding `V` must have a `type`"),
            (json!({ "type": "plain_text", "name": "__proto__", "text": "x" }), "`__proto__` cannot be"),
            (json!({ "type": "plain_text", "name": "a\0b", "text": "x" }), "control character"),
            (json!("V"), "`bindings[0]` must be an object"),
            (
                json!({ "type": "dispatch_namespace", "name": "D", "namespace": "n", "outbound": {} }),
                "`outbound.worker` of binding `D`",
            ),
            (
                json!({ "type": "dispatch_namespace", "name": "D", "namespace": "n",
                        "outbound": { "worker": { "service": "o" }, "params": ["a", { "name": "a" }] } }),
                "the outbound parameter `a` twice",
            ),
            (
                json!({ "type": "dispatch_namespace", "name": "D", "namespace": "n",
                        "outbound": { "worker": { "service": "o" }, "params": [1] } }),
                "`outbound.params` of binding `D`",
            ),
            (
                json!({ "type": "dispatch_namespace", "name": "D", "namespace": "n",
                        "outbound": { "worker": { "service": "o", "entrypoint": "__TidegateOutbound" } } }),
                "the platform's own",
            ),
            (
                json!({ "type": "service", "name": "S", "service": "s", "entrypoint": "__TidegateControl" }),
                "the platform's own",
            ),
        ];
        for (binding, expected) in cases {
            let why = refusal(binding.clone());
            assert!(why.contains(expected), "{binding}: {why}");
        }
        let name_of =
            |name: Value| Declared::all(vec![json!({ "type": "json", "name": name, "json": 1 })]).unwrap_err();
        assert_eq!(name_of(json!("")), Fault::BindingName(0));
        assert_eq!(name_of(json!(3)), Fault::BindingName(0));
        let one = json!({ "type": "plain_text", "name": "V", "text": "x" });
        assert_eq!(Declared::all(vec![one.clone(), one]).unwrap_err(), Fault::BindingTwice("V".to_owned()));
        let bad_service = json!({ "type": "service", "name": "S", "service": "../x" });
        assert!(matches!(Declared::all(vec![bad_service]).unwrap_err(), Fault::Name { .. }));
    }
}
