//! Faults of the TOML itself, and what can still be said about a file that has some.

use std::collections::HashSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};

/// What is wrong with a file's TOML.
pub(super) struct Faults {
    /// One a line, and one for a bracket that is never closed, for all that comes after it was read as its contents.
    pub(super) findings: Vec<Diagnostic>,
    /// First and last byte of what is uncertain: what follows a bracket that is never closed, or a broken header.
    uncertain: Vec<(usize, usize)>,
    /// First byte of every line.
    line_starts: Vec<usize>,
}

impl Faults {
    /// The parser's errors as findings.
    pub(super) fn new(file: FileId, text: &str, tree: &Spanned<DeTable<'_>>, errors: &[Error]) -> Self {
        let mut uncertain = Vec::new();
        if errors.iter().any(|error| error.message().starts_with("unclosed")) {
            find_unclosed(text, tree.get_ref(), &mut uncertain);
        }
        let opened = uncertain.iter().map(|&(start, _)| {
            let (what, bracket) = if text[start..].starts_with('{') { ("table", '}') } else { ("array", ']') };
            let span = Span { file, start, end: start + 1 };
            Diagnostic::error(Code::Syntax, span, format!("the {what} that begins here is never closed"))
                .help(format!("close it with `{bracket}`"))
        });
        let mut findings: Vec<Diagnostic> = opened.collect();
        for error in errors {
            let span = error.span().unwrap_or_default();
            if !is_within(&uncertain, span.start) {
                findings.push(finding(Span { file, start: span.start, end: span.end }, error.message()));
            }
        }
        findings.sort_by_key(|finding| finding.span.start);
        let line_starts: Vec<usize> =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let line = |finding: &Diagnostic| line_starts.partition_point(|&start| start <= finding.span.start);
        findings.dedup_by_key(|finding| line(finding));
        uncertain
            .extend(findings.iter().filter_map(|finding| under_broken_header(text, &line_starts, finding.span.start)));
        Self { findings, uncertain, line_starts }
    }

    /// Keeps those findings that do not depend on what the broken lines were meant to say: nothing on these lines,
    /// nothing about what is absent, nothing where one cannot tell which table a line is in.
    pub(super) fn retain_certain(&self, findings: &mut Vec<Diagnostic>) {
        let line = |finding: &Diagnostic| self.line_starts.partition_point(|&start| start <= finding.span.start);
        let broken: HashSet<usize> = self.findings.iter().map(line).collect();
        findings.retain(|finding| {
            finding.code != Code::MissingKey
                && !is_within(&self.uncertain, finding.span.start)
                && !broken.contains(&line(finding))
        });
    }
}

fn finding(span: Span, message: &str) -> Diagnostic {
    let error = |message: String| Diagnostic::error(Code::Syntax, span, message);
    if message.contains("must be quoted") && span.start == span.end {
        error("a value is missing".to_owned())
            .help("after `=` comes a value: `\"text\"`, `[\"a\", \"b\"]`, `true`, `443`")
    } else if message.contains("must be quoted") {
        error(format!("this is not TOML: {message}")).help("put strings in quotes: `\"…\"`")
    } else if message.contains("duplicate key") {
        error("this key stands in its table already".to_owned()).help("several values of one key go into one array")
    } else {
        error(format!("this is not TOML: {message}"))
    }
}

/// If a fault is in a table's header, all up to the next header: nobody knows whose keys these are.
fn under_broken_header(text: &str, line_starts: &[usize], fault: usize) -> Option<(usize, usize)> {
    let line = line_starts.partition_point(|&start| start <= fault).checked_sub(1)?;
    let is_header = |start: usize| text[start..].trim_start_matches([' ', '\t', '\u{feff}']).starts_with('[');
    if !is_header(line_starts[line]) {
        return None;
    }
    let next = line_starts[line + 1..].iter().copied().find(|&start| is_header(start));
    Some((line_starts[line], next.map_or(text.len(), |start| start - 1)))
}

fn is_within(ranges: &[(usize, usize)], byte: usize) -> bool {
    ranges.iter().any(|&(start, end)| start < byte && byte <= end)
}

/// Arrays and inline tables that begin and do not end.
fn find_unclosed(text: &str, table: &DeTable<'_>, found: &mut Vec<(usize, usize)>) {
    for value in table.values() {
        visit(text, value, found);
    }
}

fn visit(text: &str, value: &Spanned<DeValue<'_>>, found: &mut Vec<(usize, usize)>) {
    let span = value.span();
    let written = text.get(span.clone()).unwrap_or_default();
    let is_open = match value.get_ref() {
        // A header of an array of tables (`[[rule]]`) is this value's place too; it is closed.
        DeValue::Array(_) => written.starts_with('[') && !written.ends_with(']'),
        DeValue::Table(_) => written.starts_with('{') && !written.ends_with('}'),
        _ => false,
    };
    if is_open {
        found.push((span.start, span.end.max(text.len())));
        return;
    }
    match value.get_ref() {
        DeValue::Array(items) => items.iter().for_each(|item| visit(text, item, found)),
        DeValue::Table(table) => find_unclosed(text, table, found),
        _ => {}
    }
}
