//! What a customer's Worker is told to fetch, and what it says became of it.

use anyhow::{Context, Result, bail};
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use tokio::net::TcpStream;

use crate::chain::platform_request;

/// One `fetch()` in a customer's Worker. The URL is passed on exactly as it is written.
#[derive(Clone, Debug, Serialize)]
pub struct Fetch {
    url: String,
    method: String,
    headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// A body again, which the customer's Worker sends as octets: a text brings a `content-type` along.
    #[serde(skip_serializing_if = "Option::is_none")]
    octets: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cf: Option<serde_json::Value>,
    /// First message of a WebSocket conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    send: Option<String>,
    /// The URL whose answer ends the wait for this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

impl Fetch {
    /// A GET.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// Any method.
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            method: method.to_owned(),
            headers: Vec::new(),
            body: None,
            octets: None,
            redirect: None,
            cf: None,
            send: None,
            until: None,
        }
    }

    /// Its method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Its URL as it is written.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// One more header; one of a name that is there already is added to it, as the runtime does it.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// A body.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self
    }

    /// A body that says nothing of its type.
    #[must_use]
    pub fn octets(mut self, body: &str) -> Self {
        self.octets = Some(body.to_owned());
        self
    }

    /// The redirect mode, `follow` if it is not set.
    #[must_use]
    pub fn redirect(mut self, mode: &'static str) -> Self {
        self.redirect = Some(mode);
        self
    }

    /// The `cf` of the request.
    #[must_use]
    pub fn cf(mut self, cf: serde_json::Value) -> Self {
        self.cf = Some(cf);
        self
    }

    /// Gives up (`AbortController`) as soon as another URL answers.
    #[must_use]
    pub fn until(mut self, url: &str) -> Self {
        self.until = Some(url.to_owned());
        self
    }

    /// The message to send, for a WebSocket conversation.
    #[must_use]
    pub fn send(mut self, message: &str) -> Self {
        self.send = Some(message.to_owned());
        self
    }
}

/// What the customer's Worker saw.
#[derive(Clone, Debug, Deserialize)]
pub struct Outcome {
    /// The status, unless the fetch threw.
    pub status: Option<u16>,
    /// What the answer's head says beside the status.
    #[serde(rename = "statusText")]
    pub status_text: Option<String>,
    /// The answer's headers, names in lower case.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The answer's body, or the message that came back.
    #[serde(default)]
    pub body: String,
    /// The URL after redirects.
    #[serde(default)]
    pub url: String,
    /// What the fetch threw.
    pub error: Option<String>,
}

impl Outcome {
    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The refusal's code, if this is Tidegate's refusal: status 403 and a problem document (RFC 9457).
    pub fn refusal(&self) -> Option<String> {
        let is_problem = self.header("content-type").is_some_and(|kind| kind.starts_with("application/problem+json"));
        if self.status != Some(403) || !is_problem {
            return None;
        }
        self.problem()?.get("reason")?.as_str().map(str::to_owned)
    }

    /// The body as JSON.
    pub fn problem(&self) -> Option<serde_json::Value> {
        serde_json::from_str(&self.body).ok()
    }
}

/// A connection that is kept open: a thousand requests a second would otherwise use up the ports of this machine.
pub struct Connection {
    to: SocketAddr,
    sender: SendRequest<Body>,
}

impl Connection {
    /// Opens one.
    pub async fn open(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to).await.with_context(|| format!("cannot connect to {to}"))?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { to, sender })
    }

    /// Lets a customer's Worker make several fetches at once.
    pub async fn fetch_all(&mut self, customer: &str, fetches: &[Fetch]) -> Result<Vec<Outcome>> {
        let request = platform_request("POST", customer, "/").body(Body::from(serde_json::to_vec(fetches)?))?;
        read_json(self.send(request).await?).await
    }

    /// Sends one request, and gives the answer as soon as its head is there.
    pub async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>> {
        if self.sender.ready().await.is_err() {
            // workerd closes what was idle for long.
            *self = Self::open(self.to).await?;
        }
        self.sender.send_request(request).await.context("the platform did not answer")
    }
}

/// Sends one request over a connection of its own, and gives the answer as soon as its head is there.
pub(crate) async fn send(to: SocketAddr, request: Request<Body>) -> Result<Response<Incoming>> {
    Connection::open(to).await?.send(request).await
}

/// As [`send`], with the whole body read as JSON.
pub(crate) async fn send_for_json<T: DeserializeOwned>(to: SocketAddr, request: Request<Body>) -> Result<T> {
    read_json(send(to, request).await?).await
}

async fn read_json<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T> {
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        bail!("the customer's Worker answered {status}: {}", String::from_utf8_lossy(&body));
    }
    serde_json::from_slice(&body)
        .with_context(|| format!("the customer's Worker answered no JSON: {}", String::from_utf8_lossy(&body)))
}
