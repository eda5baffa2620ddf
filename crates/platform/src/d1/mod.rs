//! D1: databases of Workers, each a SQLite file of its own beside the store, on which tenants run any SQL.
//!
//! ```text
//!   DATA/d1/UUID.sqlite     one database (beside it -wal and -shm while in use)
//!
//!   Worker, API ─▶ Databases ─▶ queue of UUID ─▶ thread of UUID: one connection, one call after another
//!                  one map       100 at most      authorizer · limits · watch
//! ```
//!
//! # What holds
//! A call is one transaction, done whole or not at all, and on the disk when it is answered (WAL, `synchronous=FULL`).
//! Calls of one database run one after another, as with Cloudflare; those of different ones do not wait for each other,
//! and none is ever on the store's connections or threads. A thread ends, and the file is closed, when its database was not
//! used for a while.
//!
//! # What hostile SQL meets
//! - The [authorizer](authorizer) refuses, while a statement is prepared, whatever is not named there: other files, other
//!   databases, transactions, settings, functions that load code or cannot be bounded. SQLite's defensive mode keeps the
//!   schema tables from being written.
//! - [Limits](connection::guard): length of SQL and values, parameters, columns, depth, program size, size of the file.
//! - The [watch] ends a call after 30 s of processor time, or when memory grows, and at once when the database is deleted.
//!
//! What is left: sorting and `WITH RECURSIVE` may spill to temporary files, which the time alone bounds.

pub(crate) mod authorizer;
pub(crate) mod connection;
mod error;
mod functions;
mod query;
#[cfg(test)]
mod tests;
pub(crate) mod watch;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::connection::Guarded;
pub use self::error::D1Error;
pub use self::query::{Call, Outcome, Query, Shape};

/// Calls that may wait for one database.
const QUEUE: usize = 100;

/// Databases that are open at once.
const MOST_OPEN: usize = 256;

/// A database that is not used for so long is closed.
const IDLE: Duration = Duration::from_mins(1);

/// How long deleting and stopping wait for what runs; it ends between two steps.
const GRACE: Duration = Duration::from_secs(2);

/// The files that SQLite keeps of one database.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

type Answer = Result<Vec<Outcome>, D1Error>;

/// The databases of a data folder. Cloning gives another handle.
#[derive(Clone)]
pub struct Databases {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: HashMap<String, Open>,
    /// Ids are never given twice.
    deleted: HashSet<String>,
    closed: bool,
}

/// A database with a thread.
struct Open {
    jobs: SyncSender<Job>,
    /// How many wait or run.
    busy: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    ended: Receiver<()>,
    used: Instant,
}

struct Job {
    call: Call,
    answer: oneshot::Sender<Answer>,
    _busy: Busy,
}

/// Counts as long as it lives.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Databases").field("folder", &self.inner.folder).finish_non_exhaustive()
    }
}

impl Databases {
    /// Those whose files are in a folder, which need not be there yet.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { inner: Arc::new(Inner { folder, state: Mutex::default() }) }
    }

    /// Deletes the files of databases that are not known: of those whose deletion a crash cut short.
    pub(crate) fn delete_unknown(&self, known: &HashSet<String>) -> std::io::Result<()> {
        let entries = match fs::read_dir(&self.inner.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.split_once(".sqlite")).map(|(id, _)| id);
            if let Some(id) = id.filter(|id| is_id(id) && !known.contains(*id)) {
                self.inner.delete_files(id);
            }
        }
        Ok(())
    }

    /// Runs a call. The database must be one that the store knows: it is made when it is first used.
    pub async fn call(&self, id: &str, call: Call) -> Answer {
        if !is_id(id) {
            return Err(D1Error::NotFound);
        }
        let (answer, answered) = oneshot::channel();
        self.inner.send(id, call, answer)?;
        // Without an answer, its thread was told to stop.
        answered.await.unwrap_or_else(|_| {
            let state = self.inner.state();
            Err(if state.closed { D1Error::Closed } else { D1Error::NotFound })
        })
    }

    /// Ends what runs on a database, and deletes its files. Blocks for a short while.
    pub(crate) fn delete(&self, id: &str) {
        if !is_id(id) {
            return;
        }
        let open = {
            let mut state = self.inner.state();
            state.deleted.insert(id.to_owned());
            state.open.remove(id)
        };
        if let Some(open) = open {
            open.end(Instant::now() + GRACE);
        }
        // If its thread is still within a step, it deletes them once more.
        self.inner.delete_files(id);
    }

    /// Ends what runs, closes all, and refuses what comes later. Blocks for a short while.
    pub(crate) fn close(&self) {
        let open: Vec<Open> = {
            let mut state = self.inner.state();
            state.closed = true;
            state.open.drain().map(|(_, open)| open).collect()
        };
        for open in &open {
            open.stop.store(true, Ordering::Relaxed);
        }
        let until = Instant::now() + GRACE;
        for open in open {
            open.end(until);
        }
    }
}

impl Open {
    /// Tells the thread to stop, and waits for it.
    fn end(self, until: Instant) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.jobs);
        // It never sends: its end is what is waited for.
        let _ = self.ended.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.sqlite"))
    }

    fn delete_files(&self, id: &str) {
        for suffix in SUFFIXES {
            // What stays behind goes when the store is opened again.
            let _ = fs::remove_file(self.folder.join(format!("{id}.sqlite{suffix}")));
        }
    }

    /// Puts a call into the queue of its database.
    fn send(self: &Arc<Self>, id: &str, call: Call, answer: oneshot::Sender<Answer>) -> Result<(), D1Error> {
        let mut state = self.state();
        if state.closed {
            return Err(D1Error::Closed);
        }
        if state.deleted.contains(id) {
            return Err(D1Error::NotFound);
        }
        if !state.open.contains_key(id) {
            if state.open.len() >= MOST_OPEN {
                state.close_idle()?;
            }
            let open = self.start(id)?;
            state.open.insert(id.to_owned(), open);
        }
        let open = state.open.get_mut(id).ok_or(D1Error::NotFound)?;
        open.used = Instant::now();
        // One runs, the others wait.
        if open.busy.load(Ordering::Relaxed) > QUEUE {
            return Err(D1Error::Overloaded);
        }
        let job = Job { call, answer, _busy: Busy::new(&open.busy) };
        match open.jobs.try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(D1Error::Overloaded),
            // It panicked: the next call starts another.
            Err(TrySendError::Disconnected(_)) => {
                state.open.remove(id);
                Err(D1Error::Storage("its thread ended; try again".to_owned()))
            }
        }
    }

    fn start(self: &Arc<Self>, id: &str) -> Result<Open, D1Error> {
        make_folder(&self.folder).map_err(|error| D1Error::Storage(error.to_string()))?;
        let (jobs, inbox) = sync_channel(QUEUE + 1);
        let (alive, ended) = sync_channel(0);
        let (stop, busy) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let thread = Thread { inner: Arc::clone(self), id: id.to_owned(), stop: Arc::clone(&stop), inbox };
        // A thread of its own, and none of the runtime's: nobody waits for it at the end.
        std::thread::Builder::new()
            .name("d1".to_owned())
            .spawn(move || {
                let _alive: SyncSender<()> = alive;
                thread.run();
            })
            .map_err(|error| D1Error::Storage(error.to_string()))?;
        Ok(Open { jobs, busy, stop, ended, used: Instant::now() })
    }
}

impl State {
    /// Has the database end that was not used for longest, if nothing runs there.
    fn close_idle(&mut self) -> Result<(), D1Error> {
        let idle = self.open.iter().filter(|(_, open)| open.busy.load(Ordering::Relaxed) == 0);
        let oldest = idle.min_by_key(|(_, open)| open.used).map(|(id, _)| id.clone());
        let oldest = oldest.ok_or(D1Error::Overloaded)?;
        // Its thread sees that nobody can send any more.
        self.open.remove(&oldest);
        Ok(())
    }
}

/// What runs the calls of one database.
struct Thread {
    inner: Arc<Inner>,
    id: String,
    stop: Arc<AtomicBool>,
    inbox: Receiver<Job>,
}

impl Thread {
    fn run(self) {
        let mut guarded = None;
        while let Some(job) = self.next() {
            // Who asked may be gone by now.
            if job.answer.is_closed() {
                continue;
            }
            let answer = self.answer(&mut guarded, &job.call);
            let _ = job.answer.send(answer);
        }
        drop(guarded);
        if self.inner.state().deleted.contains(&self.id) {
            self.inner.delete_files(&self.id);
        }
    }

    /// The next call; none when it is to end.
    fn next(&self) -> Option<Job> {
        let job = match self.inbox.recv_timeout(IDLE) {
            Ok(job) => Some(job),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                // Calls are put in under the same lock: none is lost.
                let mut state = self.inner.state();
                match self.inbox.try_recv() {
                    Ok(job) => Some(job),
                    Err(TryRecvError::Disconnected) => None,
                    Err(TryRecvError::Empty) => {
                        state.open.remove(&self.id);
                        None
                    }
                }
            }
        };
        job.filter(|_| !self.stop.load(Ordering::Relaxed))
    }

    fn answer(&self, guarded: &mut Option<Guarded>, call: &Call) -> Answer {
        let open = match guarded.take() {
            Some(open) => open,
            None => Guarded::open(&self.inner.path(&self.id), Arc::clone(&self.stop))
                .map_err(|error| D1Error::Storage(error.to_string()))?,
        };
        let answer = query::run(&open, call);
        // Else the next call gets a connection of its own.
        if open.is_clean() {
            *guarded = Some(open);
        }
        answer
    }
}

/// Runs one statement that writes nothing, on a connection that is given up with it. Blocks.
pub(crate) fn read(connection: rusqlite::Connection, sql: &str, stop: Arc<AtomicBool>) -> Result<Outcome, D1Error> {
    let guarded = Guarded::reading(connection, stop).map_err(|error| D1Error::Storage(error.to_string()))?;
    let queries = vec![Query { sql: sql.to_owned(), params: None }];
    let outcomes = query::run(&guarded, &Call { queries, shape: Shape::Arrays, several: false })?;
    outcomes.into_iter().next().ok_or(D1Error::NotFound)
}

/// Says how far a database is, as sessions do: later ones are greater. Here each query sees all that was answered before
/// it, so it stands for the time and nothing more.
pub(crate) fn bookmark() -> String {
    let now = jiff::Timestamp::now();
    format!("{:08x}-{:08x}-{:08x}-{:032x}", now.as_second(), now.subsec_nanosecond(), 0, 0)
}

/// Whether something is the id of a database: what goes into the name of a file.
fn is_id(id: &str) -> bool {
    id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}
