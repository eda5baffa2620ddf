//! What a diagnostic code means.

use tidegate_compiler::diagnostic::Code;

use crate::cli::Format;
use crate::commands::not_yet;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;

pub(super) fn run(written: &str, _format: Format, _terminal: &mut Terminal) -> Result<Outcome, Failure> {
    // Findings are shown as `error[unknown-key]`, and so they are copied.
    let bare = written.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']')).unwrap_or(written);
    if Code::parse(bare).is_some() {
        return not_yet::run("explain CODE");
    }
    let help = match Code::similar(bare) {
        Some(code) => format!("did you mean `{}`?", code.as_str()),
        None => "a finding shows its code in brackets: `error[unknown-key]`; a request is asked about with `--policy`"
            .into(),
    };
    Err(Failure::usage(format!("there is no diagnostic code `{written}`"), help))
}
