//! `tidegate reach`: where a customer can go.

use std::path::PathBuf;

use serde::Serialize;
use tidegate_compiler::alternatives;
use tidegate_compiler::analysis::diff::text;
use tidegate_compiler::analysis::reach::{Reach, Reached, reach};
use tidegate_compiler::analysis::{Budget, SCOPE};
use tidegate_compiler::checked::{CheckedPolicy, Condition, Rule};
use tidegate_compiler::source::SourceMap;
use tidegate_test::instant::{self, Seconds};
use tidegate_test::plain::plain;

use super::diff::{RequestObject, place};
use crate::cli::Format;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;
use crate::{json, load};

/// List where a customer can go, and with which credentials
///
/// Each allow rule that lets some request of the customer's through, with file and line, what it names, the headers and tokens that
/// it sends, and a request that shows it; and whether anything goes out by no rule at all. Without `--tag` the customer may
/// have any tags.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The policy.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,

    /// The customer; without one, any.
    #[arg(long, value_name = "NAME")]
    customer: Option<String>,

    /// One of the customer's tags, which then are all that it has; may be repeated.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,

    /// When it is: `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`; now by default.
    #[arg(long, value_name = "DATE", value_parser = instant::parse)]
    at: Option<Seconds>,
}

/// What a rule lets through, for programs.
#[derive(Debug, Serialize)]
struct ReachLine<'r> {
    kind: &'static str,
    rule: &'r str,
    place: String,
    /// What the rule names, by key.
    names: Vec<String>,
    /// Nothing of it is denied.
    whole: bool,
    credentials: Vec<String>,
    request: RequestObject<'r>,
}

/// What goes out by no rule, for programs.
#[derive(Debug, Serialize)]
struct OtherwiseLine<'r> {
    kind: &'static str,
    enforced: bool,
    request: RequestObject<'r>,
}

/// The end of an answer, for programs.
#[derive(Debug, Serialize)]
struct Summary<'s> {
    kind: &'static str,
    /// Rules that match requests of the customer's, all of which are denied.
    denied: Vec<&'s str>,
    undecided: &'s [String],
    at: String,
    scope: &'static str,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let (sources, output) = load::compile_with_sources(&args.policy, terminal)?;
    let policy = &output.policy;
    if args.customer.is_some() && policy.identity.is_none() {
        return Err(Failure::new("the policy knows no customers: `identity = \"none\"`", "leave `--customer` out"));
    }
    let now = args.at.unwrap_or_else(instant::now);
    let tags = (!args.tags.is_empty()).then_some(args.tags.as_slice());
    let found = reach(&output, args.customer.as_deref(), tags, now, Budget::default()).map_err(load::unloadable)?;
    match format {
        Format::Human => show(&found, policy, &sources, args, now, terminal)?,
        Format::Json => write(&found, policy, &sources, now, terminal)?,
    }
    if !found.undecided.is_empty() {
        let message = format!("undecided: {}", found.undecided.join(", "));
        return Err(Failure::new(message, "the patterns of these rules overlap in too many ways"));
    }
    Ok(Outcome::Fine)
}

fn show(
    found: &Reach,
    policy: &CheckedPolicy,
    sources: &SourceMap,
    args: &Args,
    now: Seconds,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    for Reached { rule, witness, whole, .. } in &found.by_rule {
        let rule = &policy.rules[*rule];
        let part = if *whole { "" } else { ", in part" };
        terminal.line(plain(&format!("{} ({}){part}", rule.id, place(sources, rule.span))))?;
        for name in names(&rule.condition, policy) {
            terminal.line(plain(&format!("  {name}")))?;
        }
        for credential in sent(rule, policy) {
            terminal.line(plain(&format!("  sends {credential}")))?;
        }
        terminal.line(plain(&format!("  such as {witness}")))?;
    }
    if let Some((witness, verdict)) = &found.otherwise {
        let what = if verdict.enforced {
            "anything else that no rule denies, by the default"
        } else {
            "what would be denied, as long as report mode lets it through, without headers or tokens"
        };
        terminal.line(what)?;
        terminal.line(plain(&format!("  such as {witness}")))?;
    }
    for &rule in &found.denied {
        let rule = &policy.rules[rule];
        terminal.line(plain(&format!("{} ({}): denied, all of it", rule.id, place(sources, rule.span))))?;
    }
    if found.by_rule.is_empty() && found.otherwise.is_none() && found.undecided.is_empty() {
        terminal.line("nothing")?;
    }
    let who = args.customer.as_ref().map_or("any customer".to_owned(), |name| format!("customer `{name}`"));
    terminal.note(format!("as of {}, for {who}; {SCOPE}", instant::text(now)));
    Ok(())
}

fn write(
    found: &Reach,
    policy: &CheckedPolicy,
    sources: &SourceMap,
    now: Seconds,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    for Reached { rule, witness, whole, .. } in &found.by_rule {
        let rule = &policy.rules[*rule];
        let line = ReachLine {
            kind: "rule",
            rule: &rule.id,
            place: place(sources, rule.span),
            names: names(&rule.condition, policy),
            whole: *whole,
            credentials: sent(rule, policy),
            request: RequestObject::of(witness),
        };
        json::write_line(terminal.data(), &line)?;
    }
    if let Some((witness, verdict)) = &found.otherwise {
        let line = OtherwiseLine { kind: "otherwise", enforced: verdict.enforced, request: RequestObject::of(witness) };
        json::write_line(terminal.data(), &line)?;
    }
    let summary = Summary {
        kind: "summary",
        denied: found.denied.iter().map(|&rule| policy.rules[rule].id.as_str()).collect(),
        undecided: &found.undecided,
        at: instant::text(now),
        scope: SCOPE,
    };
    json::write_line(terminal.data(), &summary)?;
    Ok(())
}

/// What a condition names, a line for each key.
fn names(condition: &Condition, policy: &CheckedPolicy) -> Vec<String> {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for alternative in alternatives::of(condition, policy) {
        let key = match alternative.header {
            Some(header) => format!("{} {header}", alternative.key.as_str()),
            None => alternative.key.as_str().to_owned(),
        };
        match lines.iter_mut().find(|(own, _)| *own == key) {
            Some((_, values)) => values.push(alternative.text),
            None => lines.push((key, vec![alternative.text])),
        }
    }
    lines.into_iter().map(|(key, values)| format!("{key}: {}", values.join(", "))).collect()
}

/// What a rule puts on the requests that it allows.
fn sent(rule: &Rule, policy: &CheckedPolicy) -> Vec<String> {
    let set = rule.obligations.set.iter().map(|(header, value)| format!("`{header}: {}`", text(value)));
    let token = rule.obligations.jwt.iter().map(|jwt| {
        let key = policy.keys.get(jwt.key).map_or("?", |key| key.id.as_str());
        format!("a token in `{}` for `{}`, signed with `{key}`", jwt.header, jwt.audience)
    });
    set.chain(token).collect()
}
