//! Test files as tests of a Rust crate: each case by its own name, with `cargo test`'s filter, and nextest's reports.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::file::{Case, parse};
use crate::library;
use crate::plain::plain;
use crate::render::plain_diagnostics;
use crate::{instant, is_test_file};

/// Makes every case of the test files that match a glob a test of this crate. The file that says so is the whole of a test target
/// without the usual harness:
///
/// ```toml
/// # Cargo.toml
/// [dev-dependencies]
/// tidegate-test = "0.1"
///
/// [[test]]
/// name    = "policies"
/// harness = false
/// ```
///
/// ```rust,no_run
/// // tests/policies.rs
/// tidegate_test::harness!("policies/*.test.toml");
/// # // What rustdoc adds otherwise would be a second `main`.
/// ```
///
/// Globs begin where the crate's `Cargo.toml` is. Tests are called `policies/acme.test.toml::name of the case`. A glob that matches
/// no test file is a test that fails, so that a folder which moved does not pass for good; so is a file with errors, or one whose
/// policy has some.
#[macro_export]
macro_rules! harness {
    ($($glob:literal),+ $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::run_harness(::std::env!("CARGO_MANIFEST_DIR"), &[$($glob),+])
        }
    };
}

/// What [`harness!`] calls: runs the cases of the test files under `root` that match one of the globs, as the arguments of the
/// process ask.
pub fn run_harness(root: &str, globs: &[&str]) -> ExitCode {
    let arguments = Arguments::from_args();
    let tests = globs.iter().flat_map(|glob| of_glob(Path::new(root), glob));
    let trials = tests.map(|Test { name, run }| Trial::test(name, move || run().map_err(Failed::from))).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test before the harness runs it.
struct Test {
    name: String,
    run: Box<dyn FnOnce() -> Result<(), String> + Send>,
}

impl Test {
    fn new(name: &str, run: impl FnOnce() -> Result<(), String> + Send + 'static) -> Self {
        Self { name: plain(name), run: Box::new(run) }
    }

    fn failing(name: &str, why: String) -> Self {
        Self::new(name, move || Err(why))
    }
}

/// A test for each case.
fn of_glob(root: &Path, glob: &str) -> Vec<Test> {
    match test_files(root, glob) {
        Ok(files) => files.iter().flat_map(|file| of_file(root, file)).collect(),
        Err(why) => vec![Test::failing(glob, why)],
    }
}

/// The test files that match a glob, sorted.
fn test_files(root: &Path, written: &str) -> Result<Vec<PathBuf>, String> {
    let absolute = format!("{}/{written}", glob::Pattern::escape(&root.display().to_string()));
    let paths = glob::glob(&absolute).map_err(|error| format!("`{written}` is not a glob: {error}"))?;
    let paths = paths.collect::<Result<Vec<_>, _>>().map_err(|error| format!("`{written}`: {error}"))?;
    let files = paths.into_iter().filter(|path| is_test_file(path)).map(|path| as_seen_from(root, path));
    let files: Vec<_> = files.collect();
    if files.is_empty() {
        return Err(format!("no test file (`*.test.toml`) matches `{written}` in `{}`", root.display()));
    }
    Ok(files)
}

/// A path as people write it who stand in `root`: tests run there.
fn as_seen_from(root: &Path, path: PathBuf) -> PathBuf {
    let here = std::env::current_dir().is_ok_and(|here| here == root);
    path.strip_prefix(root).ok().filter(|_| here).map(Path::to_owned).unwrap_or(path)
}

fn of_file(root: &Path, path: &Path) -> Vec<Test> {
    // As the operator would write it: relative to where the globs begin.
    let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
    let parsed = parse(path);
    let Some(file) = parsed.file else {
        return vec![Test::failing(&name, plain_diagnostics(&parsed.sources, &parsed.diagnostics))];
    };
    let of_case = |case: Case| {
        let policy = file.policy.clone();
        Test::new(&format!("{name}::{}", case.name), move || run_case(&policy, &case))
    };
    file.cases.into_iter().map(of_case).collect()
}

fn run_case(policy: &Path, case: &Case) -> Result<(), String> {
    let policy = library::load(policy)?;
    let now = case.at.unwrap_or_else(instant::now);
    let mismatches = case.expect.mismatches(&policy.engine().decide(&case.request, now));
    if mismatches.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<_> = mismatches.iter().map(|mismatch| plain(&mismatch.to_string())).collect();
    lines.push(String::new());
    lines.push(policy.explainer().explain(&case.request, now).reasons(&case.request));
    Err(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let policy =
            "policy = 1\nidentity = \"none\"\n[[rule]]\nid = \"a\"\neffect = \"allow\"\nhosts = [\"a.example\"]\n";
        fs::write(folder.path().join("p.toml"), policy).unwrap();
        let case = |name: &str, effect: &str| {
            let expect = format!("expect = {{ effect = \"{effect}\" }}");
            format!("[[case]]\nname = \"{name}\"\nurl = \"https://a.example/\"\n{expect}\n")
        };
        let cases = format!("{}{}", case("goes out", "allow"), case("does not go out", "deny"));
        fs::write(folder.path().join("p.test.toml"), cases).unwrap();
        fs::write(folder.path().join("q.test.toml"), "[[case]]\nnmae = 1\n").unwrap();
        fs::write(folder.path().join("q.toml"), "policy = 1\n").unwrap();
        folder
    }

    /// Each test's name, and whether it passes.
    fn run(tests: Vec<Test>) -> Vec<(String, bool)> {
        tests.into_iter().map(|Test { name, run }| (name, run().is_ok())).collect()
    }

    #[test]
    fn each_case_is_a_test_and_a_file_with_errors_is_one() {
        let folder = folder();
        let ran = run(of_glob(folder.path(), "*.toml"));
        let names = [("p.test.toml::goes out", true), ("p.test.toml::does not go out", false), ("q.test.toml", false)];
        assert_eq!(ran, names.map(|(name, passes)| (name.to_owned(), passes)));
    }

    #[test]
    fn a_glob_that_matches_nothing_is_a_test_that_fails() {
        let folder = folder();
        for glob in ["nowhere/*.test.toml", "p.toml", "[", "x/***/y"] {
            assert_eq!(run(of_glob(folder.path(), glob)), [(glob.to_owned(), false)]);
        }
    }

    #[test]
    fn a_case_fails_in_the_words_of_an_explanation() {
        let folder = folder();
        let file = parse(&folder.path().join("p.test.toml")).file.unwrap();
        assert_eq!(run_case(&file.policy, &file.cases[0]), Ok(()));
        let why = run_case(&file.policy, &file.cases[1]).unwrap_err();
        assert!(
            why.starts_with("effect: expected \"deny\", found \"allow\"\n\nallow GET https://a.example/ (rule a)"),
            "{why}"
        );
        assert!(why.contains("a: allow rule at"), "{why}");
    }
}
