//! Faults of the TOML itself, and what can still be said about a file that has some.

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};

/// The parser's errors as findings: one a line, and one for a bracket that is never closed, for all that comes after it
/// was read as its contents.
pub(super) fn syntax_errors(
    file: FileId,
    text: &str,
    tree: &Spanned<DeTable<'_>>,
    errors: &[Error],
) -> Vec<Diagnostic> {
    let mut unclosed = Vec::new();
    if errors.iter().any(|error| error.message().starts_with("unclosed")) {
        find_unclosed(text, tree.get_ref(), &mut unclosed);
    }
    let mut found: Vec<Diagnostic> = errors
        .iter()
        .filter_map(|error| {
            let span = error.span().unwrap_or(0..0);
            let swallowed = unclosed.iter().any(|&(start, end)| start < span.start && span.start <= end);
            (!swallowed).then(|| {
                let message = format!("this is not TOML: {}", error.message());
                let finding = Diagnostic::error(Code::Syntax, Span { file, start: span.start, end: span.end }, message);
                match way_out(error.message()) {
                    Some(help) => finding.help(help),
                    None => finding,
                }
            })
        })
        .chain(unclosed.iter().map(|&(start, _)| {
            let (what, bracket) = if text[start..].starts_with('{') { ("table", '}') } else { ("array", ']') };
            let span = Span { file, start, end: start + 1 };
            Diagnostic::error(
                Code::Syntax,
                span,
                format!("this is not TOML: the {what} that begins here is never closed"),
            )
            .help(format!("close it with `{bracket}`"))
        }))
        .collect();
    found.sort_by_key(|finding| finding.span.start);
    found.dedup_by_key(|finding| line_of(text, finding.span.start));
    found
}

/// Keeps those findings that do not depend on what the broken lines were meant to say: nothing on these lines, and
/// nothing about what is absent.
pub(super) fn retain_certain(faults: &[Diagnostic], text: &str, findings: &mut Vec<Diagnostic>) {
    findings.retain(|finding| {
        let line = line_of(text, finding.span.start);
        finding.code != Code::MissingKey && !faults.iter().any(|fault| line_of(text, fault.span.start) == line)
    });
}

/// First byte of the line that a byte is on.
fn line_of(text: &str, byte: usize) -> usize {
    text.as_bytes()[..byte.min(text.len())].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1)
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

fn way_out(message: &str) -> Option<&'static str> {
    if message.contains("must be quoted") {
        Some("put strings in quotes: `\"…\"`")
    } else if message.contains("duplicate key") {
        Some("a key stands once in its table; alternatives go into one array")
    } else {
        None
    }
}
