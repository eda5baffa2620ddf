//! A filter list as its authors published it: `EasyList`, which npm's `abp-filter-parser` holds for its own tests.

use std::fs;

use tempfile::TempDir;
use tidegate_compiler::diagnostic::Code;
use tidegate_compiler::{Compilation, compile};
use tidegate_e2e::repository;

#[test]
fn a_filter_list_is_read_to_its_last_line() {
    let text = easylist();
    let kinds = r#""cosmetic", "exception", "option", "path", "regex", "wildcard""#;
    let (_folder, compilation) = policy_with(&text, kinds);
    let output = compilation.output.unwrap_or_else(|| panic!("{:?}", compilation.diagnostics.first()));
    let list = &output.policy.lists[0];
    let skipped = |kind: &str| list.skipped.iter().find(|(known, _)| known == kind).map_or(0, |(_, lines)| *lines);

    let comments = text.lines().filter(|line| line.starts_with('!') || line.starts_with("[Adblock")).count();
    let entries =
        text.lines().filter(|line| line.starts_with("||") && line.ends_with('^') && !line.contains(['*', '/']));
    let lines = entries.count() + comments + list.skipped.iter().map(|(_, lines)| lines).sum::<usize>();
    assert_eq!(lines, text.lines().count(), "each line is an entry, a comment, or counted");

    assert_eq!(list.len(), 486);
    let exceptions = text.lines().filter(|line| line.starts_with("@@")).count();
    assert_eq!((skipped("exception"), exceptions), (2_975, 2_975));
    assert_eq!((skipped("cosmetic"), skipped("option")), (26_465, 4_892));
}

#[test]
fn nothing_of_a_filter_list_is_passed_over_unsaid() {
    let (_folder, compilation) = policy_with(&easylist(), r#""cosmetic", "option", "path", "regex", "wildcard""#);
    assert!(compilation.output.is_none());
    assert_eq!(compilation.diagnostics.len(), 2_975, "the exceptions, which nobody said may be lost");
    for finding in &compilation.diagnostics {
        assert!(finding.code == Code::ListLine && finding.message.starts_with("`@@"), "{finding:?}");
    }
}

fn easylist() -> String {
    let file = repository().join("node_modules/abp-filter-parser/test/data/easylist.txt");
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask tools`", file.display()))
}

fn policy_with(list: &str, skip: &str) -> (TempDir, Compilation) {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = format!(
        "policy = 1\n[lists.l]\nfile = \"l.txt\"\nformat = \"adblock\"\nskip = [{skip}]\n\
         [[rule]]\nid = \"r\"\neffect = \"deny\"\nlists = [\"l\"]\n"
    );
    fs::write(folder.path().join("l.txt"), list).expect("a list");
    let path = folder.path().join("policy.toml");
    fs::write(&path, policy).expect("a policy");
    let compilation = compile(&path);
    (folder, compilation)
}
