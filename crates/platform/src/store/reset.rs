//! Back to a state that was said before: what test suites that assume one need.

use rusqlite::Transaction;

use super::rows::Columns;
use super::versions::insert_script;
use super::{Change, NewVersion, Result, Store, namespaces, scripts, tags, versions};
use crate::names::{NamespaceName, ScriptName};
use crate::worker::{Scope, ScriptKey};

/// A state of the store: one dispatch namespace with one user Worker.
#[derive(Debug)]
pub struct Seed {
    /// The namespace's name.
    pub namespace: NamespaceName,
    /// Its id in the API: a UUID.
    pub namespace_id: String,
    /// The Worker's name.
    pub script: ScriptName,
    /// What the API calls the Worker's `tag`: 32 hexadecimal digits.
    pub script_tag: String,
    /// The Worker's tags, code and bindings.
    pub version: NewVersion,
    /// When all of it was made, and last changed: RFC 3339.
    pub made_on: String,
}

/// Tables that no reset touches: serials go on growing, and who was let in stays so.
const KEPT: [&str; 2] = ["state", "tokens"];

impl Store {
    /// Forgets everything but tokens, and writes the seed if there is one. Says what the runtime must be told.
    ///
    /// From one reset to the next, only the id of the seeded version differs.
    pub fn reset(&self, seed: Option<&Seed>) -> Result<Vec<Change>> {
        self.write(|transaction| {
            let mut changes = scripts::delete_all(transaction, Scope::Account)?;
            for namespace in namespaces::ids(transaction)? {
                changes.extend(scripts::delete_all(transaction, Scope::Namespace(namespace))?);
            }
            empty(transaction)?;
            changes.extend(seed.map(|seed| self.plant(transaction, seed)).transpose()?);
            Ok(changes)
        })
    }

    fn plant(&self, transaction: &Transaction<'_>, seed: &Seed) -> Result<Change> {
        transaction.execute(
            "INSERT INTO namespaces (uuid, name, trusted, created_on, modified_on) VALUES (?1, ?2, 0, ?3, ?3)",
            (&seed.namespace_id, seed.namespace.as_str(), &seed.made_on),
        )?;
        let namespace = namespaces::by_name(transaction, &seed.namespace)?.id;
        let key = ScriptKey { scope: Scope::Namespace(namespace), name: seed.script.clone() };
        let script = insert_script(transaction, &key)?;
        let (version, uuid) =
            versions::Prepared::new(&seed.version)?.insert(transaction, &self.inner.vault, &key, script)?;
        tags::replace(transaction, script, seed.version.tags.as_deref().unwrap_or_default())?;
        let change = versions::serve(transaction, &key, script, version, uuid)?;
        transaction.execute(
            "UPDATE scripts SET tag = ?2, created_on = ?3, modified_on = ?3 WHERE id = ?1",
            (script, &seed.script_tag, &seed.made_on),
        )?;
        Ok(change)
    }
}

/// Deletes every row of every table but those that are [`KEPT`], whatever tables there are by now.
fn empty(transaction: &Transaction<'_>) -> Result<()> {
    // Then it does not matter in which order they go.
    transaction.pragma_update(None, "defer_foreign_keys", true)?;
    for table in tables(transaction)?.iter().filter(|table| !KEPT.contains(&table.as_str())) {
        transaction.execute(&format!("DELETE FROM \"{table}\""), ())?;
    }
    Ok(())
}

fn tables(transaction: &Transaction<'_>) -> Result<Vec<String>> {
    let mut statement = transaction
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")?;
    let mut rows = statement.query(())?;
    let mut tables = Vec::new();
    while let Some(row) = rows.next()? {
        tables.push(Columns::of(row).next()?);
    }
    Ok(tables)
}
