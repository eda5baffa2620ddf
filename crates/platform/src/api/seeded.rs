//! A fixed state before each request: `Api::seeded`.
//!
//! ```text
//!   request ─► auth ─► its turn ─► store.reset(seed) ─► runtime told ─► route, handler ─► answer ─► next turn
//! ```
//!
//! One request at a time, from the reset to its answer: what one changes, no other ever sees. A client that sends its
//! body slowly holds up all others, which is why this is for tests alone.
//!
//! A request that makes a dispatch namespace begins without any: else the name that the suites give it would be taken.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Mutex;

use super::Api;
use super::error::Fault;
use crate::deploy::blocking;
use crate::store::Seed;

/// The state before each request, and whose turn it is.
#[derive(Clone, Debug)]
pub(super) struct Seeded {
    seed: Arc<Seed>,
    turn: Arc<Mutex<()>>,
}

impl Seeded {
    pub(super) fn new(seed: Seed) -> Self {
        Self { seed: Arc::new(seed), turn: Arc::default() }
    }
}

/// Puts the store back, where the API is seeded, and lets the request go on.
pub(super) async fn reset(State(api): State<Api>, request: Request, next: Next) -> Response {
    let Some(Seeded { seed, turn }) = api.seeded.clone() else { return next.run(request).await };
    let _turn = turn.lock_owned().await;
    let seed = Some(seed).filter(|_| !makes_a_namespace(&request));
    match blocking(&api.store, move |store| store.reset(seed.as_deref())).await {
        Ok(changes) => api.apply(&changes).await,
        Err(error) => return Fault::from(error).into_response(),
    }
    next.run(request).await
}

fn makes_a_namespace(request: &Request) -> bool {
    request.method() == Method::POST && request.uri().path().ends_with("/workers/dispatch/namespaces")
}
