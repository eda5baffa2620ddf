//! KV namespaces and their values. Limits are the API's affair.

use rusqlite::{OptionalExtension as _, Transaction};

use super::error::is_taken;
use super::rows::{from_json, new_hex_id, to_json};
use super::scripts::{cursor_behind, read_cursor};
use super::{KvEntry, KvKey, KvNamespace, Page, Result, Store, StoreError};
use crate::clock;

/// How many expired values a write deletes beside its own work.
const SWEPT: usize = 100;

impl Store {
    /// Makes one.
    pub fn create_kv_namespace(&self, title: &str) -> Result<KvNamespace> {
        let namespace = KvNamespace { id: new_hex_id(), title: title.to_owned() };
        self.write(|transaction| {
            refuse_taken(
                transaction.execute(
                    "INSERT INTO kv_namespaces (uuid, title) VALUES (?1, ?2)",
                    (&namespace.id, &namespace.title),
                ),
            )
        })?;
        Ok(namespace)
    }

    /// All, by title.
    pub fn kv_namespaces(&self) -> Result<Vec<KvNamespace>> {
        self.read(|transaction| {
            let mut statement = transaction.prepare_cached("SELECT uuid, title FROM kv_namespaces ORDER BY title")?;
            let namespaces = statement.query_map((), |row| Ok(KvNamespace { id: row.get(0)?, title: row.get(1)? }))?;
            Ok(namespaces.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// One.
    pub fn kv_namespace(&self, id: &str) -> Result<KvNamespace> {
        self.read(|transaction| {
            let title: Option<String> = transaction
                .prepare_cached("SELECT title FROM kv_namespaces WHERE uuid = ?1")?
                .query_row([id], |row| row.get(0))
                .optional()?;
            Ok(KvNamespace { id: id.to_owned(), title: title.ok_or(StoreError::KvNamespaceNotFound)? })
        })
    }

    /// Another title.
    pub fn rename_kv_namespace(&self, id: &str, title: &str) -> Result<KvNamespace> {
        self.write(|transaction| {
            let namespace = row(transaction, id)?;
            refuse_taken(transaction.execute("UPDATE kv_namespaces SET title = ?2 WHERE id = ?1", (namespace, title)))
        })?;
        Ok(KvNamespace { id: id.to_owned(), title: title.to_owned() })
    }

    /// Deletes it and its values.
    pub fn delete_kv_namespace(&self, id: &str) -> Result<()> {
        self.write(|transaction| match transaction.execute("DELETE FROM kv_namespaces WHERE uuid = ?1", [id])? {
            0 => Err(StoreError::KvNamespaceNotFound),
            _ => Ok(()),
        })
    }

    /// A value that has not expired at `now` (seconds since 1970).
    pub fn kv_value(&self, id: &str, key: &str, now: i64) -> Result<Option<KvEntry>> {
        self.read(|transaction| {
            let namespace = row(transaction, id)?;
            let mut statement = transaction.prepare_cached(
                "SELECT value, metadata, expiration FROM kv_entries
                 WHERE namespace = ?1 AND key = ?2 AND (expiration IS NULL OR expiration > ?3)",
            )?;
            let mut rows = statement.query((namespace, key, now))?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let metadata: Option<String> = row.get(1)?;
            Ok(Some(KvEntry {
                value: row.get::<_, Vec<u8>>(0)?.into(),
                metadata: metadata.as_deref().map(from_json).transpose()?,
                expiration: row.get(2)?,
            }))
        })
    }

    /// Writes a value. One that expired in the past may never be seen.
    pub fn put_kv_value(&self, id: &str, key: &str, entry: &KvEntry) -> Result<()> {
        self.write(|transaction| {
            put(transaction, row(transaction, id)?, key, entry)?;
            delete_expired(transaction, SWEPT)
        })
    }

    /// Writes values, all or none. Of those with the same key the last stays.
    pub fn put_kv_values(&self, id: &str, entries: &[(String, KvEntry)]) -> Result<()> {
        self.write(|transaction| {
            let namespace = row(transaction, id)?;
            for (key, entry) in entries {
                put(transaction, namespace, key, entry)?;
            }
            delete_expired(transaction, SWEPT)
        })
    }

    /// Deletes a value; none such is fine.
    pub fn delete_kv_value(&self, id: &str, key: &str) -> Result<()> {
        self.write(|transaction| {
            delete(transaction, row(transaction, id)?, key)?;
            delete_expired(transaction, SWEPT)
        })
    }

    /// Deletes values, all or none; none such is fine.
    pub fn delete_kv_values(&self, id: &str, keys: &[String]) -> Result<()> {
        self.write(|transaction| {
            let namespace = row(transaction, id)?;
            for key in keys {
                delete(transaction, namespace, key)?;
            }
            delete_expired(transaction, SWEPT)
        })
    }

    /// Keys by their bytes, from behind `cursor` on, without those that have expired at `now` (seconds since 1970).
    pub fn kv_keys(&self, id: &str, prefix: &str, limit: usize, cursor: Option<&str>, now: i64) -> Result<Page<KvKey>> {
        let after = cursor.map(read_cursor).transpose()?;
        let limit = limit.max(1);
        self.read(|transaction| {
            let namespace = row(transaction, id)?;
            let mut statement = transaction.prepare_cached(
                "SELECT key, metadata, expiration FROM kv_entries
                 WHERE namespace = ?1 AND key >= ?2 AND (?3 IS NULL OR key > ?3) AND (expiration IS NULL OR expiration > ?4)
                 ORDER BY key",
            )?;
            let start = after.as_deref().unwrap_or_default().max(prefix);
            let mut rows = statement.query((namespace, start, after.as_deref(), now))?;
            let mut items: Vec<KvKey> = Vec::new();
            while let Some(row) = rows.next()? {
                let name: String = row.get(0)?;
                // Keys with a prefix stand together.
                if !name.starts_with(prefix) {
                    break;
                }
                if items.len() == limit {
                    let cursor = items.last().map(|last| cursor_behind(&last.name));
                    return Ok(Page { items, cursor });
                }
                let metadata: Option<String> = row.get(1)?;
                let metadata = metadata.as_deref().map(from_json).transpose()?;
                items.push(KvKey { name, metadata, expiration: row.get(2)? });
            }
            Ok(Page { items, cursor: None })
        })
    }
}

/// Deletes at most so many values that have expired by now.
pub(super) fn delete_expired(transaction: &Transaction<'_>, most: usize) -> Result<()> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    transaction
        .prepare_cached(
            "DELETE FROM kv_entries
             WHERE id IN (SELECT id FROM kv_entries WHERE expiration <= ?1 ORDER BY expiration LIMIT ?2)",
        )?
        .execute((clock::now().as_second(), most))?;
    Ok(())
}

fn row(transaction: &Transaction<'_>, id: &str) -> Result<i64> {
    transaction
        .prepare_cached("SELECT id FROM kv_namespaces WHERE uuid = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?
        .ok_or(StoreError::KvNamespaceNotFound)
}

fn put(transaction: &Transaction<'_>, namespace: i64, key: &str, entry: &KvEntry) -> Result<()> {
    let metadata = entry.metadata.as_ref().map(to_json).transpose()?;
    transaction
        .prepare_cached(
            "INSERT INTO kv_entries (namespace, key, expiration, metadata, value) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE
             SET expiration = excluded.expiration, metadata = excluded.metadata, value = excluded.value",
        )?
        .execute((namespace, key, entry.expiration, metadata, &entry.value[..]))?;
    Ok(())
}

fn delete(transaction: &Transaction<'_>, namespace: i64, key: &str) -> Result<()> {
    transaction
        .prepare_cached("DELETE FROM kv_entries WHERE namespace = ?1 AND key = ?2")?
        .execute((namespace, key))?;
    Ok(())
}

fn refuse_taken(written: rusqlite::Result<usize>) -> Result<()> {
    match written {
        Ok(_) => Ok(()),
        Err(error) if is_taken(&error) => Err(StoreError::KvNamespaceExists),
        Err(error) => Err(error.into()),
    }
}
