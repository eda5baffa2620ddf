//! Uploads: a request's body, in any of the forms that clients send, made into code.
//!
//! ```text
//!   multipart/form-data      one part of metadata (JSON), one of each module
//!   application/javascript   a script in service-worker syntax, without bindings
//!   application/json         metadata alone
//! ```
//!
//! Reading is liberal in how a part is named (by its field, by its file) and typed, and strict in everything that would
//! otherwise be guessed: two modules of one name, a type that nobody knows, a start that is not there.

mod broken;
mod described;
mod form;
mod metadata;
mod modules;

use axum::body::Body;
use axum::http::HeaderMap;
use bytes::Bytes;
use serde_json::Value;

pub(super) use described::{ContentForm, SettingsChange, SettingsForm, UploadForm};
pub(super) use form::{Form, LARGEST_FORM, content as read_part, open as open_form, read as read_form, unreadable};
pub(super) use metadata::Metadata;
pub(super) use modules::{Part, Start, entry, module_called, modules, nothing_to_start};

use super::body::{self, content_type};
use super::error::Fault;

/// Bytes in a mebibyte.
pub(super) const MIB: usize = 1024 * 1024;
/// The most code that a Worker has: all modules together, without source maps.
pub(super) const LARGEST_SCRIPT: usize = 64 * MIB;

/// The name that a script has which came without one.
const UNNAMED: &str = "worker.js";

/// A body that was read: what it says, and its parts.
#[derive(Debug)]
pub(super) struct Upload {
    /// What it says.
    pub(super) metadata: Metadata,
    /// Its modules, not yet judged.
    pub(super) parts: Vec<Part>,
}

impl Upload {
    /// Reads a body.
    pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Fault> {
        match content_type(headers).as_str() {
            "multipart/form-data" => {
                let Form { metadata, parts } = read_form(headers, body, "metadata").await?;
                let metadata = match metadata {
                    Some(json) => Metadata::parse("metadata", &json)?,
                    None => started_by_header(headers)?,
                };
                Ok(Self { metadata, parts })
            }
            script @ ("application/javascript"
            | "text/javascript"
            | "application/javascript+module"
            | "text/javascript+module") => {
                let content = body::read(body, LARGEST_SCRIPT).await.map_err(|fault| match fault {
                    Fault::BodyTooLarge(_) => Fault::ScriptTooLarge,
                    other => other,
                })?;
                broken::refuse_form_in_script(&content)?;
                Ok(Self::of_script(script, content))
            }
            "application/json" => {
                let mut value: Value = body::json(body).await?;
                // SDKs without files send the fields of the form as JSON.
                if let Some(metadata) = value.get_mut("metadata") {
                    value = metadata.take();
                }
                Ok(Self { metadata: Metadata::read("metadata", value)?, parts: Vec::new() })
            }
            other => Err(Fault::ContentType {
                found: other.to_owned(),
                taken: "'application/javascript', 'text/javascript', 'multipart/form-data'",
            }),
        }
    }

    fn of_script(content_type: &str, content: Bytes) -> Self {
        let name = UNNAMED.to_owned();
        let start = if content_type.ends_with("+module") { Start::MainModule(name) } else { Start::BodyPart(name) };
        let part = Part { field: UNNAMED.to_owned(), file: None, content_type: Some(content_type.to_owned()), content };
        Self { metadata: Metadata { start: Some(start), ..Metadata::default() }, parts: vec![part] }
    }
}

/// A form without metadata may say in a header which part it starts with.
fn started_by_header(headers: &HeaderMap) -> Result<Metadata, Fault> {
    let named = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let start = named("cf-worker-main-module-part")
        .map(Start::MainModule)
        .or_else(|| named("cf-worker-body-part").map(Start::BodyPart));
    match start {
        Some(_) => Ok(Metadata { start, ..Metadata::default() }),
        None => Err(Fault::Invalid("the form has no part with the name `metadata`".to_owned())),
    }
}
