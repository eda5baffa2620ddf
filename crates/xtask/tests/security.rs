//! SECURITY.md names a test for every promise: they exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names of all functions in Rust files beneath a folder, and of the files: a fuzz target has its file's.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.lines().filter_map(|line| {
                let name = line.trim_start().trim_start_matches("async ").strip_prefix("fn ")?;
                Some(name.split(['(', '<']).next().unwrap_or_default().to_owned())
            });
            found.extend(names);
            found.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
}

/// What stands in backticks in the last column of a table, except its head.
fn tests_named_in(text: &str) -> Vec<&str> {
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let last = rows.filter_map(|row| row.trim_end().trim_end_matches('|').rsplit(" | ").next());
    last.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_test_that_security_md_names_exists() {
    let mut known = BTreeSet::new();
    for folder in ["crates", "tests", "fuzz"] {
        let folder = root().join(folder);
        if folder.is_dir() {
            functions(&folder, &mut known);
        }
    }
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let named = tests_named_in(&text);
    assert!(named.len() > 40, "SECURITY.md names {} tests: has its form changed?", named.len());
    let missing: Vec<_> = named.into_iter().filter(|name| !known.contains(*name)).collect();
    assert!(missing.is_empty(), "SECURITY.md names tests that do not exist: {missing:#?}");
}
