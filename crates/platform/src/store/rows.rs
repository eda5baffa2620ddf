//! Small things that every table needs.

use rusqlite::types::FromSql;
use rusqlite::{OptionalExtension as _, Row, Transaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{Result, StoreError};
use crate::clock;
use crate::worker::{NamespaceId, Scope, ScriptKey};

/// The columns of a row from left to right. Looking them up by name costs more than the rest of a listing.
pub(super) struct Columns<'a> {
    row: &'a Row<'a>,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn of(row: &'a Row<'a>) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn next<T: FromSql>(&mut self) -> Result<T> {
        let column = self.next;
        self.next += 1;
        Ok(self.row.get(column)?)
    }

    pub(super) fn next_json<T: DeserializeOwned>(&mut self) -> Result<T> {
        let column = self.next;
        self.next += 1;
        from_json(self.row.get_ref(column)?.as_str().map_err(StoreError::damaged)?)
    }
}

/// RFC 3339 with microseconds, as Cloudflare gives it.
pub(super) fn now() -> String {
    format!("{:.6}", clock::now())
}

/// A UUID with hyphens.
pub(super) fn new_uuid() -> String {
    Uuid::new_v4().to_string()
}

/// 32 hexadecimal digits.
pub(super) fn new_hex_id() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The `scope` of a script in its table.
pub(super) fn scope_number(scope: Scope) -> i64 {
    namespace_number(scope).unwrap_or(0)
}

/// The `namespace` of a script in its table.
pub(super) fn namespace_number(scope: Scope) -> Option<i64> {
    match scope {
        Scope::Account => None,
        Scope::Namespace(NamespaceId(id)) => Some(id),
    }
}

/// The row of a script.
pub(super) fn script_row(transaction: &Transaction<'_>, key: &ScriptKey) -> Result<i64> {
    find_script_row(transaction, key)?.ok_or(StoreError::ScriptNotFound)
}

/// The row of a script, if it exists.
pub(super) fn find_script_row(transaction: &Transaction<'_>, key: &ScriptKey) -> Result<Option<i64>> {
    Ok(transaction
        .prepare_cached("SELECT id FROM scripts WHERE scope = ?1 AND name = ?2")?
        .query_row((scope_number(key.scope), key.name.as_str()), |row| row.get(0))
        .optional()?)
}

/// The next serial of the store.
pub(super) fn next_serial(transaction: &Transaction<'_>) -> Result<i64> {
    Ok(transaction
        .prepare_cached("UPDATE state SET serial = serial + 1 RETURNING serial")?
        .query_row((), |row| row.get(0))?)
}

/// What is kept as JSON in a column.
pub(super) fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(StoreError::damaged)
}

/// What was kept as JSON in a column.
pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(StoreError::damaged)
}

/// A number that is never negative.
pub(super) fn unsigned(number: i64) -> Result<u64> {
    u64::try_from(number).map_err(StoreError::damaged)
}
