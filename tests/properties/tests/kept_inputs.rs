//! The kept inputs of the fuzzer, put to their properties without it.

use std::fs;
use std::path::{Path, PathBuf};

macro_rules! properties {
    ($($name:ident,)*) => {
        const PROPERTIES: &[&str] = &[$(stringify!($name),)*];

        $(
            #[test]
            fn $name() {
                holds_for_kept_inputs(stringify!($name), tidegate_properties::$name::check);
            }
        )*
    };
}

properties! {
    any_bytes_are_refused_or_total,
    any_request_is_decided,
    canonical_urls_agree,
    compiling_is_total_and_deterministic,
    importers_lose_no_line,
    resealed_tables_never_lie,
    table_equals_reference,
}

fn holds_for_kept_inputs(property: &str, check: fn(&[u8])) {
    let kept = files(&fuzz().join("corpus").join(property));
    assert!(kept.len() > 1, "no inputs of {property} are kept");
    for file in kept.into_iter().chain(files(&fuzz().join("regressions").join(property))) {
        println!("{}", file.display()); // the last one that is shown is the culprit
        check(&fs::read(&file).unwrap());
    }
}

#[test]
fn every_target_of_the_fuzzer_is_held_here() {
    let targets = files(&fuzz().join("fuzz_targets"));
    let names: Vec<_> = targets.iter().map(|file| file.file_stem().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, PROPERTIES);
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The files in a folder, by name; none where there is no folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
