//! What was accepted, kept in SQLite. The store is the truth: the runtime loads from it and holds copies alone.
//!
//! ```text
//!   DATA/tidegate.db     everything, in WAL mode (beside it -wal and -shm while in use)
//!   DATA/tidegate.key    32 random bytes, mode 0600: what secrets are encrypted and tokens are hashed with
//!   DATA/tidegate.lock   held by the one process that uses the folder
//!   DATA/d1/             the D1 databases: see [`crate::d1`]
//!   DATA/analytics.sqlite   data points of the Analytics Engine
//! ```
//!
//! Calls block; a server makes them from [`tokio::task::spawn_blocking`]. A [`Store`] is a handle: cloning it is cheap.
//!
//! # What holds
//! Every change is one transaction on the one connection that writes; when a call comes back, the change is on the
//! disk (`synchronous=FULL`), and when it fails, nothing of it is. Readers see a state between two changes, never a
//! half one. Each change of what a script serves takes the next serial of the whole store within its transaction, so
//! serials grow for ever, over deletions and restarts, in the order of the changes.

mod assets;
mod bindings;
mod blobs;
mod connections;
mod d1;
mod error;
mod kv;
mod namespaces;
mod reset;
mod rows;
mod schema;
mod scripts;
mod sites;
mod tags;
mod tokens;
mod types;
mod vault;
mod versions;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::OptionalExtension as _;

use self::connections::Connections;
pub use self::error::StoreError;
pub use self::reset::Seed;
pub use self::types::{
    AssetConfig, AssetSession, AssetUpload, Change, D1Database, Deployment, Files, KvEntry, KvKey, KvNamespace, Loaded,
    ManifestEntry, Namespace, NewVersion, Page, Script, Started, TagFilter, Version,
};
use self::vault::{KeyFile, Vault};
use crate::analytics::Analytics;
use crate::d1::Databases;

type Result<T> = std::result::Result<T, StoreError>;

/// A handle on the store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    connections: Connections,
    vault: Vault,
    databases: Databases,
    analytics: Analytics,
    // Last, so that it is let go of when the connections are closed.
    lock: Mutex<Option<Lock>>,
}

/// A lock of the operating system: it goes with the process that holds it, however that ends.
struct Lock(fs::File);

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("folder", &self.inner.folder).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in a folder, or makes it: `tidegate.db`, and `tidegate.key` (mode 0600) for secrets. The folder
    /// is this store's alone until it is [closed](Self::close), or the last handle on it is dropped.
    pub fn open(folder: &Path) -> Result<Self> {
        make_folder(folder)?;
        let lock = Lock::take(folder)?;
        let path = folder.join("tidegate.db");
        make_database(folder, &path)?;
        schema::check(&path)?;
        let connections = Connections::open(&path)?;
        let vault = keys(&KeyFile::within(folder), &connections)?;
        let store = Self {
            inner: Arc::new(Inner {
                folder: folder.to_owned(),
                connections,
                vault,
                databases: Databases::new(folder.join("d1")),
                analytics: Analytics::new(folder.join("analytics.sqlite")),
                lock: Mutex::new(Some(lock)),
            }),
        };
        store.clean_up()?;
        store.clean_up_databases()?;
        Ok(store)
    }

    /// Lets go of the folder, whoever still has a handle: later writes fail.
    pub fn close(&self) {
        self.inner.connections.close();
        self.inner.databases.close();
        self.inner.analytics.close();
        self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// Lets the database grow to so many bytes from now on, and no further: then writes fail as on a full disk.
    /// `None` lifts the limit. A database that is larger already stays as it is.
    pub fn limit_size(&self, bytes: Option<u64>) -> Result<()> {
        self.inner.connections.limit_size(bytes)
    }

    /// From now on each change takes so much longer to reach the disk.
    #[cfg(feature = "faults")]
    pub fn slow_down(&self, by: std::time::Duration) {
        self.inner.connections.slow_down(by);
    }

    /// Waits for a turn to write, on a thread that may block.
    pub(crate) async fn turn_to_write(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        self.inner.connections.turn_to_write().await
    }

    /// What expired while the store was closed goes, and the file gives back what it does not need.
    fn clean_up(&self) -> Result<()> {
        self.write(|transaction| {
            kv::delete_expired(transaction, usize::MAX)?;
            assets::delete_expired(transaction, crate::kv::now(), usize::MAX)
        })?;
        self.inner.connections.shrink()
    }
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| StoreError::Folder { folder: folder.to_owned(), source })
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|source| StoreError::Folder { folder: folder.to_owned(), source })
}

impl Lock {
    fn take(folder: &Path) -> Result<Self> {
        let failed = |source| StoreError::Folder { folder: folder.to_owned(), source };
        let file = private(&folder.join("tidegate.lock")).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(fs::TryLockError::WouldBlock) => Err(StoreError::InUse(folder.to_owned())),
            Err(fs::TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child between `fork` and `exec` holds the same lock. Where unlocking
        // fails, the lock goes a little later, with that child's copy.
        let _ = self.0.unlock();
    }
}

/// SQLite takes an empty file for a new database, and gives the files beside it the permissions of this one.
fn make_database(folder: &Path, path: &Path) -> Result<()> {
    private(path).map(drop).map_err(|source| StoreError::Folder { folder: folder.to_owned(), source })
}

/// Opens a file for writing, or makes it for its owner alone.
pub(crate) fn private(path: &Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The keys of this database. A key file is made for a database that needs none yet, and no other one.
fn keys(file: &KeyFile, connections: &Connections) -> Result<Vault> {
    connections.write(|transaction| {
        let expected: Option<Vec<u8>> =
            transaction.query_row("SELECT key_check FROM state", (), |row| row.get(0)).optional()?.flatten();
        let sealed: bool = transaction.query_row(
            "SELECT EXISTS (SELECT 1 FROM bindings WHERE secret IS NOT NULL) OR EXISTS (SELECT 1 FROM tokens)",
            (),
            |row| row.get(0),
        )?;
        let vault = match file.read()? {
            Some(vault) => vault,
            None if sealed => return Err(StoreError::KeyMissing(file.path().to_owned())),
            None => file.create()?,
        };
        if expected.as_deref() != Some(&vault.check()[..]) {
            if sealed {
                return Err(StoreError::KeyWrong(file.path().to_owned()));
            }
            transaction.execute("UPDATE state SET key_check = ?1", [&vault.check()[..]])?;
        }
        Ok(vault)
    })
}
