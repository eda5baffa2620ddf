//! Stores in temporary folders, and things to put into them.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rusqlite::Connection;
use serde_json::Map;
use tempfile::TempDir;
use tidegate_platform::names::{NamespaceName, ScriptName};
use tidegate_platform::store::{Namespace, NewVersion, Started, Store};
use tidegate_platform::worker::{Binding, BindingValue, Code, Entry, Module, ModuleKind, Scope, ScriptKey, Secret};

/// A store that goes with its folder.
pub(crate) struct TestStore {
    // Before the folder, so that the database is closed first.
    store: Store,
    folder: TempDir,
}

impl TestStore {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Store::open(folder.path()).unwrap(), folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Closes the store; the folder stays.
    pub(crate) fn close(self) -> TempDir {
        drop(self.store);
        self.folder
    }

    /// What `sqlite3` would see.
    pub(crate) fn sql(&self) -> Connection {
        Connection::open(database(self.folder())).unwrap()
    }

    pub(crate) fn make_namespace(&self, name: &str) -> Namespace {
        self.create_namespace(&namespace_name(name)).unwrap()
    }

    /// Deploys an account Worker of this name that holds `text`.
    pub(crate) fn deploy_text(&self, name: &str, text: &str) {
        self.deploy(&account(name), &version(text)).unwrap();
    }

    /// The main module of what serves.
    pub(crate) fn served(&self, key: &ScriptKey) -> String {
        text_of(&self.load(key).unwrap().code)
    }
}

impl Deref for TestStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

pub(crate) fn database(folder: &Path) -> PathBuf {
    folder.join("tidegate.db")
}

pub(crate) fn namespace_name(name: &str) -> NamespaceName {
    NamespaceName::parse(name).unwrap()
}

pub(crate) fn account(name: &str) -> ScriptKey {
    ScriptKey { scope: Scope::Account, name: ScriptName::parse(name).unwrap() }
}

pub(crate) fn in_namespace(namespace: &Namespace, name: &str) -> ScriptKey {
    ScriptKey { scope: Scope::Namespace(namespace.id), name: ScriptName::parse(name).unwrap() }
}

/// A version with one module, which holds `text`.
pub(crate) fn version(text: &str) -> NewVersion {
    NewVersion {
        code: Code {
            entry: Entry::MainModule("main.js".to_owned()),
            modules: vec![module("main.js", text)],
            bindings: Vec::new(),
            compatibility_date: "2026-04-01".to_owned(),
            compatibility_flags: Vec::new(),
            settings: Map::new(),
            assets: None,
        },
        started: Started::default(),
        tags: None,
        derived_from: None,
        files: None,
    }
}

pub(crate) fn tagged(tags: &[&str]) -> NewVersion {
    NewVersion { tags: Some(owned(tags)), ..version("tagged") }
}

pub(crate) fn module(name: &str, text: &str) -> Module {
    Module {
        name: name.to_owned(),
        kind: ModuleKind::EsModule,
        content_type: "application/javascript+module".to_owned(),
        content: Bytes::copy_from_slice(text.as_bytes()),
    }
}

pub(crate) fn secret(name: &str, text: &str) -> Binding {
    Binding { name: name.to_owned(), value: BindingValue::SecretText { text: Secret::new(text.to_owned()) } }
}

pub(crate) fn text_of(code: &Code) -> String {
    String::from_utf8(code.modules[0].content.to_vec()).unwrap()
}

pub(crate) fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// SQLite finds nothing wrong, every reference has what it refers to, and no blob is left over.
pub(crate) fn assert_sound(sql: &Connection) {
    let report: String = sql.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(report, "ok");
    assert_eq!(count(sql, "pragma_foreign_key_check()"), 0, "broken references");
    assert_eq!(count(sql, "blobs WHERE id NOT IN (SELECT blob FROM modules)"), 0, "blobs that nothing refers to");
    for (leftovers, of) in [
        (
            "asset manifests",
            "asset_manifests WHERE id NOT IN (
            SELECT manifest FROM asset_sessions UNION SELECT ifnull(asset_manifest, 0) FROM versions)",
        ),
        ("asset blobs", "asset_blobs WHERE id NOT IN (SELECT blob FROM asset_files)"),
        (
            "files of versions without content",
            "versions AS v
            JOIN asset_files AS f ON f.manifest = v.asset_manifest JOIN asset_blobs AS b ON b.id = f.blob
            WHERE b.size IS NULL",
        ),
        (
            "asset blobs of another length than their chunks",
            "asset_blobs AS b
            WHERE ifnull(b.size, 0) <> (SELECT ifnull(sum(length(content)), 0) FROM asset_chunks WHERE blob = b.id)",
        ),
    ] {
        assert_eq!(count(sql, of), 0, "{leftovers}");
    }
}

/// How many rows `FROM …` has.
pub(crate) fn count(sql: &Connection, from: &str) -> i64 {
    sql.query_row(&format!("SELECT count(*) FROM {from}"), (), |row| row.get(0)).unwrap()
}
