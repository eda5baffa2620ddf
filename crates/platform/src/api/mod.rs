//! Cloudflare's REST API, `/client/v4/…`: the endpoints of Workers for Platforms, and those that `wrangler` needs for
//! ordinary Workers and KV.

use std::net::SocketAddr;

use axum::Router;

use crate::runtime::Runtime;
use crate::store::Store;

/// The API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with `--api-port`")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// What every endpoint has at hand.
#[derive(Clone, Debug)]
pub struct Api {
    /// What was accepted.
    pub store: Store,
    /// What runs it.
    pub runtime: Runtime,
    /// The one account.
    pub account: String,
    /// Whether a token is asked for.
    pub auth: bool,
}

impl Api {
    /// All routes.
    pub fn router(self) -> Router {
        Router::new()
    }
}

/// Serves it until `shutdown` is there.
#[expect(clippy::unused_async, clippy::todo, unused_variables, reason = "the outline of what is being built")]
pub async fn serve(
    api: Api,
    address: SocketAddr,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(SocketAddr, tokio::task::JoinHandle<()>), ApiError> {
    todo!()
}
