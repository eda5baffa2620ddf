//! Reading test files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tidegate_compiler::diagnostic::{Code, Diagnostic};
use tidegate_compiler::source::{SourceMap, Span};
use tidegate_engine::Reason;
use toml::de::{DeTable, DeValue};

use super::SUFFIX;
use crate::files::{self, FileError, MIB};
use crate::instant::{self, Seconds};
use crate::request::{Request, checked_header, join};
use crate::toml_table::{Field, Fields, Findings};

/// The largest test file.
const LARGEST: u64 = 16 * MIB;

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
    pub(super) request: Request,
    pub(super) at: Option<Seconds>,
    /// What must be so.
    pub expect: Expectation,
}

/// Members of the answer, as `tidegate decide` writes it, that must be as here.
#[derive(Debug)]
pub struct Expectation(pub(super) Map<String, Value>);

/// Reads a test file. Nothing of it is used if anything is wrong with it.
pub fn parse(path: &Path) -> Parsed {
    let mut sources = SourceMap::default();
    let (text, unreadable) = match files::read_text(path, LARGEST) {
        Ok(text) => (text, None),
        Err(error) => (String::new(), Some(error)),
    };
    let file = sources.add(path, text.clone());
    let mut findings = Findings { file, found: Vec::new() };
    let start = Span { file, start: 0, end: 0 };
    let parsed = match unreadable {
        Some(error) => {
            let code = match error {
                FileError::NotUtf8 { .. } => Code::NotUtf8,
                FileError::TooLarge { .. } => Code::FileTooLarge,
                _ => Code::FileUnreadable,
            };
            findings.found.push(Diagnostic::error(code, start, error.to_string()));
            None
        }
        None => read(path, &text, start, &mut findings),
    };
    findings.found.sort_by_key(|found| found.span);
    let file = parsed.filter(|_| findings.found.is_empty());
    Parsed { sources, diagnostics: findings.found, file }
}

fn read(path: &Path, text: &str, start: Span, findings: &mut Findings) -> Option<TestFile> {
    let (tree, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let span = Span { file: start.file, start: span.start, end: span.end };
        let message = format!("this is not TOML: {}", error.message());
        findings.found.push(Diagnostic::error(Code::Syntax, span, message));
    }
    // What could be made of a broken file would be reported for what is broken already.
    if !errors.is_empty() {
        return None;
    }
    let mut fields = Fields::new("a test file", start, tree.get_ref());
    let policy = match fields.take("policy") {
        Some(field) => findings.string(field)?.into(),
        None => default_policy(path),
    };
    let cases = fields.require(findings, "case");
    fields.finish(findings);
    let cases = cases.map(|field| read_cases(field, findings))?;
    Some(TestFile { policy: path.parent().unwrap_or(Path::new("")).join(policy), cases })
}

/// `acme.toml` for `acme.test.toml`.
fn default_policy(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{}.toml", name.strip_suffix(SUFFIX).unwrap_or(&name)).into()
}

fn read_cases(field: Field<'_>, findings: &mut Findings) -> Vec<Case> {
    let DeValue::Array(items) = field.value.get_ref() else {
        findings.wrong_type(field, "an array of tables, `[[case]]`");
        return Vec::new();
    };
    if items.is_empty() {
        findings.report(
            Code::EmptyArray,
            findings.span(field.value),
            "there is no case".to_owned(),
            "add a `[[case]]`",
        );
    }
    let cases = items.iter().filter_map(|value| {
        let DeValue::Table(table) = value.get_ref() else {
            findings.wrong_type(Field { value, ..field }, "an array of tables, `[[case]]`");
            return None;
        };
        read_case(Fields::new("a case", findings.span(value), table), findings)
    });
    cases.collect()
}

/// Reads everything before it gives up, so that one run reports all that is wrong with a case.
fn read_case(mut fields: Fields<'_>, findings: &mut Findings) -> Option<Case> {
    let name = fields.require(findings, "name").and_then(|field| findings.string(field));
    let method = fields.take("method").map_or(Some("GET".to_owned()), |field| findings.string(field));
    let url = fields.require(findings, "url").and_then(|field| findings.string(field));
    let customer = fields.take("customer").and_then(|field| findings.string(field));
    let tags = fields.take("tags").and_then(|field| findings.strings(field));
    let headers = fields.take("headers").map_or(Some(Vec::new()), |field| read_headers(field, findings));
    let at = fields.take("at").and_then(|field| read_instant(field, findings));
    let expect = fields.require(findings, "expect").and_then(|field| read_expectation(field, findings));
    fields.finish(findings);
    Some(Case {
        name: name?,
        request: Request { method: method?, url: url?, customer, tags, headers: headers? },
        at,
        expect: expect?,
    })
}

fn read_headers(field: Field<'_>, findings: &mut Findings) -> Option<Vec<(String, String)>> {
    let headers = findings.string_table(field)?.into_iter().map(|(name, value)| checked_header(name, value));
    match headers.collect::<Result<Vec<_>, _>>() {
        Ok(headers) => Some(join(headers)),
        Err(message) => {
            findings.report(
                Code::InvalidValue,
                findings.span(field.value),
                message,
                "no request carries such a header",
            );
            None
        }
    }
}

fn read_instant(field: Field<'_>, findings: &mut Findings) -> Option<Seconds> {
    let DeValue::Datetime(datetime) = field.value.get_ref() else {
        findings.wrong_type(field, "a date");
        return None;
    };
    let instant = instant::from_toml(datetime);
    if instant.is_none() {
        let message = "`at` must be a date, or a date and time in UTC".to_owned();
        let help = "write `2026-11-22` or `2026-11-22T00:55:40Z`, without quotes";
        findings.report(Code::InvalidValue, findings.span(field.value), message, help);
    }
    instant
}

/// Members that are at fault are left out: the file is refused anyway, and the rest of it is still looked at.
fn read_expectation(field: Field<'_>, findings: &mut Findings) -> Option<Expectation> {
    let DeValue::Table(table) = field.value.get_ref() else {
        findings.wrong_type(field, "a table, such as `{ effect = \"deny\" }`");
        return None;
    };
    let mut fields = Fields::new("`expect`", findings.span(field.value), table);
    let mut expected = Map::new();
    let mut expect = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            expected.insert(key.to_owned(), value);
        }
    };
    if let Some(field) = fields.require(findings, "effect") {
        expect("effect", findings.choice(field, &["allow", "deny"]).map(Value::String));
    }
    if let Some(field) = fields.take("reason") {
        expect("reason", findings.choice(field, &Reason::ALL.map(Reason::as_str)).map(Value::String));
    }
    for key in ["rule", "url"] {
        if let Some(field) = fields.take(key) {
            expect(key, findings.string(field).map(Value::String));
        }
    }
    for key in ["rules", "would_deny", "would_allow"] {
        if let Some(field) = fields.take(key) {
            expect(key, findings.strings(field).map(Value::from));
        }
    }
    if let Some(field) = fields.take("enforced") {
        expect("enforced", findings.boolean(field).map(Value::Bool));
    }
    if let Some(field) = fields.take("set") {
        let headers = findings.string_table(field).into_iter().flatten();
        expect("set", Some(headers.map(|(name, value)| (lower(&name), Value::String(value))).collect()));
    }
    if let Some(field) = fields.take("remove") {
        let names = findings.strings(field).into_iter().flatten();
        // Their order means nothing.
        let names: BTreeSet<_> = names.map(|name| lower(&name)).collect();
        expect("remove", Some(names.into_iter().collect()));
    }
    if let Some(field) = fields.take("jwt") {
        expect("jwt", read_jwt(field, findings));
    }
    fields.finish(findings);
    Some(Expectation(expected))
}

fn read_jwt(field: Field<'_>, findings: &mut Findings) -> Option<Value> {
    let table = match field.value.get_ref() {
        DeValue::Boolean(false) => return Some(Value::Null),
        DeValue::Table(table) => table,
        _ => {
            findings.wrong_type(field, "a table, or `false` for no token");
            return None;
        }
    };
    let mut fields = Fields::new("`jwt`", findings.span(field.value), table);
    let mut expected = Map::new();
    for key in ["key", "kid", "alg", "header", "scheme"] {
        if let Some(text) = fields.take(key).and_then(|field| findings.string(field)) {
            expected.insert(key.to_owned(), Value::String(text));
        }
    }
    if let Some(claims) = fields.take("claims").and_then(|field| findings.string_table(field)) {
        expected.insert("claims".to_owned(), json!(claims));
    }
    fields.finish(findings);
    Some(Value::Object(expected))
}

fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}
