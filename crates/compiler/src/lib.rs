//! Compiles a policy from TOML to a table.
//!
//! ```text
//!   policies/acme.toml
//!     │ load      the file and what it extends, each read once
//!     │ syntax    text → PolicyFile: every value with its place
//!     │ check     → CheckedPolicy: names resolved, patterns parsed, lists read
//!     │ lower     → table bytes: host index, automata, obligations
//!     ▼
//!   Compilation
//! ```
//!
//! Every stage adds to one heap of [`Diagnostic`]s instead of stopping at the first fault; a policy with one error
//! compiles to nothing.
//!
//! # What this crate does not do
//! It prints nothing and knows no exit codes: findings are data. It decides no request; that is `tidegate-engine`.

pub mod alternatives;
pub mod analysis;
mod automaton;
pub mod cache;
mod check;
pub mod checked;
pub mod claim;
pub mod diagnostic;
mod explosion;
pub mod format;
mod labels;
pub mod levels;
pub mod lint;
mod list;
mod literal;
pub mod load;
mod lower;
pub mod names;
mod pattern;
pub mod schema;
pub mod source;
mod syntax;
pub mod tree;
mod universe;

use std::path::Path;

use cache::Cache;
use checked::CheckedPolicy;
use diagnostic::{Diagnostic, Severity};
use levels::Levels;
use source::SourceMap;

/// What compiling a policy came to.
#[derive(Debug)]
pub struct Compilation {
    /// Every file that was read.
    pub sources: SourceMap,
    /// All findings, in source order.
    pub diagnostics: Vec<Diagnostic>,
    /// The policy and its table; `None` when a finding is an error.
    pub output: Option<Output>,
}

/// A policy without errors.
#[derive(Debug)]
pub struct Output {
    /// The checked policy.
    pub policy: CheckedPolicy,
    /// The compiled table.
    pub table: Vec<u8>,
}

/// What stands beside a policy when it is compiled.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Levels of lints that stand over those of the policy.
    pub levels: Levels,
    /// Where lists are that were read before. What comes out is the same without.
    pub cache: Option<Cache>,
}

/// Reads, checks and compiles the policy in `path` and everything it extends. Same input, same bytes.
pub fn compile(path: &Path) -> Compilation {
    compile_with(path, &Options::default())
}

/// As [`compile`], with options.
pub fn compile_with(path: &Path, options: &Options) -> Compilation {
    let mut sources = SourceMap::default();
    let mut diagnostics = Vec::new();
    let loaded = load::load(path, &mut sources, &mut diagnostics);
    let policy = check::check(&loaded, options.cache.as_ref(), &mut sources, &mut diagnostics);
    if let Some(policy) = &policy {
        diagnostics = policy.lints.then(&options.levels).apply(diagnostics);
    }
    let mut output = None;
    if let Some(policy) = policy
        && !diagnostics.iter().any(|finding| finding.severity == Severity::Error)
    {
        match lower::lower(&policy) {
            Ok(table) => output = Some(Output { policy, table }),
            Err(findings) => diagnostics.extend(findings),
        }
    }
    diagnostics.sort_by_key(|finding| (finding.span, finding.code));
    Compilation { sources, diagnostics, output }
}

/// The table of a checked policy, or of one that was made from a checked policy. What was checked compiles, but for automata
/// that grow too large.
pub fn table(policy: &CheckedPolicy) -> Result<Vec<u8>, Vec<Diagnostic>> {
    lower::lower(policy)
}
