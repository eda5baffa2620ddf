//! Bodies: read whole up to a limit, and drained politely when an answer comes before their end.
//!
//! A client that is still sending when the server closes the connection often sees a reset in place of the answer. So
//! [`drain`] hands the handler a body that gives back what is left of it, and reads that to its end (up to a bound of
//! bytes and of time, keeping nothing) before an answer that refuses is sent. A client that waits for `100 Continue`
//! has sent nothing yet, and is not asked to.
//!
//! What is being read must come at a [`Pace`]: a client that stops half way, or sends a byte now and then, is not waited
//! for.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep_until};

use super::error::Fault;
use super::upload::MIB;

/// How much of a body is read and thrown away before an answer that refuses.
const DRAINED: usize = 512 * MIB;
/// For how long.
const DRAINING: Duration = Duration::from_secs(20);

/// How fast a body must come: within `first`, and for a second longer with every `rate` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// What a body of no bytes would have.
    pub first: Duration,
    /// Bytes a second.
    pub rate: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { first: Duration::from_secs(30), rate: 16 << 10 }
    }
}

impl Pace {
    /// How long a body may have taken of which so many bytes are there.
    fn after(self, bytes: u64) -> Duration {
        self.first + Duration::from_secs(bytes / self.rate.max(1))
    }
}

/// A body did not keep the pace.
#[derive(Debug, thiserror::Error)]
#[error("it came too slowly")]
struct TooSlow;

/// What it means that a body breaks off.
pub(super) fn broken(error: &(dyn std::error::Error + 'static)) -> Fault {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    if causes.any(<dyn std::error::Error>::is::<TooSlow>) { Fault::TooSlow } else { Fault::Body(error.to_string()) }
}

/// The longest JSON body, but for those that say otherwise.
pub(super) const LARGEST_JSON: usize = 8 * MIB;

/// Reads a body whole.
pub(super) async fn read(body: Body, most: usize) -> Result<Bytes, Fault> {
    let mut body = body.into_data_stream();
    let mut read = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| broken(&error))?;
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
pub(super) async fn drain(State(pace): State<Pace>, request: Request, next: Next) -> Response {
    let waits = request.headers().get(header::EXPECT).is_some();
    let (parts, body) = request.into_parts();
    let (left, mut rest) = oneshot::channel();
    let body = Lent { body: Some(body.into_data_stream()), pace, begun: None, bytes: 0, end: None, left: Some(left) };
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

/// A body that gives back what is left of it when it is dropped before its end, and ends when it does not keep the pace.
struct Lent {
    body: Option<BodyDataStream>,
    pace: Pace,
    begun: Option<Instant>,
    bytes: u64,
    /// The end of its time, while something is waited for.
    end: Option<Pin<Box<Sleep>>>,
    left: Option<oneshot::Sender<(BodyDataStream, bool)>>,
}

impl Stream for Lent {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let begun = *this.begun.get_or_insert_with(Instant::now);
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let mut polled = body.poll_next_unpin(context);
        match &polled {
            Poll::Ready(Some(Ok(chunk))) => {
                this.bytes = this.bytes.saturating_add(chunk.len() as u64);
                this.end = None;
            }
            Poll::Ready(None | Some(Err(_))) => {}
            Poll::Pending => {
                let end = begun + this.pace.after(this.bytes);
                let end = this.end.get_or_insert_with(|| Box::pin(sleep_until(end)));
                ready!(end.as_mut().poll(context));
                polled = Poll::Ready(Some(Err(axum::Error::new(TooSlow))));
            }
        }
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            this.body = None;
        }
        polled
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(left)) = (self.body.take(), self.left.take()) {
            // Nobody asks for it when the answer came already.
            let _ = left.send((body, self.begun.is_some()));
        }
    }
}
