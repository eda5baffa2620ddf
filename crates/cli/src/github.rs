//! Findings as workflow commands of GitHub Actions, one a line; the runner reads them and annotates the pull request.
//!
//! ```text
//!   ::error file=policies/a.toml,line=2,col=1,endLine=2,endColumn=7,title=unknown-key::a policy has no key `colour`%0Ahelp: …
//! ```
//!
//! Escapes are those of `@actions/core`: `%`, CR and LF everywhere, `:` and `,` in properties too. GitHub draws columns only where a
//! finding begins and ends on one line, and shows ten errors and ten warnings a step.

use std::borrow::Cow;
use std::io::Write;

use tidegate_compiler::diagnostic::{Diagnostic, Severity};
use tidegate_compiler::source::{FileId, SourceMap, Span};

use crate::render::{self, Shown};
use crate::terminal::StdoutError;

/// Writes findings; of a list file as many as people see.
pub(crate) fn write_diagnostics(
    out: &mut impl Write,
    sources: &SourceMap,
    diagnostics: &[Diagnostic],
) -> Result<(), StdoutError> {
    for shown in render::shown(sources, diagnostics) {
        match shown {
            Shown::Finding(diagnostic) => writeln!(out, "{}", command(sources, diagnostic))?,
            Shown::More(file, text) => writeln!(out, "::notice file={}::{}", path(sources, file), data(&text))?,
        }
    }
    Ok(())
}

fn command(sources: &SourceMap, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let Span { file, start, end } = diagnostic.span;
    let (start, end) = (sources.line_column(file, start), sources.line_column(file, end));
    let place = if start.line == end.line {
        format!("line={},col={},endLine={},endColumn={}", start.line, start.column, end.line, end.column)
    } else {
        format!("line={},endLine={}", start.line, end.line)
    };
    let labels = diagnostic.labels.iter().map(|label| {
        let at = sources.line_column(label.span.file, label.span.start);
        let file = sources.file(label.span.file).path.display();
        format!("{file}:{}:{}: {}", at.line, at.column, label.message)
    });
    let help = diagnostic.help.iter().map(|help| format!("help: {help}"));
    let lines: Vec<String> = [diagnostic.message.clone()].into_iter().chain(labels).chain(help).collect();
    let (file, title) = (path(sources, file), property(diagnostic.code.as_str()));
    format!("::{level} file={file},{place},title={title}::{}", data(&lines.join("\n")))
}

/// A file as a property; GitHub knows it by its path from the repository's root.
fn path(sources: &SourceMap, file: FileId) -> String {
    let path = sources.file(file).path.display().to_string();
    property(path.strip_prefix("./").unwrap_or(&path)).into_owned()
}

/// The value after `::`.
fn data(text: &str) -> Cow<'_, str> {
    escaped(text, "%\r\n")
}

/// The value of a property.
fn property(text: &str) -> Cow<'_, str> {
    escaped(text, "%\r\n:,")
}

fn escaped<'t>(text: &'t str, what: &str) -> Cow<'t, str> {
    if !text.contains(|c| what.contains(c)) {
        return text.into();
    }
    let escape = |c: char| if what.contains(c) { format!("%{:02X}", u32::from(c)) } else { c.to_string() };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tidegate_compiler::diagnostic::Code;

    use super::*;

    #[test]
    fn nothing_that_a_finding_quotes_ends_the_command_or_begins_another() {
        let mut sources = SourceMap::default();
        let file = sources.add(Path::new("./a,b:c%.toml"), "x\ny\n".to_owned());
        let finding = Diagnostic::error(Code::Syntax, Span { file, start: 0, end: 3 }, "100 %")
            .help("one")
            .label(Span { file, start: 2, end: 3 }, "::error::two");
        let line = command(&sources, &finding);
        assert_eq!(
            line,
            "::error file=a%2Cb%3Ac%25.toml,line=1,endLine=2,title=syntax::100 %25%0A./a,b:c%25.toml:2:1: ::error::two%0Ahelp: one"
        );
    }
}
