//! YAML 1.2, one document, without aliases and tags.
//!
//! It is built from the parser's events on a stack of its own, so that neither depth nor aliases cost more than the file is
//! long.

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Range};
use tidegate_compiler::source::{FileId, Span, Spanned};

use super::{Member, Node, Unparsable, Value, object, span};

/// Deeper than any configuration nests.
const DEEPEST: usize = 64;

/// Parses a file.
pub(crate) fn parse(file: FileId, text: &str) -> Result<Node, Unparsable> {
    let places = Places { file, bytes: text.char_indices().map(|(at, _)| at).collect(), end: text.len() };
    let mut open = Vec::<Open>::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, range) = event.map_err(|error| {
            let at = places.byte(error.marker().index());
            Unparsable { span: span(file, at, at), message: error.info().to_owned() }
        })?;
        let place = places.span(range);
        let refused = |message: &str| Err(Unparsable { span: place, message: message.to_owned() });
        let done = match event {
            Event::Alias(_) => return refused("an alias (`*name`) is not read here; write out what it stands for"),
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                return refused("a tag (`!name`) is not read here");
            }
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= DEEPEST => {
                return refused("it nests too deeply");
            }
            Event::DocumentStart(_) if root.is_some() => return refused("there is a second document in the file"),
            Event::SequenceStart(..) => {
                open.push(Open::Sequence { start: place, items: Vec::new() });
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Mapping { start: place, members: Vec::new(), key: None });
                continue;
            }
            Event::Scalar(value, style, ..) => {
                let value = if style == ScalarStyle::Plain { plain(&value) } else { Value::Text(value.into_owned()) };
                Node { span: place, value }
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::Sequence { start, items }) => {
                    Node { span: Span { end: place.end.max(start.end), ..start }, value: Value::Array(items) }
                }
                Some(Open::Mapping { start, members, .. }) => {
                    Node { span: Span { end: place.end.max(start.end), ..start }, value: object(members)? }
                }
                None => continue,
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                continue;
            }
        };
        match open.last_mut() {
            None => root = Some(done),
            Some(Open::Sequence { items, .. }) => items.push(done),
            Some(Open::Mapping { members, key, .. }) => match key.take() {
                Some(key) => members.push(Member { key, node: done }),
                None => match done.value {
                    Value::Text(text) => *key = Some(Spanned { value: text, span: done.span }),
                    _ => return refused("a key is a string; put it in quotes"),
                },
            },
        }
    }
    root.ok_or_else(|| Unparsable { span: span(file, 0, 0), message: "the file is empty".to_owned() })
}

/// A collection whose end has not come yet.
enum Open {
    Sequence { start: Span, items: Vec<Node> },
    Mapping { start: Span, members: Vec<Member>, key: Option<Spanned<String>> },
}

/// A scalar without quotes (YAML 1.2.2, §10.3.2, the core schema).
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if text.parse::<f64>().is_ok() && text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
            Value::Number
        }
        _ => Value::Text(text.to_owned()),
    }
}

/// The parser counts characters; places are bytes.
struct Places {
    file: FileId,
    bytes: Vec<usize>,
    end: usize,
}

impl Places {
    fn byte(&self, character: usize) -> usize {
        self.bytes.get(character).copied().unwrap_or(self.end)
    }

    fn span(&self, range: Range) -> Span {
        let start = self.byte(range.start.index());
        span(self.file, start, self.byte(range.end.index()).max(start))
    }
}
