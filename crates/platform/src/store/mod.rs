//! What was accepted, kept in SQLite. The store is the truth: the runtime loads from it and holds copies alone.
//!
//! Calls block; a server makes them from [`tokio::task::spawn_blocking`]. A [`Store`] is a handle: cloning it is cheap.

use bytes::Bytes;
use serde_json::{Map, Value};
use std::path::Path;

use crate::names::NamespaceName;
use crate::worker::{Code, NamespaceId, Scope, ScriptKey};

/// A handle on the store.
#[derive(Clone, Debug)]
pub struct Store {}

/// What went wrong. What users see is the API's affair.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such namespace.
    #[error("there is no such namespace")]
    NamespaceNotFound,
    /// A namespace of this name exists.
    #[error("a namespace of this name exists")]
    NamespaceExists,
    /// No such script.
    #[error("there is no such script")]
    ScriptNotFound,
    /// No such version of the script.
    #[error("there is no such version")]
    VersionNotFound,
    /// No such secret.
    #[error("there is no such secret")]
    SecretNotFound,
    /// No such KV namespace.
    #[error("there is no such KV namespace")]
    KvNamespaceNotFound,
    /// A KV namespace of this title exists.
    #[error("a KV namespace of this title exists")]
    KvNamespaceExists,
    /// Somebody changed the script between reading and writing it.
    #[error("the script was changed meanwhile")]
    Conflict,
}

/// A dispatch namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its row.
    pub id: NamespaceId,
    /// Its id in the API.
    pub uuid: String,
    /// Its name.
    pub name: NamespaceName,
    /// `trusted_workers`: its Workers see `request.cf`.
    pub trusted: bool,
    /// How many scripts it has.
    pub scripts: u64,
    /// RFC 3339.
    pub created_on: String,
    /// RFC 3339.
    pub modified_on: String,
}

/// A script as the API describes it, without its code.
#[derive(Clone, Debug)]
pub struct Script {
    /// Which one.
    pub key: ScriptKey,
    /// 32 hexadecimal digits, for as long as the script exists (`tag` in the API).
    pub tag: String,
    /// The version that serves.
    pub version: Version,
    /// Sorted.
    pub tags: Vec<String>,
    /// RFC 3339.
    pub created_on: String,
    /// RFC 3339.
    pub modified_on: String,
    /// Whether it answers at its own host (`workers.dev`): `enabled` and `previews_enabled`. Account Workers alone.
    pub subdomain: (bool, bool),
}

/// A version as the API describes it, without its code.
#[derive(Clone, Debug)]
pub struct Version {
    /// A UUID.
    pub id: String,
    /// Counted from 1 within the script.
    pub number: u64,
    /// RFC 3339.
    pub created_on: String,
    /// 64 hexadecimal digits: SHA-256 over entry, and each module's name, kind and content.
    pub etag: String,
    /// What the start check found.
    pub started: Started,
    /// `main_module` is set (ES modules).
    pub has_modules: bool,
    /// `YYYY-MM-DD`.
    pub compatibility_date: String,
    /// Flags of the runtime.
    pub compatibility_flags: Vec<String>,
    /// Other settings, as they came.
    pub settings: Map<String, Value>,
}

/// What a start check found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Started {
    /// Milliseconds from asking for the Worker to having it.
    pub startup_time_ms: u64,
    /// Of the default export: `fetch`, `scheduled` …
    pub handlers: Vec<String>,
    /// Named entrypoints and their handlers.
    pub named_handlers: Vec<(String, Vec<String>)>,
}

/// Something that the runtime must be told: which version of a script is current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which script.
    pub key: ScriptKey,
    /// Grows with every change of any script, for ever: the runtime believes the highest.
    pub serial: u64,
    /// The version that serves now; none when it was deleted.
    pub version: Option<String>,
}

/// What the runtime loads.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The version's UUID.
    pub version: String,
    /// See [`Change::serial`].
    pub serial: u64,
    /// Its code, with secrets in clear.
    pub code: Code,
    /// Whether its namespace is trusted; `true` for account Workers.
    pub trusted: bool,
}

/// What a deployment writes.
#[derive(Debug)]
pub struct NewVersion {
    /// Code, bindings, settings.
    pub code: Code,
    /// What the start check found.
    pub started: Started,
    /// Replaces the script's tags; none leaves them as they are.
    pub tags: Option<Vec<String>>,
    /// The current version that this one was derived from (settings, secrets, content): if another is current by
    /// now, nothing is written and the answer is [`StoreError::Conflict`]. `None` for a whole upload.
    pub derived_from: Option<String>,
}

/// `tags=a:yes,b:no`: all must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagFilter {
    /// Tags that a script must have.
    pub with: Vec<String>,
    /// Tags that a script must not have.
    pub without: Vec<String>,
}

/// A page of scripts, by name.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Pass it to have the next page; none at the end.
    pub cursor: Option<String>,
}

/// A deployment of an account Worker: which version serves all of its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// A UUID.
    pub id: String,
    /// The version's UUID.
    pub version: String,
    /// RFC 3339.
    pub created_on: String,
}

/// A KV namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvNamespace {
    /// 32 hexadecimal digits.
    pub id: String,
    /// What people call it.
    pub title: String,
}

/// A value of a KV namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct KvEntry {
    /// The bytes.
    pub value: Bytes,
    /// Any JSON.
    pub metadata: Option<Value>,
    /// Seconds since 1970 from which on it is gone.
    pub expiration: Option<i64>,
}

/// A key of a KV namespace, as it is listed.
#[derive(Clone, Debug, PartialEq)]
pub struct KvKey {
    /// The key.
    pub name: String,
    /// Any JSON.
    pub metadata: Option<Value>,
    /// Seconds since 1970.
    pub expiration: Option<i64>,
}

type Result<T> = std::result::Result<T, StoreError>;

#[expect(unused_variables, clippy::todo, reason = "the outline of what is being built")]
impl Store {
    /// Opens the store in a folder, or makes it: `tidegate.db`, and `tidegate.key` (mode 0600) for secrets.
    pub fn open(folder: &Path) -> Result<Self> {
        todo!()
    }

    // Tokens -----------------------------------------------------------------------------------------------------
    /// Lets a token in from now on. Only its keyed hash is kept.
    pub fn add_token(&self, token: &str) -> Result<()> {
        todo!()
    }
    /// Whether a token was added. Takes the same time for all tokens of a length.
    pub fn knows_token(&self, token: &str) -> Result<bool> {
        todo!()
    }
    /// Whether any token was ever added.
    pub fn has_tokens(&self) -> Result<bool> {
        todo!()
    }

    // Namespaces --------------------------------------------------------------------------------------------------
    /// Makes a namespace.
    pub fn create_namespace(&self, name: &NamespaceName) -> Result<Namespace> {
        todo!()
    }
    /// All, by name.
    pub fn namespaces(&self) -> Result<Vec<Namespace>> {
        todo!()
    }
    /// One.
    pub fn namespace(&self, name: &NamespaceName) -> Result<Namespace> {
        todo!()
    }
    /// One, by its row.
    pub fn namespace_by_id(&self, id: NamespaceId) -> Result<Namespace> {
        todo!()
    }
    /// Gives it another name, or another trust, which each script takes up at its next deployment.
    pub fn update_namespace(
        &self,
        name: &NamespaceName,
        new_name: Option<&NamespaceName>,
        trusted: Option<bool>,
    ) -> Result<Namespace> {
        todo!()
    }
    /// Deletes it and its scripts.
    pub fn delete_namespace(&self, name: &NamespaceName) -> Result<Vec<Change>> {
        todo!()
    }

    // Scripts -----------------------------------------------------------------------------------------------------
    /// One.
    pub fn script(&self, key: &ScriptKey) -> Result<Script> {
        todo!()
    }
    /// A page of them, by name.
    pub fn scripts(
        &self,
        scope: Scope,
        filter: &TagFilter,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Script>> {
        todo!()
    }
    /// Writes a version and makes it the one that serves, in one step; makes the script if there is none.
    pub fn deploy(&self, key: &ScriptKey, version: &NewVersion) -> Result<(Script, Change)> {
        todo!()
    }
    /// Deletes one.
    pub fn delete_script(&self, key: &ScriptKey) -> Result<Change> {
        todo!()
    }
    /// Deletes at most `limit` of those that the filter meets, by name; says whether more are left.
    pub fn delete_scripts(&self, scope: Scope, filter: &TagFilter, limit: usize) -> Result<(Vec<Change>, bool)> {
        todo!()
    }
    /// The code of the version that serves.
    pub fn load(&self, key: &ScriptKey) -> Result<Loaded> {
        todo!()
    }
    /// The code of some version.
    pub fn load_version(&self, key: &ScriptKey, version: &str) -> Result<Loaded> {
        todo!()
    }
    /// Account Workers: at its own host or not.
    pub fn set_subdomain(&self, key: &ScriptKey, enabled: bool, previews_enabled: bool) -> Result<()> {
        todo!()
    }

    // Versions and deployments of account Workers -----------------------------------------------------------------
    /// Writes a version that does not serve yet.
    pub fn add_version(&self, key: &ScriptKey, version: &NewVersion) -> Result<Version> {
        todo!()
    }
    /// The newest first; at most the ten that are kept.
    pub fn versions(&self, key: &ScriptKey) -> Result<Vec<Version>> {
        todo!()
    }
    /// Makes a version the one that serves.
    pub fn deploy_version(&self, key: &ScriptKey, version: &str) -> Result<(Deployment, Change)> {
        todo!()
    }
    /// The newest first.
    pub fn deployments(&self, key: &ScriptKey) -> Result<Vec<Deployment>> {
        todo!()
    }

    // Tags --------------------------------------------------------------------------------------------------------
    /// Replaces all.
    pub fn set_tags(&self, key: &ScriptKey, tags: &[String]) -> Result<Vec<String>> {
        todo!()
    }
    /// Adds one, unless there are `most` already: then `false`, and nothing was written.
    pub fn add_tag(&self, key: &ScriptKey, tag: &str, most: usize) -> Result<bool> {
        todo!()
    }
    /// Takes one away; none such is fine.
    pub fn remove_tag(&self, key: &ScriptKey, tag: &str) -> Result<()> {
        todo!()
    }

    // KV ----------------------------------------------------------------------------------------------------------
    /// Makes one.
    pub fn create_kv_namespace(&self, title: &str) -> Result<KvNamespace> {
        todo!()
    }
    /// All, by title.
    pub fn kv_namespaces(&self) -> Result<Vec<KvNamespace>> {
        todo!()
    }
    /// One.
    pub fn kv_namespace(&self, id: &str) -> Result<KvNamespace> {
        todo!()
    }
    /// Another title.
    pub fn rename_kv_namespace(&self, id: &str, title: &str) -> Result<KvNamespace> {
        todo!()
    }
    /// Deletes it and its values.
    pub fn delete_kv_namespace(&self, id: &str) -> Result<()> {
        todo!()
    }
    /// A value that has not expired at `now` (seconds since 1970).
    pub fn kv_value(&self, id: &str, key: &str, now: i64) -> Result<Option<KvEntry>> {
        todo!()
    }
    /// Writes a value.
    pub fn put_kv_value(&self, id: &str, key: &str, entry: &KvEntry) -> Result<()> {
        todo!()
    }
    /// Deletes a value; none such is fine.
    pub fn delete_kv_value(&self, id: &str, key: &str) -> Result<()> {
        todo!()
    }
    /// Keys by their bytes, from behind `cursor` on.
    pub fn kv_keys(&self, id: &str, prefix: &str, limit: usize, cursor: Option<&str>, now: i64) -> Result<Page<KvKey>> {
        todo!()
    }
}
