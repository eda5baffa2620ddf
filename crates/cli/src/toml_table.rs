//! Typed access to the tables of a test file, with a finding for everything that is not as it should be.
//!
//! A derived reader would stop at the first fault and know its place only roughly; a run shows them all.

use std::collections::BTreeMap;

use tidegate_compiler::diagnostic::{Code, Diagnostic};
use tidegate_compiler::source::{FileId, Span};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Findings about one file.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) file: FileId,
    pub(crate) found: Vec<Diagnostic>,
}

/// A table whose keys are taken out one by one; [`Fields::finish`] reports those that nobody asked for.
pub(crate) struct Fields<'t> {
    /// For people: "a case".
    what: &'static str,
    /// Where a missing key is missing.
    place: Span,
    table: &'t DeTable<'t>,
    asked: Vec<&'static str>,
}

/// A key's value.
#[derive(Clone, Copy)]
pub(crate) struct Field<'t> {
    pub(crate) key: &'static str,
    pub(crate) value: &'t Spanned<DeValue<'t>>,
}

impl Findings {
    pub(crate) fn report(&mut self, code: Code, span: Span, message: String, help: impl Into<String>) {
        self.found.push(Diagnostic::error(code, span, message).help(help));
    }

    /// The place of a value.
    pub(crate) fn span<T>(&self, value: &Spanned<T>) -> Span {
        let span = value.span();
        Span { file: self.file, start: span.start, end: span.end }
    }

    pub(crate) fn wrong_type(&mut self, field: Field<'_>, expected: &str) {
        let message = format!("`{}` must be {expected}, not {}", field.key, type_of(field.value.get_ref()));
        self.found.push(Diagnostic::error(Code::WrongType, self.span(field.value), message));
    }

    pub(crate) fn string(&mut self, field: Field<'_>) -> Option<String> {
        if let DeValue::String(text) = field.value.get_ref() {
            return Some(text.to_string());
        }
        self.wrong_type(field, "a string");
        None
    }

    pub(crate) fn boolean(&mut self, field: Field<'_>) -> Option<bool> {
        if let DeValue::Boolean(value) = field.value.get_ref() {
            return Some(*value);
        }
        self.wrong_type(field, "`true` or `false`");
        None
    }

    /// An array of strings, which may be empty.
    pub(crate) fn strings(&mut self, field: Field<'_>) -> Option<Vec<String>> {
        let DeValue::Array(items) = field.value.get_ref() else {
            self.wrong_type(field, "an array of strings");
            return None;
        };
        items.iter().map(|value| self.string(Field { value, ..field })).collect()
    }

    /// A table of strings.
    pub(crate) fn string_table(&mut self, field: Field<'_>) -> Option<BTreeMap<String, String>> {
        let DeValue::Table(table) = field.value.get_ref() else {
            self.wrong_type(field, "a table of strings");
            return None;
        };
        let mut strings = BTreeMap::new();
        for (key, value) in table {
            strings.insert(key.get_ref().to_string(), self.string(Field { value, ..field })?);
        }
        Some(strings)
    }

    /// One of a few words.
    pub(crate) fn choice(&mut self, field: Field<'_>, choices: &[&str]) -> Option<String> {
        let text = self.string(field)?;
        if choices.contains(&text.as_str()) {
            return Some(text);
        }
        let message = format!("`{}` cannot be `{text}`", field.key);
        self.report(Code::InvalidValue, self.span(field.value), message, format!("it is one of {}", listed(choices)));
        None
    }
}

impl<'t> Fields<'t> {
    pub(crate) fn new(what: &'static str, place: Span, table: &'t DeTable<'t>) -> Self {
        Self { what, place, table, asked: Vec::new() }
    }

    /// A key that may be there.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Field<'t>> {
        self.asked.push(key);
        self.table.get(key).map(|value| Field { key, value })
    }

    /// A key that must be there.
    pub(crate) fn require(&mut self, findings: &mut Findings, key: &'static str) -> Option<Field<'t>> {
        let field = self.take(key);
        if field.is_none() {
            findings.found.push(Diagnostic::error(
                Code::MissingKey,
                self.place,
                format!("{} needs `{key}`", self.what),
            ));
        }
        field
    }

    /// Reports every key that was not taken.
    pub(crate) fn finish(self, findings: &mut Findings) {
        for key in self.table.keys().filter(|key| !self.asked.contains(&key.get_ref().as_ref())) {
            let message = format!("{} has no key `{}`", self.what, key.get_ref());
            let help = format!("its keys are {}", listed(&self.asked));
            findings.report(Code::UnknownKey, findings.span(key), message, help);
        }
    }
}

/// Words in backticks.
fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
