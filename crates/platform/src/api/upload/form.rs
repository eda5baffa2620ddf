//! `multipart/form-data`, read as it streams in, within limits.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use multer::{Constraints, Multipart, SizeLimit};

use super::super::body::{self, essence};
use super::super::error::{Fault, shown};
use super::broken;
use super::modules::Part;
use super::{LARGEST_SCRIPT, MIB};

/// The longest metadata.
const LARGEST_METADATA: usize = 8 * MIB;
/// The most parts of one form.
const MOST_PARTS: usize = 10_000;
/// Source maps do not count as code, and are bounded by the same number.
pub(in super::super) const LARGEST_FORM: u64 = (2 * LARGEST_SCRIPT + LARGEST_METADATA + 4 * MIB) as u64;

/// A form of metadata and modules.
#[derive(Debug, Default)]
pub(in super::super) struct Form {
    /// The part that says what the others are.
    pub(in super::super) metadata: Option<Bytes>,
    /// The others, in order.
    pub(in super::super) parts: Vec<Part>,
}

/// Reads a form whose metadata is in the field of that name.
pub(in super::super) async fn read(headers: &HeaderMap, body: Body, metadata: &str) -> Result<Form, Fault> {
    let mut stream = open(headers, body, LARGEST_FORM)?;
    let mut form = Form::default();
    let (mut code, mut source_maps) = (0, 0);
    while let Some(mut field) = stream.next_field().await.map_err(unreadable)? {
        let name = field.name().map(str::to_owned);
        let file = field.file_name().map(str::to_owned);
        let content_type = field.content_type().map(ToString::to_string);
        if name.as_deref() == Some(metadata) {
            if form.metadata.is_some() {
                return Err(Fault::Unreadable(format!("the form has two parts with the name `{metadata}`")));
            }
            let mut used = 0;
            let too_large = || Fault::BodyTooLarge(LARGEST_METADATA);
            form.metadata = Some(content(&mut field, &mut used, LARGEST_METADATA, too_large).await?);
            continue;
        }
        broken::refuse_piece(name.as_deref().unwrap_or_default(), metadata)?;
        if form.parts.len() == MOST_PARTS {
            return Err(Fault::Invalid(format!("an upload has at most {MOST_PARTS} modules")));
        }
        let is_source_map = content_type.as_deref().is_some_and(|it| essence(it) == "application/source-map");
        let used = if is_source_map { &mut source_maps } else { &mut code };
        let content = content(&mut field, used, LARGEST_SCRIPT, || Fault::ScriptTooLarge).await?;
        let Some(field) = name.or_else(|| file.clone()) else {
            return Err(Fault::Unreadable("the form has a part without a name".to_owned()));
        };
        form.parts.push(Part { field, file, content_type, content });
    }
    Ok(form)
}

/// The parts of a form of at most so many bytes, to be read one after another.
pub(in super::super) fn open(headers: &HeaderMap, body: Body, most: u64) -> Result<Multipart<'static>, Fault> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(content_type)
        .map_err(|_| Fault::Unreadable("the Content-Type `multipart/form-data` names no boundary".to_owned()))?;
    let constraints = Constraints::new().size_limit(SizeLimit::new().whole_stream(most));
    let body = ChunkByChunk { body: body.into_data_stream(), rest: false };
    Ok(Multipart::with_constraints(body, boundary, constraints))
}

/// A body that is never ready twice in a row. Else multer would take in all that has arrived before it looks at any of it,
/// and the limits on parts would come too late to bound what is in memory.
struct ChunkByChunk {
    body: BodyDataStream,
    rest: bool,
}

impl Stream for ChunkByChunk {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.rest) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = self.body.poll_next_unpin(context);
        self.rest = matches!(polled, Poll::Ready(Some(Ok(_))));
        polled
    }
}

/// Reads a part to its end. `used` grows by its length, up to `most`.
pub(in super::super) async fn content(
    field: &mut multer::Field<'_>,
    used: &mut usize,
    most: usize,
    too_large: impl Fn() -> Fault,
) -> Result<Bytes, Fault> {
    let mut content = BytesMut::new();
    while let Some(chunk) = field.chunk().await.map_err(unreadable)? {
        *used += chunk.len();
        if *used > most {
            return Err(too_large());
        }
        content.extend_from_slice(&chunk);
    }
    Ok(content.freeze())
}

/// What is wrong with a form.
pub(in super::super) fn unreadable(error: multer::Error) -> Fault {
    match error {
        multer::Error::StreamSizeExceeded { .. } | multer::Error::FieldSizeExceeded { .. } => Fault::ScriptTooLarge,
        other if matches!(body::broken(&other), Fault::TooSlow) => Fault::TooSlow,
        other => Fault::Unreadable(format!("the form cannot be read: {}", shown(&other.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_form(content_type: &str, body: impl Into<Body>) -> Result<Form, Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        read(&headers, body.into(), "metadata").await
    }

    const TYPE: &str = "multipart/form-data; boundary=b";

    #[tokio::test]
    async fn forms_are_read_as_clients_write_them() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{}\r\n\
                    --b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.mjs\"\r\n\
                    Content-Type: application/javascript+module\r\n\r\nexport default {}\r\n--b--\r\n";
        let form = read_form(TYPE, body).await.unwrap();
        assert_eq!(form.metadata.as_deref(), Some(b"{}".as_slice()));
        let [part] = form.parts.as_slice() else { panic!("{:?}", form.parts) };
        assert_eq!((part.field.as_str(), part.name()), ("files", "a.mjs"));
        assert_eq!(part.content_type.as_deref(), Some("application/javascript+module"));
        assert_eq!(part.content.as_ref(), b"export default {}");
    }

    #[tokio::test]
    async fn malformed_forms_are_refused_and_say_so() {
        let part = "--b\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{}";
        let cases: &[(&str, &str, String)] = &[
            ("no boundary in the type", "multipart/form-data", part.to_owned()),
            (
                "another boundary than in the type",
                "multipart/form-data; boundary=other",
                format!("{part}\r\n--b--\r\n"),
            ),
            ("cut off in a part", TYPE, part.to_owned()),
            ("cut off in the headers of a part", TYPE, "--b\r\nContent-Dispo".to_owned()),
            ("no part at all and no end", TYPE, String::new()),
            ("two metadata parts", TYPE, format!("{part}\r\n{part}\r\n--b--\r\n")),
            ("a part without a name", TYPE, "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n".to_owned()),
        ];
        for (case, content_type, body) in cases {
            let refused = read_form(content_type, body.clone()).await.err();
            assert!(matches!(refused, Some(Fault::Unreadable(_))), "{case}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn a_part_beyond_the_limit_is_not_read_to_its_end() {
        let head = "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a.js\"\r\n\r\n";
        let taken = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = taken.clone();
        let endless = futures_util::stream::repeat(Bytes::from(vec![b'x'; MIB])).map(move |chunk| {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok::<_, std::convert::Infallible>(chunk)
        });
        let body = futures_util::stream::iter([Ok(Bytes::from(head))]).chain(endless);
        assert_eq!(read_form(TYPE, Body::from_stream(body)).await.err(), Some(Fault::ScriptTooLarge));
        let taken = taken.load(std::sync::atomic::Ordering::Relaxed);
        assert!(taken <= LARGEST_SCRIPT / MIB + 4, "{taken} MiB were read");
    }
}
