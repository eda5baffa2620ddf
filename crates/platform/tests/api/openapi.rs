//! The description of the API.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{TOKEN, TestApi};

/// The document, as it is served.
async fn document(api: &TestApi) -> Value {
    let bearer = format!("Bearer {TOKEN}");
    let answer = api.send("GET", "/openapi.json", &[("Authorization", &bearer)], b"").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    answer.json()
}

/// Each path, method and operation.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().iter().filter(|(method, _)| *method != "parameters");
        operations.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

#[tokio::test]
async fn the_description_is_for_those_who_may_use_the_api() {
    let api = TestApi::new().await;
    assert_eq!(api.send("GET", "/openapi.json", &[], b"").await.code(), (400, 9106));
    let api = TestApi::with_auth(false).await;
    assert_eq!(api.send("GET", "/openapi.json", &[], b"").await.status, 200);
    assert_eq!(api.send("GET", "/openapi.json", &[("Origin", "https://evil.example")], b"").await.code(), (403, 10000));
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_component_is_referred_to() {
    fn references<'d>(value: &'d Value, found: &mut BTreeSet<&'d str>) {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(reference)) = object.get("$ref") {
                    found.insert(reference);
                }
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document(&TestApi::new().await).await;
    let mut referred = BTreeSet::new();
    references(&document, &mut referred);
    for kind in ["responses", "schemas"] {
        let prefix = format!("#/components/{kind}/");
        let referred: BTreeSet<&str> = referred.iter().filter_map(|it| it.strip_prefix(&prefix)).collect();
        let there: BTreeSet<&str> =
            document["components"][kind].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(referred, there, "{kind}");
    }
}

#[tokio::test]
async fn every_operation_has_an_id_of_its_own_and_says_what_it_is_and_answers() {
    let document = document(&TestApi::new().await).await;
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        assert!(
            ids.insert(operation["operationId"].as_str().unwrap()),
            "{method} {path}: {}",
            operation["operationId"]
        );
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{method} {path}");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{method} {path}");
        let responses = operation["responses"].as_object().unwrap();
        for status in ["400", "401", "403"] {
            assert!(responses.contains_key(status), "{method} {path}: {status}");
        }
        assert_eq!(responses.contains_key("404"), path.contains('{'), "{method} {path}");
        for status in ["408", "413"] {
            assert_eq!(responses.contains_key(status), operation.get("requestBody").is_some(), "{method} {path}");
        }
        assert!(!operation.to_string().contains("x-referred"), "{method} {path}");
    }
    assert!(ids.len() >= 80, "{}", ids.len());
}

#[tokio::test]
async fn every_capture_of_a_path_is_described() {
    let document = document(&TestApi::new().await).await;
    for (path, item) in document["paths"].as_object().unwrap() {
        let captures: Vec<&str> =
            path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).collect();
        let parameters = item["parameters"].as_array().cloned().unwrap_or_default();
        let names: Vec<&str> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(captures, names, "{path}");
        for parameter in &parameters {
            assert_ne!(parameter["description"], "", "{path}: {parameter}");
        }
    }
}

#[tokio::test]
async fn what_is_described_is_routed() {
    let api = TestApi::new().await;
    let document = document(&api).await;
    let bearer = format!("Bearer {TOKEN}");
    for (path, method, _) in operations(&document) {
        let path = path.replace("{account_id}", crate::support::ACCOUNT);
        let answer = api.send(&method.to_uppercase(), &path, &[("Authorization", &bearer)], b"").await;
        if answer.status >= 400 {
            let (status, code) = answer.code();
            assert!(code != 7003 && status != 405, "{method} {path}: {status} {code}");
        }
    }
}
