//! Scripts: what the API says of them, found by name and by tags, and deleted.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use rusqlite::{Row, Transaction};

use super::rows::{from_json, next_serial, now, scope_number, script_row, to_json, unsigned};
use super::versions::{self, VERSION_COLUMNS};
use super::{Change, Page, Result, Script, Store, StoreError, TagFilter};
use crate::names::ScriptName;
use crate::worker::{Scope, ScriptKey};

/// Scripts of scope ?1 behind the name ?2 that have none of the tags ?4, by name. Walks along the names.
const BY_NAME: &str = "
    SELECT id, name FROM scripts
    WHERE scope = ?1 AND name > ?2
        AND NOT EXISTS (SELECT 1 FROM tags WHERE script = scripts.id AND tag IN (SELECT value FROM json_each(?4)))
    ORDER BY name LIMIT ?3";

/// The same that have the tag ?5 and all ?7 of the tags ?6. Walks along the names of the scripts that have ?5.
const BY_TAG: &str = "
    SELECT script, name FROM tags AS found
    WHERE scope = ?1 AND tag = ?5 AND name > ?2
        AND NOT EXISTS (
            SELECT 1 FROM tags WHERE script = found.script AND tag IN (SELECT value FROM json_each(?4)))
        AND ?7 = (
            SELECT count(*) FROM tags WHERE script = found.script AND tag IN (SELECT value FROM json_each(?6)))
    ORDER BY name LIMIT ?3";

impl Store {
    /// One.
    pub fn script(&self, key: &ScriptKey) -> Result<Script> {
        self.read(|transaction| by_row(transaction, key.scope, script_row(transaction, key)?))
    }

    /// A page of them, by name.
    pub fn scripts(
        &self,
        scope: Scope,
        filter: &TagFilter,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Script>> {
        let after = cursor.map_or(Ok(String::new()), read_cursor)?;
        self.read(|transaction| {
            let (found, more) = find(transaction, scope, filter, limit.max(1), &after)?;
            let cursor = found.last().filter(|_| more).map(|(_, name)| cursor_behind(name));
            let items = found.iter().map(|&(script, _)| by_row(transaction, scope, script)).collect::<Result<_>>()?;
            Ok(Page { items, cursor })
        })
    }

    /// Deletes one.
    pub fn delete_script(&self, key: &ScriptKey) -> Result<Change> {
        self.write(|transaction| {
            let script = script_row(transaction, key)?;
            delete(transaction, script, key.clone())
        })
    }

    /// Deletes at most `limit` of those that the filter meets, by name; says whether more are left.
    pub fn delete_scripts(&self, scope: Scope, filter: &TagFilter, limit: usize) -> Result<(Vec<Change>, bool)> {
        self.write(|transaction| delete_some(transaction, scope, filter, limit))
    }

    /// Account Workers: at its own host or not.
    pub fn set_subdomain(&self, key: &ScriptKey, enabled: bool, previews_enabled: bool) -> Result<()> {
        versions::of_account_alone(key)?;
        self.write(|transaction| {
            let script = script_row(transaction, key)?;
            transaction.execute(
                "UPDATE scripts SET enabled = ?2, previews_enabled = ?3, modified_on = ?4 WHERE id = ?1",
                (script, enabled, previews_enabled, now()),
            )?;
            Ok(())
        })
    }
}

/// Deletes all scripts of a scope.
pub(super) fn delete_all(transaction: &Transaction<'_>, scope: Scope) -> Result<Vec<Change>> {
    let (changes, _) = delete_some(transaction, scope, &TagFilter::default(), usize::MAX)?;
    Ok(changes)
}

/// The opaque form of the last name on a page.
pub(super) fn cursor_behind(name: &str) -> String {
    Base64UrlUnpadded::encode_string(name.as_bytes())
}

/// The name in a cursor.
pub(super) fn read_cursor(cursor: &str) -> Result<String> {
    let name = Base64UrlUnpadded::decode_vec(cursor).map_err(|_| StoreError::Cursor)?;
    String::from_utf8(name).map_err(|_| StoreError::Cursor)
}

/// One script of a scope.
pub(super) fn by_row(transaction: &Transaction<'_>, scope: Scope, script: i64) -> Result<Script> {
    let mut statement = transaction.prepare_cached(&format!(
        "SELECT s.name AS script_name, s.tag, s.enabled, s.previews_enabled, s.modified_on,
            s.created_on AS script_created_on,
            (SELECT json_group_array(tag ORDER BY tag) FROM tags WHERE script = s.id) AS tags,
            {VERSION_COLUMNS}
         FROM scripts AS s JOIN versions AS v ON v.id = s.current WHERE s.id = ?1"
    ))?;
    let mut rows = statement.query([script])?;
    read(scope, rows.next()?.ok_or(StoreError::ScriptNotFound)?)
}

fn read(scope: Scope, row: &Row<'_>) -> Result<Script> {
    Ok(Script {
        key: ScriptKey { scope, name: name(&row.get::<_, String>("script_name")?)? },
        tag: row.get("tag")?,
        version: versions::read(row)?,
        tags: from_json(&row.get::<_, String>("tags")?)?,
        created_on: row.get("script_created_on")?,
        modified_on: row.get("modified_on")?,
        subdomain: (row.get("enabled")?, row.get("previews_enabled")?),
    })
}

fn name(text: &str) -> Result<ScriptName> {
    ScriptName::parse(text).map_err(StoreError::damaged)
}

/// Rows and names of at most `limit` scripts behind the name `after`; and whether there are more.
fn find(
    transaction: &Transaction<'_>,
    scope: Scope,
    filter: &TagFilter,
    limit: usize,
    after: &str,
) -> Result<(Vec<(i64, String)>, bool)> {
    let scope = scope_number(scope);
    let fetched = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let without = to_json(&filter.without)?;
    let mut with: Vec<&String> = filter.with.iter().collect();
    with.sort_unstable();
    with.dedup();
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found: rusqlite::Result<Vec<(i64, String)>> = match with.split_first() {
        None => transaction.prepare_cached(BY_NAME)?.query_map((scope, after, fetched, without), row)?.collect(),
        Some((first, others)) => transaction
            .prepare_cached(BY_TAG)?
            .query_map(
                (
                    scope,
                    after,
                    fetched,
                    without,
                    first,
                    to_json(&others)?,
                    i64::try_from(others.len()).unwrap_or(i64::MAX),
                ),
                row,
            )?
            .collect(),
    };
    let mut found = found?;
    let more = found.len() > limit;
    found.truncate(limit);
    Ok((found, more))
}

fn delete_some(
    transaction: &Transaction<'_>,
    scope: Scope,
    filter: &TagFilter,
    limit: usize,
) -> Result<(Vec<Change>, bool)> {
    let (found, more) = find(transaction, scope, filter, limit, "")?;
    let changes = found.into_iter().map(|(script, text)| {
        let key = ScriptKey { scope, name: name(&text)? };
        delete(transaction, script, key)
    });
    Ok((changes.collect::<Result<_>>()?, more))
}

/// Deletes a script and all that is its own; the schema says what that is.
fn delete(transaction: &Transaction<'_>, script: i64, key: ScriptKey) -> Result<Change> {
    transaction.prepare_cached("DELETE FROM scripts WHERE id = ?1")?.execute([script])?;
    Ok(Change { key, serial: unsigned(next_serial(transaction)?)?, version: None })
}
