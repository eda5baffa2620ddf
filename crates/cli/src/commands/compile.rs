//! `tidegate compile`: a policy's table, in a file.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::Format;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;
use crate::{files, json, load};

/// Compile a policy into the table that the Worker reads
///
/// Same input, same bytes. The output is replaced in one step; on any error the old one stays.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The policy.
    #[arg(value_name = "FILE")]
    policy: PathBuf,

    /// Where the table goes.
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

/// What was written.
#[derive(Debug, Serialize)]
struct Written<'w> {
    output: String,
    bytes: usize,
    digest: &'w str,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    if is_same_file(&args.policy, &args.output) {
        return Err(Failure::new(
            format!("the output `{}` is the policy itself", args.output.display()),
            "name another file after `-o`",
        ));
    }
    let output = load::compile(&args.policy, terminal)?;
    let digest = load::digest(&output.table)?;
    files::write_atomically(&args.output, &output.table)?;
    let written = Written { output: args.output.display().to_string(), bytes: output.table.len(), digest: &digest };
    match format {
        Format::Human => {
            terminal.note(format!("{}: {} bytes, digest {}", written.output, written.bytes, written.digest));
        }
        Format::Json => json::write_line(terminal.data(), &written)?,
    }
    Ok(Outcome::Fine)
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}
