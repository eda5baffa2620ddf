//! Functions of SQLite whose cost is the product of two lengths, in a linear form.
//!
//! `trim(a, b)` looks for each character of `a` through all of `b`: two megabytes of each take hours, in one step that
//! nothing can stop. These do the same with a set.

use std::collections::HashSet;
use std::sync::Mutex;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Result};

/// Puts them in place of SQLite's own.
pub(crate) fn replace_costly(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    for (name, start, end) in [("trim", true, true), ("ltrim", true, false), ("rtrim", false, true)] {
        // Only SQLite knows how it writes a number.
        let numbers = Mutex::new(Connection::open_in_memory()?);
        connection.create_scalar_function(name, 2, flags, move |context| trim(context, &numbers, start, end))?;
    }
    let numbers = Mutex::new(Connection::open_in_memory()?);
    connection.create_scalar_function("unhex", 2, flags, move |context| {
        let (Some(hex), Some(ignored)) = (text(context, 0, &numbers)?, text(context, 1, &numbers)?) else {
            return Ok(None);
        };
        Ok(unhex(&hex, &ignored.chars().collect()))
    })?;
    Ok(())
}

/// The bytes of pairs of digits; between pairs, and not within one, stands what is ignored.
fn unhex(hex: &str, ignored: &HashSet<char>) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(hex.len() / 2);
    let mut characters = hex.chars();
    while let Some(character) = characters.next() {
        match character.to_digit(16) {
            Some(high) => bytes.push(u8::try_from(high << 4 | characters.next()?.to_digit(16)?).ok()?),
            None if ignored.contains(&character) => {}
            None => return None,
        }
    }
    Some(bytes)
}

fn trim(context: &Context<'_>, numbers: &Mutex<Connection>, start: bool, end: bool) -> Result<Option<String>> {
    let (Some(text), Some(set)) = (text(context, 0, numbers)?, text(context, 1, numbers)?) else { return Ok(None) };
    let set: HashSet<char> = set.chars().collect();
    let mut rest = text.as_str();
    if start {
        rest = rest.trim_start_matches(|character| set.contains(&character));
    }
    if end {
        rest = rest.trim_end_matches(|character| set.contains(&character));
    }
    Ok(Some(rest.to_owned()))
}

/// An argument as text, as SQLite reads it.
fn text(context: &Context<'_>, index: usize, numbers: &Mutex<Connection>) -> Result<Option<String>> {
    Ok(match context.get_raw(index) {
        ValueRef::Null => None,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => {
            let numbers = numbers.lock().map_err(|_| Error::InvalidQuery)?;
            Some(numbers.query_row("SELECT CAST(?1 AS TEXT)", [number], |row| row.get(0))?)
        }
    })
}
