//! Why a query failed, in the words that Workers are used to: `MESSAGE: SQLITE_CODE`. The binding puts `D1_ERROR: ` before
//! them.

use rusqlite::{Error, ErrorCode, ffi};

/// Why a query failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum D1Error {
    /// Its SQL, or what it met: Cloudflare's text where it is known.
    #[error("{0}")]
    Query(String),
    /// Too many queries wait for this database, or too many databases are busy.
    #[error("D1 DB is overloaded. Too many requests queued.")]
    Overloaded,
    /// No such database, or no longer.
    #[error("The database could not be found")]
    NotFound,
    /// The platform is being stopped.
    #[error("the platform is being stopped")]
    Closed,
    /// The database cannot be used.
    #[error("D1 DB storage operation failed: {0}")]
    Storage(String),
}

/// Messages quote what tenants wrote; no more than so many bytes of one are passed on.
const LONGEST_MESSAGE: usize = 1000;

impl D1Error {
    pub(super) fn query(why: impl Into<String>) -> Self {
        Self::Query(why.into())
    }

    /// What SQLite says of a statement; `refused` is what the authorizer refused.
    pub(super) fn of(error: &Error, refused: Option<String>) -> Self {
        let (failure, message) = match error {
            Error::SqlInputError { error, msg, offset, .. } if *offset >= 0 => {
                (*error, format!("{msg} at offset {offset}"))
            }
            Error::SqlInputError { error, msg, .. } => (*error, msg.clone()),
            Error::SqliteFailure(error, message) => {
                (*error, message.clone().unwrap_or_else(|| ffi::code_to_str(error.extended_code).to_owned()))
            }
            Error::MultipleStatement => {
                return Self::query("A prepared SQL statement must contain only one statement.: SQLITE_ERROR");
            }
            other => return Self::query(other.to_string()),
        };
        let mut message = message;
        if message.len() > LONGEST_MESSAGE {
            message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
            message.push('…');
        }
        if let Some(refused) = refused {
            return Self::query(format!("not authorized: {refused}: SQLITE_AUTH"));
        }
        match failure.code {
            ErrorCode::DiskFull => Self::query("Exceeded maximum DB size: SQLITE_FULL"),
            ErrorCode::CannotOpen
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::SystemIoFailure => Self::Storage(format!("{message}: {}", name(failure))),
            _ => Self::query(format!("{message}: {}", name(failure))),
        }
    }
}

/// What SQLite calls an error.
fn name(error: ffi::Error) -> &'static str {
    match error.extended_code & 0xff {
        ffi::SQLITE_INTERNAL => "SQLITE_INTERNAL",
        ffi::SQLITE_ABORT => "SQLITE_ABORT",
        ffi::SQLITE_BUSY => "SQLITE_BUSY",
        ffi::SQLITE_LOCKED => "SQLITE_LOCKED",
        ffi::SQLITE_NOMEM => "SQLITE_NOMEM",
        ffi::SQLITE_READONLY => "SQLITE_READONLY",
        ffi::SQLITE_INTERRUPT => "SQLITE_INTERRUPT",
        ffi::SQLITE_IOERR => "SQLITE_IOERR",
        ffi::SQLITE_CORRUPT => "SQLITE_CORRUPT",
        ffi::SQLITE_FULL => "SQLITE_FULL",
        ffi::SQLITE_CANTOPEN => "SQLITE_CANTOPEN",
        ffi::SQLITE_TOOBIG => "SQLITE_TOOBIG",
        ffi::SQLITE_CONSTRAINT => "SQLITE_CONSTRAINT",
        ffi::SQLITE_MISMATCH => "SQLITE_MISMATCH",
        ffi::SQLITE_AUTH => "SQLITE_AUTH",
        ffi::SQLITE_RANGE => "SQLITE_RANGE",
        ffi::SQLITE_NOTADB => "SQLITE_NOTADB",
        _ => "SQLITE_ERROR",
    }
}
