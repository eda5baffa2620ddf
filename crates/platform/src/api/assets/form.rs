//! The form of an upload: a part for each file, its name the hash, its content base64.
//!
//! Parts are kept in batches as they come in, so a form is never in memory as a whole, and the one connection that writes
//! is never taken for long. A form that breaks off leaves what came before: the client sends the bucket again, and what is
//! there already is passed over.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use multer::Field;

use super::super::Api;
use super::super::body::content_type;
use super::super::error::{Fault, shown};
use super::super::upload::{MIB, open_form, read_part, unreadable};
use super::manifest::LARGEST_FILE;
use crate::deploy::writing;
use crate::kv::now;
use crate::store::AssetUpload;

/// What a client sends for "no `Content-Type`".
const NO_TYPE: &str = "application/null";
/// The longest `Content-Type`, in bytes.
const LONGEST_TYPE: usize = 255;
/// The largest form: several buckets, as some clients send them.
const LARGEST_FORM: u64 = 512 * MIB as u64;
/// The longest text of a file.
const LONGEST_TEXT: usize = LARGEST_FILE.div_ceil(3) * 4;
/// How much is kept in one step: bytes of text, and files.
const BATCH: usize = 8 * MIB;
const MOST_OF_BATCH: usize = 256;

/// A part that was read.
struct Encoded {
    hash: String,
    content_type: Option<String>,
    text: Bytes,
}

/// Keeps all files of a form.
pub(super) async fn receive(api: &Api, session: &str, headers: &HeaderMap, body: Body) -> Result<(), Fault> {
    if content_type(headers) != "multipart/form-data" {
        return Err(Fault::ContentType { found: content_type(headers), taken: "'multipart/form-data'" });
    }
    let mut form = open_form(headers, body, LARGEST_FORM)?;
    let (mut batch, mut length) = (Vec::new(), 0);
    while let Some(field) = form.next_field().await.map_err(|error| of_form(unreadable(error)))? {
        let encoded = read(field).await?;
        length += encoded.text.len();
        batch.push(encoded);
        if length >= BATCH || batch.len() >= MOST_OF_BATCH {
            keep(api, session, std::mem::take(&mut batch)).await?;
            length = 0;
        }
    }
    keep(api, session, batch).await
}

async fn read(mut field: Field<'_>) -> Result<Encoded, Fault> {
    let Some(hash) = field.name().or(field.file_name()).map(str::to_owned) else {
        return Err(Fault::Unreadable(
            "the form has a part without a name: it must be the hash of the file".to_owned(),
        ));
    };
    let content_type = match field.headers().get(header::CONTENT_TYPE) {
        None => None,
        Some(value) => served_as(&hash, value)?,
    };
    let too_large = || {
        let most = LARGEST_FILE;
        Fault::Invalid(format!("the file with the hash `{}` has more than {most} bytes (25 MiB)", shown(&hash)))
    };
    let text = read_part(&mut field, &mut 0, LONGEST_TEXT, too_large).await.map_err(of_form)?;
    Ok(Encoded { hash, content_type, text })
}

/// The `Content-Type` that a file is served with.
fn served_as(hash: &str, value: &HeaderValue) -> Result<Option<String>, Fault> {
    match value.to_str() {
        Ok(NO_TYPE | "") => Ok(None),
        Ok(text) if text.len() <= LONGEST_TYPE => Ok(Some(text.to_owned())),
        _ => Err(Fault::Invalid(format!(
            "the file with the hash `{}` has a Content-Type that is no text of at most {LONGEST_TYPE} ASCII characters",
            shown(hash)
        ))),
    }
}

async fn keep(api: &Api, session: &str, batch: Vec<Encoded>) -> Result<(), Fault> {
    if batch.is_empty() {
        return Ok(());
    }
    let session = session.to_owned();
    writing(&api.store, move |store| {
        let files = batch.into_iter().map(decoded).collect::<Result<Vec<_>, Fault>>()?;
        Ok(store.put_assets(&session, &files, now())?)
    })
    .await
}

fn decoded(Encoded { hash, content_type, text }: Encoded) -> Result<AssetUpload, Fault> {
    let content = std::str::from_utf8(&text).ok().and_then(|text| Base64::decode_vec(text).ok());
    let Some(content) = content else {
        return Err(Fault::Invalid(format!(
            "the file with the hash `{}` is no base64: write it with the standard alphabet, with padding, and without \
             line breaks",
            shown(&hash)
        )));
    };
    Ok(AssetUpload { hash, content_type, content: content.into() })
}

/// Forms of scripts have another limit, and say so.
fn of_form(fault: Fault) -> Fault {
    match fault {
        Fault::ScriptTooLarge => Fault::BodyTooLarge(usize::try_from(LARGEST_FORM).unwrap_or(usize::MAX)),
        other => other,
    }
}
