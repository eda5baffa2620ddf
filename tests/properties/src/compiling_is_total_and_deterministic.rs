//! Any text as a policy comes to findings with places that are there, or to a table that loads; and to the same twice.

use std::fs;

use tidegate_compiler::checked::CheckedPolicy;
use tidegate_compiler::diagnostic::{Diagnostic, Severity};
use tidegate_compiler::source::{SourceMap, Span};
use tidegate_compiler::{Compilation, compile};
use tidegate_engine::{Policy, Target};
use tidegate_table::Table;

use crate::judgement::{assert_headers, assert_well_formed};
use crate::request::{AnySecret, request, view};

/// What lies beside the policy.
const FILES: [(&str, &str); 3] = [
    (
        "base.toml",
        "[lists.shared]\nfile = \"names.txt\"\nformat = \"domains\"\n[[rule]]\nid = \"base\"\neffect = \"deny\"\nlists = [\"shared\"]\n",
    ),
    ("hosts.txt", "127.0.0.1 localhost\n0.0.0.0 bad.example\n"),
    ("names.txt", "# names\nbad.example\nbad.test\n"),
];

/// The bytes are a policy.
///
/// # Panics
/// Where the property does not hold.
pub fn check(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in FILES {
        fs::write(folder.path().join(name), text).expect("a file beside the policy");
    }
    let path = folder.path().join("policy.toml");
    fs::write(&path, bytes).expect("the policy");

    let Compilation { sources, diagnostics, output } = compile(&path);
    for finding in &diagnostics {
        assert_shown(finding, &sources);
    }
    assert!(diagnostics.is_sorted_by_key(|finding| finding.span), "findings stand in source order");
    let has_errors = diagnostics.iter().any(|finding| finding.severity == Severity::Error);
    assert_eq!(output.is_none(), has_errors, "a policy with one error compiles to nothing, any other to a table");

    let again = compile(&path);
    assert_eq!(again.diagnostics, diagnostics, "the same findings twice");
    assert_eq!(again.output.as_ref().map(|output| &output.table), output.as_ref().map(|output| &output.table));
    if let Some(output) = output {
        assert_answers(&output.table, &output.policy);
    }
}

/// A finding says something that can be shown, of places that there are.
fn assert_shown(finding: &Diagnostic, sources: &SourceMap) {
    let said =
        [&finding.message].into_iter().chain(&finding.help).chain(finding.labels.iter().map(|label| &label.message));
    for text in said {
        assert!(!text.is_empty() && !text.contains(char::is_control), "{finding:?}");
    }
    for Span { file, start, end } in [finding.span].into_iter().chain(finding.labels.iter().map(|label| label.span)) {
        let text = &sources.file(file).text;
        assert!(start <= end && text.get(start..end).is_some(), "a place that is not there: {finding:?}");
        let (begin, end) = (sources.line_column(file, start), sources.line_column(file, end));
        assert!(begin.line >= 1 && begin.column >= 1 && begin.line <= end.line, "{finding:?}");
    }
}

/// The table loads and answers requests for what its policy names, without a fault.
fn assert_answers(bytes: &[u8], checked: &CheckedPolicy) {
    let policy = Policy::from_bytes(bytes).unwrap_or_else(|error| panic!("a table that does not load: {error}"));
    let table = Table::from_bytes(bytes).expect("a policy is a table");
    let mut scratch = policy.scratch();
    let hosts = checked.rules.iter().filter_map(|rule| rule.condition.hosts.as_ref());
    let hosts = hosts.flat_map(|hosts| hosts.exact.iter().chain(&hosts.domains)).map(String::as_str);
    for host in hosts.chain(["api.example.com"]).take(8) {
        let request = request(format!("GET https://{host}/v1/x\nacme\npaid\nx-env:prod").as_bytes());
        let target = Target::parse(&request.url);
        let judgement = policy.judge(&view(&request, &target), &mut scratch, &AnySecret);
        assert_eq!(judgement.fault, None, "the table is what the compiler made");
        assert_well_formed(&judgement, &table);
        if let Some(forwarding) = &judgement.forwarding {
            assert_headers(forwarding, &request.headers);
        }
    }
}
