//! The schema, version by version, and whose file it is.
//!
//! `PRAGMA user_version` counts the migrations that a database has seen; `PRAGMA application_id` says that it is ours.
//! A migration that was released is never changed: another one follows it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use super::StoreError;

/// `TGAT`.
const APPLICATION_ID: i64 = 0x5447_4154;

const MIGRATIONS: &[M<'static>] = &[M::up(include_str!("schema.sql")), M::up(include_str!("schema/d1.sql"))];

/// Refuses a file that is no store, or that a newer version wrote. Reads alone.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::opening(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(failed);
    let found = number("user_version")?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).map_err(failed)?;
    let newest = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if number("application_id")? != APPLICATION_ID && (tables > 0 || found != 0) {
        Err(StoreError::NotAStore(path.to_owned()))
    } else if found > newest {
        Err(StoreError::Newer { path: path.to_owned(), found, newest })
    } else {
        Ok(())
    }
}

/// Brings a database to the newest version.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    connection
        .pragma_update(None, "application_id", APPLICATION_ID)
        .map_err(|error| StoreError::opening(path, error))?;
    Migrations::from_slice(MIGRATIONS).to_latest(connection).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => StoreError::opening(path, err),
        other => StoreError::damaged(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_are_valid() {
        Migrations::from_slice(MIGRATIONS).validate().unwrap();
    }
}
