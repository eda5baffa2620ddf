//! Asking policies: requests, the decisions on them, and tests of both.
//!
//! Everything is answered by the compiled table, through the same code as in the Worker; the reference interpreter can be
//! asked in its place.
//!
//! # Test files
//! Files `policies/<name>.test.toml` hold requests and what must become of them, and claims about all requests.
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
//!
//! # Tests in Rust
//! [`harness!`] makes each case of test files a test of a crate, under its own name, so that `cargo test`'s filter finds it and
//! nextest reports it. [`policy`] asks in one sentence of Rust:
//!
//! ```rust,no_run
//! use tidegate_test::policy;
//!
//! let acme = policy("policies/prod.toml").customer("acme").tag("paid").at("2026-12-01");
//! acme.get("https://api.billing.example/v1").assert_allow().rule("billing-api").header("x-tenant", "acme");
//! acme.post("https://elsewhere.example/").assert_deny().reason("default");
//! ```
//!
//! Both compile a policy once in a process, and fail in the words of `tidegate explain` ([`explanation`]).
//!
//! # What tests tried
//! [`Coverage`] says which rules decided, which only matched, and which of their alternatives no request ever met.

mod ask;
mod claims;
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
mod spelling;

use std::path::Path;

pub use ask::{Answer, PolicyUnderTest, Question, policy};
pub use claims::ClaimCase;
pub use coverage::{AlternativeCoverage, Coverage, RuleCoverage};
pub use file::{Case, Expectation, Parsed, TestFile, parse};
pub use harness::run_harness;
pub use keys::{DECISIONS, TESTS};
pub use run::{CaseReport, Elsewhere, FileReport, Mismatch, Options, Target, run, run_elsewhere};

/// What the name of a test file ends in.
pub const SUFFIX: &str = ".test.toml";

/// Whether a file is a test file by its name.
pub fn is_test_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(SUFFIX))
}
