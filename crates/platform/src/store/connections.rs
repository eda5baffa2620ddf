//! One connection that writes, and a few that read.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use parking_lot::{FairMutex, FairMutexGuard};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Result, Store, StoreError, schema};

/// How many connections read at most; further readers wait for one.
const READERS: usize = 8;

/// How many may wait for the connection that writes on a thread of their own; others wait without one.
const WRITERS: usize = 16;

/// How long SQLite waits for a lock of another process, such as somebody's `sqlite3`.
const BUSY: Duration = Duration::from_secs(5);

/// Statements that a connection keeps compiled.
const STATEMENTS: usize = 64;

/// After a checkpoint the write-ahead log is cut to so many bytes.
const LARGEST_IDLE_LOG: i64 = 16 << 20;

pub(super) struct Connections {
    path: PathBuf,
    readers: Mutex<Readers>,
    reader_came_back: Condvar,
    closed: AtomicBool,
    writers: Semaphore,
    #[cfg(feature = "faults")]
    slowness: Mutex<Duration>,
    // Fair: a write is not overtaken by those that came later, however slow the disk is. Last: who closes the database last
    // takes the write-ahead log into it, which a reader may not.
    writer: FairMutex<Connection>,
}

#[derive(Default)]
struct Readers {
    idle: Vec<Connection>,
    busy: usize,
}

/// The right to use one of the connections that read.
struct Turn<'a>(&'a Connections);

impl Connections {
    /// Opens the database and brings it to the newest version.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut writer =
            connect(path, flags).and_then(prepare_writer).map_err(|error| StoreError::opening(path, error))?;
        schema::migrate(&mut writer, path)?;
        Ok(Self {
            path: path.to_owned(),
            readers: Mutex::default(),
            reader_came_back: Condvar::new(),
            closed: AtomicBool::new(false),
            writers: Semaphore::new(WRITERS),
            #[cfg(feature = "faults")]
            slowness: Mutex::default(),
            writer: FairMutex::new(writer),
        })
    }

    /// Runs `change` in a transaction: what it did is kept when it comes back with `Ok`, and nothing of it otherwise.
    pub(super) fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut writer = self.writer();
        if self.closed.load(Ordering::Relaxed) {
            return Err(StoreError::Closed);
        }
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = change(&transaction)?;
        #[cfg(feature = "faults")]
        std::thread::sleep(*self.slowness.lock().unwrap_or_else(PoisonError::into_inner));
        transaction.commit()?;
        Ok(done)
    }

    /// Runs `look` on one state of the database.
    pub(super) fn read<T>(&self, look: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let _turn = self.turn();
        let idle = self.readers().idle.pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?,
        };
        let seen = look(&reader.transaction()?);
        self.readers().idle.push(reader);
        seen
    }

    /// Waits for the write that is under way, and refuses all that come later.
    pub(super) fn close(&self) {
        let _writer = self.writer();
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Waits for a turn to [`write`](Self::write) on a thread that blocks.
    pub(super) async fn turn_to_write(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.writers.acquire().await.ok()
    }

    /// From now on each transaction takes so much longer to reach the disk.
    #[cfg(feature = "faults")]
    pub(super) fn slow_down(&self, by: Duration) {
        *self.slowness.lock().unwrap_or_else(PoisonError::into_inner) = by;
    }

    pub(super) fn limit_size(&self, bytes: Option<u64>) -> Result<()> {
        let writer = self.writer();
        let page: i64 = writer.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let most =
            bytes.map_or(i64::from(u32::MAX - 1), |bytes| i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1));
        // Zero would ask for the limit and set none.
        Ok(writer.pragma_update_and_check(None, "max_page_count", most.max(1), |_| Ok(()))?)
    }

    /// Gives free pages back to the file system.
    pub(super) fn shrink(&self) -> Result<()> {
        let writer = self.writer();
        let mut statement = writer.prepare("PRAGMA incremental_vacuum")?;
        let mut rows = statement.query(())?;
        // Each step frees one page.
        while rows.next()?.is_some() {}
        Ok(())
    }

    fn writer(&self) -> FairMutexGuard<'_, Connection> {
        // A thread that panicked here dropped its transaction on its way, which took it back.
        let writer = self.writer.lock();
        if !writer.is_autocommit() {
            // Its rollback had failed, say for want of memory. If it fails again, the next statement says why.
            let _ = writer.execute_batch("ROLLBACK");
        }
        writer
    }

    fn turn(&self) -> Turn<'_> {
        let readers = self.readers();
        let mut readers = self
            .reader_came_back
            .wait_while(readers, |readers| readers.busy >= READERS)
            .unwrap_or_else(PoisonError::into_inner);
        readers.busy += 1;
        Turn(self)
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.readers().busy -= 1;
        self.0.reader_came_back.notify_one();
    }
}

impl Store {
    pub(super) fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.inner.connections.write(change)
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.inner.connections.read(look)
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

fn prepare_writer(writer: Connection) -> rusqlite::Result<Connection> {
    // Of effect before the first table alone.
    writer.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    writer.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    writer.pragma_update(None, "synchronous", "FULL")?;
    writer.pragma_update_and_check(None, "journal_size_limit", LARGEST_IDLE_LOG, |_| Ok(()))?;
    Ok(writer)
}
