//! A whole platform on one machine, for the end-to-end tests and the demo.
//!
//! ```text
//!  Chain::fetch ─► workerd ┌ dispatch Worker ─► customer's Worker ─► outbound Worker ┐ ─► Upstream
//!  (this process)          └ host → customer    runs the fetch       the real Wasm   ┘    (this process)
//! ```
//!
//! Everything between the two ends is what is shipped: real workerd, the real Wasm with a policy that the real
//! compiler made, real sockets on loopback. The customers' Workers fetch real `https://` names; the way out of the
//! outbound Worker leads to [`Upstream`], which is told the host and the scheme and keeps what it saw.
//!
//! workerd has no outbound Workers as such: a small module (`workers/outbound.js`) puts the parameters of each
//! request, which Workers for Platforms would put there, into the Worker's `env`.

mod api;
mod chain;
mod client;
mod config;
pub mod jwt;
mod local;
pub mod observed;
mod outbound;
mod paths;
mod raw;
mod script;
mod upstream;
mod workerd;
mod wrangler;

pub use api::{ACCOUNT, ApiAnswer, ApiClient, Part};
pub use chain::{Chain, ChainBuilder, Customer, Tail};
pub use client::{Connection, Fetch, Outcome};
pub use local::LocalPlatform;
pub use outbound::{OutboundWorker, compile, compile_file};
pub use paths::repository;
pub use raw::{Act, ClosedPort, RawUpstream};
pub use script::Script;
pub use upstream::{Captured, Reply, Upstream};
pub use wrangler::{Project, Ran, Wrangler};
