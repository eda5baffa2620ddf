//! Typed access to a TOML tree, with a finding for everything that is not as it should be.
//!
//! Policies are read with it, and the files of their tests. A derived reader would stop at the first fault and know its
//! place only roughly; a run shows them all.

mod errors;
pub mod keys;
mod suggest;

use toml::Spanned as TomlSpanned;
use toml::de::{DeString, DeTable, DeValue};

use keys::Key;
pub(crate) use suggest::{did_you_mean, one_of};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span, Spanned, Text};

/// A value of the tree.
pub type Value<'t> = &'t TomlSpanned<DeValue<'t>>;

/// A key's value and the place of the key.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// The key.
    pub key: Span,
    /// The value.
    pub value: T,
}

/// Several strings, never none.
pub type Texts = Entry<Vec<Text>>;

/// What a kind of file is like.
#[derive(Clone, Copy, Debug)]
pub struct Grammar {
    /// For people: "a policy".
    pub what: &'static str,
    /// The keys before the first table.
    pub keys: &'static [Key],
    /// The table that has a key, for those who put it into another one.
    pub home_of: fn(&str) -> Option<&'static str>,
}

/// Parses a file and reads it. Adds what is wrong, in no particular order, save for what broken lines leave uncertain;
/// says whether the file is TOML. If it is not, what was read is what could be made of it.
pub fn read<T>(
    file: FileId,
    text: &str,
    grammar: &Grammar,
    findings: &mut Vec<Diagnostic>,
    read: impl FnOnce(&mut Reader<'_>, &Table<'_>) -> T,
) -> (T, bool) {
    let (tree, errors) = DeTable::parse_recoverable(text);
    let mut faults = errors::Faults::new(file, text, &tree, &errors);
    let is_toml = faults.findings.is_empty();
    let mut own = Vec::new();
    let mut reader = Reader { file, home_of: grammar.home_of, findings: &mut own };
    let root = Table { what: grammar.what, span: Span { file, start: 0, end: 0 }, entries: tree.get_ref() };
    reader.known_keys(&root, grammar.keys);
    let value = read(&mut reader, &root);
    if !is_toml {
        faults.retain_certain(&mut own);
    }
    findings.append(&mut faults.findings);
    findings.append(&mut own);
    (value, is_toml)
}

/// Collects findings about one file.
pub struct Reader<'f> {
    file: FileId,
    home_of: fn(&str) -> Option<&'static str>,
    pub(crate) findings: &'f mut Vec<Diagnostic>,
}

/// A table whose keys are known to be ones that it has.
pub struct Table<'t> {
    /// For people: "a rule", "`jwt`".
    pub what: &'static str,
    /// Its place.
    pub span: Span,
    entries: &'t DeTable<'t>,
}

/// A key of a table and its value.
pub struct Pair<'t> {
    /// The key.
    pub key: Text,
    /// The value.
    pub value: Value<'t>,
    /// The value is one of several that the key holds.
    pub element: bool,
}

impl<'t> Table<'t> {
    /// A key's value and the place of the key.
    pub fn pair(&self, reader: &Reader<'_>, key: &str) -> Option<Pair<'t>> {
        self.entries.get_key_value(key).map(|(key, value)| Pair { key: reader.text(key), value, element: false })
    }

    /// All pairs in the order in which they stand in the file.
    pub fn pairs(&self, reader: &Reader<'_>) -> Vec<Pair<'t>> {
        let mut pairs: Vec<_> =
            self.entries.iter().map(|(key, value)| Pair { key: reader.text(key), value, element: false }).collect();
        pairs.sort_by_key(|pair| pair.key.span.start);
        pairs
    }
}

impl Reader<'_> {
    /// Adds a finding.
    pub fn report(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    /// A table that has these keys and no others.
    pub fn table<'t>(&mut self, pair: &Pair<'t>, what: &'static str, keys: &[Key]) -> Option<Table<'t>> {
        let table = self.open_table(pair, what)?;
        self.known_keys(&table, keys);
        Some(table)
    }

    /// A table whose keys are names of the operator's choosing.
    pub fn open_table<'t>(&mut self, pair: &Pair<'t>, what: &'static str) -> Option<Table<'t>> {
        let DeValue::Table(entries) = pair.value.get_ref() else {
            self.wrong_type(pair, "a table");
            return None;
        };
        Some(Table { what, span: self.span(pair.value), entries })
    }

    /// A key that must be there.
    pub fn required<'t>(&mut self, table: &Table<'t>, key: &str, help: &str) -> Option<Pair<'t>> {
        let pair = table.pair(self, key);
        if pair.is_none() {
            let message = format!("{} needs `{key}`", table.what);
            self.report(Diagnostic::error(Code::MissingKey, table.span, message).help(help));
        }
        pair
    }

    /// A string.
    pub fn string(&mut self, pair: &Pair<'_>) -> Option<Text> {
        let DeValue::String(text) = pair.value.get_ref() else {
            self.wrong_type(pair, "a string");
            return None;
        };
        Some(Spanned { value: text.to_string(), span: self.span(pair.value) })
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, pair: &Pair<'_>) -> Option<bool> {
        let DeValue::Boolean(value) = pair.value.get_ref() else {
            self.wrong_type(pair, "`true` or `false`");
            return None;
        };
        Some(*value)
    }

    /// An array of strings that is not empty.
    pub fn strings(&mut self, pair: &Pair<'_>) -> Option<Texts> {
        let items = self.items(pair, "an array of strings")?;
        let texts: Vec<Text> = items.iter().filter_map(|item| self.string(item)).collect();
        Self::entry_of(pair, texts)
    }

    /// An array of strings, which may be empty.
    pub fn strings_or_none(&mut self, pair: &Pair<'_>) -> Option<Vec<Text>> {
        match pair.value.get_ref() {
            DeValue::Array(items) if items.is_empty() => Some(Vec::new()),
            _ => self.strings(pair).map(|texts| texts.value),
        }
    }

    /// A string, or an array of strings that is not empty.
    pub fn string_or_strings(&mut self, pair: &Pair<'_>) -> Option<Texts> {
        match pair.value.get_ref() {
            DeValue::String(_) => {
                let text = self.string(pair)?;
                Self::entry_of(pair, vec![text])
            }
            DeValue::Array(_) => self.strings(pair),
            _ => {
                self.wrong_type(pair, "a string or an array of strings");
                None
            }
        }
    }

    /// The elements of an array that is not empty, each with the array's key.
    pub fn items<'t>(&mut self, pair: &Pair<'t>, expected: &str) -> Option<Vec<Pair<'t>>> {
        let DeValue::Array(items) = pair.value.get_ref() else {
            self.wrong_type(pair, expected);
            return None;
        };
        if items.is_empty() {
            let message = format!("`{}` is an empty array", pair.key.value);
            let finding = Diagnostic::error(Code::EmptyArray, self.span(pair.value), message);
            self.report(finding.help(format!("leave `{}` out, or put something in", pair.key.value)));
            return None;
        }
        Some(items.iter().map(|value| Pair { key: pair.key.clone(), value, element: true }).collect())
    }

    /// A table of strings, in file order.
    pub fn string_table(&mut self, pair: &Pair<'_>, what: &'static str) -> Option<Vec<(Text, Text)>> {
        let table = self.open_table(pair, what)?;
        let pairs = table.pairs(self);
        Some(pairs.into_iter().filter_map(|pair| self.string(&pair).map(|value| (pair.key, value))).collect())
    }

    /// A string that is one of a few words.
    pub fn choice<T: Copy>(&mut self, pair: &Pair<'_>, choices: &[(&str, T)]) -> Option<Spanned<T>> {
        self.choice_or(pair, choices, |written| {
            did_you_mean(written, choices.iter().map(|(word, _)| *word)).map(|word| format!("did you mean `{word}`?"))
        })
    }

    /// A string that is one of a few words, with help for those who wrote another.
    pub fn choice_or<T: Copy>(
        &mut self,
        pair: &Pair<'_>,
        choices: &[(&str, T)],
        help: impl Fn(&str) -> Option<String>,
    ) -> Option<Spanned<T>> {
        let text = self.string(pair)?;
        if let Some(&(_, value)) = choices.iter().find(|(word, _)| *word == text.value) {
            return Some(Spanned { value, span: text.span });
        }
        let words = one_of(choices.iter().map(|(word, _)| *word));
        let message = format!("`{}` is {words}, not `{}`", pair.key.value, text.value);
        let finding = Diagnostic::error(Code::InvalidValue, text.span, message);
        self.report(match help(&text.value) {
            Some(help) => finding.help(help),
            None => finding,
        });
        None
    }

    /// Reports a value of another type than is expected.
    pub fn wrong_type(&mut self, pair: &Pair<'_>, expected: &str) {
        let found = match pair.value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        let what = if pair.element { "an element of " } else { "" };
        let message = format!("{what}`{}` must be {expected}, not {found}", pair.key.value);
        let finding = Diagnostic::error(Code::WrongType, self.span(pair.value), message);
        let help = match pair.value.get_ref() {
            DeValue::String(text) if expected == "an array of strings" => {
                Some(format!("write `{} = [\"{text}\"]`", pair.key.value))
            }
            DeValue::Integer(number) if expected.contains("string") => {
                Some(format!("put it in quotes: `\"{number}\"`"))
            }
            DeValue::Boolean(value) if expected.contains("string") => Some(format!("put it in quotes: `\"{value}\"`")),
            _ => None,
        };
        self.report(match help {
            Some(help) => finding.help(help),
            None => finding,
        });
    }

    /// A key, with its place.
    pub fn text(&self, key: &TomlSpanned<DeString<'_>>) -> Text {
        let span = key.span();
        Spanned { value: key.get_ref().to_string(), span: Span { file: self.file, start: span.start, end: span.end } }
    }

    /// A value's place.
    pub fn span(&self, value: Value<'_>) -> Span {
        let span = value.span();
        Span { file: self.file, start: span.start, end: span.end }
    }

    /// A value, with the place of its key.
    pub fn entry<T>(pair: &Pair<'_>, value: T) -> Entry<T> {
        Entry { key: pair.key.span, value }
    }

    /// Several strings, unless all of them were faulty.
    fn entry_of(pair: &Pair<'_>, texts: Vec<Text>) -> Option<Texts> {
        (!texts.is_empty()).then(|| Self::entry(pair, texts))
    }

    fn known_keys(&mut self, table: &Table<'_>, keys: &[Key]) {
        let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
        for pair in table.pairs(self) {
            if !known.contains(&pair.key.value.as_str()) {
                self.unknown_key(table.what, &pair.key, &known);
            }
        }
    }

    /// Reports a key that its table does not have.
    pub(crate) fn unknown_key(&mut self, table: &str, key: &Text, keys: &[&str]) {
        let written = key.value.as_str();
        let message = format!("{table} has no key `{written}`");
        let finding = Diagnostic::error(Code::UnknownKey, key.span, message);
        let similar = did_you_mean(written, keys.iter().copied());
        let help = match (similar, (self.home_of)(written)) {
            // Short words are near to anything.
            (Some(word), home) if home.is_none() || written.len() > 3 => format!("did you mean `{word}`?"),
            (_, Some(home)) => format!("`{written}` is a key of {home}"),
            _ => format!("its keys are {}", one_of(keys.iter().copied()).replace(" or ", " and ")),
        };
        self.report(finding.help(help));
    }
}
