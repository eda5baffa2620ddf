//! What can go wrong, and the way out.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{ErrorCode, ffi};

/// What went wrong. What users of the API see is the API's affair; those that stop [`Store::open`](super::Store::open)
/// are for whoever starts the platform.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such namespace.
    #[error("there is no such namespace")]
    NamespaceNotFound,
    /// A namespace of this name exists.
    #[error("a namespace of this name exists")]
    NamespaceExists,
    /// No such script.
    #[error("there is no such script")]
    ScriptNotFound,
    /// No such version of the script.
    #[error("there is no such version")]
    VersionNotFound,
    /// No such secret.
    #[error("there is no such secret")]
    SecretNotFound,
    /// No such KV namespace.
    #[error("there is no such KV namespace")]
    KvNamespaceNotFound,
    /// A KV namespace of this title exists.
    #[error("a KV namespace of this title exists")]
    KvNamespaceExists,
    /// No such D1 database.
    #[error("there is no such D1 database")]
    D1DatabaseNotFound,
    /// A D1 database of this name exists.
    #[error("a D1 database of this name exists")]
    D1DatabaseExists,
    /// Somebody changed the script between reading and writing it.
    #[error("the script was changed meanwhile")]
    Conflict,
    /// It was closed.
    #[error("the store is closed: the platform is being stopped")]
    Closed,
    /// No such file of a version.
    #[error("there is no such asset")]
    AssetNotFound,
    /// A content under a hash that the manifest of the session does not name.
    #[error("the manifest of this upload names no file with the hash `{0}`")]
    AssetNotWanted(String),
    /// An upload session that never was, or has expired.
    #[error("the upload of these assets has expired, or there never was one")]
    AssetSessionNotFound,
    /// An upload session for another script.
    #[error("these assets were uploaded for another script")]
    AssetSessionForeign,
    /// Files are still missing.
    #[error("not all files of this upload are there yet")]
    AssetSessionIncomplete,
    /// A content that is not as long as the manifest says.
    #[error("the file with the hash `{hash}` has {found} bytes, and the manifest says {expected}")]
    AssetSize {
        /// Its hash.
        hash: String,
        /// Bytes, by the manifest.
        expected: u64,
        /// Bytes.
        found: u64,
    },
    /// A cursor that no list gave out.
    #[error("the cursor is none that a list gave out")]
    Cursor,
    /// User Workers have the version that serves, and no host of their own.
    #[error("a user Worker has no versions, deployments or host of its own: deploy it again")]
    AccountWorkersOnly,
    /// The disk is full, or refuses to be written. Nothing of the change was kept.
    #[error(
        "the change was not kept, since the store cannot be written ({0}): make room in the data folder and try again"
    )]
    Full(rusqlite::Error),
    /// A row that cannot be what the store wrote: the file was damaged, or changed by something else.
    #[error("the store is damaged: {0}; restore the data folder from a copy")]
    Damaged(String),
    /// A secret does not open: its row was moved or changed, or the key is another one.
    #[error("the secret `{0}` does not decrypt: its row was changed; put the secret again")]
    Sealed(String),
    /// SQLite failed in another way.
    #[error("the store failed: {0}")]
    Sqlite(rusqlite::Error),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),

    /// The data folder cannot be made or written.
    #[error("cannot keep data in `{}`: {source}; choose a folder that can be written, with `--data`", .folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process keeps its data there.
    #[error("another process uses the data folder `{}`: stop it, or choose another folder with `--data`", .0.display())]
    InUse(PathBuf),
    /// The database cannot be opened.
    #[error("cannot open the database `{}`: {source}", .path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A file that is no database, or somebody else's.
    #[error("`{}` is no Tidegate database: move it away, or choose another folder with `--data`", .0.display())]
    NotAStore(PathBuf),
    /// Written by a newer Tidegate.
    #[error(
        "the database `{}` is of version {found}, and this Tidegate knows versions up to {newest}: update Tidegate, or choose another folder with `--data`",
        .path.display()
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest known version.
        newest: i64,
    },
    /// The key file cannot be read or written.
    #[error("cannot use the key file `{}`: {source}", .path.display())]
    KeyFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key file lets others read it.
    #[error("others may read the key file `{}` (mode {mode:04o}): run `chmod 600` on it", .path.display())]
    KeyOpen {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The key file does not hold 32 bytes.
    #[error("the key file `{}` holds {found} bytes instead of 32: restore it from a copy", .path.display())]
    KeyLength {
        /// Which.
        path: PathBuf,
        /// How many it holds.
        found: usize,
    },
    /// The key file is gone, and something was encrypted with it.
    #[error(
        "the key file `{}` is missing, and without it the secrets in the database are lost: restore it from a copy, or choose another folder with `--data`",
        .0.display()
    )]
    KeyMissing(PathBuf),
    /// The key file is not the one that the database was written with.
    #[error("the key file `{}` is not the one of this database: restore the right one from a copy", .0.display())]
    KeyWrong(PathBuf),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(failure) = error.sqlite_error() else { return Self::Sqlite(error) };
        let reading = [ffi::SQLITE_IOERR_READ, ffi::SQLITE_IOERR_SHORT_READ].contains(&failure.extended_code);
        match failure.code {
            ErrorCode::DiskFull | ErrorCode::ReadOnly => Self::Full(error),
            ErrorCode::SystemIoFailure if !reading => Self::Full(error),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged(error.to_string()),
            _ => Self::Sqlite(error),
        }
    }
}

impl StoreError {
    /// What a failure means while the database is being opened.
    pub(super) fn opening(path: &Path, error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotAStore(path.to_owned()),
            _ => Self::Open { path: path.to_owned(), source: error },
        }
    }

    /// A value in a row that the store did not write.
    pub(super) fn damaged(what: impl std::fmt::Display) -> Self {
        Self::Damaged(what.to_string())
    }
}

/// Whether a write was refused since its key is taken.
pub(super) fn is_taken(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|failure| failure.extended_code == ffi::SQLITE_CONSTRAINT_UNIQUE)
}
