//! `tidegate explain`: what a diagnostic code means, or how a decision came about.

mod code;
mod request;

use std::path::PathBuf;

use tidegate_engine::Header;
use tidegate_test::instant::{self, Seconds};
use tidegate_test::request::parse_header;

use super::decide::parse_var;
use crate::cli::Format;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;

/// Explain a diagnostic code, or how a policy decides a request
///
/// With one word, the code of a finding (`error[unknown-key]`), prints what it means and the way out. With `--policy`,
/// METHOD and URL, shows the request as it is judged, the decision, the rules behind it, and what would have to be different.
#[derive(Debug, clap::Args)]
#[command(override_usage = "tidegate explain CODE\n       tidegate explain --policy FILE [OPTIONS] METHOD URL")]
pub(crate) struct Args {
    /// A finding's code; or, with `--policy`, the request's method.
    #[arg(value_name = "CODE|METHOD")]
    code_or_method: String,

    /// The request's URL.
    #[arg(requires = "policy")]
    url: Option<String>,

    /// The policy that decides.
    #[arg(long, value_name = "FILE", requires = "url")]
    policy: Option<PathBuf>,

    /// The customer who asks.
    #[arg(long, value_name = "NAME", requires = "policy")]
    customer: Option<String>,

    /// One of the customer's tags; may be repeated.
    #[arg(long = "tag", value_name = "TAG", requires = "policy")]
    tags: Vec<String>,

    /// One of the customer's variables; may be repeated.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = parse_var, requires = "policy")]
    vars: Vec<(String, String)>,

    /// A header of the request; may be repeated.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = parse_header, requires = "policy")]
    headers: Vec<Header>,

    /// When it is: `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`; now by default.
    #[arg(long, value_name = "DATE", value_parser = instant::parse, requires = "policy")]
    at: Option<Seconds>,
}

/// What `explain` is asked about a request.
#[derive(Debug)]
struct Question<'a> {
    policy: &'a std::path::Path,
    method: &'a str,
    url: &'a str,
    args: &'a Args,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    // The parser holds that neither comes without the other.
    match (&args.policy, &args.url) {
        (Some(policy), Some(url)) => {
            let question = Question { policy, method: &args.code_or_method, url, args };
            request::run(&question, format, terminal)
        }
        _ => code::run(&args.code_or_method, format, terminal),
    }
}
