//! The schema of policies takes every policy that compiles: those of the fixtures and the corpus, and generated ones.

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::Value;
use tidegate_compiler::diagnostic::Code;
use tidegate_compiler::schema::{POLICY, json_schema};
use tidegate_differential::{Compiled, corpus, generate};

fn validator() -> Validator {
    jsonschema::options().should_validate_formats(true).build(&json_schema(&POLICY)).unwrap()
}

/// TOML as editors give it to a schema: dates are strings.
fn editors_see(text: &str) -> Value {
    fn convert(value: toml::Value) -> Value {
        match value {
            toml::Value::Datetime(datetime) => datetime.to_string().into(),
            toml::Value::Array(items) => items.into_iter().map(convert).collect(),
            toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, convert(value))).collect(),
            other => serde_json::to_value(other).unwrap(),
        }
    }
    convert(toml::Value::Table(toml::from_str(text).unwrap()))
}

#[track_caller]
fn must_be_valid(validator: &Validator, text: &str) {
    let errors: Vec<_> = validator.iter_errors(&editors_see(text)).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0], "{text}");
}

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/compiler/tests/fixtures").join(kind);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

#[test]
fn policies_that_people_wrote_are_valid() {
    let validator = validator();
    let mut seen = 0;
    for path in fixtures("valid") {
        must_be_valid(&validator, &fs::read_to_string(path).unwrap());
        seen += 1;
    }
    for case in corpus::read().unwrap().into_iter().flat_map(|(_, cases)| cases) {
        must_be_valid(&validator, &case.policy);
        seen += 1;
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn generated_policies_are_valid() {
    let validator = validator();
    let mut compiled = 0;
    for number in 0..80 {
        let (policy, _) = generate::seeded(1, number);
        if Compiled::new(&policy.text(), &policy.files()).is_ok() {
            must_be_valid(&validator, &policy.text());
            compiled += 1;
        }
    }
    assert!(compiled > 60, "{compiled}");
}

#[test]
fn policies_whose_form_is_at_fault_are_not_valid() {
    let validator = validator();
    let mut seen = 0;
    for path in fixtures("invalid/syntax") {
        let text = fs::read_to_string(&path).unwrap();
        // What is no TOML, editors do not even ask about.
        if text.contains(&format!("#~ {} ", Code::Syntax.as_str())) {
            continue;
        }
        assert!(!validator.is_valid(&editors_see(&text)), "{}", path.display());
        seen += 1;
    }
    assert!(seen > 5, "{seen}");
}
