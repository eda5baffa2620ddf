//! From a policy file to a table, with findings shown on the way.

use std::path::Path;

use tidegate_compiler::Output;
use tidegate_compiler::diagnostic::Severity;
use tidegate_compiler::source::SourceMap;
use tidegate_engine::{Policy, PolicyError};

use crate::cache;
use crate::outcome::{Failure, Outcome};
use crate::progress::Of;
use crate::render;
use crate::terminal::Terminal;

/// Compiles a policy for a command that needs its table. Findings, warnings too, go to stderr; errors end the command.
pub(crate) fn compile(path: &Path, terminal: &mut Terminal) -> Result<Output, Failure> {
    compile_with_sources(path, terminal).map(|(_, output)| output)
}

/// [`compile`] for a command that shows places in the policy's files.
pub(crate) fn compile_with_sources(path: &Path, terminal: &mut Terminal) -> Result<(SourceMap, Output), Failure> {
    let progress = terminal.progress(&format!("compiling {}", path.display()), Of::Time);
    let compilation = tidegate_compiler::compile_with(path, &cache::options(path));
    drop(progress);
    terminal.findings(&compilation.sources, &compilation.diagnostics);
    let errors = compilation.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    match compilation.output {
        Some(output) => Ok((compilation.sources, output)),
        None => Err(Failure {
            outcome: Outcome::Found,
            message: format!("`{}` does not compile: {}", path.display(), render::counted(errors, "error")),
            help: None,
        }),
    }
}

/// Loads a table, as the Worker would.
pub(crate) fn policy(table: &[u8]) -> Result<Policy<'_>, Failure> {
    Policy::from_bytes(table).map_err(unloadable)
}

/// What there is to say of a table that was just compiled and does not load.
#[expect(clippy::needless_pass_by_value, reason = "an error handler")]
pub(crate) fn unloadable(error: PolicyError) -> Failure {
    Failure::new(format!("the table does not load: {error}"), "this is a fault of Tidegate; please report it")
}

/// The digest of a table that was just compiled.
pub(crate) fn digest(table: &[u8]) -> Result<String, Failure> {
    Ok(policy(table)?.digest().to_owned())
}
