//! The fuzz targets are a workspace of their own, with a lock of its own; what they are built with is what ships.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn the_fuzz_targets_are_built_with_the_versions_of_the_main_lock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let main = packages(&root.join("Cargo.lock"));
    let fuzz = packages(&root.join("fuzz/Cargo.lock"));
    let names: BTreeSet<&str> = main.iter().map(|(name, _)| name.as_str()).collect();
    let other: Vec<_> = fuzz.iter().filter(|known| names.contains(known.0.as_str()) && !main.contains(known)).collect();
    assert!(
        other.is_empty(),
        "fuzz/Cargo.lock has versions that Cargo.lock has not: {other:?}; \
         copy Cargo.lock over it and run `cargo metadata --manifest-path fuzz/Cargo.toml`"
    );
    assert!(fuzz.iter().any(|(name, _)| name == "tidegate-engine"), "{fuzz:?}");
}

/// Names and versions. A lock writes `version` right below `name`.
fn packages(lock: &Path) -> BTreeSet<(String, String)> {
    let text = fs::read_to_string(lock).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let value = |line: &str, key: &str| Some(line.strip_prefix(key)?.trim_matches('"').to_owned());
    lines
        .array_windows()
        .filter_map(|[name, version]| Some((value(name, "name = ")?, value(version, "version = ")?)))
        .collect()
}
