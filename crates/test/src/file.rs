//! Reading test files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tidegate_compiler::diagnostic::{Code, Diagnostic};
use tidegate_compiler::load::read_text;
use tidegate_compiler::source::{SourceMap, Span, Text};
use tidegate_compiler::tree::{self, Grammar, Pair, Reader, Table};
use tidegate_engine::Reason;
use toml::de::DeValue;

use crate::SUFFIX;
use crate::instant::{self, Seconds};
use crate::keys::{CASE, EFFECTS, EXPECT, FILE, JWT, home_of};
use crate::request::{Request, checked_header, join};

/// The largest test file.
const LARGEST: u64 = 16 << 20;

/// What reading a test file came to.
#[derive(Debug)]
pub struct Parsed {
    /// The file.
    pub sources: SourceMap,
    /// All findings, in source order.
    pub diagnostics: Vec<Diagnostic>,
    /// The tests; `None` if there are findings.
    pub file: Option<TestFile>,
}

/// Tests of one policy.
#[derive(Debug)]
pub struct TestFile {
    /// The policy that is asked.
    pub policy: PathBuf,
    /// At least one.
    pub cases: Vec<Case>,
}

/// A request and what must become of it.
#[derive(Debug)]
pub struct Case {
    /// A sentence.
    pub name: String,
    pub(crate) request: Request,
    pub(crate) at: Option<Seconds>,
    /// What must be so.
    pub expect: Expectation,
}

/// Members of the answer, as `tidegate decide` writes it, that must be as here.
#[derive(Debug)]
pub struct Expectation(pub(crate) Map<String, Value>);

const GRAMMAR: Grammar = Grammar { what: "a test file", keys: FILE, home_of };

/// Reads a test file. Nothing of it is used if anything is wrong with it.
pub fn parse(path: &Path) -> Parsed {
    let mut sources = SourceMap::default();
    let mut diagnostics = Vec::new();
    let file = match read_text(path, LARGEST) {
        Ok(text) => {
            let file = sources.add(path, text.clone());
            tree::read(file, &text, &GRAMMAR, &mut diagnostics, |reader, root| read(path, reader, root)).0
        }
        Err(fault) => {
            let file = sources.add(path, String::new());
            diagnostics.push(fault.at(Span { file, start: 0, end: 0 }));
            None
        }
    };
    diagnostics.sort_by_key(|found| found.span);
    let file = file.filter(|_| diagnostics.is_empty());
    Parsed { sources, diagnostics, file }
}

fn read(path: &Path, reader: &mut Reader<'_>, root: &Table<'_>) -> Option<TestFile> {
    let policy = match root.pair(reader, "policy") {
        Some(pair) => reader.string(&pair)?.value.into(),
        None => default_policy(path),
    };
    let cases = reader.required(root, "case", "add a `[[case]]`")?;
    let cases = reader.items(&cases, "an array of tables, `[[case]]`")?;
    let cases = cases.iter().filter_map(|pair| read_case(pair, reader)).collect();
    Some(TestFile { policy: path.parent().unwrap_or(Path::new("")).join(policy), cases })
}

/// `acme.toml` for `acme.test.toml`.
fn default_policy(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{}.toml", name.strip_suffix(SUFFIX).unwrap_or(&name)).into()
}

/// Reads everything before it gives up, so that one run reports all that is wrong with a case.
fn read_case(pair: &Pair<'_>, reader: &mut Reader<'_>) -> Option<Case> {
    let case = reader.table(pair, "a case", CASE)?;
    let name =
        reader.required(&case, "name", "say in a sentence what must be so").and_then(|pair| reader.string(&pair));
    let method = case.pair(reader, "method").map_or(Some("GET".to_owned()), |pair| string(&pair, reader));
    let url = reader.required(&case, "url", "say what is fetched").and_then(|pair| reader.string(&pair));
    let customer = case.pair(reader, "customer").and_then(|pair| string(&pair, reader));
    let tags = case.pair(reader, "tags").and_then(|pair| strings(&pair, reader));
    let vars = case.pair(reader, "vars").map_or(Some(Vec::new()), |pair| read_vars(&pair, reader));
    let headers = case.pair(reader, "headers").map_or(Some(Vec::new()), |pair| read_headers(&pair, reader));
    let at = case.pair(reader, "at").and_then(|pair| read_instant(&pair, reader));
    let expect =
        reader.required(&case, "expect", "say what must become of it, such as `expect = { effect = \"deny\" }`");
    let expect = expect.and_then(|pair| read_expectation(&pair, reader));
    Some(Case {
        name: name?.value,
        request: Request { method: method?, url: url?.value, customer, tags, vars: Some(vars?), headers: headers? },
        at,
        expect: expect?,
    })
}

fn read_vars(pair: &Pair<'_>, reader: &mut Reader<'_>) -> Option<Vec<(String, String)>> {
    Some(string_table(pair, reader)?.collect())
}

fn read_headers(pair: &Pair<'_>, reader: &mut Reader<'_>) -> Option<Vec<(String, String)>> {
    let headers = string_table(pair, reader)?.map(|(name, value)| checked_header(name, value));
    match headers.collect::<Result<Vec<_>, _>>() {
        Ok(headers) => Some(join(headers)),
        Err(message) => {
            let finding = Diagnostic::error(Code::InvalidValue, reader.span(pair.value), message);
            reader.report(finding.help("no request carries such a header"));
            None
        }
    }
}

fn read_instant(pair: &Pair<'_>, reader: &mut Reader<'_>) -> Option<Seconds> {
    let DeValue::Datetime(datetime) = pair.value.get_ref() else {
        reader.wrong_type(pair, "a date");
        return None;
    };
    let instant = instant::from_toml(datetime);
    if instant.is_none() {
        let message = "`at` must be a date, or a date and time in UTC";
        let finding = Diagnostic::error(Code::InvalidValue, reader.span(pair.value), message);
        reader.report(finding.help("write `2026-11-22` or `2026-11-22T00:55:40Z`, without quotes"));
    }
    instant
}

/// Members that are at fault are left out: the file is refused anyway, and the rest of it is still looked at.
fn read_expectation(pair: &Pair<'_>, reader: &mut Reader<'_>) -> Option<Expectation> {
    let table = reader.table(pair, "`expect`", EXPECT)?;
    let mut expected = Map::new();
    let mut expect = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            expected.insert(key.to_owned(), value);
        }
    };
    if let Some(pair) = reader.required(&table, "effect", "it is `allow` or `deny`") {
        expect("effect", word(&pair, reader, &EFFECTS));
    }
    if let Some(pair) = table.pair(reader, "reason") {
        expect("reason", word(&pair, reader, &Reason::ALL.map(Reason::as_str)));
    }
    for key in ["rule", "url"] {
        if let Some(pair) = table.pair(reader, key) {
            expect(key, string(&pair, reader).map(Value::String));
        }
    }
    for key in ["rules", "would_deny", "would_allow"] {
        if let Some(pair) = table.pair(reader, key) {
            expect(key, strings(&pair, reader).map(Value::from));
        }
    }
    if let Some(pair) = table.pair(reader, "enforced") {
        expect("enforced", reader.boolean(&pair).map(Value::Bool));
    }
    if let Some(pair) = table.pair(reader, "set") {
        let headers = string_table(&pair, reader).into_iter().flatten();
        expect("set", Some(headers.map(|(name, value)| (lower(&name), Value::String(value))).collect()));
    }
    if let Some(pair) = table.pair(reader, "remove") {
        let names = strings(&pair, reader).into_iter().flatten();
        // Their order means nothing.
        let names: BTreeSet<_> = names.map(|name| lower(&name)).collect();
        expect("remove", Some(names.into_iter().collect()));
    }
    if let Some(pair) = table.pair(reader, "jwt") {
        expect("jwt", read_jwt(&pair, reader));
    }
    Some(Expectation(expected))
}

fn read_jwt(pair: &Pair<'_>, reader: &mut Reader<'_>) -> Option<Value> {
    match pair.value.get_ref() {
        DeValue::Boolean(false) => return Some(Value::Null),
        DeValue::Table(_) => {}
        _ => {
            reader.wrong_type(pair, "a table, or `false` for no token");
            return None;
        }
    }
    let table = reader.table(pair, "`jwt`", JWT)?;
    let mut expected = Map::new();
    for key in ["key", "kid", "alg", "header", "scheme"] {
        if let Some(text) = table.pair(reader, key).and_then(|pair| string(&pair, reader)) {
            expected.insert(key.to_owned(), Value::String(text));
        }
    }
    if let Some(claims) = table.pair(reader, "claims").and_then(|pair| string_table(&pair, reader)) {
        let claims: BTreeMap<_, _> = claims.collect();
        expected.insert("claims".to_owned(), json!(claims));
    }
    Some(Value::Object(expected))
}

fn string(pair: &Pair<'_>, reader: &mut Reader<'_>) -> Option<String> {
    reader.string(pair).map(|text| text.value)
}

fn strings(pair: &Pair<'_>, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    reader.strings_or_none(pair).map(|texts| texts.into_iter().map(|text| text.value).collect())
}

fn string_table(pair: &Pair<'_>, reader: &mut Reader<'_>) -> Option<impl Iterator<Item = (String, String)> + use<>> {
    let plain = |(name, value): (Text, Text)| (name.value, value.value);
    reader.string_table(pair, "a table of strings").map(|pairs| pairs.into_iter().map(plain))
}

fn word(pair: &Pair<'_>, reader: &mut Reader<'_>, words: &[&'static str]) -> Option<Value> {
    let choices: Vec<_> = words.iter().map(|&word| (word, word)).collect();
    reader.choice(pair, &choices).map(|word| Value::from(word.value))
}

fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}
