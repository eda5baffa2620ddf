//! The schema, version by version, and whose file it is.
//!
//! `PRAGMA user_version` counts the migrations that a database has seen; `PRAGMA application_id` says that it is ours.
//! A migration that was released is never changed: another one follows it.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use rusqlite_migration::{M, Migrations};

use super::StoreError;

/// `TGAT`.
const APPLICATION_ID: i64 = 0x5447_4154;

const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("schema.sql")),
    M::up(include_str!("schema/assets.sql")),
    M::up(include_str!("schema/secret_keys.sql")),
    M::up(include_str!("schema/d1.sql")),
];

/// Refuses a file that is no store, or that a newer version wrote.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    let found = match Found::of(path, OpenFlags::SQLITE_OPEN_READ_ONLY) {
        // Somebody was killed while making it, and what was half-written is still to be taken back.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {
            Found::of(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        }
        other => other,
    };
    let Found { application, version, tables } = found.map_err(|error| StoreError::opening(path, error))?;
    let newest = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if application != APPLICATION_ID && (tables > 0 || version != 0) {
        Err(StoreError::NotAStore(path.to_owned()))
    } else if version > newest {
        Err(StoreError::Newer { path: path.to_owned(), found: version, newest })
    } else {
        Ok(())
    }
}

/// What a file says that it is.
struct Found {
    application: i64,
    version: i64,
    tables: i64,
}

impl Found {
    fn of(path: &Path, access: OpenFlags) -> rusqlite::Result<Self> {
        let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get(0));
        Ok(Self {
            application: number("application_id")?,
            version: number("user_version")?,
            tables: connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?,
        })
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
