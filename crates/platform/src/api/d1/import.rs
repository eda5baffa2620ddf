//! Scripts that are uploaded, and run whole or not at all: `wrangler d1 execute --file`.
//!
//! ```text
//!   POST …/import  {action: "init", etag}              ─▶ {upload_url, filename}
//!   PUT  upload_url  the script                        ─▶ ETag: the MD5 of it
//!   POST …/import  {action: "ingest", etag, filename}  ─▶ {status: "complete", result}
//! ```
//!
//! The URL of an upload is its own permission, as with a bucket elsewhere: clients show no token there. It is made of 122
//! random bits, works once, for an hour.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use md5::{Digest as _, Md5};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::Api;
use super::super::body;
use super::super::envelope::ok;
use super::super::error::{Fault, Reply, shown};
use super::super::path::Captures;
use super::super::upload::MIB;
use super::databases::named;
use crate::d1::{Call, Query, Shape};

/// The largest script.
const LARGEST_UPLOAD: usize = 64 * MIB;

/// Uploads that are announced or wait to be run; beyond them the oldest goes.
const MOST_UPLOADS: usize = 4;

/// How long one may wait.
const LASTS: Duration = Duration::from_hours(1);

/// A script on its way.
#[derive(Debug)]
pub(in super::super) struct Upload {
    database: String,
    name: String,
    etag: String,
    begun: Instant,
    script: Option<Bytes>,
}

/// A step of an import.
#[derive(Deserialize, ToSchema)]
struct ImportStep {
    /// `init`, `ingest` or `poll`.
    action: String,
    /// The MD5 of the script.
    #[serde(default)]
    etag: String,
    /// As `init` answered.
    #[serde(default)]
    filename: String,
}

/// Announces a script for a D1 database, or runs one that was uploaded.
#[utoipa::path(post, path = "/{database_id}/import", tag = "D1", request_body = ImportStep)]
pub(super) async fn import(
    State(api): State<Api>,
    captures: Captures,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Reply<Value> {
    let ImportStep { action, etag, filename } = body::json(body).await?;
    let database = named(&api, &captures).await?;
    match action.as_str() {
        "init" => {
            if etag.len() != 32 || !etag.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(Fault::D1Request(
                    "`etag` must be the MD5 of the script, in 32 hexadecimal digits".to_owned(),
                ));
            }
            let name = Uuid::new_v4().simple().to_string();
            let host = uri.authority().map(ToString::to_string);
            let host = host.or_else(|| headers.get(header::HOST)?.to_str().ok().map(str::to_owned));
            let host = host.ok_or_else(|| Fault::D1Request("the request has no `Host`".to_owned()))?;
            let url = format!("http://{host}{}/{name}", super::super::routes::D1_UPLOADS);
            api.d1_upload(|uploads| {
                uploads.retain(|upload| upload.begun.elapsed() < LASTS);
                if uploads.len() >= MOST_UPLOADS {
                    uploads.pop_front();
                }
                uploads.push_back(Upload {
                    database: database.id,
                    name: name.clone(),
                    etag: etag.to_ascii_lowercase(),
                    begun: Instant::now(),
                    script: None,
                });
            });
            ok(json!({ "success": true, "type": "import", "filename": name, "upload_url": url }))
        }
        "ingest" => {
            let uploaded = api.d1_upload(|uploads| {
                let at = uploads.iter().position(|upload| {
                    upload.database == database.id && upload.name == filename && upload.etag == etag
                })?;
                uploads.get(at)?.script.as_ref()?;
                uploads.remove(at)?.script
            });
            let script =
                uploaded.ok_or_else(|| Fault::D1Request(format!("nothing was uploaded as `{}`", shown(&filename))))?;
            ok(run(&api, &database.id, &script).await?)
        }
        // Ingesting answers when all is done: there is nothing to wait for.
        "poll" => ok(json!({
            "success": true, "type": "import", "status": "complete", "messages": [],
            "error": "Not currently importing anything.",
        })),
        other => {
            Err(Fault::D1Request(format!("`action` must be `init`, `ingest` or `poll`, and is `{}`", shown(other))))
        }
    }
}

/// Takes a script.
pub(in super::super) async fn upload(
    State(api): State<Api>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Response, Fault> {
    let waits = |upload: &Upload| upload.name == name && upload.script.is_none() && upload.begun.elapsed() < LASTS;
    let missing = || Fault::D1Request("there is no such upload, or no longer".to_owned());
    if !api.d1_upload(|uploads| uploads.iter().any(&waits)) {
        return Err(missing());
    }
    let script = body::read(body, LARGEST_UPLOAD).await?;
    let etag = format!("{:032x}", u128::from_be_bytes(Md5::digest(&script).into()));
    api.d1_upload(|uploads| {
        let upload = uploads.iter_mut().find(|upload| waits(upload)).ok_or_else(missing)?;
        if upload.etag != etag {
            return Err(Fault::D1Request("the script is another than was announced: its MD5 differs".to_owned()));
        }
        upload.script = Some(script);
        Ok(())
    })?;
    let tag = HeaderValue::from_str(&format!("\"{etag}\"")).map_err(|error| Fault::Internal(error.to_string()))?;
    Ok([(header::ETAG, tag)].into_response())
}

async fn run(api: &Api, database: &str, script: &[u8]) -> Result<Value, Fault> {
    let sql = std::str::from_utf8(script).map_err(|_| Fault::D1Request("the script is no UTF-8".to_owned()))?;
    let queries = vec![Query { sql: sql.to_owned(), params: None }];
    let call = Call { queries, shape: Shape::Arrays, several: true };
    let outcomes = api.store.databases().call(database, call).await?;
    let sum = |key: &str| outcomes.iter().filter_map(|outcome| outcome.meta[key].as_f64()).sum::<f64>();
    let count = |key: &str| outcomes.iter().filter_map(|outcome| outcome.meta[key].as_u64()).sum::<u64>();
    let last = outcomes.last().map(|outcome| outcome.meta.clone()).unwrap_or_default();
    let bookmark = crate::d1::bookmark();
    Ok(json!({
        "success": true,
        "type": "import",
        "status": "complete",
        "messages": [],
        "at_bookmark": bookmark,
        "result": {
            "num_queries": outcomes.len(),
            "final_bookmark": bookmark,
            "meta": {
                "served_by": last["served_by"],
                "duration": sum("duration"),
                "changes": count("changes"),
                "last_row_id": last["last_row_id"],
                "changed_db": true,
                "size_after": last["size_after"],
                "rows_read": count("rows_read"),
                "rows_written": count("rows_written"),
            },
        },
    }))
}

impl Api {
    fn d1_upload<T>(&self, change: impl FnOnce(&mut std::collections::VecDeque<Upload>) -> T) -> T {
        change(&mut self.d1_uploads.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
