//! `tidegate schema`: what may stand in a file, for editors.

use clap::ValueEnum;
use tidegate_compiler::schema::{self, Document};
use tidegate_test::{DECISIONS, TESTS};

use crate::cli::Format;
use crate::json;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;

/// Print the JSON Schema of policies, test files or decisions
///
/// Draft-07, the newest that TOML tools read. An editor with Taplo or Even Better TOML completes and checks a policy that begins with
/// `#:schema PATH`, where PATH is the file that this was written to.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What it describes.
    #[arg(value_enum, default_value = "policy")]
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Policies.
    Policy,
    /// Test files of policies.
    Test,
    /// What `tidegate decide --format json` writes.
    Decision,
    /// Every key of all of these, as Markdown: docs/reference.md.
    #[value(hide = true)]
    Reference,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    const ALL: [Document; 3] = [schema::POLICY, TESTS, DECISIONS];
    let document = match args.what {
        What::Policy => schema::POLICY,
        What::Test => TESTS,
        What::Decision => DECISIONS,
        What::Reference => {
            terminal.line(schema::reference(&ALL).trim_end())?;
            return Ok(Outcome::Fine);
        }
    };
    let schema = schema::json_schema(&document);
    match format {
        Format::Human => terminal.line(format_args!("{schema:#}"))?,
        Format::Json => json::write_line(terminal.data(), &schema)?,
    }
    Ok(Outcome::Fine)
}
