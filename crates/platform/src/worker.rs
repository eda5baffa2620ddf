//! What a Worker is made of: what an upload says, what the store keeps, what the runtime loads.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::assets;
use crate::names::ScriptName;

/// The row of a namespace in the store. It outlives a change of the namespace's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NamespaceId(pub i64);

/// Where a script lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// An ordinary Worker of the account: a dispatch Worker, an outbound Worker.
    Account,
    /// A user Worker in a dispatch namespace.
    Namespace(NamespaceId),
}

/// Names one script.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScriptKey {
    /// Where it lives.
    pub scope: Scope,
    /// Its name there.
    pub name: ScriptName,
}

/// The code and the bindings of one version of a script.
#[derive(Clone, Debug)]
pub struct Code {
    /// Where the Worker starts.
    pub entry: Entry,
    /// All modules, in the order of the upload. Names are unique. The script of a service Worker is one of them.
    pub modules: Vec<Module>,
    /// Bindings; names are unique.
    pub bindings: Vec<Binding>,
    /// How its static assets are served; none if it has none.
    pub assets: Option<assets::Config>,
    /// `YYYY-MM-DD`.
    pub compatibility_date: String,
    /// Flags of the runtime.
    pub compatibility_flags: Vec<String>,
    /// Other settings, kept and given back as they came: `limits`, `logpush`, `observability`, `placement`,
    /// `tail_consumers`, `usage_model`, `annotations` …
    pub settings: Map<String, Value>,
}

/// The module that a Worker starts with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// None: it has static assets and no code, so nothing is started, ever.
    AssetsOnly,
    /// An ES module (`main_module`).
    MainModule(String),
    /// A script in service-worker syntax (`body_part`).
    BodyPart(String),
}

impl Entry {
    /// The name of the module.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::AssetsOnly => None,
            Self::MainModule(name) | Self::BodyPart(name) => Some(name),
        }
    }
}

/// A module of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// As other modules import it.
    pub name: String,
    /// What it is.
    pub kind: ModuleKind,
    /// The `Content-Type` that it was uploaded with; given back with its content.
    pub content_type: String,
    /// Its bytes.
    pub content: Bytes,
}

/// What a module is to the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModuleKind {
    /// `application/javascript` beside a main module: `CommonJS`; as a body part: the script itself.
    CommonJs,
    /// `application/octet-stream`.
    Data,
    /// `application/javascript+module`.
    EsModule,
    /// `application/json`.
    Json,
    /// `application/source-map`: kept, never loaded.
    SourceMap,
    /// `text/plain`.
    Text,
    /// `application/wasm`.
    Wasm,
}

/// A binding: a name in the Worker's `env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// As the Worker's code calls it.
    pub name: String,
    /// What stands behind it.
    pub value: BindingValue,
}

/// What stands behind a binding. `inherit` and `keep_bindings` are resolved before one of these is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindingValue {
    /// A dataset of the Analytics Engine.
    AnalyticsEngine {
        /// Its name.
        dataset: String,
    },
    /// A D1 database.
    D1 {
        /// Its id: a UUID.
        database_id: String,
    },
    /// The static assets of the Worker itself.
    Assets,
    /// A module's bytes as an `ArrayBuffer` (service-worker syntax).
    DataBlob {
        /// The module.
        part: String,
    },
    /// A dispatch namespace.
    DispatchNamespace {
        /// Its row; its name may change.
        namespace: NamespaceId,
        /// What its user Workers' requests go through.
        outbound: Option<Outbound>,
    },
    /// Any JSON value.
    Json {
        /// The value.
        json: Value,
    },
    /// A KV namespace.
    KvNamespace {
        /// Its id: 32 hexadecimal digits.
        namespace_id: String,
    },
    /// A string.
    PlainText {
        /// The string.
        text: String,
    },
    /// A key that no answer ever shows, encrypted at rest; a `CryptoKey` in the Worker, which cannot export it.
    SecretKey(SecretKey),
    /// A rate limit.
    Ratelimit {
        /// What is counted together, in the whole account: a positive integer, as text.
        namespace_id: String,
        /// So many in a period.
        limit: u64,
        /// 10 or 60 seconds.
        period: u64,
    },
    /// A string that no answer ever shows, encrypted at rest.
    SecretText {
        /// The string.
        text: Secret,
    },
    /// Another Worker of the account.
    Service {
        /// The Worker's name.
        service: ScriptName,
        /// A named entrypoint of it; none for its default export.
        entrypoint: Option<String>,
        /// What `wrangler` calls its environment; kept, and of no effect here.
        environment: Option<String>,
    },
    /// A module's text as a string (service-worker syntax).
    TextBlob {
        /// The module.
        part: String,
    },
    /// A module as a `WebAssembly.Module` (service-worker syntax).
    WasmModule {
        /// The module.
        part: String,
    },
}

/// A key as `crypto.subtle.importKey()` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKey {
    /// What the key is for: an object with a `name`, or a name.
    pub algorithm: Value,
    /// What `data` is.
    pub format: KeyFormat,
    /// `sign`, `verify` …
    pub usages: Vec<String>,
    /// The key: base64 or, of a JSON Web Key, JSON.
    pub data: Secret,
}

/// How a key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyFormat {
    /// JSON Web Key (RFC 7517).
    Jwk,
    /// A private key, DER (RFC 5208).
    Pkcs8,
    /// The bytes of a symmetric key.
    Raw,
    /// A public key, DER (RFC 5280 §4.1).
    Spki,
}

/// Text that is wiped from memory, and that `{:?}` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps a text from now on; copies made before are the caller's affair.
    pub fn new(text: impl Into<Zeroizing<String>>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The outbound Worker of a dispatch binding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbound {
    /// The Worker, one of the account's.
    pub service: String,
    /// What `wrangler` calls its environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// A named entrypoint of it; none for its default export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<String>,
    /// The names of the parameters that `get()` may pass.
    #[serde(default)]
    pub parameters: Vec<String>,
}

impl Code {
    /// `limits.subrequests` (or `limits.subRequests`) of the settings.
    pub fn subrequests(&self) -> Option<u64> {
        let limits = self.settings.get("limits")?;
        limits.get("subrequests").or_else(|| limits.get("subRequests"))?.as_u64()
    }
}
