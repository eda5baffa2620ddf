//! How a policy decides a request, and why.

use tidegate_test::explanation::Explainer;
use tidegate_test::instant;
use tidegate_test::request::{Request, join, last_of_each};

use super::Question;
use crate::cli::Format;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;
use crate::{json, load};

pub(super) fn run(question: &Question<'_>, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let Question { policy, method, url, args } = question;
    let request = Request {
        method: (*method).to_owned(),
        url: (*url).to_owned(),
        customer: args.customer.clone(),
        // Who names a customer and no tag says that it has none.
        tags: (args.customer.is_some() || !args.tags.is_empty()).then(|| args.tags.clone()),
        vars: Some(last_of_each(&args.vars)),
        headers: join(args.headers.clone()),
    };
    let (sources, output) = load::compile_with_sources(policy, terminal)?;
    let mut explainer = Explainer::new(&output, &sources).map_err(load::unloadable)?;
    let explanation = explainer.explain(&request, args.at.unwrap_or_else(instant::now));
    match format {
        Format::Human => terminal.line(explanation.text(&request))?,
        Format::Json => json::write_line(terminal.data(), &explanation)?,
    }
    Ok(Outcome::Fine)
}
