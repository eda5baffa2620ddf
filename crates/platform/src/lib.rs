//! Workers for Platforms on one machine: dispatch namespaces, user Workers and outbound Workers, unmodified, behind
//! Cloudflare's own REST API, on open-source workerd, kept in SQLite.
//!
//! ```text
//!   wrangler, curl ──► api ──► deploy ──► store (SQLite: the truth)
//!                                 │            ▲
//!                                 ▼            │ loads code, reads and writes KV over a unix socket
//!   requests ──────────────────► runtime: workerd ── dispatch Worker ─► user Worker ─► outbound Worker ─► egress
//! ```
//!
//! # What this crate does not do
//! It knows nothing of policies, and prints nothing.

mod analytics;
pub mod api;
pub mod assets;
mod clock;
pub mod d1;
pub mod deploy;
mod kv;
pub mod names;
mod platform;
mod room;
pub mod runtime;
pub mod seed;
pub mod store;
pub mod tails;
pub mod worker;

#[cfg(feature = "faults")]
pub use clock::turn_clock;
pub use platform::{Auth, Options, Platform, PlatformError};
