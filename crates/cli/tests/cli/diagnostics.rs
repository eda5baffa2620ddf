//! `docs/diagnostics`: a page for each code, whose examples show what they say they show.
//!
//! An example is a folder: blocks of `toml` are `policy.toml` unless `title="…"` names another file, blocks of `text` always name
//! theirs, and blocks of `sh` make what no page can show. `at="…"` is the day on which the example is checked.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tidegate_compiler::diagnostic::{Code, Level};

use crate::support::Folder;

/// Codes that no small example shows: analyses give up on policies that are too large for a page.
const NOT_SHOWN: [Code; 1] = [Code::Undecided];

/// Lints that `tidegate check` does not look for yet. Whoever teaches it one takes it off this list.
const NOT_FOUND_YET: [Code; 14] = [
    Code::AllowDenied,
    Code::Expired,
    Code::ExpiresSoon,
    Code::ListBlocksHost,
    Code::MixedScript,
    Code::NarrowWildcard,
    Code::NeverMatches,
    Code::OverlappingSet,
    Code::ShadowedRule,
    Code::TenantHeader,
    Code::UnusedCustomer,
    Code::UnusedKey,
    Code::UnusedList,
    Code::VoidDeny,
];

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/diagnostics")
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let pages: BTreeSet<String> =
        fs::read_dir(pages()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let expected = Code::ALL.iter().map(|code| format!("{}.md", code.as_str())).collect();
    assert_eq!(pages, expected);
}

#[test]
fn pages_have_four_sections_and_name_the_level() {
    for code in Code::ALL {
        let (page, name) = (code.page(), code.as_str());
        let level = match code.default_level() {
            None => "an error, always",
            Some(Level::Allow) => "a lint, `allow` by default",
            Some(Level::Deny) => "a lint, `deny` by default",
            Some(Level::Warn) => "a lint, `warn` by default",
        };
        assert!(page.starts_with(&format!("# {name}\n\nLevel: {level}.\n\n## What\n\n")), "{name}");
        let prose = prose(page);
        let headings: Vec<_> = prose.iter().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, ["What", "Why", "Avoid", "Prefer"], "{name}");
        // What `explain` could not show as it stands: links, and emphasis outside of code.
        for line in prose {
            let words = line.split('`').step_by(2).collect::<String>();
            assert!(!words.contains(['[', '<', '_']) && !words.contains("**"), "{name}: {line}");
        }
    }
}

#[test]
fn what_pages_say_to_avoid_is_found_and_what_they_prefer_is_not() {
    for &code in Code::ALL.iter().filter(|code| !NOT_SHOWN.contains(code)) {
        let (_, examples) = code.page().split_once("\n## Avoid\n").unwrap();
        let (avoid, prefer) = examples.split_once("\n## Prefer\n").unwrap();
        let (found, _) = check(avoid, code);
        let is_found = !NOT_FOUND_YET.contains(&code);
        assert_eq!(found.contains(code.as_str()), is_found, "{}: `Avoid` shows {found:?}", code.as_str());
        let (found, errors) = check(prefer, code);
        assert!(!found.contains(code.as_str()), "{}: `Prefer` shows it, too", code.as_str());
        assert_eq!(errors, BTreeSet::new(), "{}: `Prefer` does not compile", code.as_str());
    }
}

/// The codes that `check` finds in an example, and those that are errors.
fn check(section: &str, code: Code) -> (BTreeSet<String>, BTreeSet<String>) {
    let folder = Folder::new();
    let mut at = None;
    for (info, text) in blocks(section) {
        let attribute = |name: &str| info.split_once(&format!("{name}=\""))?.1.split('"').next();
        at = at.or_else(|| attribute("at").map(str::to_owned));
        match (info.split(' ').next(), attribute("title")) {
            (Some("toml"), name) => folder.write(name.unwrap_or("policy.toml"), text),
            (Some("text"), Some(name)) => folder.write(name, text),
            (Some("sh"), None) => {
                let status = Command::new("sh").args(["-c", &text]).current_dir(folder.path("")).status().unwrap();
                assert!(status.success(), "{text}");
            }
            _ => panic!("a block that is no file: {info}"),
        }
    }
    let mut args = vec!["check", "policy.toml", "--format", "json"];
    if code.is_lint() {
        args.extend(["-W", code.as_str()]);
    }
    if let Some(at) = at.as_deref().filter(|_| !NOT_FOUND_YET.contains(&code)) {
        args.extend(["--at", at]);
    }
    let findings = folder.run(&args).json();
    let codes = |filter: fn(&serde_json::Value) -> bool| {
        findings.iter().filter(|found| filter(found)).map(|found| found["code"].as_str().unwrap().to_owned()).collect()
    };
    (codes(|_| true), codes(|found| found["severity"] == "error"))
}

/// The fenced blocks of a text: what stands behind the fence, and what is in it.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let inside: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((info, inside.join("\n") + "\n"));
        }
    }
    blocks
}

/// The lines of a page outside its blocks.
fn prose(page: &str) -> Vec<&str> {
    let mut in_block = false;
    let outside = page.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        in_block ^= is_fence;
        !in_block && !is_fence
    });
    outside.collect()
}
