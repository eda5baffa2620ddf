//! The kept inputs of the fuzzer, without the fuzzer.

use std::fs;
use std::path::Path;

use tidegate_properties::PROPERTIES;

#[test]
fn every_kept_input_has_its_property() {
    for (name, check) in PROPERTIES {
        let inputs = ["corpus", "regressions"].map(|folder| inputs(&Path::new(folder).join(name)));
        assert!(!inputs[0].is_empty(), "no input of {name} is kept");
        for (file, bytes) in inputs.concat() {
            println!("{file}"); // the last one is the culprit
            check(&bytes);
        }
    }
}

fn inputs(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(folder);
    let Ok(files) = fs::read_dir(&folder) else { return Vec::new() };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.display().to_string(), fs::read(&file).unwrap())).collect()
}
