//! A whole platform on one machine, for the end-to-end tests and the demo.
//!
//! ```text
//!  Chain::fetch ─► workerd ┌ dispatch Worker ─► customer's Worker ─► outbound Worker ┐ ─► Upstream
//!  (this process)          └ host → customer    runs the fetch       the real Wasm   ┘    (this process)
//! ```
//!
//! Everything between the two ends is what is shipped: the local platform (`crates/platform`), to which all Workers are
//! deployed through its API, real workerd, the real Wasm with a policy that the real compiler made, real sockets on
//! loopback. The customers' Workers fetch real `https://` names; the way out of the outbound Worker leads to
//! [`Upstream`], which is told the host and the scheme and keeps what it saw.
//!
//! [`PlainChain`] is the same without the platform, wired by hand.

mod api;
mod chain;
mod client;
pub mod jwt;
mod local;
pub mod observed;
mod outbound;
mod paths;
mod plain;
mod raw;
mod script;
mod sdk;
mod session;
mod upstream;
mod wrangler;

pub use api::{ACCOUNT, ApiAnswer, ApiClient, Part};
pub use chain::{Chain, ChainBuilder, Customer};
pub use client::{Connection, Fetch, Outcome};
pub use local::LocalPlatform;
pub use outbound::{OutboundWorker, compile, compile_file};
pub use paths::repository;
pub use plain::{PlainBuilder, PlainChain, Tail};
pub use raw::{Act, ClosedPort, RawUpstream};
pub use script::Script;
pub use sdk::{PythonPackages, Tally, TestRun, node_tests};
pub use session::{Failed, Session};
pub use upstream::{Captured, Reply, Upstream};
pub use wrangler::{Followed, Project, Ran, Wrangler};
