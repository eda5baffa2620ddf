//! What the store takes and gives.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::names::NamespaceName;
use crate::worker::{Code, NamespaceId, ScriptKey};

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
    /// It has static assets.
    pub has_assets: bool,
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
    /// Grows with every change of any script, for ever: it says which of two changes came later.
    pub serial: u64,
    /// The version that serves now; none when it was deleted.
    pub version: Option<String>,
}

/// What the runtime loads.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The version's UUID.
    pub version: String,
    /// The serial of the script's last [`Change`], whichever version was asked for.
    pub serial: u64,
    /// Its code, with secrets in clear.
    pub code: Code,
    /// Whether its namespace was trusted when it was deployed; `true` for account Workers.
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
    /// Its static assets; there if and only if the code says how they are served.
    pub files: Option<Files>,
}

impl From<Code> for NewVersion {
    /// A whole version that is not started yet, without assets; the script keeps its tags.
    fn from(code: Code) -> Self {
        Self { code, started: Started::default(), tags: None, derived_from: None, files: None }
    }
}

/// Where a new version has its static assets from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// The id of an upload session for this script, in which no file is missing.
    Session(String),
    /// The UUID of a version of this script that has assets: the same ones. If that version is gone by now, nothing is
    /// written and the answer is [`StoreError::Conflict`](super::StoreError::Conflict).
    Version(String),
}

/// A file as a client names it before it uploads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestEntry {
    /// Where it will be: percent-decoded, beginning with `/`.
    pub path: String,
    /// What the client calls its content.
    pub hash: String,
    /// Bytes. The same for all files of a manifest with the same hash.
    pub size: u64,
}

/// An upload of static assets that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetSession {
    /// A UUID.
    pub id: String,
    /// Seconds since 1970.
    pub expires_on: i64,
    /// The hashes whose contents are to be uploaded, each once, with the size of each.
    pub missing: Vec<(String, u64)>,
}

/// The content of files, as it is uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetUpload {
    /// What the manifest calls it.
    pub hash: String,
    /// What it is served as; none to say nothing of it.
    pub content_type: Option<String>,
    /// The bytes.
    pub content: Bytes,
}

/// `tags=a:yes,b:no`: all must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagFilter {
    /// Tags that a script must have.
    pub with: Vec<String>,
    /// Tags that a script must not have.
    pub without: Vec<String>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// What was said of it, such as `annotations`; of one that came with its version, the version's settings.
    pub settings: Map<String, Value>,
    /// RFC 3339.
    pub created_on: String,
}

/// A D1 database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct D1Database {
    /// A UUID.
    pub id: String,
    /// What people call it.
    pub name: String,
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
