//! Which hosts and headers the language takes, asked of the compiler itself: whoever repeats its rules here gets them wrong one day.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tidegate_compiler::diagnostic::Severity;

use super::{array, quoted};
use crate::files::{FileError, write_error};

/// Why what was tried is refused, by what was tried.
pub(super) type Refused = BTreeMap<String, String>;

/// Tries each host by itself.
pub(super) fn hosts<'h>(hosts: impl IntoIterator<Item = &'h str>) -> Result<Refused, FileError> {
    tried(hosts, |host| format!("hosts = {}", array(&[host])))
}

/// Tries each header by itself.
pub(super) fn headers<'h>(headers: impl IntoIterator<Item = (&'h str, String)>) -> Result<Refused, FileError> {
    let headers: BTreeMap<&str, String> = headers.into_iter().collect();
    tried(headers.keys().copied(), |name| {
        let value = headers.get(name).map(String::as_str).unwrap_or_default();
        format!("hosts = [\"a.example.com\"], set = {{ {} = {} }}", quoted(name), quoted(value))
    })
}

/// One policy with a rule a line; each finding is about the line that it points to.
fn tried<'t>(all: impl IntoIterator<Item = &'t str>, keys: impl Fn(&str) -> String) -> Result<Refused, FileError> {
    let mut text = "policy = 1\nrule = [\n".to_owned();
    let mut lines = Vec::new();
    for (at, one) in all.into_iter().enumerate() {
        // Never fails: it is a string.
        let _ = writeln!(
            text,
            "{{ id = \"r{at}\", effect = \"allow\", expires = 2999-01-{:02}, {} }},",
            at % 28 + 1,
            keys(one).replace('\n', " ")
        );
        lines.push(one);
    }
    text.push_str("]\n");
    let folder = tempfile::tempdir().map_err(|error| write_error(&std::env::temp_dir(), error))?;
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, text).map_err(|error| write_error(&path, error))?;
    let compilation = tidegate_compiler::compile(&path);
    let mut refused = Refused::new();
    for finding in compilation.diagnostics.iter().filter(|finding| finding.severity == Severity::Error) {
        let line = compilation.sources.line_column(finding.span.file, finding.span.start).line;
        if let Some(one) = line.checked_sub(3).and_then(|at| lines.get(at)) {
            refused.entry((*one).to_owned()).or_insert_with(|| finding.message.clone());
        }
    }
    Ok(refused)
}
