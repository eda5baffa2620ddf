//! `tidegate schema`, and what is written with it.

use std::fs;
use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::Folder;

fn schema(what: &str) -> Validator {
    let folder = Folder::new();
    let schema: Value = serde_json::from_str(&folder.run(&["schema", what]).ends(0).stdout).expect("JSON");
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema")
}

/// TOML as editors give it to a schema: dates are strings.
fn editors_see(text: &str) -> Value {
    fn convert(value: toml::Value) -> Value {
        match value {
            toml::Value::Datetime(datetime) => datetime.to_string().into(),
            toml::Value::Array(items) => items.into_iter().map(convert).collect(),
            toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, convert(value))).collect(),
            other => serde_json::to_value(other).expect("JSON"),
        }
    }
    convert(toml::Value::Table(toml::from_str(text).expect("TOML")))
}

#[test]
fn what_is_written_in_docs_is_what_the_command_writes() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let folder = Folder::new();
    for (what, file) in [
        ("policy", "schema/policy.schema.json"),
        ("test", "schema/test.schema.json"),
        ("decision", "schema/decision.schema.json"),
        ("openapi", "schema/openapi.json"),
        ("reference", "reference.md"),
    ] {
        let written = fs::read_to_string(docs.join(file)).unwrap_or_default();
        assert!(written == folder.run(&["schema", what]).ends(0).stdout, "docs/{file} is old: run `cargo xtask docs`");
    }
    assert_eq!(folder.run(&["schema"]).ends(0).stdout, folder.run(&["schema", "policy"]).stdout);
    assert_eq!(folder.run(&["schema", "--format", "json"]).ends(0).stdout.lines().count(), 1);
    folder.run(&["schema", "weather"]).ends(2);
}

#[test]
fn what_init_writes_is_valid_by_the_schemas_and_small_slips_are_not() {
    let folder = Folder::new();
    folder.run(&["init"]).ends(0);
    let text = |name: &str| String::from_utf8(folder.read(name)).expect("UTF-8");
    let (policy, tests) = (text("policies/policy.toml"), text("policies/policy.test.toml"));
    assert!(schema("policy").is_valid(&editors_see(&policy)));
    assert!(schema("test").is_valid(&editors_see(&tests)));
    for slip in
        ["[[rule]]\nid = \"a\"\neffect = \"alow\"\n", "[[rule]]\nid = \"a\"\n", "[lints]\nconflict = \"warn\"\n"]
    {
        assert!(!schema("policy").is_valid(&editors_see(&format!("{policy}\n{slip}"))), "{slip}");
    }
    for slip in
        ["expct = { effect = \"deny\" }", "expect = { effect = \"deny\", reason = \"because\" }", "at = \"soon\""]
    {
        let text = format!("[[case]]\nname = \"n\"\nurl = \"u\"\nexpect = {{ effect = \"deny\" }}\n{slip}");
        // A second `expect` would be no TOML.
        let text =
            if slip.starts_with("expect") { text.replacen("expect = { effect = \"deny\" }\n", "", 1) } else { text };
        assert!(!schema("test").is_valid(&editors_see(&text)), "{slip}");
    }
}

#[test]
fn every_kind_of_decision_is_valid_by_its_schema() {
    let folder = Folder::with_policy();
    let schema = schema("decision");
    let requests = [
        json!({ "id": "token", "url": "https://api.example.com/", "customer": "acme", "tags": [] }),
        json!({ "id": 2, "url": "https://api.example.com/x/admin", "customer": "acme", "tags": [] }),
        json!({ "url": "https://nowhere.example/", "customer": "acme", "tags": [] }),
        json!({ "url": "no url", "customer": "acme", "tags": [] }),
        json!({ "url": "https://api.example.com/" }),
        json!({ "url": "https://campaign.example.com/", "customer": "acme", "tags": [] }),
    ];
    folder.write("requests.jsonl", requests.map(|request| format!("{request}\n")).concat());
    let decisions = folder.run(&["decide", "--policy", "policy.toml", "--requests", "requests.jsonl"]).ends(0).json();
    for decision in &decisions {
        let errors: Vec<_> = schema.iter_errors(decision).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0], "{decision:#}");
    }
    let some = |member: &str| decisions.iter().any(|decision| !decision[member].is_null());
    let none = |member: &str| decisions.iter().any(|decision| decision[member].is_null());
    for member in ["rule", "url", "jwt", "id"] {
        assert!(some(member) && none(member), "{member}");
    }
    let mut decision = decisions[0].clone();
    decision["colour"] = json!("blue");
    assert!(!schema.is_valid(&decision));
}
