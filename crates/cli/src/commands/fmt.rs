//! `tidegate fmt`: policies and tests in one layout.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tidegate_compiler::format::{self, Formatted};

use crate::cli::Format;
use crate::files::{self, MIB};
use crate::json;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;

/// Write policies and tests in one layout
///
/// Comments, order, quotes and all that a file says stay as they are; only white space and commas change. Arrays are on one line of
/// at most 100 characters, or have an item a line; a comma behind the last item keeps it so. A file that is no TOML is left as it is,
/// and its faults are shown: exit 1. Each file is replaced in one step.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Policies and test files; `-` reads stdin and writes stdout.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Write nothing; name the files that would change, and exit 1 if there are any.
    #[arg(long)]
    check: bool,
}

/// The largest file.
const LARGEST: u64 = 16 * MIB;

/// A file that changed or would, for programs.
#[derive(Debug, Serialize)]
struct Changed {
    file: String,
}

/// A file that was read, and its text in the one layout if it has another.
struct File<'a> {
    path: &'a Path,
    changed: Option<String>,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    if let [file] = args.files.as_slice()
        && is_stdin(file)
        && !args.check
    {
        return filter(terminal);
    }
    if args.files.iter().any(|file| is_stdin(file)) && !args.check {
        return Err(Failure::usage("`-` stands beside other files", "stdin is formatted alone: `tidegate fmt -`"));
    }
    let mut outcome = Outcome::Fine;
    let mut read = Vec::new();
    // All are read before any is written: a misspelt name stops the command while nothing is done.
    for path in &args.files {
        let text = text(path)?;
        let Some(formatted) = formatted(path, &text, terminal)? else {
            outcome = Outcome::Found;
            continue;
        };
        read.push(File { path, changed: (formatted != text).then_some(formatted) });
    }
    for File { path, changed } in &read {
        let Some(text) = changed else { continue };
        if args.check {
            outcome = Outcome::Found;
        } else {
            files::rewrite(path, text.as_bytes())?;
        }
        let file = path.display().to_string();
        match format {
            Format::Human => terminal.line(file)?,
            Format::Json => json::write_line(terminal.data(), &Changed { file })?,
        }
    }
    let changed = read.iter().filter(|file| file.changed.is_some()).count();
    terminal.note(format!(
        "{changed} of {} {}",
        crate::render::counted(args.files.len(), "file"),
        if args.check { "would change" } else { "changed" }
    ));
    Ok(outcome)
}

/// Stdin to stdout.
fn filter(terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let path = Path::new("-");
    let text = text(path)?;
    let Some(formatted) = formatted(path, &text, terminal)? else { return Ok(Outcome::Found) };
    terminal.text(&formatted)?;
    Ok(Outcome::Fine)
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn text(path: &Path) -> Result<String, Failure> {
    Ok(if is_stdin(path) { files::read_stdin(LARGEST)? } else { files::read_text(path, LARGEST)? })
}

/// A text in the one layout; `None`, with findings, if it is no TOML.
fn formatted(path: &Path, text: &str, terminal: &mut Terminal) -> Result<Option<String>, Failure> {
    let shown = if is_stdin(path) { Path::new("<stdin>") } else { path };
    let Formatted { sources, diagnostics, text } = format::format(shown, text);
    terminal.findings(&sources, &diagnostics);
    if text.is_none() && diagnostics.is_empty() {
        return Err(Failure::new(
            format!("formatting `{}` would change more than its layout", shown.display()),
            "nothing was written; this is a fault of Tidegate, please report it with the file",
        ));
    }
    Ok(text)
}
