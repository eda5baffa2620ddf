//! Findings as JSON, one object a line: the shape that editors and scripts hold.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;
use tidegate_compiler::checked::List;
use tidegate_compiler::diagnostic::{Diagnostic, Severity};
use tidegate_compiler::source::{SourceMap, Span};

use crate::render;
use crate::terminal::StdoutError;

/// One finding.
#[derive(Debug, Serialize)]
pub(crate) struct DiagnosticLine<'d> {
    code: &'static str,
    severity: &'static str,
    message: &'d str,
    #[serde(flatten)]
    place: Place,
    labels: Vec<LabelObject<'d>>,
    help: &'d [String],
}

/// A further place of a finding.
#[derive(Debug, Serialize)]
struct LabelObject<'d> {
    message: &'d str,
    #[serde(flatten)]
    place: Place,
}

/// A place as people count: lines and columns from 1, columns in characters, the end exclusive.
#[derive(Debug, Serialize)]
struct Place {
    file: String,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

/// Lines of a list that `skip` passed over: no finding, in the shape of one.
#[derive(Debug, Serialize)]
struct SkippedLine<'l> {
    code: &'static str,
    severity: &'static str,
    message: String,
    #[serde(flatten)]
    place: Place,
    labels: [(); 0],
    help: [(); 0],
    /// How many lines there are of each kind.
    skipped: BTreeMap<&'l str, usize>,
}

/// Writes what was passed over of each list.
pub(crate) fn write_skipped<'l>(
    out: &mut impl Write,
    sources: &SourceMap,
    lists: impl IntoIterator<Item = &'l List>,
) -> Result<(), StdoutError> {
    for list in lists {
        let skipped: BTreeMap<_, _> =
            list.skipped.iter().map(|(kind, lines)| (kind.as_str(), *lines)).filter(|(_, lines)| *lines > 0).collect();
        let Some(counts) = render::skipped([list]) else { continue };
        let line = SkippedLine {
            code: "lines-skipped",
            severity: "note",
            message: format!("of the list `{}`: {counts}", list.id),
            place: place(sources, list.span),
            labels: [],
            help: [],
            skipped,
        };
        write_line(out, &line)?;
    }
    Ok(())
}

/// Writes every finding.
pub(crate) fn write_diagnostics(
    out: &mut impl Write,
    sources: &SourceMap,
    diagnostics: &[Diagnostic],
) -> Result<(), StdoutError> {
    for diagnostic in diagnostics {
        write_line(out, &DiagnosticLine::new(sources, diagnostic))?;
    }
    Ok(())
}

impl<'d> DiagnosticLine<'d> {
    /// A finding with its places as people count.
    pub(crate) fn new(sources: &SourceMap, diagnostic: &'d Diagnostic) -> Self {
        Self {
            code: diagnostic.code.as_str(),
            severity: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            message: &diagnostic.message,
            place: place(sources, diagnostic.span),
            labels: diagnostic
                .labels
                .iter()
                .map(|label| LabelObject { message: &label.message, place: place(sources, label.span) })
                .collect(),
            help: &diagnostic.help,
        }
    }
}

/// Writes one value on a line of its own.
pub(crate) fn write_line(out: &mut impl Write, value: &impl Serialize) -> Result<(), StdoutError> {
    serde_json::to_writer(&mut *out, value).map_err(|error| StdoutError(error.into()))?;
    out.write_all(b"\n")?;
    Ok(())
}

fn place(sources: &SourceMap, span: Span) -> Place {
    let start = sources.line_column(span.file, span.start);
    let end = sources.line_column(span.file, span.end);
    Place {
        file: sources.file(span.file).path.display().to_string(),
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
    }
}
