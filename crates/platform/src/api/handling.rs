//! What happens to a request between being let in and its handler.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Api;
use super::error::Fault;
use super::upload::LARGEST_FORM;

/// Waits until there is room for the body, and keeps it until there is an answer: the body is in memory until then.
pub(super) async fn with_room(State(api): State<Api>, request: Request, next: Next) -> Response {
    match api.room.take(length(request.headers())).await {
        Ok(_taken) => next.run(request).await,
        Err(full) => Fault::Crowded(full).into_response(),
    }
}

/// Handles what writes to its end, whether the client waits for it or not. A client that hangs up would otherwise stop
/// its request anywhere: between the store, which has a new version, and workerd, which was to be told of it.
pub(super) async fn to_the_end(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The platform ends, and this connection with it.
            Err(_) => Fault::Internal("the platform is being stopped".to_owned()).into_response(),
        },
    }
}

/// The bytes that a body may have. Of one that does not say it, as many as any.
fn length(headers: &HeaderMap) -> u64 {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return LARGEST_FORM;
    }
    // Another length than this one hyper did not let in, and without one there is no body.
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or(0).min(LARGEST_FORM)
}
