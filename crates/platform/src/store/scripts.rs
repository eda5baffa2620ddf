//! Scripts: what the API says of them, found by name and by tags, and deleted.

use std::collections::BTreeSet;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use rusqlite::{Row, Transaction};

use super::rows::{Columns, next_serial, now, scope_number, script_row, to_json, unsigned};
use super::versions::{self, VERSION_COLUMNS};
use super::{Change, Page, Result, Script, Store, StoreError, TagFilter};
use crate::names::ScriptName;
use crate::worker::{Scope, ScriptKey};

/// Scripts of scope ?1 behind the name ?2 that have none of the tags ?4, by name, but for the first ?5 of them. Walks along
/// the names.
const BY_NAME: &str = "
    SELECT id, name FROM scripts
    WHERE scope = ?1 AND name > ?2
        AND (?4 = '[]'
            OR NOT EXISTS (SELECT 1 FROM tags WHERE script = scripts.id AND tag IN (SELECT value FROM json_each(?4))))
    ORDER BY name LIMIT ?3 OFFSET ?5";

/// The same that have the tag ?5 and all ?7 of the tags ?6, but for the first ?8 of them. Walks along the names of the scripts that have ?5.
const BY_TAG: &str = "
    SELECT script, name FROM tags AS found
    WHERE scope = ?1 AND tag = ?5 AND name > ?2
        AND (?4 = '[]' OR NOT EXISTS (
            SELECT 1 FROM tags WHERE script = found.script AND tag IN (SELECT value FROM json_each(?4))))
        AND ?7 = (
            SELECT count(*) FROM tags WHERE script = found.script AND tag IN (SELECT value FROM json_each(?6)))
    ORDER BY name LIMIT ?3 OFFSET ?8";

impl Store {
    /// Which version serves now.
    pub fn current(&self, key: &ScriptKey) -> Result<Change> {
        self.read(|transaction| {
            let script = script_row(transaction, key)?;
            let (serial, version): (i64, String) = transaction
                .prepare_cached(
                    "SELECT s.serial, v.uuid FROM scripts AS s JOIN versions AS v ON v.id = s.current WHERE s.id = ?1",
                )?
                .query_row([script], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Change { key: key.clone(), serial: unsigned(serial)?, version: Some(version) })
        })
    }

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
            let (found, more) = find(transaction, scope, filter, &after, 0, limit.max(1))?;
            let cursor = found.last().filter(|_| more).map(|(_, name)| cursor_behind(name));
            let rows: Vec<_> = found.iter().map(|(script, _)| *script).collect();
            Ok(Page { items: by_rows(transaction, scope, &rows)?, cursor })
        })
    }

    /// The page of a number, counted from 1. What comes before it is passed over without being read, which takes a
    /// thousandth of a millisecond a script.
    pub fn scripts_on_page(
        &self,
        scope: Scope,
        filter: &TagFilter,
        number: usize,
        per_page: usize,
    ) -> Result<Vec<Script>> {
        let passed = number.saturating_sub(1).saturating_mul(per_page);
        self.read(|transaction| {
            let (found, _) = find(transaction, scope, filter, "", passed, per_page)?;
            let rows: Vec<_> = found.iter().map(|(script, _)| *script).collect();
            by_rows(transaction, scope, &rows)
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

    /// Account Workers: at its own host or not. The version that serves stays the same.
    pub fn set_subdomain(&self, key: &ScriptKey, enabled: bool, previews_enabled: bool) -> Result<Change> {
        versions::of_account_alone(key)?;
        self.write(|transaction| {
            let script = script_row(transaction, key)?;
            transaction.execute(
                "UPDATE scripts SET enabled = ?2, previews_enabled = ?3, modified_on = ?4 WHERE id = ?1",
                (script, enabled, previews_enabled, now()),
            )?;
            let (version, uuid) = transaction.query_row(
                "SELECT id, uuid FROM versions WHERE id = (SELECT current FROM scripts WHERE id = ?1)",
                [script],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            versions::serve(transaction, key, script, version, uuid)
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
    by_rows(transaction, scope, &[script])?.pop().ok_or(StoreError::ScriptNotFound)
}

/// Scripts of a scope, in the order of `scripts`.
fn by_rows(transaction: &Transaction<'_>, scope: Scope, scripts: &[i64]) -> Result<Vec<Script>> {
    let mut statement = transaction.prepare_cached(&format!(
        "SELECT {VERSION_COLUMNS}, s.name, s.tag, s.created_on, s.modified_on, s.enabled, s.previews_enabled,
            (SELECT json_group_array(tag) FROM tags WHERE script = s.id)
         FROM scripts AS s JOIN versions AS v ON v.id = s.current WHERE s.id = ?1"
    ))?;
    let read = |&script: &i64| {
        let mut rows = statement.query([script])?;
        read(scope, rows.next()?.ok_or(StoreError::ScriptNotFound)?)
    };
    scripts.iter().map(read).collect()
}

fn read(scope: Scope, row: &Row<'_>) -> Result<Script> {
    let mut columns = Columns::of(row);
    let version = versions::read(&mut columns)?;
    let name = name(&columns.next::<String>()?)?;
    let tag = columns.next()?;
    let created_on = columns.next()?;
    let modified_on = columns.next()?;
    let subdomain = (columns.next()?, columns.next()?);
    let mut tags: Vec<String> = columns.next_json()?;
    tags.sort_unstable();
    Ok(Script { key: ScriptKey { scope, name }, tag, version, tags, created_on, modified_on, subdomain })
}

fn name(text: &str) -> Result<ScriptName> {
    ScriptName::parse(text).map_err(StoreError::damaged)
}

/// Rows and names of at most `limit` scripts behind the name `after` and `passed` more of them; and whether more follow.
fn find(
    transaction: &Transaction<'_>,
    scope: Scope,
    filter: &TagFilter,
    after: &str,
    passed: usize,
    limit: usize,
) -> Result<(Vec<(i64, String)>, bool)> {
    let scope = scope_number(scope);
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let (passed, fetched) = (number(passed), number(limit).saturating_add(1));
    let without = to_json(&filter.without)?;
    let with = rarest_first(transaction, scope, &filter.with)?;
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found: rusqlite::Result<Vec<(i64, String)>> = match with.split_first() {
        None => {
            transaction.prepare_cached(BY_NAME)?.query_map((scope, after, fetched, without, passed), row)?.collect()
        }
        Some((first, others)) => transaction
            .prepare_cached(BY_TAG)?
            .query_map((scope, after, fetched, without, first, to_json(&others)?, number(others.len()), passed), row)?
            .collect(),
    };
    let mut found = found?;
    let more = found.len() > limit;
    found.truncate(limit);
    Ok((found, more))
}

/// Each tag once, first the one that the fewest scripts have: along that one the walk is the shortest.
fn rarest_first<'a>(transaction: &Transaction<'_>, scope: i64, tags: &'a [String]) -> Result<Vec<&'a String>> {
    let mut counted = Vec::with_capacity(tags.len());
    let mut count = transaction.prepare_cached("SELECT count(*) FROM tags WHERE scope = ?1 AND tag = ?2")?;
    for tag in tags.iter().collect::<BTreeSet<_>>() {
        // One alone is the rarest.
        let scripts: i64 = if tags.len() < 2 { 0 } else { count.query_row((scope, tag), |row| row.get(0))? };
        counted.push((scripts, tag));
    }
    counted.sort_unstable();
    Ok(counted.into_iter().map(|(_, tag)| tag).collect())
}

fn delete_some(
    transaction: &Transaction<'_>,
    scope: Scope,
    filter: &TagFilter,
    limit: usize,
) -> Result<(Vec<Change>, bool)> {
    let (found, more) = find(transaction, scope, filter, "", 0, limit)?;
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::store::schema;

    use super::*;

    /// What SQLite does at the outermost, and with `tags` in each look-up within.
    fn plan(sql: &str, parameters: usize) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.db");
        let mut connection = rusqlite::Connection::open(&path).unwrap();
        schema::migrate(&mut connection, &path).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let parameters = rusqlite::params_from_iter(vec![rusqlite::types::Null; parameters]);
        let steps = statement.query_map(parameters, |row| row.get("detail")).unwrap();
        steps.collect::<rusqlite::Result<_>>().unwrap()
    }

    #[test]
    fn a_page_of_scripts_is_a_walk_along_an_index() {
        let walks = HashMap::from([
            (BY_NAME, "SEARCH scripts USING INDEX sqlite_autoindex_scripts_2 (scope=? AND name>?)"),
            (BY_TAG, "SEARCH found USING COVERING INDEX tags_by_name (scope=? AND tag=? AND name>?)"),
        ]);
        for (sql, walk) in walks {
            let steps = plan(sql, if sql == BY_NAME { 5 } else { 8 });
            assert_eq!(steps.first().map(String::as_str), Some(walk), "{steps:#?}");
            assert!(
                steps.iter().any(|step| step == "SEARCH tags USING PRIMARY KEY (script=? AND tag=?)"),
                "{steps:#?}"
            );
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER BY")), "{steps:#?}");
            assert!(!steps.iter().any(|step| step.starts_with("SCAN") && !step.contains("json_each")), "{steps:#?}");
        }
    }
}
