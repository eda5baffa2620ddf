//! Files as they come: not text, too large, not files, written on other systems.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tidegate_compiler::diagnostic::{Code, Level, Severity};
use tidegate_compiler::levels::{Levels, Lints};
use tidegate_compiler::{Options, compile, compile_with};

const RULE: &str = "[[rule]]\nid = \"r\"\neffect = \"deny\"\n";

/// Code, file name, line and column of every finding.
fn findings(policy: &Path) -> Vec<(Code, String, usize, usize)> {
    let compilation = compile(policy);
    assert_eq!(
        compilation.output.is_none(),
        compilation.diagnostics.iter().any(|finding| finding.severity == Severity::Error)
    );
    compilation
        .diagnostics
        .iter()
        .map(|finding| {
            let at = compilation.sources.line_column(finding.span.file, finding.span.start);
            let file = compilation.sources.file(finding.span.file).path.file_name().unwrap_or_default();
            (finding.code, file.to_str().unwrap().to_owned(), at.line, at.column)
        })
        .collect()
}

/// A directory with a policy of one list.
fn with_list(format: &str, list: &[u8]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let policy = format!("policy = 1\n[lists.l]\nfile = \"list.txt\"\nformat = \"{format}\"\n{RULE}lists = [\"l\"]\n");
    fs::write(directory.path().join("policy.toml"), policy).unwrap();
    fs::write(directory.path().join("list.txt"), list).unwrap();
    directory
}

fn root_findings(bytes: &[u8]) -> Vec<(Code, String, usize, usize)> {
    let directory = tempfile::tempdir().unwrap();
    let policy = directory.path().join("policy.toml");
    fs::write(&policy, bytes).unwrap();
    findings(&policy)
}

#[test]
fn a_policy_that_cannot_be_read_is_a_finding_at_its_own_beginning() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("policy.toml");
    assert_eq!(findings(&missing), [(Code::FileUnreadable, "policy.toml".to_owned(), 1, 1)]);
    assert_eq!(findings(directory.path())[0].0, Code::FileUnreadable);
    assert_eq!(root_findings(b"policy = 1\n# \xff\n"), [(Code::NotUtf8, "policy.toml".to_owned(), 1, 1)]);
}

#[test]
fn a_policy_over_its_limit_is_refused_without_being_read() {
    let directory = tempfile::tempdir().unwrap();
    let policy = directory.path().join("policy.toml");
    fs::File::create(&policy).unwrap().set_len(100 << 20).unwrap();
    assert_eq!(findings(&policy), [(Code::FileTooLarge, "policy.toml".to_owned(), 1, 1)]);
}

#[test]
fn a_list_that_cannot_be_read_is_a_finding_where_it_is_named() {
    let at = |code| vec![(code, "policy.toml".to_owned(), 3, 8)];
    let directory = with_list("domains", b"a.example\n\xff.example\n");
    assert_eq!(findings(&directory.path().join("policy.toml")), at(Code::NotUtf8));
    let directory = with_list("domains", b"");
    fs::File::create(directory.path().join("list.txt")).unwrap().set_len((64 << 20) + 1).unwrap();
    assert_eq!(findings(&directory.path().join("policy.toml")), at(Code::FileTooLarge));
}

#[test]
fn a_list_without_a_name_is_worth_a_look() {
    let directory = with_list("hosts", b"# nothing today\n127.0.0.1 localhost\n");
    let policy = directory.path().join("policy.toml");
    assert_eq!(findings(&policy), [(Code::EmptyList, "policy.toml".to_owned(), 3, 8)]);
    assert!(compile(&policy).output.is_some());
}

#[test]
fn the_policy_says_what_a_lint_comes_to_and_the_command_line_says_it_over_the_policy() {
    let directory = with_list("domains", b"");
    let policy = directory.path().join("policy.toml");
    let with_level = |level: &str| {
        let text = fs::read_to_string(&policy).unwrap();
        let rest = text.split("[lints]").next().unwrap();
        fs::write(&policy, format!("{rest}[lints]\nempty-list = \"{level}\"\n")).unwrap();
    };
    with_level("deny");
    assert_eq!(findings(&policy), [(Code::EmptyList, "policy.toml".to_owned(), 3, 8)]);
    assert!(compile(&policy).output.is_none());
    with_level("allow");
    assert_eq!(findings(&policy), []);

    let mut levels = Levels::default();
    levels.set(Lints::One(Code::EmptyList), Level::Warn);
    let compilation = compile_with(&policy, &Options { levels, ..Options::default() });
    assert_eq!(compilation.diagnostics[0].severity, Severity::Warning);
    assert!(compilation.output.is_some());
}

#[test]
fn a_byte_order_mark_and_line_ends_of_windows_change_nothing() {
    let policy = format!("policy = 1\n{RULE}hosts = [\"a.example\", \"b..c\"]\n");
    let expected = [(Code::InvalidPattern, "policy.toml".to_owned(), 5, 23)];
    assert_eq!(root_findings(policy.as_bytes()), expected);
    assert_eq!(root_findings(policy.replace('\n', "\r\n").as_bytes()), expected);
    assert_eq!(root_findings(format!("\u{feff}{policy}").as_bytes()), expected);

    let directory = with_list("hosts", "\u{feff}0.0.0.0 a.example\r\n0.0.0.0 b..c\r\n".as_bytes());
    let found = findings(&directory.path().join("policy.toml"));
    assert_eq!(found, [(Code::ListLine, "list.txt".to_owned(), 2, 9)]);
}

#[test]
fn a_hundred_thousand_bad_lines_are_a_hundred_thousand_findings() {
    let mut list = String::new();
    for line in 0..100_000 {
        writeln!(list, "bad..name{line}").unwrap();
    }
    let directory = with_list("domains", list.as_bytes());
    let found = findings(&directory.path().join("policy.toml"));
    assert_eq!(found.len(), 100_000);
    assert_eq!(found[99_999], (Code::ListLine, "list.txt".to_owned(), 100_000, 1));
}

#[test]
fn a_file_that_is_reached_twice_counts_once_and_what_is_extended_counts_first() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| fs::write(directory.path().join(name), text).unwrap();
    let rule = |id: &str| RULE.replace("\"r\"", &format!("\"{id}\""));
    fs::create_dir(directory.path().join("parts")).unwrap();
    write(
        "policy.toml",
        format!("policy = 1\nextends = [\"parts/a.toml\", \"parts/../parts/b.toml\"]\n{}", rule("root")),
    );
    write("parts/a.toml", format!("extends = [\"base.toml\"]\ntenant-domains = [\"a.example\"]\n{}", rule("a")));
    write(
        "parts/b.toml",
        format!("extends = [\"../parts/base.toml\"]\ntenant-domains = [\"b.example\"]\n{}", rule("b")),
    );
    write(
        "parts/base.toml",
        format!("policy = 1\n[lists.l]\nfile = \"list.txt\"\nformat = \"domains\"\n{}lists = [\"l\"]\n", rule("base")),
    );
    write("parts/list.txt", "x.example\n".to_owned());

    let compilation = compile(&directory.path().join("policy.toml"));
    let policy = compilation.output.unwrap().policy;
    let rules: Vec<_> = policy.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(rules, ["base", "a", "b", "root"]);
    assert_eq!(policy.tenant_domains, ["a.example", "b.example"]);
    assert_eq!(policy.lists[0].names, ["x.example"]);
}

#[test]
fn the_same_policy_compiles_to_the_same_bytes() {
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/valid/the-whole-language.toml");
    let table = || compile(&policy).output.unwrap().table;
    assert_eq!(table(), table());
}

#[test]
fn a_policy_that_breaks_off_anywhere_is_findings_and_never_a_panic() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/valid");
    let whole = fs::read_to_string(fixtures.join("the-whole-language.toml")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    for file in ["parts/base.toml", "lists/malware.txt"] {
        fs::create_dir_all(directory.path().join(file).parent().unwrap()).unwrap();
        fs::copy(fixtures.join(file), directory.path().join(file)).unwrap();
    }
    let policy = directory.path().join("policy.toml");
    for length in (0..whole.len()).step_by(13).filter(|&length| whole.is_char_boundary(length)) {
        fs::write(&policy, &whole[..length]).unwrap();
        let compilation = compile(&policy);
        for finding in &compilation.diagnostics {
            let text = &compilation.sources.file(finding.span.file).text;
            assert!(finding.span.start <= finding.span.end && finding.span.end <= text.len(), "{finding:?}");
        }
    }
}
