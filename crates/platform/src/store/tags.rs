//! Tags of scripts.

use rusqlite::Transaction;

use super::rows::{now, script_row};
use super::{Result, Store};
use crate::worker::ScriptKey;

impl Store {
    /// All of a script, sorted.
    pub fn tags(&self, key: &ScriptKey) -> Result<Vec<String>> {
        self.read(|transaction| sorted(transaction, script_row(transaction, key)?))
    }

    /// Replaces all.
    pub fn set_tags(&self, key: &ScriptKey, tags: &[String]) -> Result<Vec<String>> {
        self.write(|transaction| {
            let script = script_row(transaction, key)?;
            replace(transaction, script, tags)?;
            touch(transaction, script)?;
            sorted(transaction, script)
        })
    }

    /// Adds one, unless there are `most` already: then `false`, and nothing was written. One that is there is fine.
    pub fn add_tag(&self, key: &ScriptKey, tag: &str, most: usize) -> Result<bool> {
        self.write(|transaction| {
            let script = script_row(transaction, key)?;
            let tags = sorted(transaction, script)?;
            if tags.iter().any(|there| there == tag) {
                return Ok(true);
            }
            if tags.len() >= most {
                return Ok(false);
            }
            insert(transaction, script, tag)?;
            touch(transaction, script)?;
            Ok(true)
        })
    }

    /// Takes one away; none such is fine.
    pub fn remove_tag(&self, key: &ScriptKey, tag: &str) -> Result<()> {
        self.write(|transaction| {
            let script = script_row(transaction, key)?;
            if transaction.execute("DELETE FROM tags WHERE script = ?1 AND tag = ?2", (script, tag))? > 0 {
                touch(transaction, script)?;
            }
            Ok(())
        })
    }
}

/// Replaces all tags of a script. One that is given twice is kept once.
pub(super) fn replace(transaction: &Transaction<'_>, script: i64, tags: &[String]) -> Result<()> {
    transaction.prepare_cached("DELETE FROM tags WHERE script = ?1")?.execute([script])?;
    tags.iter().try_for_each(|tag| insert(transaction, script, tag))
}

fn insert(transaction: &Transaction<'_>, script: i64, tag: &str) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO tags (script, tag, scope, name) SELECT id, ?2, scope, name FROM scripts WHERE id = ?1
             ON CONFLICT DO NOTHING",
        )?
        .execute((script, tag))?;
    Ok(())
}

fn sorted(transaction: &Transaction<'_>, script: i64) -> Result<Vec<String>> {
    let mut statement = transaction.prepare_cached("SELECT tag FROM tags WHERE script = ?1 ORDER BY tag")?;
    let tags = statement.query_map([script], |row| row.get(0))?;
    Ok(tags.collect::<rusqlite::Result<_>>()?)
}

fn touch(transaction: &Transaction<'_>, script: i64) -> Result<()> {
    transaction.prepare_cached("UPDATE scripts SET modified_on = ?2 WHERE id = ?1")?.execute((script, now()))?;
    Ok(())
}
