//! Versions: written once and never changed, one of them serving.
//!
//! User Workers keep the version that serves alone; account Workers keep ten. What goes, goes in the transaction that
//! writes its successor.

use bytes::Bytes;
use rusqlite::{OptionalExtension as _, Transaction};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::blobs::{self, Hash};
use super::rows::{
    Columns, find_script_row, from_json, namespace_number, new_hex_id, new_uuid, next_serial, now, script_row, to_json,
    unsigned,
};
use super::vault::Vault;
use super::{
    Change, Deployment, Files, Loaded, NewVersion, Result, Script, Store, StoreError, Version, assets, bindings,
    scripts, tags,
};
use crate::worker::{Code, Entry, Module, Scope, ScriptKey};

/// How many versions, and deployments, an account Worker keeps.
const KEPT: i64 = 10;

/// What [`read`] reads, in this order, of `versions AS v`.
pub(super) const VERSION_COLUMNS: &str = "v.uuid, v.number, v.created_on, v.etag, v.started, v.entry,
    v.compatibility_date, v.compatibility_flags, v.settings, v.assets IS NOT NULL";

impl Store {
    /// Writes a version and makes it the one that serves, in one step; makes the script if there is none.
    pub fn deploy(&self, key: &ScriptKey, version: &NewVersion) -> Result<(Script, Change)> {
        let prepared = Prepared::new(version)?;
        self.write(|transaction| {
            let script = match find_script_row(transaction, key)? {
                Some(script) => {
                    refuse_conflict(transaction, script, version)?;
                    script
                }
                None if version.derived_from.is_some() => return Err(StoreError::ScriptNotFound),
                None => insert_script(transaction, key)?,
            };
            let (row, uuid) = prepared.insert(transaction, &self.inner.vault, key, script)?;
            if let Some(tags) = &version.tags {
                tags::replace(transaction, script, tags)?;
            }
            let change = serve(transaction, key, script, row, uuid)?;
            if key.scope == Scope::Account {
                insert_deployment(transaction, script, row, None)?;
            }
            forget_old(transaction, key.scope, script)?;
            Ok((scripts::by_row(transaction, key.scope, script)?, change))
        })
    }

    /// The code of the version that serves.
    pub fn load(&self, key: &ScriptKey) -> Result<Loaded> {
        self.read(|transaction| {
            let script = script_row(transaction, key)?;
            load(transaction, &self.inner.vault, script, None)?.ok_or(StoreError::ScriptNotFound)
        })
    }

    /// The code of some version.
    pub fn load_version(&self, key: &ScriptKey, version: &str) -> Result<Loaded> {
        self.read(|transaction| {
            let script = script_row(transaction, key)?;
            load(transaction, &self.inner.vault, script, Some(version))?.ok_or(StoreError::VersionNotFound)
        })
    }

    /// Writes a version that does not serve yet. The script's tags stay as they are.
    pub fn add_version(&self, key: &ScriptKey, version: &NewVersion) -> Result<Version> {
        of_account_alone(key)?;
        let prepared = Prepared::new(version)?;
        self.write(|transaction| {
            let script = script_row(transaction, key)?;
            refuse_conflict(transaction, script, version)?;
            let (row, _) = prepared.insert(transaction, &self.inner.vault, key, script)?;
            forget_old(transaction, key.scope, script)?;
            by_row(transaction, row)
        })
    }

    /// The newest first; at most the ten that are kept.
    pub fn versions(&self, key: &ScriptKey) -> Result<Vec<Version>> {
        self.read(|transaction| {
            let script = script_row(transaction, key)?;
            let mut statement = transaction.prepare_cached(&format!(
                "SELECT {VERSION_COLUMNS} FROM versions AS v WHERE v.script = ?1 ORDER BY v.number DESC"
            ))?;
            let mut rows = statement.query([script])?;
            let mut versions = Vec::new();
            while let Some(row) = rows.next()? {
                versions.push(read(&mut Columns::of(row))?);
            }
            Ok(versions)
        })
    }

    /// Makes a version the one that serves. The settings are the deployment's, kept as they came.
    pub fn deploy_version(
        &self,
        key: &ScriptKey,
        version: &str,
        settings: &Map<String, Value>,
    ) -> Result<(Deployment, Change)> {
        of_account_alone(key)?;
        let settings = to_json(settings)?;
        self.write(|transaction| {
            let script = script_row(transaction, key)?;
            let row = transaction
                .prepare_cached("SELECT id FROM versions WHERE script = ?1 AND uuid = ?2")?
                .query_row((script, version), |row| row.get(0))
                .optional()?
                .ok_or(StoreError::VersionNotFound)?;
            let change = serve(transaction, key, script, row, version.to_owned())?;
            insert_deployment(transaction, script, row, Some(&settings))?;
            forget_old(transaction, key.scope, script)?;
            let deployment = deployments(transaction, script)?.into_iter().next();
            Ok((deployment.ok_or(StoreError::VersionNotFound)?, change))
        })
    }

    /// The newest first; at most ten, and of versions that are kept.
    pub fn deployments(&self, key: &ScriptKey) -> Result<Vec<Deployment>> {
        self.read(|transaction| deployments(transaction, script_row(transaction, key)?))
    }
}

/// User Workers have none of what is asked for.
pub(super) fn of_account_alone(key: &ScriptKey) -> Result<()> {
    if key.scope == Scope::Account { Ok(()) } else { Err(StoreError::AccountWorkersOnly) }
}

/// A version from [`VERSION_COLUMNS`].
pub(super) fn read(columns: &mut Columns<'_>) -> Result<Version> {
    Ok(Version {
        id: columns.next()?,
        number: unsigned(columns.next()?)?,
        created_on: columns.next()?,
        etag: columns.next()?,
        started: columns.next_json()?,
        has_modules: matches!(columns.next_json()?, Entry::MainModule(_)),
        compatibility_date: columns.next()?,
        compatibility_flags: columns.next_json()?,
        settings: columns.next_json()?,
        has_assets: columns.next()?,
    })
}

/// What can be made of a version before the one connection that writes is taken.
pub(super) struct Prepared<'a> {
    code: &'a Code,
    hashes: Vec<Hash>,
    etag: String,
    entry: String,
    flags: String,
    settings: String,
    started: String,
    assets: Option<String>,
    files: Option<&'a Files>,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(version: &'a NewVersion) -> Result<Self> {
        let code = &version.code;
        let hashes: Vec<Hash> = code.modules.iter().map(|module| blobs::hash(&module.content)).collect();
        Ok(Self {
            etag: etag(code, &hashes)?,
            hashes,
            entry: to_json(&code.entry)?,
            flags: to_json(&code.compatibility_flags)?,
            settings: to_json(&code.settings)?,
            started: to_json(&version.started)?,
            assets: code.assets.as_ref().map(to_json).transpose()?,
            files: version.files.as_ref(),
            code,
        })
    }

    /// Writes the version, its modules and its bindings; answers with its row and its UUID.
    pub(super) fn insert(
        &self,
        transaction: &Transaction<'_>,
        vault: &Vault,
        key: &ScriptKey,
        script: i64,
    ) -> Result<(i64, String)> {
        let uuid = new_uuid();
        let files = self.files.map(|files| assets::manifest_of(transaction, key, script, files)).transpose()?;
        let number: i64 = transaction
            .prepare_cached("UPDATE scripts SET last_number = last_number + 1 WHERE id = ?1 RETURNING last_number")?
            .query_row([script], |row| row.get(0))?;
        transaction
            .prepare_cached(
                "INSERT INTO versions (script, uuid, number, entry, compatibility_date, compatibility_flags, settings,
                    started, etag, trusted, created_on, assets, asset_manifest)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute((
                script,
                &uuid,
                number,
                &self.entry,
                &self.code.compatibility_date,
                &self.flags,
                &self.settings,
                &self.started,
                &self.etag,
                is_trusted(transaction, key.scope)?,
                now(),
                &self.assets,
                files,
            ))?;
        let version = transaction.last_insert_rowid();
        let mut statement = transaction.prepare_cached(
            "INSERT INTO modules (version, position, name, kind, content_type, blob) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for (position, (module, hash)) in (0_i64..).zip(self.code.modules.iter().zip(&self.hashes)) {
            let blob = blobs::keep(transaction, hash, &module.content)?;
            let kind = to_json(&module.kind)?;
            statement.execute((version, position, &module.name, kind, &module.content_type, blob))?;
        }
        let owner = bindings::Owner { script, version, uuid: &uuid };
        bindings::insert(transaction, vault, owner, &self.code.bindings)?;
        Ok((version, uuid))
    }
}

/// SHA-256 over the entry, and each module's name, kind and content, each with its length before it.
fn etag(code: &Code, hashes: &[Hash]) -> Result<String> {
    let mut sum = Sha256::new();
    let mut part = |bytes: &[u8]| {
        sum.update((bytes.len() as u64).to_le_bytes());
        sum.update(bytes);
    };
    part(to_json(&code.entry)?.as_bytes());
    for (module, hash) in code.modules.iter().zip(hashes) {
        part(module.name.as_bytes());
        part(to_json(&module.kind)?.as_bytes());
        part(hash);
    }
    Ok(format!("{:x}", Bytes::from_owner(Hash::from(sum.finalize()))))
}

/// Whether a namespace is trusted as of now. Account Workers are.
fn is_trusted(transaction: &Transaction<'_>, scope: Scope) -> Result<bool> {
    let Scope::Namespace(id) = scope else { return Ok(true) };
    transaction
        .prepare_cached("SELECT trusted FROM namespaces WHERE id = ?1")?
        .query_row([id.0], |row| row.get(0))
        .optional()?
        .ok_or(StoreError::NamespaceNotFound)
}

fn refuse_conflict(transaction: &Transaction<'_>, script: i64, version: &NewVersion) -> Result<()> {
    let Some(expected) = &version.derived_from else { return Ok(()) };
    let current: String = transaction
        .prepare_cached("SELECT uuid FROM versions WHERE id = (SELECT current FROM scripts WHERE id = ?1)")?
        .query_row([script], |row| row.get(0))?;
    if current == *expected { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Makes a script whose version is still to come, within the same transaction.
pub(super) fn insert_script(transaction: &Transaction<'_>, key: &ScriptKey) -> Result<i64> {
    // Says so when there is no such namespace, before the schema does.
    is_trusted(transaction, key.scope)?;
    transaction
        .prepare_cached(
            "INSERT INTO scripts (namespace, name, tag, current, serial, last_number, created_on, modified_on)
             VALUES (?1, ?2, ?3, 0, 0, 0, ?4, ?4)",
        )?
        .execute((namespace_number(key.scope), key.name.as_str(), new_hex_id(), now()))?;
    Ok(transaction.last_insert_rowid())
}

/// Makes a version of a script the one that serves.
pub(super) fn serve(
    transaction: &Transaction<'_>,
    key: &ScriptKey,
    script: i64,
    version: i64,
    uuid: String,
) -> Result<Change> {
    let serial = next_serial(transaction)?;
    transaction
        .prepare_cached("UPDATE scripts SET current = ?2, serial = ?3, modified_on = ?4 WHERE id = ?1")?
        .execute((script, version, serial, now()))?;
    Ok(Change { key: key.clone(), serial: unsigned(serial)?, version: Some(uuid) })
}

/// Deletes what is not kept any more, first of all never the version that serves.
fn forget_old(transaction: &Transaction<'_>, scope: Scope, script: i64) -> Result<()> {
    let kept = if scope == Scope::Account { KEPT } else { 1 };
    transaction
        .prepare_cached(
            "DELETE FROM versions WHERE script = ?1 AND id NOT IN (
                SELECT v.id FROM versions AS v JOIN scripts AS s ON s.id = v.script
                WHERE s.id = ?1 ORDER BY v.id = s.current DESC, v.number DESC LIMIT ?2)",
        )?
        .execute((script, kept))?;
    transaction
        .prepare_cached(
            "DELETE FROM deployments WHERE script = ?1 AND id NOT IN (
                SELECT id FROM deployments WHERE script = ?1 ORDER BY id DESC LIMIT ?2)",
        )?
        .execute((script, KEPT))?;
    Ok(())
}

fn insert_deployment(transaction: &Transaction<'_>, script: i64, version: i64, settings: Option<&str>) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO deployments (uuid, script, version, settings, created_on) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((new_uuid(), script, version, settings, now()))?;
    Ok(())
}

fn deployments(transaction: &Transaction<'_>, script: i64) -> Result<Vec<Deployment>> {
    let mut statement = transaction.prepare_cached(
        "SELECT d.uuid, v.uuid, ifnull(d.settings, v.settings), d.created_on
         FROM deployments AS d JOIN versions AS v ON v.id = d.version
         WHERE d.script = ?1 ORDER BY d.id DESC",
    )?;
    let mut rows = statement.query([script])?;
    let mut deployments = Vec::new();
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        deployments.push(Deployment {
            id: columns.next()?,
            version: columns.next()?,
            settings: columns.next_json()?,
            created_on: columns.next()?,
        });
    }
    Ok(deployments)
}

fn by_row(transaction: &Transaction<'_>, version: i64) -> Result<Version> {
    let mut statement =
        transaction.prepare_cached(&format!("SELECT {VERSION_COLUMNS} FROM versions AS v WHERE v.id = ?1"))?;
    let mut rows = statement.query([version])?;
    // It is gone at once when ten newer ones are kept, which the newest never meets.
    read(&mut Columns::of(rows.next()?.ok_or(StoreError::VersionNotFound)?))
}

/// A version of a script, or the one that serves.
fn load(transaction: &Transaction<'_>, vault: &Vault, script: i64, version: Option<&str>) -> Result<Option<Loaded>> {
    let mut statement = transaction.prepare_cached(
        "SELECT v.id, v.uuid, v.entry, v.compatibility_date, v.compatibility_flags, v.settings, v.assets, v.trusted,
            s.serial
         FROM scripts AS s JOIN versions AS v ON v.script = s.id
         WHERE s.id = ?1 AND CASE WHEN ?2 IS NULL THEN v.id = s.current ELSE v.uuid = ?2 END",
    )?;
    let mut rows = statement.query((script, version))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let text = |column| row.get::<_, String>(column);
    let id: i64 = row.get("id")?;
    let uuid = text("uuid")?;
    let owner = bindings::Owner { script, version: id, uuid: &uuid };
    let code = Code {
        entry: from_json(&text("entry")?)?,
        modules: modules(transaction, id)?,
        bindings: bindings::read(transaction, vault, owner)?,
        compatibility_date: text("compatibility_date")?,
        compatibility_flags: from_json(&text("compatibility_flags")?)?,
        settings: from_json(&text("settings")?)?,
        assets: row.get::<_, Option<String>>("assets")?.as_deref().map(from_json).transpose()?,
    };
    let serial = unsigned(row.get("serial")?)?;
    let trusted = row.get("trusted")?;
    Ok(Some(Loaded { version: uuid, serial, code, trusted }))
}

fn modules(transaction: &Transaction<'_>, version: i64) -> Result<Vec<Module>> {
    let mut statement = transaction.prepare_cached(
        "SELECT m.name, m.kind, m.content_type, b.hash, b.content
         FROM modules AS m JOIN blobs AS b ON b.id = m.blob WHERE m.version = ?1 ORDER BY m.position",
    )?;
    let mut rows = statement.query([version])?;
    let mut modules = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get("name")?;
        let kind = from_json(&row.get::<_, String>("kind")?)?;
        let content_type = row.get("content_type")?;
        let content = blobs::checked(&name, &row.get::<_, Vec<u8>>("hash")?, row.get("content")?)?;
        modules.push(Module { name, kind, content_type, content });
    }
    Ok(modules)
}
