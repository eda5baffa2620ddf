//! What a diagnostic code means: its page in `docs/diagnostics`.

use serde::Serialize;
use tidegate_compiler::diagnostic::{Code, Level};

use crate::cli::Format;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;
use crate::{json, markdown};

/// A code, for programs.
#[derive(Debug, Serialize)]
struct Explained {
    code: &'static str,
    summary: &'static str,
    /// `null` for what is an error always.
    default_level: Option<&'static str>,
    /// In Markdown.
    page: &'static str,
}

pub(super) fn run(written: &str, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    // Findings are shown as `error[unknown-key]`, and so they are copied.
    let bare = written.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']')).unwrap_or(written);
    let Some(code) = Code::parse(bare) else {
        let help = match Code::similar(bare) {
            Some(code) => format!("did you mean `{}`?", code.as_str()),
            None => {
                "a finding shows its code in brackets: `error[unknown-key]`; a request is asked about with `--policy`"
                    .to_owned()
            }
        };
        return Err(Failure::usage(format!("there is no diagnostic code `{written}`"), help));
    };
    match format {
        Format::Human => terminal.line(markdown::plain(code.page()))?,
        Format::Json => {
            let default_level = code.default_level().map(|level| match level {
                Level::Allow => "allow",
                Level::Deny => "deny",
                Level::Warn => "warn",
            });
            let (summary, page) = (code.summary(), code.page());
            json::write_line(terminal.data(), &Explained { code: code.as_str(), summary, default_level, page })?;
        }
    }
    Ok(Outcome::Fine)
}
