//! `docs/api.md` says of every endpoint which test shows it: all endpoints, and tests that are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

const NAMESPACES: &str = "/workers/dispatch/namespaces";
const USER_WORKER: &str = "/workers/dispatch/namespaces/{dispatch_namespace}/scripts/{script_name}";
const ACCOUNT_WORKER: &str = "/workers/scripts/{script_name}";

/// A row of the document.
struct Row {
    /// `GET /workers/…`, as the description of the API has it behind the account.
    endpoint: String,
    tests: Vec<String>,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn document() -> String {
    fs::read_to_string(repository().join("docs/api.md")).unwrap()
}

fn rows(document: &str) -> Vec<Row> {
    let lines = document.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" |").collect();
            let endpoint = quoted(cells[0]).next().unwrap();
            let (method, path) = endpoint.split_once(' ').unwrap();
            let path = path.replacen("NS", NAMESPACES, 1);
            Row { endpoint: format!("{method} {path}"), tests: quoted(cells[1]).map(str::to_owned).collect() }
        })
        .collect()
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Every endpoint that is described, and so every one that is routed.
fn endpoints() -> BTreeSet<String> {
    let described: Value = serde_json::to_value(tidegate_platform::api::openapi()).unwrap();
    let mut endpoints = BTreeSet::new();
    for (path, item) in described["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            let path = path.strip_prefix("/accounts/{account_id}").filter(|rest| !rest.is_empty()).unwrap_or(path);
            endpoints.insert(format!("{} {}", method.to_uppercase(), path.trim_end_matches('/')));
        }
    }
    endpoints
}

#[test]
fn every_endpoint_has_a_row_and_every_row_an_endpoint() {
    let rows: Vec<String> = rows(&document()).into_iter().map(|row| row.endpoint).collect();
    let documented: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(documented.len(), rows.len(), "an endpoint has two rows");
    let endpoints = endpoints();
    let unknown: Vec<_> = documented.difference(&endpoints).collect();
    assert!(unknown.is_empty(), "rows of what is not served: {unknown:#?}");
    // What is the same of account Workers has no second row.
    let of_user_worker = |endpoint: &String| endpoint.replace(ACCOUNT_WORKER, USER_WORKER);
    let missing: Vec<_> = endpoints
        .iter()
        .filter(|endpoint| !documented.contains(*endpoint) && !documented.contains(&of_user_worker(endpoint)))
        .collect();
    assert!(missing.is_empty(), "no row: {missing:#?}");
}

#[test]
fn every_test_that_is_named_exists() {
    let document = document();
    let mut tests = BTreeSet::new();
    for folder in ["crates/platform/tests", "tests/e2e/tests"] {
        find_tests(&repository().join(folder), &mut tests);
    }
    for Row { endpoint, tests: named } in rows(&document) {
        assert!(!named.is_empty(), "{endpoint}: no test shows it");
    }
    // A test's name is a sentence; nothing else in backticks has so many words.
    let named = quoted(&document).filter(|name| name.split('_').count() > 4 && !name.contains(['/', ' ']));
    let missing: Vec<_> = named.filter(|name| !tests.contains(*name)).collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

fn find_tests(folder: &Path, tests: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_tests(&path, tests);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let mut lines = text.lines().map(str::trim_start);
            while let Some(line) = lines.next() {
                if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                    let signature = lines.find(|line| line.contains("fn ")).unwrap_or_default();
                    let name = signature.split("fn ").nth(1).and_then(|rest| rest.split('(').next());
                    tests.extend(name.map(str::to_owned));
                }
            }
        }
    }
}
