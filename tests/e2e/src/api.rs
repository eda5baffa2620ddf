//! A client of the platform's REST API, as simple as curl.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::Request;
use serde_json::Value;

use crate::client;

/// The account of every platform that tests start.
pub const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";

/// Speaks to one platform.
#[derive(Clone, Debug)]
pub struct ApiClient {
    address: SocketAddr,
    token: String,
}

/// What it answered.
#[derive(Clone, Debug)]
pub struct ApiAnswer {
    /// The status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A part of an upload.
#[derive(Clone, Debug)]
pub struct Part {
    name: String,
    content_type: &'static str,
    content: Vec<u8>,
}

impl Part {
    /// An ES module.
    pub fn module(name: &str, text: &str) -> Self {
        Self::new(name, "application/javascript+module", text)
    }

    /// A WebAssembly module.
    pub fn wasm(name: &str, bytes: &[u8]) -> Self {
        Self::new(name, "application/wasm", bytes)
    }

    /// Any part; its name is field name and file name.
    pub fn new(name: &str, content_type: &'static str, content: impl AsRef<[u8]>) -> Self {
        Self { name: name.to_owned(), content_type, content: content.as_ref().to_vec() }
    }
}

impl ApiAnswer {
    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("{}: no JSON: {}", self.status, String::from_utf8_lossy(&self.body)))
    }

    /// `result`, if all went well.
    pub fn result(&self) -> Result<Value> {
        let mut body = self.json()?;
        ensure!(self.status < 300 && body["success"] == true, "{}: {body}", self.status);
        Ok(body["result"].take())
    }

    /// The code of the first error.
    pub fn code(&self) -> Result<u64> {
        let body = self.json()?;
        ensure!(body["success"] == false, "{}: {body}", self.status);
        body["errors"][0]["code"].as_u64().with_context(|| format!("no code: {body}"))
    }

    /// The message of the first error.
    pub fn message(&self) -> Result<String> {
        let body = self.json()?;
        body["errors"][0]["message"].as_str().map(str::to_owned).with_context(|| format!("no message: {body}"))
    }
}

impl ApiClient {
    /// One with a token.
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self { address, token: token.to_owned() }
    }

    /// `…/client/v4`.
    pub fn base(&self) -> String {
        format!("http://{}/client/v4", self.address)
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A request; `path` comes after `/client/v4/accounts/ACCOUNT/`.
    pub async fn send(&self, method: &str, path: &str, kind: Option<&str>, body: Vec<u8>) -> Result<ApiAnswer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/client/v4/accounts/{ACCOUNT}/{path}"))
            .header("host", self.address.to_string())
            .header("content-length", body.len())
            .header("authorization", format!("Bearer {}", self.token));
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let answer = client::send(self.address, request.body(Body::from(body))?).await?;
        let (parts, body) = answer.into_parts();
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        Ok(ApiAnswer {
            status: parts.status.as_u16(),
            headers: headers.collect(),
            body: body.collect().await?.to_bytes().to_vec(),
        })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Result<ApiAnswer> {
        self.send("GET", path, None, Vec::new()).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Result<ApiAnswer> {
        self.send("DELETE", path, None, Vec::new()).await
    }

    /// A request with a JSON body.
    pub async fn json(&self, method: &str, path: &str, body: &Value) -> Result<ApiAnswer> {
        self.send(method, path, Some("application/json"), serde_json::to_vec(body)?).await
    }

    /// `PUT` of a script: its metadata, and its modules.
    pub async fn upload(&self, path: &str, metadata: &Value, parts: &[Part]) -> Result<ApiAnswer> {
        let metadata = Part::new("metadata", "application/json", serde_json::to_vec(metadata)?);
        let parts: Vec<&Part> = std::iter::once(&metadata).chain(parts).collect();
        self.form("PUT", path, &parts).await
    }

    /// `POST` of static assets, by the token of an upload session: their hashes, and their contents in base64.
    pub async fn upload_assets(&self, session: &str, parts: &[Part]) -> Result<ApiAnswer> {
        let parts: Vec<&Part> = parts.iter().collect();
        Self::new(self.address, session).form("POST", "workers/assets/upload?base64=true", &parts).await
    }

    async fn form(&self, method: &str, path: &str, parts: &[&Part]) -> Result<ApiAnswer> {
        const BOUNDARY: &str = "tidegate-e2e-boundary-8f2d1c";
        let mut body = Vec::new();
        for part in parts {
            let Part { name, content_type, content } = part;
            let file = if name == "metadata" { String::new() } else { format!("; filename=\"{name}\"") };
            body.extend_from_slice(
                format!(
                    "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\
                     content-type: {content_type}\r\n\r\n"
                )
                .as_bytes(),
            );
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        self.send(method, path, Some(&format!("multipart/form-data; boundary={BOUNDARY}")), body).await
    }

    /// Makes a namespace.
    pub async fn create_namespace(&self, name: &str) -> Result<Value> {
        let answer = self.json("POST", "workers/dispatch/namespaces", &serde_json::json!({ "name": name })).await?;
        answer.result()
    }
}
