//! The contents of modules, each kept once however many modules hold it. A trigger of the schema deletes a blob with
//! the last module that holds it.

use bytes::Bytes;
use rusqlite::{OptionalExtension as _, Transaction};
use sha2::{Digest as _, Sha256};

use super::{Result, StoreError};

/// SHA-256 of a content: what it is found by.
pub(super) type Hash = [u8; 32];

pub(super) fn hash(content: &[u8]) -> Hash {
    Sha256::digest(content).into()
}

/// The row of the blob that holds `content`; makes it if there is none.
pub(super) fn keep(transaction: &Transaction<'_>, hash: &Hash, content: &[u8]) -> Result<i64> {
    let kept: Option<i64> = transaction
        .prepare_cached("SELECT id FROM blobs WHERE hash = ?1")?
        .query_row([&hash[..]], |row| row.get(0))
        .optional()?;
    if let Some(blob) = kept {
        return Ok(blob);
    }
    transaction.prepare_cached("INSERT INTO blobs (hash, content) VALUES (?1, ?2)")?.execute((&hash[..], content))?;
    Ok(transaction.last_insert_rowid())
}

/// What a row says, if it still is what was hashed: code that changed on the disk is not run.
pub(super) fn checked(module: &str, expected: &[u8], content: Vec<u8>) -> Result<Bytes> {
    if hash(&content) == expected {
        Ok(content.into())
    } else {
        Err(StoreError::Damaged(format!("the content of module `{module}` is not what was uploaded")))
    }
}
