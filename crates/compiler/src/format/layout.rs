//! Events → lines → text.

use std::iter::Peekable;
use std::slice::Iter;

use toml_parser::parser::{Event, EventKind};

/// The longest line that an array is put on, in characters.
const WIDTH: usize = 100;
/// The longest line whose comment is put into one column with others.
const ALIGNED: usize = 60;
const INDENT: usize = 2;

/// A line of a file; an entry may be written on several.
pub(super) enum Line<'t> {
    Blank,
    Comment(&'t str),
    Entry { key: String, value: Value<'t>, comment: Option<&'t str> },
    Header { text: String, comment: Option<&'t str> },
}

pub(super) enum Value<'t> {
    Array { elements: Vec<Element<'t>>, ends_with_comma: bool },
    Scalar(&'t str),
    Table(Vec<Element<'t>>),
}

/// What stands in an array or an inline table.
pub(super) enum Element<'t> {
    Blank,
    Comment(&'t str),
    /// A value; in a table, with its key.
    Item {
        key: Option<String>,
        value: Value<'t>,
        comment: Option<&'t str>,
    },
}

/// The lines of a text that is TOML.
pub(super) fn read<'t>(text: &'t str, events: &[Event]) -> Vec<Line<'t>> {
    let mut reader = Reader { text, events: events.iter().peekable() };
    let mut lines = Vec::new();
    // Whether something stands on the present line already.
    let mut begun = false;
    while let Some(event) = reader.events.next() {
        match event.kind() {
            EventKind::Newline => {
                if !begun {
                    lines.push(Line::Blank);
                }
                begun = false;
                continue;
            }
            EventKind::Comment => {
                let written = reader.written(event).trim_end();
                match lines.last_mut() {
                    Some(Line::Entry { comment, .. } | Line::Header { comment, .. }) if begun => {
                        *comment = Some(written);
                    }
                    _ => lines.push(Line::Comment(written)),
                }
            }
            EventKind::StdTableOpen => {
                lines.push(Line::Header { text: format!("[{}]", reader.key(None)), comment: None });
            }
            EventKind::ArrayTableOpen => {
                lines.push(Line::Header { text: format!("[[{}]]", reader.key(None)), comment: None });
            }
            EventKind::SimpleKey => {
                let key = reader.key(Some(event));
                lines.push(Line::Entry { key, value: reader.value(), comment: None });
            }
            _ => continue,
        }
        begun = true;
    }
    lines
}

struct Reader<'t, 'e> {
    text: &'t str,
    events: Peekable<Iter<'e, Event>>,
}

impl<'t> Reader<'t, '_> {
    fn written(&self, event: &Event) -> &'t str {
        self.text.get(event.span().start()..event.span().end()).unwrap_or_default()
    }

    /// A key up to the `=` or the bracket behind it, from its first part or before it.
    fn key(&mut self, first: Option<&Event>) -> String {
        let mut key = first.map(|event| self.written(event).to_owned()).unwrap_or_default();
        for event in self.events.by_ref() {
            match event.kind() {
                EventKind::KeySep => key.push('.'),
                EventKind::SimpleKey => {
                    key.push_str(self.text.get(event.span().start()..event.span().end()).unwrap_or_default());
                }
                EventKind::ArrayTableClose | EventKind::KeyValSep | EventKind::StdTableClose => break,
                _ => {}
            }
        }
        key
    }

    /// The value that comes next.
    fn value(&mut self) -> Value<'t> {
        for event in self.events.by_ref() {
            match event.kind() {
                EventKind::ArrayOpen => {
                    let (elements, ends_with_comma) = self.elements();
                    return Value::Array { elements, ends_with_comma };
                }
                EventKind::InlineTableOpen => return Value::Table(self.elements().0),
                EventKind::Scalar => {
                    return Value::Scalar(self.text.get(event.span().start()..event.span().end()).unwrap_or_default());
                }
                _ => {}
            }
        }
        Value::Scalar("")
    }

    /// What stands in an array or inline table that was opened, and whether a comma follows its last item.
    fn elements(&mut self) -> (Vec<Element<'t>>, bool) {
        let mut elements = Vec::new();
        let (mut ends_with_comma, mut newlines) = (false, 0);
        while let Some(&event) = self.events.peek() {
            let kind = event.kind();
            let is_beginning = !matches!(
                kind,
                EventKind::ArrayClose
                    | EventKind::InlineTableClose
                    | EventKind::Newline
                    | EventKind::ValueSep
                    | EventKind::Whitespace
            );
            if is_beginning && newlines > 1 && !elements.is_empty() {
                elements.push(Element::Blank);
            }
            match kind {
                EventKind::ArrayOpen | EventKind::InlineTableOpen | EventKind::Scalar => {
                    elements.push(Element::Item { key: None, value: self.value(), comment: None });
                    (ends_with_comma, newlines) = (false, 0);
                    continue;
                }
                EventKind::SimpleKey => {
                    self.events.next();
                    let key = Some(self.key(Some(event)));
                    elements.push(Element::Item { key, value: self.value(), comment: None });
                    (ends_with_comma, newlines) = (false, 0);
                    continue;
                }
                EventKind::Comment => {
                    let written = self.written(event).trim_end();
                    match elements.last_mut() {
                        Some(Element::Item { comment: comment @ None, .. }) if newlines == 0 => {
                            *comment = Some(written);
                        }
                        _ => elements.push(Element::Comment(written)),
                    }
                    newlines = 0;
                }
                EventKind::Newline => newlines += 1,
                EventKind::ValueSep => ends_with_comma = true,
                _ => {}
            }
            self.events.next();
            if matches!(kind, EventKind::ArrayClose | EventKind::InlineTableClose) {
                break;
            }
        }
        (elements, ends_with_comma)
    }
}

/// Lines as text.
pub(super) fn write(lines: &[Line<'_>]) -> String {
    let lines = with_blank_lines(lines);
    let mut text = String::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let block = lines.iter().skip(at).take_while(|line| matches!(line, Line::Entry { .. })).count();
        if block > 0 {
            write_block(&mut text, lines.get(at..at + block).unwrap_or_default());
            at += block;
            continue;
        }
        match line {
            Line::Comment(comment) => text.push_str(comment),
            Line::Header { text: header, comment } => {
                text.push_str(header);
                text.extend(comment.iter().flat_map(|comment| [" ", comment]));
            }
            Line::Blank | Line::Entry { .. } => {}
        }
        text.push('\n');
        at += 1;
    }
    text
}

/// The lines with blank ones where the style has them.
fn with_blank_lines<'l, 't>(lines: &'l [Line<'t>]) -> Vec<&'l Line<'t>> {
    let mut laid_out: Vec<&Line<'_>> = Vec::new();
    for line in lines {
        match (line, laid_out.last()) {
            (Line::Blank, None | Some(Line::Blank | Line::Header { .. })) => continue,
            (Line::Header { .. }, Some(_)) => {
                // The comment right above belongs to the table.
                let comments = laid_out.iter().rev().take_while(|line| matches!(line, Line::Comment(_))).count();
                let before = laid_out.len() - comments;
                if before > 0 && !matches!(laid_out.get(before - 1), Some(Line::Blank)) {
                    laid_out.insert(before, &Line::Blank);
                }
            }
            _ => {}
        }
        laid_out.push(line);
    }
    if matches!(laid_out.last(), Some(Line::Blank)) {
        laid_out.pop();
    }
    laid_out
}

/// Writes entries that follow each other.
fn write_block(text: &mut String, entries: &[&Line<'_>]) {
    let entries: Vec<_> = entries
        .iter()
        .filter_map(|line| match line {
            Line::Entry { key, value, comment } => Some((key, value, comment)),
            _ => None,
        })
        .collect();
    let width = entries.iter().map(|(key, ..)| length(key)).max().unwrap_or_default();
    let code: Vec<String> = entries
        .iter()
        .map(|(key, value, _)| {
            let begin = format!("{key}{} = ", " ".repeat(width - length(key)));
            let value = written(value, 0, length(&begin));
            begin + &value
        })
        .collect();
    let lines: Vec<_> = code.iter().zip(entries.iter().map(|(.., comment)| **comment)).collect();
    // Lines with comments that follow each other, and lines without.
    for lines in lines.chunk_by(|(_, a), (_, b)| a.is_some() == b.is_some()) {
        let is_aligned = |code: &str| length(code) <= ALIGNED && !code.contains('\n');
        let aligned = lines.iter().map(|(code, _)| code.as_str()).filter(|code| is_aligned(code));
        let column = aligned.map(length).max().unwrap_or_default();
        for (code, comment) in lines {
            text.push_str(code);
            if let Some(comment) = comment {
                let gap = if is_aligned(code) { column - length(code) } else { 0 };
                text.push_str(&" ".repeat(gap + 1));
                text.push_str(comment);
            }
            text.push('\n');
        }
    }
}

/// A value, beginning `taken` characters into a line that is indented by `indent`.
fn written(value: &Value<'_>, indent: usize, taken: usize) -> String {
    if let Some(flat) = flat(value)
        // A scalar or a table cannot be made shorter.
        && (taken + length(&flat) <= WIDTH || !matches!(value, Value::Array { .. }))
    {
        return flat;
    }
    match value {
        Value::Array { elements, .. } => on_lines(elements, ['[', ']'], indent),
        Value::Scalar(written) => (*written).to_owned(),
        Value::Table(elements) if has_comments(elements) => on_lines(elements, ['{', '}'], indent),
        Value::Table(elements) => {
            let items = elements.iter().filter_map(|element| match element {
                Element::Item { key, value, .. } => Some(item(key.as_ref(), value, indent)),
                _ => None,
            });
            format!("{{ {} }}", items.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A value on one line, if it may be on one.
fn flat(value: &Value<'_>) -> Option<String> {
    let items = |elements: &[Element<'_>]| {
        let item = |element: &Element<'_>| match element {
            Element::Blank => Some(None),
            Element::Comment(_) | Element::Item { comment: Some(_), .. } => None,
            Element::Item { key, value, .. } => {
                let value = flat(value).filter(|value| !value.contains('\n'))?;
                Some(Some(key.as_ref().map(|key| format!("{key} = {value}")).unwrap_or(value)))
            }
        };
        Some(elements.iter().map(item).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect::<Vec<_>>())
    };
    match value {
        Value::Array { elements, ends_with_comma: false } => Some(format!("[{}]", items(elements)?.join(", "))),
        Value::Array { ends_with_comma: true, .. } => None,
        Value::Scalar(written) => Some((*written).to_owned()),
        Value::Table(elements) if elements.is_empty() => Some("{}".to_owned()),
        Value::Table(elements) => Some(format!("{{ {} }}", items(elements)?.join(", "))),
    }
}

/// The elements of an array or table, one a line.
fn on_lines(elements: &[Element<'_>], [open, close]: [char; 2], indent: usize) -> String {
    let inner = indent + INDENT;
    let margin = " ".repeat(inner);
    let mut text = format!("{open}\n");
    for element in elements {
        match element {
            Element::Blank => {}
            Element::Comment(comment) => text.extend([&margin, *comment]),
            Element::Item { key, value, comment } => {
                text.extend([&margin, &item(key.as_ref(), value, inner), ","].map(|part: &str| part));
                text.extend(comment.iter().flat_map(|comment| [" ", comment]));
            }
        }
        text.push('\n');
    }
    text + &" ".repeat(indent) + &close.to_string()
}

fn item(key: Option<&String>, value: &Value<'_>, indent: usize) -> String {
    let begin = key.map(|key| format!("{key} = ")).unwrap_or_default();
    let value = written(value, indent, indent + length(&begin) + 1);
    begin + &value
}

fn has_comments(elements: &[Element<'_>]) -> bool {
    elements.iter().any(|element| matches!(element, Element::Comment(_) | Element::Item { comment: Some(_), .. }))
}

fn length(text: &str) -> usize {
    text.chars().count()
}
