//! Runs statements, and writes what they give as JSON while it comes: a large result is there once, as text.

use std::io::Write as _;
use std::time::Instant;

use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::types::{Value as Bound, ValueRef};
use rusqlite::{Batch, Connection, Rows, Statement, StatementStatus};
use serde::Deserialize;
use serde_json::{Value, json};

use super::D1Error;
use super::connection::{Guarded, LONGEST_SQL};

/// The most bytes that one call gives, as JSON.
const LARGEST_RESULT: usize = 32 << 20;

/// The most statements of one call.
const MOST_STATEMENTS: usize = 10_000;

/// A statement, or several without parameters.
#[derive(Clone, Debug, Deserialize)]
pub struct Query {
    /// SQL.
    pub sql: String,
    /// What its parameters are, in order: numbers, texts, `null`, booleans, or arrays of bytes.
    #[serde(default)]
    pub params: Option<Vec<Value>>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `[{"column": value}]`
    Objects,
    /// `{"columns": ["column"], "rows": [[value]]}`
    Arrays,
}

/// What a call asks for. It is done whole or not at all.
#[derive(Clone, Debug)]
pub struct Call {
    /// What to run, in order.
    pub queries: Vec<Query>,
    /// How rows are written.
    pub shape: Shape,
    /// Each of the queries may be several statements.
    pub several: bool,
}

/// What a statement gave.
#[derive(Debug)]
pub struct Outcome {
    /// Its rows: JSON in the [`Shape`] that was asked for.
    pub results: String,
    /// `duration`, `changes` …
    pub meta: Value,
}

impl Outcome {
    /// `{"results": …, "success": true, "meta": …}`, an array of them.
    pub fn all(outcomes: &[Self]) -> String {
        let one = |Self { results, meta }: &Self| format!(r#"{{"results":{results},"success":true,"meta":{meta}}}"#);
        format!("[{}]", outcomes.iter().map(one).collect::<Vec<_>>().join(","))
    }
}

/// Runs a call in one transaction.
pub(super) fn run(guarded: &Guarded, call: &Call) -> Result<Vec<Outcome>, D1Error> {
    let Guarded { connection, authorizer, watch, .. } = guarded;
    authorizer.take_refusal();
    watch.begin();
    let ours = |sql: &str| authorizer.ours(|| connection.execute_batch(sql));
    let said = |error: &rusqlite::Error| match watch.ended() {
        Some(why) => D1Error::query(why),
        None => D1Error::of(error, authorizer.take_refusal()),
    };
    ours("BEGIN").map_err(|error| said(&error))?;
    let mut running = Running { guarded, connection, shape: call.shape, left: LARGEST_RESULT, outcomes: Vec::new() };
    let done = running.queries(call).map_err(|failure| match failure {
        Failure::Sqlite(error) => said(&error),
        Failure::Said(error) => error,
    });
    let done = done.and_then(|()| ours("COMMIT").map_err(|error| said(&error)));
    if done.is_err() && !connection.is_autocommit() {
        // If it fails, the connection is given up: see `Databases`.
        let _ = ours("ROLLBACK");
    }
    done.map(|()| running.outcomes)
}

enum Failure {
    Sqlite(rusqlite::Error),
    Said(D1Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<&str> for Failure {
    fn from(why: &str) -> Self {
        Self::Said(D1Error::query(why))
    }
}

struct Running<'c> {
    guarded: &'c Guarded,
    connection: &'c Connection,
    shape: Shape,
    left: usize,
    outcomes: Vec<Outcome>,
}

impl Running<'_> {
    fn queries(&mut self, call: &Call) -> Result<(), Failure> {
        for Query { sql, params } in &call.queries {
            if sql.contains('\0') {
                return Err("SQL holds no NUL: SQLITE_ERROR".into());
            }
            let rest = skip_trivia(sql);
            if rest.is_empty() {
                // A line of a script may be a comment.
                if call.queries.len() > 1 {
                    continue;
                }
                return Err("No SQL statements detected.".into());
            }
            let params = params.as_deref().unwrap_or_default();
            if call.several && params.is_empty() {
                self.script(rest)?;
            } else {
                let statement = self.connection.prepare(rest)?;
                self.statement(statement, params)?;
            }
        }
        if self.outcomes.is_empty() {
            return Err("No SQL statements detected.".into());
        }
        Ok(())
    }

    /// Statements one after another: each may need what the one before made.
    fn script(&mut self, mut rest: &str) -> Result<(), Failure> {
        while !rest.is_empty() {
            // SQLite measures all that it is shown, and not the statement.
            let window = rest.get(..rest.floor_char_boundary(LONGEST_SQL)).unwrap_or(rest);
            let cut = window.len() < rest.len();
            let statement = match Batch::new(self.connection, window).next() {
                Ok(Some(statement)) => statement,
                Ok(None) => return Ok(()),
                Err(rusqlite::Error::SqlInputError { msg, .. }) if cut && is_of_a_cut(&msg) => {
                    return Err(TOO_LONG.into());
                }
                Err(error) => return Err(error.into()),
            };
            if statement.parameter_count() > 0 {
                return Err(WRONG_PARAMETERS.into());
            }
            // Without parameters, this is the statement's very text, its semicolon included.
            let length = statement.expanded_sql().map_or(rest.len(), |text| text.len());
            // What ends with the window may go on behind it.
            if cut && length >= window.len() {
                return Err(TOO_LONG.into());
            }
            self.statement(statement, &[])?;
            rest = skip_trivia(rest.get(length..).unwrap_or_default());
        }
        Ok(())
    }

    fn statement(&mut self, mut statement: Statement<'_>, params: &[Value]) -> Result<(), Failure> {
        if self.outcomes.len() >= MOST_STATEMENTS {
            return Err("too many statements in one call: SQLITE_ERROR".into());
        }
        if statement.parameter_count() != params.len() {
            return Err(WRONG_PARAMETERS.into());
        }
        for (index, value) in params.iter().enumerate() {
            statement.raw_bind_parameter(index + 1, bound(value)?)?;
        }
        let begun = Instant::now();
        let (changes, size) = (self.connection.total_changes(), self.guarded.size()?);
        let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut out = Vec::new();
        let rows = self.rows(&columns, statement.raw_query(), &mut out)?;
        let changes = self.connection.total_changes() - changes;
        let after = self.guarded.size()?;
        let scanned = u64::try_from(statement.get_status(StatementStatus::FullscanStep)).unwrap_or(0);
        let duration = begun.elapsed().as_secs_f64() * 1000.0;
        let meta = json!({
            "served_by": "tidegate",
            "served_by_primary": true,
            "duration": duration,
            "changes": changes,
            "last_row_id": self.connection.last_insert_rowid(),
            "changed_db": changes > 0 || size != after,
            "size_after": after,
            "rows_read": scanned.max(rows),
            "rows_written": changes,
            "timings": { "sql_duration_ms": duration },
            "total_attempts": 1,
        });
        let results = String::from_utf8(out).map_err(|error| Failure::Said(D1Error::query(error.to_string())))?;
        self.outcomes.push(Outcome { results, meta });
        Ok(())
    }

    /// Writes rows, and says how many there were.
    fn rows(&mut self, columns: &[String], mut rows: Rows<'_>, out: &mut Vec<u8>) -> Result<u64, Failure> {
        let names: Vec<Vec<u8>> =
            columns.iter().map(|name| Value::from(name.as_str()).to_string().into_bytes()).collect();
        match self.shape {
            Shape::Objects => out.push(b'['),
            Shape::Arrays => {
                out.extend_from_slice(br#"{"columns":["#);
                out.extend_from_slice(&names.join(&b','));
                out.extend_from_slice(br#"],"rows":["#);
            }
        }
        let (open, close) = if self.shape == Shape::Objects { (b'{', b'}') } else { (b'[', b']') };
        let mut count = 0;
        while let Some(row) = rows.next()? {
            if count > 0 {
                out.push(b',');
            }
            count += 1;
            out.push(open);
            for (index, name) in names.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                if self.shape == Shape::Objects {
                    out.extend_from_slice(name);
                    out.push(b':');
                }
                write_value(row.get_ref(index)?, out);
                if out.len() > self.left {
                    return Err(
                        "the result is too large: a call gives at most 32 MiB; add a LIMIT: SQLITE_TOOBIG".into()
                    );
                }
            }
            out.push(close);
        }
        self.left = self.left.saturating_sub(out.len());
        out.push(b']');
        if self.shape == Shape::Arrays {
            out.push(b'}');
        }
        Ok(count)
    }
}

const WRONG_PARAMETERS: &str = "Wrong number of parameter bindings for SQL query.";

const TOO_LONG: &str = "statement too long: SQLITE_TOOBIG";

/// Whether a message is what SQLite says of a statement whose end it does not see.
fn is_of_a_cut(message: &str) -> bool {
    message.starts_with("incomplete input") || message.starts_with("unrecognized token")
}

/// What comes before a statement: spaces, comments, semicolons.
fn skip_trivia(mut sql: &str) -> &str {
    loop {
        sql = sql.trim_start_matches(|character: char| {
            character.is_ascii_whitespace() || matches!(character, ';' | '\u{feff}')
        });
        if let Some(comment) = sql.strip_prefix("--") {
            sql = comment.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(comment) = sql.strip_prefix("/*") {
            // One that nobody ends goes to the end.
            sql = comment.split_once("*/").map_or("", |(_, rest)| rest);
        } else {
            return sql;
        }
    }
}

/// A parameter as it came, in JSON.
fn bound(value: &Value) -> Result<Bound, Failure> {
    Ok(match value {
        Value::Null => Bound::Null,
        Value::Bool(value) => Bound::Integer(i64::from(*value)),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Bound::Integer(integer),
            None => Bound::Real(number.as_f64().ok_or("a parameter is no number: SQLITE_MISMATCH")?),
        },
        Value::String(text) => Bound::Text(text.clone()),
        Value::Array(bytes) => {
            let byte = |value: &Value| value.as_u64().and_then(|value| u8::try_from(value).ok());
            let bytes: Option<Vec<u8>> = bytes.iter().map(byte).collect();
            Bound::Blob(bytes.ok_or("an array that is a parameter holds bytes, from 0 to 255: SQLITE_MISMATCH")?)
        }
        Value::Object(_) => return Err("an object cannot be a parameter: SQLITE_MISMATCH".into()),
    })
}

fn write_value(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Null => out.extend_from_slice(b"null"),
        ValueRef::Integer(integer) => out.extend_from_slice(integer.to_string().as_bytes()),
        // What JSON has no number for becomes `null`.
        ValueRef::Real(real) => out.extend_from_slice(Value::from(real).to_string().as_bytes()),
        ValueRef::Text(text) => {
            // Writing to memory does not fail.
            let _ = serde_json::to_writer(&mut *out, &String::from_utf8_lossy(text));
        }
        ValueRef::Blob(bytes) => {
            out.push(b'[');
            for (index, byte) in bytes.iter().enumerate() {
                let separator = if index > 0 { "," } else { "" };
                let _ = write!(out, "{separator}{byte}");
            }
            out.push(b']');
        }
    }
}
