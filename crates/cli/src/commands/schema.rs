//! `tidegate schema`: what may stand in a file, for editors; what the API of `tidegate dev` is, for clients.

use clap::ValueEnum;
use tidegate_compiler::schema::{self, Document};
use tidegate_test::{DECISIONS, TESTS};

use crate::cli::Format;
use crate::json;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;

/// Print the JSON Schema of policies, test files or decisions, or the `OpenAPI` description of the API
///
/// Draft-07, the newest that TOML tools read. An editor with Taplo or Even Better TOML completes and checks a policy that begins with
/// `#:schema PATH`, where PATH is the file that this was written to. The API describes itself at `/client/v4/openapi.json`, too.
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
    /// The REST API that `tidegate dev` serves (`OpenAPI` 3.1).
    Openapi,
    /// Every key of all of these, as Markdown: docs/reference.md.
    #[value(hide = true)]
    Reference,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    const ALL: [Document; 3] = [schema::POLICY, TESTS, DECISIONS];
    let document = match args.what {
        What::Openapi => return openapi(format, terminal),
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

fn openapi(format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let description = tidegate_platform::api::openapi();
    match format {
        Format::Human => terminal.line(serde_json::to_string_pretty(description).unwrap_or_default())?,
        Format::Json => json::write_line(terminal.data(), description)?,
    }
    Ok(Outcome::Fine)
}
