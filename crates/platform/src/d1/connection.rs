//! A connection to one database on which others' SQL may run.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, Result};

use super::authorizer::Authorizer;
use super::functions;
use super::watch::{STEPS, Watch};

/// The largest database, in bytes: Cloudflare's of the free plan.
pub(crate) const LARGEST_DATABASE: i64 = 500 * 1000 * 1000;

/// The longest statement, in bytes.
pub(crate) const LONGEST_SQL: usize = 100_000;

/// The largest text, blob or row, in bytes.
const LARGEST_VALUE: i32 = 2_000_000;

/// The most parameters of a statement.
const MOST_PARAMETERS: i32 = 100;

/// After a checkpoint the write-ahead log is cut to so many bytes.
const LARGEST_IDLE_LOG: i64 = 4 << 20;

/// How long SQLite waits for somebody's `sqlite3`.
const BUSY: Duration = Duration::from_secs(5);

/// An open database, with what guards it.
pub(super) struct Guarded {
    pub(super) connection: Connection,
    pub(super) authorizer: Authorizer,
    pub(super) watch: Watch,
    page: i64,
}

impl Guarded {
    /// Opens a database, or makes it.
    pub(super) fn open(path: &Path, stop: Arc<AtomicBool>) -> Result<Self> {
        // No `SQLITE_OPEN_URI`: a path is a path.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update_and_check(None, "journal_size_limit", LARGEST_IDLE_LOG, |_| Ok(()))?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        connection.pragma_update_and_check(None, "max_page_count", LARGEST_DATABASE / page.max(512), |_| Ok(()))?;
        let (authorizer, watch) = (Authorizer::default(), Watch::new(stop));
        guard(&connection, &authorizer, &watch)?;
        Ok(Self { connection, authorizer, watch, page })
    }

    /// Has a connection that was made for reading be read by others; what it is to find there is made already.
    pub(super) fn reading(connection: Connection, stop: Arc<AtomicBool>) -> Result<Self> {
        let page = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let (authorizer, watch) = (Authorizer::reading(), Watch::new(stop));
        guard(&connection, &authorizer, &watch)?;
        Ok(Self { connection, authorizer, watch, page })
    }

    /// The size of the database, in bytes.
    pub(super) fn size(&self) -> Result<i64> {
        let pages: i64 = self
            .authorizer
            .ours(|| self.connection.prepare_cached("PRAGMA page_count")?.query_row((), |row| row.get(0)))?;
        Ok(pages * self.page)
    }

    /// Whether the next call may find this connection as the one before left it.
    pub(super) fn is_clean(&self) -> bool {
        self.connection.is_autocommit() && !self.authorizer.was_switched()
    }
}

/// Has everything that runs on a connection from now on asked about, bounded and watched. The limits are Cloudflare's where
/// it has one, and else those that SQLite recommends against hostile SQL (<https://sqlite.org/security.html>).
pub(crate) fn guard(connection: &Connection, authorizer: &Authorizer, watch: &Watch) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false)?;
    functions::replace_costly(connection)?;
    let limits = [
        (Limit::SQLITE_LIMIT_LENGTH, LARGEST_VALUE),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, i32::try_from(LONGEST_SQL).unwrap_or(i32::MAX)),
        (Limit::SQLITE_LIMIT_COLUMN, 100),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 5),
        (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, MOST_PARAMETERS),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ];
    for (limit, most) in limits {
        connection.set_limit(limit, most)?;
    }
    connection.progress_handler(STEPS, Some(watch.handler()))?;
    let authorizer = authorizer.clone();
    connection.authorizer(Some(move |context: rusqlite::hooks::AuthContext<'_>| authorizer.judge(context)))
}
