//! The other end: a server that keeps what arrives.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::Body;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, Response, header};
use http_body_util::BodyExt;
use tidegate_platform::runtime::{CF_HEADER, SCHEME_HEADER};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// As much of a body as is kept.
const KEPT_BODY: usize = 64 * 1024;

/// One request as it arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The method.
    pub method: String,
    /// `https` or `http`: what the outbound Worker fetched.
    pub scheme: String,
    /// The `Host` header.
    pub host: String,
    /// Path and query as on the request line.
    pub path: String,
    /// The `cf` that the outbound Worker sent it with, as JSON.
    pub cf: Option<String>,
    /// All headers but the two in which the runtime says scheme and `cf`, in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's beginning.
    pub body: Vec<u8>,
    /// The body's length in bytes.
    pub length: u64,
}

impl Captured {
    /// The values of a header, joined with `, `; `None` if it did not arrive.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> =
            self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The URL that was fetched.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.host, self.path)
    }
}

/// What the upstream answers.
pub struct Reply {
    response: Response<Body>,
    after: Option<Arc<tokio::sync::Barrier>>,
    delay: Duration,
}

impl Reply {
    /// 200 with a text.
    pub fn text(body: impl Into<Body>) -> Self {
        Self { response: Response::new(body.into()), after: None, delay: Duration::ZERO }
    }

    /// A redirect, to a `Location` that is sent as it is given.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::text("").status(status).header("location", location)
    }

    /// Another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        *self.response.status_mut() = axum::http::StatusCode::from_u16(status).unwrap_or_default();
        self
    }

    /// One more header; headers of one name add up.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.response.headers_mut().append(header::HeaderName::from_static(name), value);
        }
        self
    }

    /// The answer comes so much later.
    #[must_use]
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The answer waits until as many requests as the barrier counts are there at once.
    #[must_use]
    pub fn after(mut self, barrier: Arc<tokio::sync::Barrier>) -> Self {
        self.after = Some(barrier);
        self
    }
}

type Answer = Box<dyn Fn(&Captured) -> Reply + Send + Sync>;

#[derive(Default)]
struct Shared {
    captured: Mutex<Vec<Captured>>,
    answers: Mutex<HashMap<String, Arc<Answer>>>,
    otherwise: Mutex<Option<Arc<Answer>>>,
    received: AtomicU64,
}

/// A server on loopback that keeps every request, answers what it was told to, and echoes WebSocket messages.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Upstream {
    /// Starts it on a free port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen on loopback")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let app = axum::Router::new().fallback(arrive).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, shared, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests for a URL, query aside, with what the function makes of them. Others get 200 and `ok`.
    pub fn on(&self, url: &str, answer: impl Fn(&Captured) -> Reply + Send + Sync + 'static) {
        let mut answers = self.shared.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(url.to_owned(), Arc::new(Box::new(answer)));
    }

    /// Answers requests for all other URLs.
    pub fn otherwise(&self, answer: impl Fn(&Captured) -> Reply + Send + Sync + 'static) {
        *self.shared.otherwise.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(Box::new(answer)));
    }

    /// All that arrived, in order of arrival.
    pub fn captured(&self) -> Vec<Captured> {
        self.shared.captured.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes all that arrived so far.
    pub fn take(&self) -> Vec<Captured> {
        std::mem::take(&mut *self.shared.captured.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Bytes of request bodies that have arrived, of unfinished requests too.
    pub fn received_bytes(&self) -> u64 {
        self.shared.received.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn arrive(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let (mut parts, mut body) = request.into_parts();
    let mut captured = head(&parts);
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await.ok();
    // What follows an upgrade is no body.
    while upgrade.is_none()
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Some(data) = frame.data_ref() {
            shared.received.fetch_add(data.len() as u64, Ordering::SeqCst);
            captured.length += data.len() as u64;
            let room = KEPT_BODY.saturating_sub(captured.body.len());
            captured.body.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    let url = captured.url();
    let plain_url = url.split_once('?').map_or(url.as_str(), |(plain, _)| plain);
    let answer = shared.answers.lock().unwrap_or_else(PoisonError::into_inner).get(plain_url).cloned();
    let answer = answer.or_else(|| shared.otherwise.lock().unwrap_or_else(PoisonError::into_inner).clone());
    let reply = answer.map_or_else(|| Reply::text("ok"), |answer| answer(&captured));
    keep(&shared, captured);
    if let Some(barrier) = reply.after {
        barrier.wait().await;
    }
    tokio::time::sleep(reply.delay).await;
    match upgrade {
        // To an upgrade the answer is a socket, with what else the answer's head says.
        Some(upgrade) => {
            let mut socket = upgrade.on_upgrade(echo);
            socket.headers_mut().extend(reply.response.into_parts().0.headers);
            socket
        }
        None => reply.response,
    }
}

fn keep(shared: &Shared, captured: Captured) {
    shared.captured.lock().unwrap_or_else(PoisonError::into_inner).push(captured);
}

fn head(parts: &Parts) -> Captured {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let one = |name: &str| parts.headers.get(name).map(text);
    Captured {
        method: parts.method.to_string(),
        scheme: one(SCHEME_HEADER).unwrap_or_default(),
        host: one("host").unwrap_or_default(),
        path: parts.uri.to_string(),
        cf: one(CF_HEADER),
        headers: parts
            .headers
            .iter()
            .filter(|(name, _)| ![SCHEME_HEADER, CF_HEADER].contains(&name.as_str()))
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: Vec::new(),
        length: 0,
    }
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_)) && socket.send(message).await.is_err() {
            return;
        }
    }
}
