//! What the supervisor says to the Workers in workerd, over unix sockets.

use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// It did not answer as it should, or not in time.
#[derive(Debug)]
pub(super) enum AdminError {
    /// Nothing within the time.
    Silent,
    /// No connection, or another status than 2xx.
    Failed(String),
}

/// Makes one request; gives the answer's body.
pub(super) async fn ask(
    socket: &Path,
    method: Method,
    path: &str,
    body: Vec<u8>,
    patience: Duration,
) -> Result<Bytes, AdminError> {
    let work = async {
        let failed = |error: &dyn std::fmt::Display| AdminError::Failed(error.to_string());
        let stream = UnixStream::connect(socket).await.map_err(|error| failed(&error))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header("host", "platform");
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| failed(&error))?;
        let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| failed(&error))?.to_bytes();
        if status.is_success() {
            Ok(body)
        } else {
            Err(AdminError::Failed(format!("{status}: {}", String::from_utf8_lossy(&body))))
        }
    };
    tokio::time::timeout(patience, work).await.unwrap_or(Err(AdminError::Silent))
}
