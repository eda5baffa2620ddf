//! Policies in `tests/fixtures`, named for what they show.
//!
//! An invalid one says at its top, in comments, what must be found and where: `#~ CODE LINE:COLUMN`, or `#~ CODE FILE:LINE:COLUMN` in
//! another file; what else it says to people is in the snapshot of its directory, one for each area of the language.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tidegate_compiler::analysis::Budget;
use tidegate_compiler::diagnostic::{Code, Diagnostic, Level, Severity};
use tidegate_compiler::levels::{Levels, Lints};
use tidegate_compiler::lint::lint;
use tidegate_compiler::source::Span;
use tidegate_compiler::{Compilation, compile};

fn fixtures(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind)
}

/// The policies of a directory, by name. What they extend is further down.
fn policies(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    found.sort();
    found
}

/// An invalid policy and what compiling it came to.
struct Invalid {
    area: PathBuf,
    policy: PathBuf,
    compilation: Compilation,
}

/// Every invalid policy, compiled once: some are made to be expensive.
static INVALID: LazyLock<Vec<Invalid>> = LazyLock::new(|| {
    let mut areas: Vec<_> = fs::read_dir(fixtures("invalid")).unwrap().map(|entry| entry.unwrap().path()).collect();
    areas.sort();
    let compiled =
        |area: &PathBuf, policy: PathBuf| Invalid { area: area.clone(), compilation: compile(&policy), policy };
    areas.iter().flat_map(|area| policies(area).into_iter().map(|policy| compiled(area, policy))).collect()
});

/// `LINE:COLUMN`, with the file's path from `directory` before it unless it is the policy itself.
fn place(compilation: &Compilation, directory: &Path, policy: &Path, span: Span) -> String {
    let at = compilation.sources.line_column(span.file, span.start);
    let file = &compilation.sources.file(span.file).path;
    let position = format!("{}:{}", at.line, at.column);
    if file == policy { position } else { format!("{}:{position}", file.strip_prefix(directory).unwrap().display()) }
}

fn render(compilation: &Compilation, directory: &Path, policy: &Path) -> String {
    let mut text = format!("{}\n", policy.file_stem().unwrap().to_str().unwrap());
    let neutral = |text: &str| text.replace(&format!("{}/", directory.display()), "");
    for Diagnostic { code, severity, message, span, labels, help } in &compilation.diagnostics {
        let severity = if *severity == Severity::Error { "error" } else { "warning" };
        let end = compilation.sources.line_column(span.file, span.end);
        let at = place(compilation, directory, policy, *span);
        writeln!(text, "  {severity}[{}] {at}-{}:{} {}", code.as_str(), end.line, end.column, neutral(message))
            .unwrap();
        for label in labels {
            writeln!(text, "    {} {}", place(compilation, directory, policy, label.span), neutral(&label.message))
                .unwrap();
        }
        for help in help {
            writeln!(text, "    help: {}", neutral(help)).unwrap();
        }
    }
    text
}

#[test]
fn valid_policies_compile_without_a_finding() {
    for policy in policies(&fixtures("valid")) {
        let compilation = compile(&policy);
        assert_eq!(
            render(&compilation, &fixtures("valid"), &policy).lines().count(),
            1,
            "{:#?}",
            compilation.diagnostics
        );
        assert!(compilation.output.is_some_and(|output| !output.table.is_empty()), "{}", policy.display());
    }
}

#[test]
fn invalid_policies_compile_to_nothing_and_say_why_and_where() {
    for Invalid { area, policy, compilation } in INVALID.iter() {
        let found: Vec<String> = compilation
            .diagnostics
            .iter()
            .map(|finding| format!("{} {}", finding.code.as_str(), place(compilation, area, policy, finding.span)))
            .collect();
        let text = fs::read_to_string(policy).unwrap();
        let expected: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#~ ")).collect();
        assert_eq!(found, expected, "{}", policy.display());
        assert!(compilation.output.is_none(), "{}", policy.display());
    }
}

#[test]
fn what_invalid_policies_say_to_people_is_as_it_was_read_and_approved() {
    for of_area in INVALID.chunk_by(|a, b| a.area == b.area) {
        let texts: Vec<String> = of_area.iter().map(|it| render(&it.compilation, &it.area, &it.policy)).collect();
        insta::assert_snapshot!(of_area[0].area.file_name().unwrap().to_str().unwrap(), texts.join("\n"));
    }
}

/// What lints find in the policies of `lints`, all of them looked for, on 2026-11-22.
static LINTED: LazyLock<Vec<(PathBuf, Compilation)>> = LazyLock::new(|| {
    let linted = policies(&fixtures("lints")).into_iter().map(|policy| {
        let mut compilation = compile(&policy);
        let output = compilation
            .output
            .as_ref()
            .unwrap_or_else(|| panic!("{}: {:#?}", policy.display(), compilation.diagnostics));
        let mut levels = Levels::default();
        for code in Code::lints() {
            levels.set(Lints::One(code), Level::Warn);
        }
        let budget = Budget { question: 3_000, all: 30_000 };
        compilation.diagnostics =
            lint(output, &compilation.sources, &levels, 1_795_348_800, budget, &mut |_, _| {}).unwrap();
        (policy, compilation)
    });
    linted.collect()
});

#[test]
fn lints_find_what_is_hardly_meant_and_nothing_else() {
    for (policy, compilation) in LINTED.iter() {
        let directory = fixtures("lints");
        let found: Vec<String> = compilation
            .diagnostics
            .iter()
            .map(|finding| {
                format!("{} {}", finding.code.as_str(), place(compilation, &directory, policy, finding.span))
            })
            .collect();
        let text = fs::read_to_string(policy).unwrap();
        let expected: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#~ ")).collect();
        assert_eq!(found, expected, "{}", policy.display());
    }
}

#[test]
fn what_lints_say_to_people_is_as_it_was_read_and_approved() {
    let directory = fixtures("lints");
    let texts: Vec<String> =
        LINTED.iter().map(|(policy, compilation)| render(compilation, &directory, policy)).collect();
    insta::assert_snapshot!("lints", texts.join("\n"));
}

#[test]
fn every_code_has_a_fixture() {
    let findings = INVALID.iter().map(|it| &it.compilation).chain(LINTED.iter().map(|(_, linted)| linted));
    let findings = findings.flat_map(|compilation| &compilation.diagnostics);
    let mut shown: BTreeSet<Code> = findings.map(|finding| finding.code).collect();
    // Files that are no text, empty, or larger than a repository should hold, are made in `tests/files.rs`.
    shown.extend([Code::NotUtf8, Code::FileTooLarge, Code::EmptyList]);
    let missing: Vec<&str> = Code::ALL.iter().filter(|code| !shown.contains(code)).map(|code| code.as_str()).collect();
    assert_eq!(missing, <[&str; 0]>::default());
}

#[test]
fn findings_are_in_the_order_of_the_files_and_worded_in_the_style_of_the_house() {
    for Invalid { policy, compilation, .. } in INVALID.iter() {
        assert!(compilation.diagnostics.is_sorted_by_key(|finding| finding.span), "{}", policy.display());
        for finding in &compilation.diagnostics {
            let labels = finding.labels.iter().map(|label| &label.message);
            for text in finding.help.iter().chain(labels).chain([&finding.message]) {
                assert!(!text.ends_with('.'), "full stop: {text}");
                let is_name = ["IP", "ES256"].iter().any(|name| text.starts_with(name));
                assert!(is_name || !text.starts_with(char::is_uppercase), "capital: {text}");
            }
        }
    }
}
