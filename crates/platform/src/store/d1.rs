//! Which D1 databases there are. What is in them is the affair of [`Databases`].

use rusqlite::{OptionalExtension as _, Row};

use super::error::is_taken;
use super::rows::{new_uuid, now};
use super::{D1Database, Result, Store, StoreError};
use crate::analytics::Analytics;
use crate::d1::Databases;

impl Store {
    /// Makes one, without a file yet.
    pub fn create_d1_database(&self, name: &str) -> Result<D1Database> {
        let database = D1Database { id: new_uuid(), name: name.to_owned(), created_on: now() };
        let D1Database { id, name, created_on } = &database;
        self.write(|transaction| {
            let sql = "INSERT INTO d1_databases (uuid, name, created_on) VALUES (?1, ?2, ?3)";
            match transaction.execute(sql, (id, name, created_on)) {
                Ok(_) => Ok(()),
                Err(error) if is_taken(&error) => Err(StoreError::D1DatabaseExists),
                Err(error) => Err(error.into()),
            }
        })?;
        Ok(database)
    }

    /// All, the newest first.
    pub fn d1_databases(&self) -> Result<Vec<D1Database>> {
        self.read(|transaction| {
            let mut statement =
                transaction.prepare_cached("SELECT uuid, name, created_on FROM d1_databases ORDER BY id DESC")?;
            let databases = statement.query_map((), database)?;
            Ok(databases.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// One, by its id.
    pub fn d1_database(&self, id: &str) -> Result<D1Database> {
        self.read(|transaction| {
            transaction
                .prepare_cached("SELECT uuid, name, created_on FROM d1_databases WHERE uuid = ?1")?
                .query_row([id], database)
                .optional()?
                .ok_or(StoreError::D1DatabaseNotFound)
        })
    }

    /// Deletes one. What is in it is [`Databases`]' to delete; after a crash in between, the next start does.
    pub fn delete_d1_database(&self, id: &str) -> Result<()> {
        self.write(|transaction| match transaction.execute("DELETE FROM d1_databases WHERE uuid = ?1", [id])? {
            0 => Err(StoreError::D1DatabaseNotFound),
            _ => Ok(()),
        })
    }

    /// What is in them.
    pub fn databases(&self) -> &Databases {
        &self.inner.databases
    }

    /// What Workers wrote to datasets of the Analytics Engine.
    pub(crate) fn analytics(&self) -> &Analytics {
        &self.inner.analytics
    }

    /// Deletes files of databases that are not known.
    pub(super) fn clean_up_databases(&self) -> Result<()> {
        let known = self.d1_databases()?.into_iter().map(|database| database.id).collect();
        let failed = |source| StoreError::Folder { folder: self.inner.folder.clone(), source };
        self.inner.databases.delete_unknown(&known).map_err(failed)
    }
}

fn database(row: &Row<'_>) -> rusqlite::Result<D1Database> {
    Ok(D1Database { id: row.get(0)?, name: row.get(1)?, created_on: row.get(2)? })
}
