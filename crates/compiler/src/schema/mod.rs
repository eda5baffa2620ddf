//! What may stand in a file, for editors and for people: a JSON Schema (draft-07, the newest that TOML tools read) and a
//! reference in Markdown, both made of the keys that the reader knows ([`crate::tree::keys`]).
//!
//! A schema says which keys there are and of what type their values are. What the values mean, names that must be declared,
//! patterns that must parse, is more than a schema can say: `tidegate check` says it.

mod reference;

use serde_json::{Map, Value, json};

pub use reference::reference;

use crate::diagnostic::{Code, Level};
use crate::syntax::keys;
use crate::tree::keys::{Key, Takes, Words};

/// A kind of file.
#[derive(Clone, Copy, Debug)]
pub struct Document {
    /// A word for it, as in `policy.schema.json`.
    pub name: &'static str,
    /// For people: "A policy".
    pub title: &'static str,
    /// What it is: Markdown, whole sentences.
    pub about: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

/// Policies.
pub const POLICY: Document = Document {
    name: "policy",
    title: "A policy",
    about: "What tenant code may reach, and with which credentials.",
    keys: keys::POLICY,
};

/// The schema of a kind of file.
pub fn json_schema(document: &Document) -> Value {
    let mut schema = table(document.keys, Role::Root);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!(format!("Tidegate: {}", document.title));
    schema["description"] = json!(document.about);
    schema
}

/// Whether a table may be empty, as far as its keys let it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It says something by being there.
    Root,
    /// Without any key it would mean everything.
    Condition,
}

fn table(keys: &[Key], role: Role) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if role == Role::Condition {
        schema["minProperties"] = json!(1);
    }
    if keys.iter().any(|key| key.name == "effect") && keys.iter().any(|key| key.name == "except") {
        let never: Map<String, Value> =
            keys::ALLOW_ONLY.iter().map(|(key, _)| ((*key).to_owned(), Value::Bool(false))).collect();
        schema["if"] = json!({ "properties": { "effect": { "const": "deny" } }, "required": ["effect"] });
        schema["then"] = json!({ "properties": never });
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = value(&key.takes);
    let mut description = sentence(key.meaning);
    if let Some(default) = key.default {
        match serde_json::from_str::<Value>(default) {
            Ok(default) => schema["default"] = default,
            Err(_) => description = format!("{description} Default: {default}."),
        }
    }
    schema["description"] = json!(description);
    schema
}

fn value(takes: &Takes) -> Value {
    match takes {
        Takes::Any => json!({}),
        Takes::Boolean => json!({ "type": "boolean" }),
        Takes::Choice(words) => choice(*words),
        Takes::Choices(words) => several(&choice(*words)),
        Takes::Date => json!({ "type": "string", "format": "date" }),
        Takes::FalseOrTable(keys) => json!({ "anyOf": [{ "const": false }, table(keys, Role::Root)] }),
        Takes::Id => json!({ "type": "string", "pattern": ID }),
        Takes::Instant => json!({
            "type": "string",
            "anyOf": [{ "format": "date" }, { "format": "date-time" }],
        }),
        Takes::Integer(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Takes::Integers(least, most) => several(&json!({ "type": "integer", "minimum": least, "maximum": most })),
        Takes::Levels => levels(),
        Takes::Named { ids, keys } => {
            let mut schema = json!({ "type": "object", "additionalProperties": table(keys, Role::Root) });
            if *ids {
                schema["propertyNames"] = json!({ "pattern": ID });
            }
            schema
        }
        Takes::Nullable(takes) => json!({ "anyOf": [{ "type": "null" }, value(takes)] }),
        Takes::Number(least, most) => json!({ "type": "number", "minimum": least, "maximum": most }),
        Takes::Table(keys) => table(keys, Role::Root),
        Takes::TableOrTables(keys) => {
            let table = table(keys, Role::Condition);
            json!({ "anyOf": [table, several(&table)] })
        }
        Takes::Tables(keys) => several(&table(keys, Role::Condition)),
        Takes::Text => text(),
        Takes::TextOrTexts => json!({ "anyOf": [text(), several(&text())] }),
        Takes::TextTable { may_be_empty } => {
            let mut schema = json!({ "type": "object", "additionalProperties": text() });
            if !may_be_empty {
                schema["minProperties"] = json!(1);
            }
            schema
        }
        Takes::Texts => several(&text()),
        Takes::TextsOrNone => json!({ "type": "array", "items": text() }),
        Takes::TextsTable => json!({
            "type": "object",
            "minProperties": 1,
            "additionalProperties": { "anyOf": [text(), several(&text())] },
        }),
        Takes::WordOrTable(word, keys) => json!({ "anyOf": [{ "const": word }, table(keys, Role::Root)] }),
    }
}

/// What ids are made of.
const ID: &str = "^[a-z0-9-]+$";

fn text() -> Value {
    json!({ "type": "string" })
}

fn several(item: &Value) -> Value {
    json!({ "type": "array", "minItems": 1, "items": item })
}

fn choice(words: &dyn Words) -> Value {
    json!({ "type": "string", "enum": words.words() })
}

fn levels() -> Value {
    let lint = |code: Code| {
        let mut schema = choice(&keys::LEVELS);
        schema["description"] = json!(code.summary());
        schema["default"] = json!(code.default_level().map(level));
        (code.as_str().to_owned(), schema)
    };
    let properties: Map<String, Value> = Code::lints().map(lint).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn level(level: Level) -> &'static str {
    keys::LEVELS.iter().find(|(_, known)| *known == level).map_or("", |(word, _)| word)
}

/// `a thing` → `A thing.`
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use jsonschema::Validator;

    use super::*;
    use crate::diagnostic::Diagnostic;
    use crate::source::SourceMap;
    use crate::syntax::{self, Role as FileRole};

    const DATE: &str = "2026-12-31";

    /// A value of every type, well and badly filled.
    const SAMPLES: [&str; 17] = [
        "\"text\"",
        "\"none\"",
        "\"allow\"",
        "1",
        "70000",
        "1.5",
        "true",
        DATE,
        "[]",
        "[\"text\"]",
        "[\"https\"]",
        "[1]",
        "[70000]",
        "[{}]",
        "{}",
        "{ expired = \"warn\" }",
        "{ x = {} }",
    ];

    /// Every table of a policy as a policy with nothing in it but what is required; `@` is the place for one more key.
    const TABLES: [(&[Key], &str); 9] = [
        (keys::POLICY, "policy = 1\n@\n"),
        (keys::IDENTITY, "policy = 1\n[identity]\n@\n"),
        (keys::CUSTOMER, "policy = 1\n[customers.acme]\n@\n"),
        (keys::LIST, "policy = 1\n[lists.ads]\nfile = \"ads.txt\"\nformat = \"domains\"\n@\n"),
        (keys::KEY, "policy = 1\n[keys.k]\nalg = \"ES256\"\nsecret = \"S\"\nkid = \"1\"\n@\n"),
        (keys::ENFORCE_FOR, "policy = 1\n[[enforce-for]]\ntags = [\"text\"]\n@\n"),
        (keys::RULE, "policy = 1\n[[rule]]\nid = \"a\"\neffect = \"allow\"\n@\n"),
        (
            keys::CONDITION,
            "policy = 1\n[[rule]]\nid = \"a\"\neffect = \"allow\"\n[[rule.except]]\nmethods = [\"GET\"]\n@\n",
        ),
        (
            keys::JWT,
            "policy = 1\n[[rule]]\nid = \"a\"\neffect = \"allow\"\n[rule.jwt]\nkey = \"k\"\naudience = \"a\"\nttl = \"5m\"\n@\n",
        ),
    ];

    fn validator() -> Validator {
        jsonschema::options().should_validate_formats(true).build(&json_schema(&POLICY)).unwrap()
    }

    /// TOML as JSON, as editors read it: dates are strings.
    fn json(text: &str) -> Value {
        fn convert(value: toml::Value) -> Value {
            match value {
                toml::Value::String(text) => text.into(),
                toml::Value::Integer(number) => number.into(),
                toml::Value::Float(number) => number.into(),
                toml::Value::Boolean(value) => value.into(),
                toml::Value::Datetime(datetime) => datetime.to_string().into(),
                toml::Value::Array(items) => items.into_iter().map(convert).collect(),
                toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, convert(value))).collect(),
            }
        }
        convert(toml::Value::Table(toml::from_str(text).unwrap()))
    }

    /// What reading a file finds, before any meaning is looked at.
    fn findings(text: &str) -> Vec<Diagnostic> {
        let mut sources = SourceMap::default();
        let file = sources.add(Path::new("policy.toml"), text.to_owned());
        let mut findings = Vec::new();
        syntax::parse(file, text, FileRole::Root, &mut findings);
        findings
    }

    #[test]
    fn the_schema_takes_what_the_reader_takes_for_every_key_and_type() {
        let validator = validator();
        let (mut taken, mut refused) = (0, 0);
        for (keys, table) in TABLES {
            for key in keys {
                // A second value for a required key would be no TOML: the sample takes the place of the first.
                let without: String = table.lines().filter(|line| !line.starts_with(&format!("{} = ", key.name))).fold(
                    String::new(),
                    |mut text, line| {
                        let _ = writeln!(text, "{line}");
                        text
                    },
                );
                for sample in SAMPLES {
                    let text = without.replace('@', &format!("{} = {sample}", key.name));
                    let findings = findings(&text);
                    // JSON has no dates: where a string may stand, editors let a date pass.
                    if sample == DATE && matches!(key.takes, Takes::Id | Takes::Text | Takes::TextOrTexts) {
                        assert!(!findings.is_empty(), "{text}");
                        continue;
                    }
                    let errors: Vec<_> = validator.iter_errors(&json(&text)).map(|error| error.to_string()).collect();
                    assert_eq!(findings.is_empty(), errors.is_empty(), "{text}\n{findings:#?}\n{errors:#?}");
                    if findings.is_empty() { taken += 1 } else { refused += 1 }
                }
                let text = without.replace('@', "");
                let is_refused = !findings(&text).is_empty();
                assert_eq!(!validator.is_valid(&json(&text)), is_refused, "{text}");
                assert!(is_refused || !key.required, "{text}");
            }
            let text = table.replace('@', "colour = \"blue\"");
            assert!(!findings(&text).is_empty() && !validator.is_valid(&json(&text)), "{text}");
        }
        assert!(taken > 60 && refused > 600, "{taken} {refused}");
    }

    #[test]
    fn a_deny_rule_has_no_key_that_only_allow_rules_have() {
        let validator = validator();
        let value = |key: &str| match key {
            "expires" => "2026-12-31",
            "websocket" => "true",
            "encoded" => "\"literal\"",
            "set" => "{ x = \"1\" }",
            "jwt" => "{ key = \"k\", audience = \"a\", ttl = \"5m\" }",
            _ => "[\"x\"]",
        };
        for (key, _) in keys::ALLOW_ONLY {
            let rule = |effect: &str| {
                json(&format!("policy = 1\n[[rule]]\nid = \"a\"\neffect = \"{effect}\"\n{key} = {}\n", value(key)))
            };
            assert!(validator.is_valid(&rule("allow")), "{key}");
            assert!(!validator.is_valid(&rule("deny")), "{key}");
        }
    }
}
