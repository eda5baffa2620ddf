//! Asking policies: requests, the decisions on them, and tests of both.
//!
//! Everything is answered by the compiled table, through the same code as in the Worker; the reference interpreter can be
//! asked in its place.
//!
//! # Test files
//! Files `policies/<name>.test.toml` hold requests and what must become of them.
//!
//! ```toml
//! policy = "acme.toml"                  # default: this file's name without `.test`
//!
//! [[case]]
//! name     = "acme's invoices carry its token"
//! method   = "POST"                     # default: GET
//! url      = "https://api.billing.example/v1/invoices"
//! customer = "acme"                     # as in request lines: without it the request names nobody
//! tags     = ["paid"]                   # likewise, where the policy declares tags
//! vars     = { plan = "gold" }          # variables from the outbound parameters; without it there are none
//! headers  = { x-debug = "1" }
//! at       = 2026-11-22                 # default: now
//! expect   = { effect = "allow", rule = "billing-api", set = { x-tenant = "acme" } }
//! ```
//!
//! A case's keys are those of a request line of `tidegate decide --requests`, and the keys of `expect` those of its answer:
//! `effect` (required), `reason`, `rule`, `rules`, `url`, `enforced`, `would_deny`, `would_allow`, `set`, `remove`, `jwt`.
//! What `expect` names must be so exactly; what it leaves out does not matter. So `set = {}` says that no header is
//! set, and `rules = []` that no rule decided. Of `jwt` those members count that it names, and `jwt = false` says that there is
//! no token. Secrets appear as `<secret:NAME>`.

mod ask;
mod coverage;
pub mod decision;
pub mod engine;
pub mod explanation;
mod file;
mod harness;
pub mod instant;
mod keys;
mod library;
pub mod plain;
pub mod render;
pub mod request;
mod run;
pub mod spelling;

use std::path::Path;

pub use ask::{Answer, PolicyUnderTest, Question, policy};
pub use coverage::{AlternativeCoverage, Coverage, RuleCoverage};
pub use file::{Case, Expectation, Parsed, TestFile, parse};
pub use harness::run_harness;
pub use keys::{DECISIONS, TESTS};
pub use run::{CaseReport, FileReport, Mismatch, Options, Target, run};

/// What the name of a test file ends in.
pub const SUFFIX: &str = ".test.toml";

/// Whether a file is a test file by its name.
pub fn is_test_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(SUFFIX))
}
