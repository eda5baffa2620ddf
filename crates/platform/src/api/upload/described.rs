//! What uploads and changes of settings are made of, as the description of the API tells it: the canonical form. They are
//! read by hand ([`super::metadata`], [`super::form`]), and more liberally than this.

#![expect(dead_code, reason = "types of a description")]

use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::super::assets::NewAssets;
use super::super::bindings::NewBinding;

/// A form of metadata and modules.
#[derive(ToSchema)]
#[schema(examples(json!({
    "metadata": { "main_module": "files", "compatibility_date": "2026-04-01" },
    "files": ["export default { fetch() { return new Response(\"hello\"); } };"],
})))]
pub(in super::super) struct UploadForm {
    #[schema(content_media_type = "application/json")]
    metadata: UploadMetadata,
    /// The modules, in parts of any names; the name of its file, or else of its field, is what other modules import one
    /// as.
    #[schema(content_media_type = "application/javascript+module")]
    files: Vec<Module>,
}

/// A form of modules alone.
#[derive(ToSchema)]
#[schema(examples(json!({
    "metadata": { "main_module": "files" },
    "files": ["export default { fetch() { return new Response(\"hello again\"); } };"],
})))]
pub(in super::super) struct ContentForm {
    #[schema(content_media_type = "application/json", nullable = false)]
    metadata: Option<ContentMetadata>,
    /// As those of an upload.
    #[schema(content_media_type = "application/javascript+module")]
    files: Vec<Module>,
}

/// A form of settings.
#[derive(ToSchema)]
pub(in super::super) struct SettingsForm {
    #[schema(content_media_type = "application/json")]
    settings: SettingsChange,
}

/// The bytes of a module.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
struct Module(Vec<u8>);

/// What an upload says of its modules: with which the Worker starts.
#[derive(ToSchema)]
struct ContentMetadata {
    /// The part that starts, of ES modules.
    main_module: Option<String>,
    /// The part that starts, in service-worker syntax.
    body_part: Option<String>,
}

/// What an upload says.
#[derive(ToSchema)]
struct UploadMetadata {
    #[serde(flatten)]
    start: ContentMetadata,
    /// Static assets.
    #[schema(nullable = false)]
    assets: Option<NewAssets>,
    /// Whether the static assets of the version before stay, in place of a token for others.
    #[schema(nullable = false)]
    keep_assets: Option<bool>,
    /// The types of bindings to be taken over from the version before, where none of their name is said.
    #[schema(nullable = false)]
    keep_bindings: Option<Vec<String>>,
    #[serde(flatten)]
    settings: SettingsChange,
}

/// Settings of a script. What is not said stays, or is as usual; `null` takes a setting away.
#[derive(ToSchema)]
pub(in super::super) struct SettingsChange {
    /// All bindings.
    bindings: Option<Vec<NewBinding>>,
    /// `YYYY-MM-DD`.
    compatibility_date: Option<String>,
    compatibility_flags: Option<Vec<String>>,
    /// At most eight, of no `,` and no `&`.
    tags: Option<Vec<String>>,
    annotations: Option<Map<String, Value>>,
    cache_options: Option<Map<String, Value>>,
    limits: Option<Limits>,
    logpush: Option<bool>,
    observability: Option<Map<String, Value>>,
    placement: Option<Map<String, Value>>,
    streaming_tail_consumers: Option<Vec<Value>>,
    tail_consumers: Option<Vec<Value>>,
    usage_model: Option<String>,
}

/// What an invocation may use.
#[derive(ToSchema)]
struct Limits {
    /// Milliseconds of processor time. Kept, and not enforced here.
    #[schema(minimum = 1)]
    cpu_ms: Option<u64>,
    /// Requests that an invocation sends.
    #[schema(minimum = 1)]
    subrequests: Option<u64>,
}
