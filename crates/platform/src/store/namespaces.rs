//! Dispatch namespaces.

use rusqlite::{OptionalExtension as _, Row, Transaction};

use super::error::is_taken;
use super::rows::{new_uuid, now, unsigned};
use super::scripts;
use super::{Change, Namespace, Result, Store, StoreError};
use crate::names::NamespaceName;
use crate::worker::{NamespaceId, Scope};

const COLUMNS: &str = "id, uuid, name, trusted, created_on, modified_on,
    (SELECT count(*) FROM scripts WHERE scope = namespaces.id) AS scripts";

impl Store {
    /// Makes a namespace.
    pub fn create_namespace(&self, name: &NamespaceName) -> Result<Namespace> {
        self.write(|transaction| {
            let inserted = transaction.execute(
                "INSERT INTO namespaces (uuid, name, trusted, created_on, modified_on) VALUES (?1, ?2, 0, ?3, ?3)",
                (new_uuid(), name.as_str(), now()),
            );
            refuse_taken(inserted)?;
            by_name(transaction, name)
        })
    }

    /// All, by name.
    pub fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.read(|transaction| {
            let mut statement =
                transaction.prepare_cached(&format!("SELECT {COLUMNS} FROM namespaces ORDER BY name"))?;
            let mut rows = statement.query(())?;
            let mut namespaces = Vec::new();
            while let Some(row) = rows.next()? {
                namespaces.push(namespace(row)?);
            }
            Ok(namespaces)
        })
    }

    /// One.
    pub fn namespace(&self, name: &NamespaceName) -> Result<Namespace> {
        self.read(|transaction| by_name(transaction, name))
    }

    /// One, by its row.
    pub fn namespace_by_id(&self, id: NamespaceId) -> Result<Namespace> {
        self.read(|transaction| by_id(transaction, id))
    }

    /// Gives it another name, or another trust, which each script takes up at its next deployment.
    pub fn update_namespace(
        &self,
        name: &NamespaceName,
        new_name: Option<&NamespaceName>,
        trusted: Option<bool>,
    ) -> Result<Namespace> {
        self.write(|transaction| {
            let id = by_name(transaction, name)?.id;
            let updated = transaction.execute(
                "UPDATE namespaces
                 SET name = ifnull(?2, name), trusted = ifnull(?3, trusted), modified_on = ?4
                 WHERE id = ?1",
                (id.0, new_name.map(NamespaceName::as_str), trusted, now()),
            );
            refuse_taken(updated)?;
            by_id(transaction, id)
        })
    }

    /// Deletes it and its scripts.
    pub fn delete_namespace(&self, name: &NamespaceName) -> Result<Vec<Change>> {
        self.write(|transaction| {
            let id = by_name(transaction, name)?.id;
            let changes = scripts::delete_all(transaction, Scope::Namespace(id))?;
            transaction.execute("DELETE FROM namespaces WHERE id = ?1", [id.0])?;
            Ok(changes)
        })
    }
}

/// The rows of all.
pub(super) fn ids(transaction: &Transaction<'_>) -> Result<Vec<NamespaceId>> {
    let mut statement = transaction.prepare_cached("SELECT id FROM namespaces ORDER BY id")?;
    let ids = statement.query_map((), |row| Ok(NamespaceId(row.get(0)?)))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

/// One.
pub(super) fn by_name(transaction: &Transaction<'_>, name: &NamespaceName) -> Result<Namespace> {
    transaction
        .prepare_cached(&format!("SELECT {COLUMNS} FROM namespaces WHERE name = ?1"))?
        .query_row([name.as_str()], |row| Ok(namespace(row)))
        .optional()?
        .unwrap_or(Err(StoreError::NamespaceNotFound))
}

fn by_id(transaction: &Transaction<'_>, id: NamespaceId) -> Result<Namespace> {
    transaction
        .prepare_cached(&format!("SELECT {COLUMNS} FROM namespaces WHERE id = ?1"))?
        .query_row([id.0], |row| Ok(namespace(row)))
        .optional()?
        .unwrap_or(Err(StoreError::NamespaceNotFound))
}

fn namespace(row: &Row<'_>) -> Result<Namespace> {
    Ok(Namespace {
        id: NamespaceId(row.get("id")?),
        uuid: row.get("uuid")?,
        name: NamespaceName::parse(row.get_ref("name")?.as_str().map_err(StoreError::damaged)?)
            .map_err(StoreError::damaged)?,
        trusted: row.get("trusted")?,
        scripts: unsigned(row.get("scripts")?)?,
        created_on: row.get("created_on")?,
        modified_on: row.get("modified_on")?,
    })
}

fn refuse_taken(written: rusqlite::Result<usize>) -> Result<()> {
    match written {
        Ok(_) => Ok(()),
        Err(error) if is_taken(&error) => Err(StoreError::NamespaceExists),
        Err(error) => Err(error.into()),
    }
}
