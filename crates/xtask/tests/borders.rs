//! Holds the borders between the crates (ARCHITECTURE.md): which of ours knows which, and what none of them may come to
//! know, not even through others.
//!
//! The edges are read from `cargo metadata`. What is really linked depends on features, which Cargo unites over all that
//! it builds at once; so that is read from `cargo tree`, one crate at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Our crates, and which of ours each may know. Tests may know more.
const EDGES: [(&str, &[&str]); 16] = [
    ("tidegate-table", &[]),
    ("tidegate-engine", &["tidegate-table"]),
    ("tidegate-compiler", &["tidegate-engine", "tidegate-table"]),
    // Of the compiler, the types of a checked policy; of what it must disagree with, nothing.
    ("tidegate-reference", &["tidegate-compiler"]),
    ("tidegate-worker", &["tidegate-engine"]),
    ("tidegate-worker-that-looks-up", &["tidegate-table"]),
    ("tidegate-worker-that-traps", &["tidegate-engine"]),
    // It runs Workers, whatever policy they hold.
    ("tidegate-platform", &[]),
    // It draws what it is given.
    ("tidegate-chart", &[]),
    ("tidegate-cli", &["tidegate-compiler", "tidegate-engine", "tidegate-platform", "tidegate-table", "tidegate-test"]),
    ("tidegate-test", &["tidegate-compiler", "tidegate-engine", "tidegate-reference"]),
    ("tidegate-differential", &["tidegate-compiler", "tidegate-engine", "tidegate-reference"]),
    (
        "tidegate-e2e",
        &[
            "tidegate-chart",
            "tidegate-cli",
            "tidegate-compiler",
            "tidegate-differential",
            "tidegate-platform",
            "tidegate-reference",
        ],
    ),
    ("tidegate-instructions", &["tidegate-compiler", "tidegate-engine"]),
    ("tidegate-properties", &["tidegate-compiler", "tidegate-differential", "tidegate-engine", "tidegate-table"]),
    ("xtask", &[]),
];

const NATIVE: Option<&str> = None;
const WASM: Option<&str> = Some("wasm32-unknown-unknown");

/// What a crate must not be linked with, for which target.
const FORBIDDEN: [(&str, Option<&str>, &[&str]); 6] = [
    ("tidegate-table", NATIVE, &["toml", "serde", "regex", "globset", "http", "url", "js-sys", "wasm-bindgen"]),
    (
        "tidegate-engine",
        NATIVE,
        &["toml", "regex", "regex-automata", "regex-syntax", "globset", "http", "tokio", "js-sys", "wasm-bindgen"],
    ),
    (
        "tidegate-worker",
        WASM,
        &["toml", "regex", "regex-automata", "regex-syntax", "globset", "tidegate-compiler", "clap"],
    ),
    ("tidegate-compiler", NATIVE, &["clap", "annotate-snippets", "js-sys", "wasm-bindgen"]),
    ("tidegate-cli", NATIVE, &["js-sys", "wasm-bindgen"]),
    ("xtask", NATIVE, &["tidegate-table", "tidegate-engine", "tidegate-compiler"]),
];

/// What a crate must not name itself, whatever stands behind the crates that it may know. `tidegate dev` runs the platform,
/// which serves HTTP and keeps its store in a database; the command line starts it and neither routes nor queries.
const UNNAMED: [(&str, &[&str]); 1] = [(
    "tidegate-cli",
    &["axum", "http", "hyper", "hyper-util", "reqwest", "rusqlite", "rusqlite_migration", "sqlx", "tower"],
)];

#[test]
fn each_crate_knows_only_those_of_ours_that_it_may() {
    let metadata = MetadataCommand::new().manifest_path(WORKSPACE).no_deps().exec().unwrap();
    let allowed: BTreeMap<&str, &[&str]> = EDGES.into_iter().collect();
    let ours: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(ours, allowed.keys().copied().collect(), "a crate came or went: say here which of ours it may know");
    for package in &metadata.packages {
        let may_know = allowed[package.name.as_str()];
        for dependency in package.dependencies.iter().filter(|known| known.kind != DependencyKind::Development) {
            let name = dependency.name.as_str();
            assert!(!ours.contains(name) || may_know.contains(&name), "{} must not know {name}", package.name);
        }
    }
}

#[test]
fn the_worker_that_traps_is_made_of_what_the_worker_is_made_of() {
    let metadata = MetadataCommand::new().manifest_path(WORKSPACE).no_deps().exec().unwrap();
    let dependencies = |name: &str| -> BTreeSet<String> {
        let package = metadata.packages.iter().find(|package| package.name.as_str() == name).unwrap();
        let linked = package.dependencies.iter().filter(|known| known.kind == DependencyKind::Normal);
        linked.map(|known| format!("{} {} {:?}", known.name, known.req, known.features)).collect()
    };
    assert_eq!(dependencies("tidegate-worker-that-traps"), dependencies("tidegate-worker"));
}

#[test]
fn no_crate_is_linked_with_what_it_must_not_know() {
    for (package, target, forbidden) in FORBIDDEN {
        let linked = linked_with(package, target);
        for name in forbidden {
            assert!(
                !linked.contains_key(*name),
                "{package} must not be linked with {name}; `cargo tree -p {package} -i {name}` says why it is"
            );
        }
    }
}

#[test]
fn no_crate_names_what_is_another_ones_business() {
    let metadata = MetadataCommand::new().manifest_path(WORKSPACE).no_deps().exec().unwrap();
    for (name, forbidden) in UNNAMED {
        let package = metadata.packages.iter().find(|package| package.name.as_str() == name).unwrap();
        for dependency in &package.dependencies {
            assert!(!forbidden.contains(&dependency.name.as_str()), "{name} must not depend on {}", dependency.name);
        }
    }
}

#[test]
fn the_table_writer_stays_out_of_the_worker() {
    let features = &linked_with("tidegate-worker", WASM)["tidegate-table"];
    assert!(!features.contains("write"), "the Worker must not carry the writer of tables");
}

/// What the reference interpreter builds on. Not on `url`: the engine does, and two who ask one library agree in vain.
const INDEPENDENT: [&str; 4] = ["idna", "regex", "sha2", "tidegate-compiler"];

#[test]
fn the_reference_interpreter_stands_on_its_own_libraries() {
    let metadata = MetadataCommand::new().manifest_path(WORKSPACE).no_deps().exec().unwrap();
    let package = metadata.packages.iter().find(|package| package.name.as_str() == "tidegate-reference").unwrap();
    let direct: BTreeSet<&str> = package
        .dependencies
        .iter()
        .filter(|known| known.kind != DependencyKind::Development)
        .map(|known| known.name.as_str())
        .collect();
    assert_eq!(direct, BTreeSet::from(INDEPENDENT), "an oracle that shares code with what it checks proves nothing");
}

#[test]
fn the_reference_interpreter_names_nothing_of_ours_but_the_types_of_a_checked_policy() {
    let mut named = 0;
    for file in sources(&Path::new(WORKSPACE).with_file_name("crates/reference/src")) {
        let text = fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices("tidegate_") {
            let path: String =
                text[at..].chars().take_while(|&c| c.is_ascii_alphanumeric() || c == '_' || c == ':').collect();
            let is_checked = path == "tidegate_compiler::checked" || path.starts_with("tidegate_compiler::checked::");
            assert!(is_checked, "{} must not know `{path}`", file.display());
            named += 1;
        }
    }
    assert!(named > 0, "no path of ours was found: is it still there that the interpreter lives?");
}

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");

/// What is linked when this package alone is built: names of crates, each with its features.
fn linked_with(package: &str, target: Option<&str>) -> BTreeMap<String, BTreeSet<String>> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--manifest-path", WORKSPACE, "--package", package]);
    // Without proc macros: they run at build time only.
    tree.args(["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}\t{f}"]);
    if let Some(target) = target {
        tree.args(["--target", target]);
    }
    let output = tree.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut linked = BTreeMap::<String, BTreeSet<String>>::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (name, features) = line.split_once('\t').unwrap_or((line, ""));
        let features = features.trim_end_matches(" (*)").split(',').map(str::to_owned);
        linked.entry(name.split(' ').next().unwrap_or(name).to_owned()).or_default().extend(features);
    }
    assert!(linked.len() > 1, "{package} seems to be linked with nothing: {linked:?}");
    linked
}

/// All Rust files in a folder and those beneath it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
    let own = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    own.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}
