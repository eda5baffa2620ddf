//! How findings look to people: rustc's way, one block a finding.
//!
//! Whatever comes from a file is shown without its control characters, so that a policy or a list cannot
//! write to the operator's terminal.

use std::collections::BTreeMap;
use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};
use tidegate_compiler::diagnostic::{Code, Diagnostic, Severity};
use tidegate_compiler::source::{FileId, SourceMap, Span};

use crate::plain::without_c1;

/// How many findings of one list file people see; a script asks for JSON and sees all.
pub const SHOWN_PER_LIST: usize = 20;

/// A source line longer than this is named but not shown.
const LONGEST_LINE: usize = 4096;

/// What people see of many findings.
#[derive(Debug)]
pub enum Shown<'d> {
    /// A finding.
    Finding(&'d Diagnostic),
    /// So many lines of one list that are passed over, and in what words.
    More(FileId, String),
}

/// All findings, each as a block; of a list file the first [`SHOWN_PER_LIST`] and a count. With colours, which who writes
/// them takes out where they cannot be shown.
pub fn diagnostics(sources: &SourceMap, diagnostics: &[Diagnostic]) -> Vec<String> {
    blocks(sources, diagnostics, &Renderer::styled())
}

/// The same without colours, as one text.
pub fn plain_diagnostics(sources: &SourceMap, diagnostics: &[Diagnostic]) -> String {
    without_c1(&blocks(sources, diagnostics, &Renderer::plain()).join("\n\n"))
}

fn blocks(sources: &SourceMap, diagnostics: &[Diagnostic], renderer: &Renderer) -> Vec<String> {
    let shown = shown(sources, diagnostics).into_iter();
    let blocks = shown.map(|shown| match shown {
        Shown::Finding(diagnostic) => block(sources, diagnostic, renderer),
        Shown::More(_, text) => renderer.render(&[Group::with_title(Level::NOTE.primary_title(text))]),
    });
    blocks.collect()
}

/// All findings, but of a list file the first [`SHOWN_PER_LIST`] and a count.
pub fn shown<'d>(sources: &SourceMap, diagnostics: &'d [Diagnostic]) -> Vec<Shown<'d>> {
    let mut per_list = BTreeMap::<FileId, usize>::new();
    for diagnostic in diagnostics.iter().filter(|diagnostic| is_of_list(diagnostic)) {
        *per_list.entry(diagnostic.span.file).or_default() += 1;
    }
    let mut seen = BTreeMap::<FileId, usize>::new();
    let mut shown = Vec::new();
    for diagnostic in diagnostics {
        if let Some(&total) = per_list.get(&diagnostic.span.file).filter(|_| is_of_list(diagnostic)) {
            let seen = seen.entry(diagnostic.span.file).or_default();
            *seen += 1;
            if *seen == SHOWN_PER_LIST + 1 {
                let file = diagnostic.span.file;
                shown.push(Shown::More(file, more_in_list(sources, file, total)));
            }
            if *seen > SHOWN_PER_LIST {
                continue;
            }
        }
        shown.push(Shown::Finding(diagnostic));
    }
    shown
}

/// `2 errors, 1 warning`.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let counts = [(errors, "error"), (diagnostics.len() - errors, "warning")];
    let words: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, noun)| counted(*n, noun)).collect();
    if words.is_empty() { "no findings".to_owned() } else { words.join(", ") }
}

/// `1 rule`, `2 rules`.
pub fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn is_of_list(diagnostic: &Diagnostic) -> bool {
    diagnostic.code == Code::ListLine
}

fn more_in_list(sources: &SourceMap, file: FileId, total: usize) -> String {
    let path = sources.file(file).path.display();
    format!(
        "{} more such lines in `{path}`, {total} in all (`tidegate check --format json` shows every one)",
        total - SHOWN_PER_LIST
    )
}

/// One finding with every place that belongs to it.
fn block(sources: &SourceMap, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str());
    let mut group = Group::with_title(title);

    // The finding's own file first, then those of its labels in the order in which they come.
    let mut files = vec![diagnostic.span.file];
    for label in &diagnostic.labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    for file in files {
        let primary = (diagnostic.span.file == file).then_some((AnnotationKind::Primary, diagnostic.span, None));
        let labels = diagnostic.labels.iter().filter(|label| label.span.file == file);
        let context = labels.map(|label| (AnnotationKind::Context, label.span, Some(label.message.as_str())));
        let places: Vec<_> = primary.into_iter().chain(context).collect();
        group = match excerpt(sources, file, &places) {
            Some(snippet) => group.element(snippet),
            None => group.element(origin(sources, places[0].1)),
        };
    }
    let help = diagnostic.help.iter().map(|help| Level::HELP.message(normalize_untrusted_str(help)));
    renderer.render(&[group.elements(help)])
}

type Place<'d> = (AnnotationKind, Span, Option<&'d str>);

/// The lines from the first place to the last; `None` where there is no text to show, or too much.
///
/// Cutting them out keeps the cost of a finding independent of the size of its file.
fn excerpt<'s>(sources: &'s SourceMap, file: FileId, places: &[Place<'s>]) -> Option<Snippet<'s, Annotation<'s>>> {
    let source = sources.file(file);
    let text = source.text.as_str();
    if text.is_empty() {
        return None;
    }
    let spans: Vec<_> = places.iter().map(|(_, span, _)| within(text, span)).collect();
    let first = spans.iter().map(|span| span.start).min()?;
    let last = spans.iter().map(|span| span.end).max()?;
    let start = text[..first].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[last..].find('\n').map_or(text.len(), |newline| last + newline);
    // A line that ends the Windows way is shown without its carriage return.
    let end = if end > last && text[..end].ends_with('\r') { end - 1 } else { end };
    let lines = &text[start..end];
    if lines.lines().any(|line| line.len() > LONGEST_LINE) {
        return None;
    }
    let annotations = places
        .iter()
        .zip(spans)
        .map(|((kind, _, label), span)| kind.span(span.start - start..span.end - start).label(*label));
    let path = source.path.display().to_string();
    Some(Snippet::source(lines).path(path).line_start(sources.line_column(file, start).line).annotations(annotations))
}

/// A place without its text.
fn origin(sources: &SourceMap, span: Span) -> Origin<'static> {
    let file = sources.file(span.file);
    let origin = Origin::path(file.path.display().to_string());
    if file.text.is_empty() {
        return origin;
    }
    let at = sources.line_column(span.file, span.start);
    origin.line(at.line).char_column(at.column)
}

/// The span's bytes, pulled inside the text and onto character borders.
fn within(text: &str, span: &Span) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
    start..end
}
