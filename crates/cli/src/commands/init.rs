//! `tidegate init`: a first policy, and its tests.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;

use crate::cli::Format;
use crate::files::{self, Access, FileError};
use crate::json;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;

/// Write a first policy and its tests
///
/// Writes `policies/policy.toml` and `policies/policy.test.toml` under DIR, where `tidegate test` and `tidegate build` look for
/// them. What is there already is never overwritten.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The project's folder.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

/// What is written, by name in `policies`.
const FILES: [(&str, &str); 2] = [
    ("policy.toml", include_str!("../../templates/policy.toml")),
    ("policy.test.toml", include_str!("../../templates/policy.test.toml")),
];

/// A file that was written, for programs.
#[derive(Debug, Serialize)]
struct Written {
    file: String,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let folder = args.folder.join("policies");
    let paths = FILES.map(|(name, text)| (folder.join(name), text));
    // All or nothing: a test file beside somebody's own policy would only fail.
    if let Some((path, _)) = paths.iter().find(|(path, _)| fs::symlink_metadata(path).is_ok()) {
        return Err(FileError::Exists(path.clone()).into());
    }
    fs::create_dir_all(&folder).map_err(|error| files::write_error(&folder, error))?;
    for (path, text) in &paths {
        files::write_new(path, text.as_bytes(), Access::Everyone)?;
        let file = path.display().to_string();
        match format {
            Format::Human => terminal.line(file)?,
            Format::Json => json::write_line(terminal.data(), &Written { file })?,
        }
    }
    terminal.note("next: `tidegate check` the policy, `tidegate test` it, and make it your own");
    Ok(Outcome::Fine)
}
