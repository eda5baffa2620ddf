//! Compiles a policy from TOML to a table.
mod automaton;
pub mod checked;
pub mod diagnostic;
mod pattern;
pub mod source;

use std::path::Path;

use checked::CheckedPolicy;
use diagnostic::Diagnostic;
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

/// Reads, checks and compiles the policy in `path` and everything it extends. Same input, same bytes.
pub fn compile(path: &Path) -> Compilation {
    todo!()
}
