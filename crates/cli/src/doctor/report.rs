//! How findings look: to people as rustc shows its own, to programs as one JSON object a line.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};
use serde::Serialize;
use tidegate_compiler::source::SourceMap;

use super::{Finding, Severity};

/// A source line longer than this is named but not shown: an upload's metadata may be one line.
const LONGEST_LINE: usize = 400;

/// A finding for people.
pub(crate) fn block(sources: &SourceMap, finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let file = sources.file(finding.span.file);
    let path = file.path.display().to_string();
    let start = sources.line_column(finding.span.file, finding.span.start);
    let message = normalize_untrusted_str(&finding.message);
    let mut group = Group::with_title(level.primary_title(message).id(finding.code.as_str()));
    let line_start = file.text[..byte(&file.text, finding.span.start)].rfind('\n').map_or(0, |newline| newline + 1);
    let line = file.text[line_start..].lines().next().unwrap_or_default();
    if line.is_empty() || line.len() > LONGEST_LINE {
        group = group.element(Origin::path(path).line(start.line).char_column(start.column));
    } else {
        let end = byte(line, finding.span.end.saturating_sub(line_start));
        let from = byte(line, finding.span.start.saturating_sub(line_start)).min(end);
        let annotation = AnnotationKind::Primary.span(from..end);
        group = group.element(Snippet::source(line).path(path).line_start(start.line).annotation(annotation));
    }
    let notes = [
        Level::NOTE.message(normalize_untrusted_str(&finding.why)),
        Level::HELP.message(normalize_untrusted_str(&finding.help)),
    ];
    Renderer::styled().render(&[group.elements(notes)])
}

/// The border of a character at or before a byte of the text.
fn byte(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

/// A finding for programs.
#[derive(Debug, Serialize)]
pub(crate) struct FindingLine<'f> {
    code: &'static str,
    severity: &'static str,
    message: &'f str,
    file: String,
    /// From 1, as is `column`, which counts characters.
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    why: &'f str,
    help: &'f str,
}

impl<'f> FindingLine<'f> {
    /// A finding with its place as people count.
    pub(crate) fn new(sources: &SourceMap, finding: &'f Finding) -> Self {
        let start = sources.line_column(finding.span.file, finding.span.start);
        let end = sources.line_column(finding.span.file, finding.span.end.max(finding.span.start));
        Self {
            code: finding.code.as_str(),
            severity: finding.severity.as_str(),
            message: &finding.message,
            file: sources.file(finding.span.file).path.display().to_string(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            why: &finding.why,
            help: &finding.help,
        }
    }
}
