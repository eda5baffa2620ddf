//! `tidegate fmt` changes nothing but the layout: policies compile to the same before and after, and formatting twice is
//! formatting once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tidegate_compiler::compile;
use tidegate_compiler::format::format;
use tidegate_differential::{Folder, corpus, generate};

fn formatted(text: &str) -> String {
    let once = format(Path::new("policy.toml"), text).text.unwrap_or_else(|| panic!("not formatted:\n{text}"));
    assert_eq!(
        format(Path::new("policy.toml"), &once).text.as_ref(),
        Some(&once),
        "formatting twice is formatting once"
    );
    once
}

/// A checked policy without its places, which are all that may differ.
fn meaning(folder: &Folder, text: &str, files: &BTreeMap<String, String>) -> Option<String> {
    let output = folder.compile(text, files).unwrap().output?;
    let shown = format!("{:?} {:?}", output.policy, output.table);
    let spans = "Span { file: FileId(";
    let mut meaning = String::new();
    let mut rest = shown.as_str();
    while let Some((before, after)) = rest.split_once(spans) {
        meaning.push_str(before);
        rest = after.split_once('}').unwrap().1;
    }
    Some(meaning + rest)
}

/// The text with as little layout as TOML lets it have, or with too much.
fn disfigured(text: &str, loose: bool) -> String {
    let lines = text.lines().map(|line| match line.split_once(" = ") {
        Some((key, value)) if !line.starts_with('#') && !key.contains(['"', '\'']) => {
            let key = key.trim();
            if loose { format!("\n  {key}    =  {value}  # {key}\n") } else { format!("{key}={value}\n") }
        }
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// A folder with all that is beneath it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(path, to).unwrap();
        }
    }
}

#[test]
fn policies_that_people_wrote_mean_the_same() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/compiler/tests/fixtures/valid");
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut seen = 0;
    for original in [fixtures, policies] {
        // Compiled where its lists are.
        let folder = tempfile::tempdir().unwrap();
        copy(&original, folder.path());
        let paths = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml")) {
            let text = fs::read_to_string(&path).unwrap();
            let table = || compile(&path).output.map(|output| output.table);
            let before = table();
            fs::write(&path, formatted(&text)).unwrap();
            assert_eq!(table(), before, "{}", path.display());
            seen += 1;
        }
    }
    let folder = Folder::new().unwrap();
    for case in corpus::read().unwrap().into_iter().flat_map(|(_, cases)| cases) {
        let meaning = |text: &str| meaning(&folder, text, &case.files);
        assert_eq!(meaning(&formatted(&case.policy)), meaning(&case.policy), "{}", case.name);
        seen += 1;
    }
    assert!(seen > 100, "{seen}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_policies_mean_the_same_whatever_their_layout_was(policy in generate::policy(), loose in any::<bool>()) {
        let folder = Folder::new().unwrap();
        let (text, files) = (policy.text(), policy.files());
        let before = meaning(&folder, &text, &files);
        prop_assert_eq!(&meaning(&folder, &formatted(&text), &files), &before);
        let disfigured = disfigured(&text, loose);
        // Strings over several lines may be disfigured, too; it is another policy then, and must stay that one.
        if format(Path::new("policy.toml"), &disfigured).text.is_some() {
            let before = meaning(&folder, &disfigured, &files);
            prop_assert_eq!(&meaning(&folder, &formatted(&disfigured), &files), &before);
        }
    }
}
