//! Bodies: read whole up to a limit, and drained politely when an answer comes before their end.
//!
//! A client that is still sending when the server closes the connection often sees a reset in place of the answer. So
//! [`drain`] hands the handler a body that gives back what is left of it, and reads that to its end (up to a bound of
//! bytes and of time, keeping nothing) before an answer that refuses is sent. A client that waits for `100 Continue`
//! has sent nothing yet, and is not asked to.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::error::Fault;
use super::upload::MIB;

/// How much of a body is read and thrown away before an answer that refuses.
const DRAINED: usize = 512 * MIB;
/// For how long.
const DRAINING: Duration = Duration::from_secs(20);
/// The longest JSON body, but for those that say otherwise.
pub(super) const LARGEST_JSON: usize = 8 * MIB;

/// Reads a body whole.
pub(super) async fn read(body: Body, most: usize) -> Result<Bytes, Fault> {
    let mut body = body.into_data_stream();
    let mut read = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| Fault::Body(error.to_string()))?;
        if read.len() + chunk.len() > most {
            return Err(Fault::BodyTooLarge(most));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.freeze())
}

/// Reads a body as JSON. What its `Content-Type` says does not matter: `curl --data` sends another.
pub(super) async fn json<T: DeserializeOwned>(body: Body) -> Result<T, Fault> {
    parse(&read(body, LARGEST_JSON).await?)
}

/// Reads JSON that was read.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes)
        .map_err(|error| Fault::Unreadable(format!("Could not parse the body as JSON: {error}")))
}

/// The `Content-Type` of a request, lower-cased and without parameters.
pub(super) fn content_type(headers: &HeaderMap) -> String {
    let whole = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    essence(whole)
}

/// A media type, lower-cased and without parameters.
pub(super) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Answers only once the client has sent its body, see above.
pub(super) async fn drain(request: Request, next: Next) -> Response {
    let waits = request.headers().get(header::EXPECT).is_some();
    let (parts, body) = request.into_parts();
    let (left, mut rest) = oneshot::channel();
    let body = Lent { body: Some(body.into_data_stream()), begun: false, left: Some(left) };
    let response = next.run(Request::from_parts(parts, Body::from_stream(body))).await;
    if let Ok((mut body, begun)) = rest.try_recv()
        && (begun || !waits)
    {
        let read_all = async {
            let mut drained = 0;
            while let Some(Ok(chunk)) = body.next().await {
                drained += chunk.len();
                if drained > DRAINED {
                    break;
                }
            }
        };
        // Out of time or out of bytes is the client's affair: it is answered, and the connection closes.
        let _ = tokio::time::timeout(DRAINING, read_all).await;
    }
    response
}

/// A body that gives back what is left of it when it is dropped before its end.
struct Lent {
    body: Option<BodyDataStream>,
    begun: bool,
    left: Option<oneshot::Sender<(BodyDataStream, bool)>>,
}

impl Stream for Lent {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.begun = true;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = body.poll_next_unpin(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(left)) = (self.body.take(), self.left.take()) {
            // Nobody asks for it when the answer came already.
            let _ = left.send((body, self.begun));
        }
    }
}
