//! No line of the table is without a test, and no test is for a line that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};

const TABLE: &str = include_str!("../../../corpus/http-cases.tsv");

/// Lines without a test, each with the reason.
const EXCEPTIONS: [(&str, &str); 9] = [
    ("h020", "about a deployment: `tidegate doctor` finds it (crates/cli/tests/cli/doctor.rs)"),
    ("h036", "does not apply: a policy has no placeholders that a tenant could send"),
    ("h047", "about a deployment: `tidegate doctor` finds it"),
    ("h050", "not shown to an outbound Worker: `tidegate doctor` finds it"),
    ("h051", "not shown to an outbound Worker: `tidegate doctor` finds it"),
    ("h055", "no policy can take `sub` from a request; a dispatch Worker that does, `tidegate doctor` finds"),
    ("h059", "bodies are not searched"),
    ("h060", "bodies are not searched"),
    ("h062", "bodies are not searched, compressed or not"),
];

#[test]
fn every_line_of_the_table_has_a_test_of_its_name_or_a_reason_why_not() -> Result<()> {
    let lines: BTreeSet<&str> = TABLE.lines().skip(1).filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(lines.len(), 70, "the table has lost lines");
    let exceptions = BTreeMap::from(EXCEPTIONS);
    let tests = tests()?;
    let tested: BTreeSet<&str> = tests.iter().filter_map(|test| id(test)).collect();

    let excepted: BTreeSet<&str> = exceptions.keys().copied().collect();
    let missing: Vec<_> = lines.difference(&tested).filter(|id| !excepted.contains(*id)).collect();
    assert!(missing.is_empty(), "without a test or a reason: {missing:?}");
    let unknown: Vec<_> = tested.union(&excepted).filter(|id| !lines.contains(*id)).collect();
    assert!(unknown.is_empty(), "not in the table: {unknown:?}");
    let both: Vec<_> = tested.intersection(&excepted).collect();
    assert!(both.is_empty(), "tested, and yet excepted: {both:?}");
    Ok(())
}

/// The tests that this very binary runs, as it lists them: `redirects::h001_a_redirect…`. Ignored ones do not count.
fn tests() -> Result<BTreeSet<String>> {
    let list = |more: &[&str]| -> Result<BTreeSet<String>> {
        let output =
            Command::new(std::env::current_exe()?).args(["--list", "--format", "terse"]).args(more).output()?;
        ensure!(output.status.success(), "the tests cannot be listed");
        let text = String::from_utf8(output.stdout).context("the list of tests is no text")?;
        Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    };
    let ignored = list(&["--ignored"])?;
    Ok(list(&[])?.difference(&ignored).cloned().collect())
}

/// `h001` for `redirects::h001_a_redirect…`.
fn id(test: &str) -> Option<&str> {
    let (_, name) = test.rsplit_once("::")?;
    let (id, _) = name.split_once('_')?;
    let number = id.strip_prefix('h')?;
    (number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
}
