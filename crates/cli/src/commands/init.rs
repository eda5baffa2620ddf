//! `tidegate init`: an operator's own repository, ready to work in.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tidegate_compiler::schema;

use crate::cli::Format;
use crate::files::{self, Access, FileError};
use crate::json;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;

/// Write a repository for a policy: tests, outbound Worker, dispatch Worker, CI
///
/// Writes under DIR a policy that shows every key, its tests, the outbound Worker's `wrangler.toml` (built by `tidegate build`), a
/// dispatch Worker in TypeScript, `package.json`, and a workflow that checks, tests and builds on every change. All or nothing: if one
/// of the files is there already, none is written.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The project's folder.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,

    /// Write `policies/policy.toml` and `policies/policy.test.toml` alone, without what explains every key.
    #[arg(long)]
    minimal: bool,
}

/// A file's place under the project's folder, and its text.
type Template = (&'static str, &'static str);

/// A first policy and its tests.
const MINIMAL: [Template; 2] = [
    ("policies/policy.toml", include_str!("../../templates/minimal/policy.toml")),
    ("policies/policy.test.toml", include_str!("../../templates/minimal/policy.test.toml")),
];

/// A whole repository. `VERSION` stands for this version.
const REPOSITORY: [Template; 10] = [
    ("policies/policy.toml", include_str!("../../templates/repository/policies/policy.toml")),
    ("policies/policy.test.toml", include_str!("../../templates/repository/policies/policy.test.toml")),
    ("wrangler.toml", include_str!("../../templates/repository/wrangler.toml")),
    ("dispatcher/wrangler.jsonc", include_str!("../../templates/repository/dispatcher/wrangler.jsonc")),
    ("dispatcher/src/index.ts", include_str!("../../templates/repository/dispatcher/src/index.ts")),
    ("package.json", include_str!("../../templates/repository/package.json")),
    ("tsconfig.json", include_str!("../../templates/repository/tsconfig.json")),
    (".github/workflows/policy.yml", include_str!("../../templates/repository/github/policy.yml")),
    (".gitignore", include_str!("../../templates/repository/gitignore")),
    ("README.md", include_str!("../../templates/repository/README.md")),
];

/// Where editors find the schema of a policy, as its first line says.
const SCHEMA: &str = "policies/schema/policy.schema.json";

/// A file that was written, for programs.
#[derive(Debug, Serialize)]
struct Written {
    file: String,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let files = if args.minimal { texts(&MINIMAL) } else { repository() };
    let files: Vec<_> = files.into_iter().map(|(name, text)| (args.folder.join(name), text)).collect();
    // Before anything is written: a test file beside somebody's own policy would only fail.
    if let Some((path, _)) = files.iter().find(|(path, _)| fs::symlink_metadata(path).is_ok()) {
        return Err(FileError::Exists(path.clone()).into());
    }
    write_all(&files)?;
    for (path, _) in &files {
        let file = path.display().to_string();
        match format {
            Format::Human => terminal.line(file)?,
            Format::Json => json::write_line(terminal.data(), &Written { file })?,
        }
    }
    terminal.note(if args.minimal {
        "next: `tidegate check` the policy, `tidegate test` it, and make it your own"
    } else {
        "next: README.md says where the Worker comes from; `tidegate check policies/policy.toml` and `tidegate test` work already"
    });
    Ok(Outcome::Fine)
}

fn repository() -> Vec<(&'static str, String)> {
    let mut files = texts(&REPOSITORY);
    files.push((SCHEMA, format!("{:#}\n", schema::json_schema(&schema::POLICY))));
    files
}

fn texts(templates: &[Template]) -> Vec<(&'static str, String)> {
    let text = |text: &str| text.replace("VERSION", env!("CARGO_PKG_VERSION"));
    templates.iter().map(|(name, template)| (*name, text(template))).collect()
}

/// Writes all files, or takes away again what it has made.
fn write_all(files: &[(PathBuf, String)]) -> Result<(), FileError> {
    let mut made = Vec::new();
    let written = files.iter().try_for_each(|(path, text)| {
        make_folders(files::parent(path), &mut made)?;
        files::write_new(path, text.as_bytes(), Access::Everyone)?;
        made.push(path.clone());
        Ok(())
    });
    if written.is_err() {
        for path in made.iter().rev() {
            let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
        }
    }
    written
}

/// Makes a folder and those above it that are not there, and notes which.
fn make_folders(folder: &Path, made: &mut Vec<PathBuf>) -> Result<(), FileError> {
    let named = folder.ancestors().filter(|above| !above.as_os_str().is_empty());
    let missing: Vec<_> = named.take_while(|above| fs::symlink_metadata(above).is_err()).collect();
    for folder in missing.into_iter().rev() {
        fs::create_dir(folder).map_err(|error| files::write_error(folder, error))?;
        made.push(folder.to_owned());
    }
    Ok(())
}
