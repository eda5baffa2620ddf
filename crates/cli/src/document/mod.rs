//! Files of other tools, read as one kind of tree: JSON with comments, TOML, YAML.
//!
//! Other tools' files are read to be judged, so every value knows its place, and what two readers may take differently is
//! refused: a key that stands twice would hide what the other tool sees. The three parsers differ; what comes out does not.
//!
//! ```text
//!   wrangler.jsonc ── jsonc-parser ──┐
//!   wrangler.toml ─── toml ──────────┼──► Node: a span, and null │ bool │ number │ text │ array │ object
//!   acl.yaml ──────── saphyr-parser ─┘
//! ```

mod jsonc;
mod toml;
mod yaml;

use std::collections::BTreeMap;

use tidegate_compiler::source::{FileId, Span, Spanned, Text};

pub(crate) use jsonc::parse as parse_jsonc;
pub(crate) use toml::parse as parse_toml;
pub(crate) use yaml::parse as parse_yaml;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Its place.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) value: Value,
}

/// What a [`Node`] is.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Several values.
    Array(Vec<Node>),
    /// `true` or `false`.
    Bool(bool),
    /// Nothing.
    Null,
    /// A number, a date or a time: what none of its readers here looks into.
    Number,
    /// Values by key, in the order of the file. No key stands twice.
    Object(Vec<Member>),
    /// A string.
    Text(String),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The key.
    pub(crate) key: Text,
    /// The value.
    pub(crate) node: Node,
}

/// Why a file is no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unparsable {
    /// Where.
    pub(crate) span: Span,
    /// Lower case, no full stop.
    pub(crate) message: String,
}

impl Node {
    /// The value of a key; `None` for what is no object, too.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.members().iter().find(|member| member.key.value == key).map(|member| &member.node)
    }

    /// The text under a key.
    pub(crate) fn text(&self, key: &str) -> Option<Text> {
        self.get(key)?.as_text()
    }

    /// Keys and values; none for what is no object.
    pub(crate) fn members(&self) -> &[Member] {
        match &self.value {
            Value::Object(members) => members,
            _ => &[],
        }
    }

    /// The elements; none for what is no array.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            Value::Array(items) => items,
            _ => &[],
        }
    }

    /// The string.
    pub(crate) fn as_text(&self) -> Option<Text> {
        match &self.value {
            Value::Text(text) => Some(Spanned { value: text.clone(), span: self.span }),
            _ => None,
        }
    }

    /// `true` or `false`.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// What it is, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Array(_) => "an array",
            Value::Bool(_) => "a boolean",
            Value::Null => "nothing",
            Value::Number => "a number",
            Value::Object(_) => "a table",
            Value::Text(_) => "a string",
        }
    }
}

/// An object of members, unless a key stands twice.
fn object(members: Vec<Member>) -> Result<Value, Unparsable> {
    let mut seen = BTreeMap::new();
    for member in &members {
        if seen.insert(member.key.value.as_str(), member.key.span).is_some() {
            let message = format!("the key `{}` stands twice", member.key.value);
            return Err(Unparsable { span: member.key.span, message });
        }
    }
    Ok(Value::Object(members))
}

fn span(file: FileId, start: usize, end: usize) -> Span {
    Span { file, start, end }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tidegate_compiler::source::SourceMap;

    use super::*;

    type Parse = fn(FileId, &str) -> Result<Node, Unparsable>;

    fn parsed(parse: Parse, text: &str) -> Result<Node, Unparsable> {
        parse(SourceMap::default().add(Path::new("a"), text.to_owned()), text)
    }

    #[test]
    fn three_languages_come_to_one_tree() {
        let files: [(Parse, &str); 3] = [
            (parse_jsonc, "// c\n{\"a\": {\"b\": [\"x\", true, null, 1,]},}"),
            (parse_toml, "# c\na = { b = [\"x\", true, 1] }"),
            (parse_yaml, "# c\na:\n  b:\n    - x\n    - true\n    - ~\n    - 1\n"),
        ];
        for (parse, text) in files {
            let node = parsed(parse, text).unwrap();
            let items = node.get("a").and_then(|a| a.get("b")).unwrap().items();
            assert_eq!(items[0].as_text().unwrap().value, "x", "{text}");
            assert_eq!(&text[items[0].span.start..items[0].span.end].trim_matches('"'), &"x", "{text}");
            assert_eq!(items[1].as_bool(), Some(true), "{text}");
            assert!(matches!(items.last().unwrap().value, Value::Number), "{text}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_hides_nothing() {
        let files: [(Parse, &str); 3] =
            [(parse_jsonc, r#"{"a": 1, "a": 2}"#), (parse_toml, "a = 1\na = 2"), (parse_yaml, "a: 1\na: 2")];
        for (parse, text) in files {
            let refused = parsed(parse, text).unwrap_err();
            assert!(refused.message.contains("twice") || refused.message.contains("duplicate"), "{refused:?}");
        }
    }

    #[test]
    fn what_breaks_off_or_nests_without_end_is_refused() {
        let deep = |open: &str, n: usize| open.repeat(n);
        let files: [(Parse, String); 8] = [
            (parse_jsonc, String::new()),
            (parse_jsonc, "{\"a\": ".to_owned()),
            (parse_jsonc, deep("[", 100_000)),
            (parse_toml, "a = [".to_owned()),
            (parse_toml, format!("a = {}", deep("[", 100_000))),
            (parse_yaml, "a: [".to_owned()),
            (parse_yaml, deep("- ", 20_000)),
            (parse_yaml, deep("[", 100_000)),
        ];
        for (parse, text) in files {
            assert!(parsed(parse, &text).is_err(), "{}", &text[..text.len().min(20)]);
        }
    }

    #[test]
    fn aliases_do_not_multiply() {
        let text = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
        assert!(parsed(parse_yaml, text).unwrap_err().message.contains("alias"));
    }
}
