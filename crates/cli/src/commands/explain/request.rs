//! How a policy decides a request, and why.

use super::Question;
use crate::cli::Format;
use crate::commands::not_yet;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;

pub(super) fn run(question: &Question<'_>, _format: Format, _terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let Question { policy, method, url, args } = question;
    let _ = (policy, method, url, &args.customer, &args.tags, &args.vars, &args.headers, args.at);
    not_yet::run("explain --policy")
}
