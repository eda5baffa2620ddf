//! Findings as JSON, one object a line: the shape that editors and scripts hold.

use std::io::Write;

use serde::Serialize;
use tidegate_compiler::diagnostic::{Diagnostic, Severity};
use tidegate_compiler::source::{SourceMap, Span};

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
