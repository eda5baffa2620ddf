//! `tidegate inspect`: what is in a table.

use std::path::PathBuf;

use serde::Serialize;
use tidegate_engine::Policy;
use tidegate_table::{FORMAT_VERSION, SectionKind, Table};

use crate::bundle::wasm;
use crate::cli::Format;
use crate::files::{self, MIB};
use crate::json;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;

/// More than any Worker can hold.
const LARGEST: u64 = 256 * MIB;

/// Show a compiled policy's sections, sizes and digest
///
/// Takes a table (`tidegate compile`) or a Worker's Wasm with one in it (`tidegate build`). A table that does not load
/// exits 1 and says why.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The table, or the Wasm.
    #[arg(value_name = "OUT")]
    table: PathBuf,
}

/// What is in a table.
#[derive(Debug, Serialize)]
struct Contents<'t> {
    file: String,
    digest: &'t str,
    version: u32,
    bytes: usize,
    mode: &'static str,
    rules: u32,
    sections: Vec<Section>,
}

#[derive(Debug, Serialize)]
struct Section {
    name: &'static str,
    bytes: usize,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let bytes = files::read(&args.table, LARGEST)?;
    let path = args.table.display();
    let table = if wasm::is_wasm(&bytes) {
        wasm::extract(&bytes).map_err(|error| {
            Failure::found(format!("no table in `{path}`: {error}"), "`tidegate build` puts a policy into a Worker")
        })?
    } else {
        &bytes
    };
    let damaged = |error: &dyn std::fmt::Display| Failure {
        outcome: Outcome::Found,
        message: format!("the table in `{path}` does not load: {error}"),
        help: None,
    };
    let sections = Table::from_bytes(table).map_err(|error| damaged(&error))?;
    let policy = Policy::from_bytes(table).map_err(|error| damaged(&error))?;
    let contents = Contents {
        file: path.to_string(),
        digest: policy.digest(),
        version: FORMAT_VERSION,
        bytes: table.len(),
        mode: policy.mode().as_str(),
        rules: sections.rule_count(),
        sections: SectionKind::ALL
            .iter()
            .map(|&kind| Section { name: kind.as_str(), bytes: sections.section(kind).len() })
            .collect(),
    };
    match format {
        Format::Json => json::write_line(terminal.data(), &contents)?,
        Format::Human => {
            for (name, value) in [
                ("digest", contents.digest.to_owned()),
                ("version", contents.version.to_string()),
                ("bytes", contents.bytes.to_string()),
                ("mode", contents.mode.to_owned()),
                ("rules", contents.rules.to_string()),
            ] {
                terminal.line(format_args!("{name:<12}{value}"))?;
            }
            terminal.line("sections")?;
            for Section { name, bytes } in &contents.sections {
                terminal.line(format_args!("  {name:<12}{bytes:>12}"))?;
            }
        }
    }
    Ok(Outcome::Fine)
}
