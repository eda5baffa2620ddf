//! Bindings as metadata declares them, as the description of the API tells it: the canonical form. They are read by hand
//! ([`super::declared`]), and more liberally than this.

#![expect(dead_code, reason = "types of a description")]

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::worker::KeyFormat;

/// A binding that is to be.
#[derive(Serialize, ToSchema)]
pub(in super::super) struct NewBinding {
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    #[serde(flatten)]
    value: NewBindingValue,
}

/// What is to stand behind a binding. With a type alone, in a change of settings: what stands there already.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum NewBindingValue {
    AnalyticsEngine {
        dataset: String,
    },
    D1 {
        /// `database_id` is understood, too.
        id: String,
    },
    /// The static assets of the Worker itself.
    Assets,
    DataBlob {
        part: String,
    },
    DispatchNamespace {
        namespace: String,
        #[schema(nullable = false)]
        outbound: Option<NewOutbound>,
    },
    /// What a version before has under that name.
    Inherit {
        #[schema(nullable = false)]
        old_name: Option<String>,
        #[schema(nullable = false)]
        version_id: Option<String>,
    },
    Json {
        json: Value,
    },
    KvNamespace {
        namespace_id: String,
    },
    PlainText {
        text: String,
    },
    Ratelimit {
        /// A positive integer.
        namespace_id: String,
        simple: NewRateLimit,
    },
    SecretKey(NewKey),
    SecretText {
        text: String,
    },
    Service {
        service: String,
        #[schema(nullable = false)]
        entrypoint: Option<String>,
        #[schema(nullable = false)]
        environment: Option<String>,
    },
    TextBlob {
        part: String,
    },
    WasmModule {
        part: String,
    },
}

/// A key, as `crypto.subtle.importKey()` takes it.
#[derive(Serialize, ToSchema)]
pub(in super::super) struct NewKey {
    #[schema(value_type = Object)]
    algorithm: Value,
    #[schema(value_type = String, pattern = "^(jwk|pkcs8|raw|spki)$")]
    format: KeyFormat,
    usages: Vec<KeyUsage>,
    /// The key in base64, unless `format` is `jwk`.
    #[schema(nullable = false)]
    key_base64: Option<String>,
    /// The key, if `format` is `jwk`.
    #[schema(value_type = Object, nullable = false)]
    key_jwk: Option<Value>,
}

/// What a key may be used for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum KeyUsage {
    Decrypt,
    DeriveBits,
    DeriveKey,
    Encrypt,
    Sign,
    UnwrapKey,
    Verify,
    WrapKey,
}

/// So many in so many seconds.
#[derive(Serialize, ToSchema)]
struct NewRateLimit {
    #[schema(minimum = 1)]
    limit: u64,
    /// 10 or 60.
    period: u64,
}

/// What the requests of a dispatch namespace's Workers are to go through.
#[derive(Serialize, ToSchema)]
struct NewOutbound {
    worker: NewOutboundWorker,
    #[schema(nullable = false)]
    params: Option<Vec<NewOutboundParameter>>,
}

/// The Worker that they go through.
#[derive(Serialize, ToSchema)]
struct NewOutboundWorker {
    service: String,
    #[schema(nullable = false)]
    environment: Option<String>,
    #[schema(nullable = false)]
    entrypoint: Option<String>,
}

/// A parameter that `get()` may pass to it.
#[derive(Serialize, ToSchema)]
struct NewOutboundParameter {
    name: String,
}
