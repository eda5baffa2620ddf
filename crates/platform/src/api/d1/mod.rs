//! D1: databases, and queries by the account's owner. A Worker's queries come another way (`runtime::control`).

mod databases;
mod import;
mod metrics;
mod query;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

pub(super) use databases::{create, delete, get, list, update};
pub(super) use import::{import, upload};
pub(super) use metrics::graphql;
pub(super) use query::{query, raw};

use self::import::Upload;
use super::error::{Fault, Reply};

/// Scripts that were announced, and those that were uploaded and not run yet.
pub(super) type Uploads = Arc<Mutex<VecDeque<Upload>>>;

/// `wrangler d1 export --remote`.
pub(super) async fn not_yet_export() -> Reply {
    Err(Fault::NotYet("exports of D1 databases"))
}

/// `wrangler d1 time-travel`.
pub(super) async fn not_yet_time_travel() -> Reply {
    Err(Fault::NotYet("Time Travel of D1 databases"))
}
