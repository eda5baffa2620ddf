//! `tidegate diff`: what a change changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tidegate_compiler::Output;
use tidegate_compiler::analysis::diff::{Change, Diff, Kind, Setting, diff};
use tidegate_compiler::analysis::{Budget, SCOPE, Verdict, Witness};
use tidegate_compiler::source::{SourceMap, Span};
use tidegate_test::instant::{self, Seconds};
use tidegate_test::plain::plain;

use crate::cli::Format;
use crate::outcome::{Failure, Outcome};
use crate::progress::Of;
use crate::terminal::Terminal;
use crate::{json, load, render};

/// The most that an answer may cost, as a multiple of the usual.
const LARGEST_BUDGET: u64 = 1_000;

/// Compare what two policies decide
///
/// Shows the regions of requests that the new policy treats otherwise than the old one: newly allowed, newly denied, the same
/// effect for another rule, sent with other headers or tokens, recorded otherwise. Each with the two rules that decide there and with a
/// request that shows it. "No difference" is a proof; what could not be decided within the budget is named, and exits 3.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The policy as it is.
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The policy as it will be.
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// Compare for this customer alone.
    #[arg(long, value_name = "NAME")]
    customer: Option<String>,

    /// When it is: `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`; now by default.
    #[arg(long, value_name = "DATE", value_parser = instant::parse)]
    at: Option<Seconds>,

    /// Exit 1 where the policies differ.
    #[arg(long)]
    exit_code: bool,

    /// How much work the answer may cost, as a multiple of the usual.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=LARGEST_BUDGET))]
    budget: u64,
}

/// A region, for programs.
#[derive(Debug, Serialize)]
struct ChangeLine<'c> {
    kind: &'static str,
    details: &'c [String],
    request: RequestObject<'c>,
    old: SideObject<'c>,
    new: SideObject<'c>,
}

/// A request, as `tidegate decide --requests` reads it.
#[derive(Debug, Serialize)]
pub(crate) struct RequestObject<'w> {
    method: &'w str,
    url: &'w str,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'w str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'w [String]>,
    headers: BTreeMap<&'w str, &'w str>,
}

/// What a policy says in a region.
#[derive(Debug, Serialize)]
struct SideObject<'s> {
    effect: &'static str,
    reason: &'static str,
    rule: Option<&'s str>,
    enforced: bool,
    place: Option<String>,
}

/// A statement of the policy about itself, for programs.
#[derive(Debug, Serialize)]
struct SettingLine<'s> {
    kind: &'static str,
    key: &'s str,
    old: &'s str,
    new: &'s str,
}

/// The end of an answer, for programs.
#[derive(Debug, Serialize)]
struct Summary<'s> {
    kind: &'static str,
    differs: bool,
    proved: bool,
    undecided: &'s [String],
    more: &'s [String],
    at: String,
    customer: Option<&'s str>,
    scope: &'static str,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let side = |path: &Path, terminal: &mut Terminal| {
        load::compile_with_sources(path, terminal).map(|(sources, output)| Side { sources, output })
    };
    let (old, new) = (side(&args.old, terminal)?, side(&args.new, terminal)?);
    let knows_customers = |side: &Side| side.output.policy.identity.is_some();
    if args.customer.is_some() && !knows_customers(&old) && !knows_customers(&new) {
        let message = "the policies know no customers: `identity = \"none\"`";
        return Err(Failure::new(message, "leave `--customer` out"));
    }
    let now = args.at.unwrap_or_else(instant::now);
    let usual = Budget::default();
    let budget = Budget { question: usual.question * args.budget, all: usual.all * args.budget };
    let mut bar = None;
    let found = diff(&old.output, &new.output, now, args.customer.as_deref(), budget, &mut |done, steps| {
        let [done, steps] = [done, steps].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
        bar.get_or_insert_with(|| terminal.progress("comparing", Of::Steps(steps))).at(done);
    });
    drop(bar);
    let found = found.map_err(load::unloadable)?;
    let sides = Sides { old: &old, new: &new };
    match format {
        Format::Human => sides.show(&found, args, now, terminal)?,
        Format::Json => sides.write(&found, args, now, terminal)?,
    }
    if !found.undecided.is_empty() {
        return Err(Failure::new(
            format!("undecided: {}", found.undecided.join(", ")),
            format!(
                "compare with a larger budget, such as `--budget {}`, or for one `--customer`",
                larger(args.budget)
            ),
        ));
    }
    Ok(if args.exit_code && !found.is_empty() { Outcome::Found } else { Outcome::Fine })
}

/// The next budget to try, of those that can be asked for.
fn larger(budget: u64) -> u64 {
    budget.saturating_mul(10).min(LARGEST_BUDGET)
}

/// A policy and its sources.
struct Side {
    sources: SourceMap,
    output: Output,
}

struct Sides<'s> {
    old: &'s Side,
    new: &'s Side,
}

impl Side {
    fn rule(&self, verdict: &Verdict) -> Option<&str> {
        verdict.rule().and_then(|rule| self.output.policy.rules.get(rule)).map(|rule| rule.id.as_str())
    }

    /// `policies/acme.toml:12`
    fn place(&self, verdict: &Verdict) -> Option<String> {
        let rule = self.output.policy.rules.get(verdict.rule()?)?;
        Some(place(&self.sources, rule.span))
    }

    fn object(&self, verdict: &Verdict) -> SideObject<'_> {
        SideObject {
            effect: verdict.effect.as_str(),
            reason: verdict.reason.as_str(),
            rule: self.rule(verdict),
            enforced: verdict.enforced,
            place: self.place(verdict),
        }
    }

    fn words(&self, verdict: &Verdict) -> String {
        let by = match (self.rule(verdict), self.place(verdict)) {
            (Some(rule), Some(place)) => format!("`{rule}` ({place})"),
            _ => verdict.reason.as_str().to_owned(),
        };
        let report = if verdict.enforced { "" } else { ", not enforced" };
        format!("{} by {by}{report}", verdict.effect.as_str())
    }
}

impl Sides<'_> {
    fn show(&self, found: &Diff, args: &Args, now: Seconds, terminal: &mut Terminal) -> Result<(), Failure> {
        for Setting { key, old, new } in &found.settings {
            terminal.line(plain(&format!("{key}: {old} → {new}")))?;
        }
        for kind in Kind::ALL {
            let changes: Vec<&Change> = found.changes.iter().filter(|change| change.kind == kind).collect();
            if changes.is_empty() {
                continue;
            }
            terminal.line(format_args!("{kind}: {}", render::counted(changes.len(), "region")))?;
            for change in changes {
                terminal.line(plain(&format!("  {}", change.witness)))?;
                terminal.line(plain(&format!("    old: {}", self.old.words(&change.old))))?;
                terminal.line(plain(&format!("    new: {}", self.new.words(&change.new))))?;
                for detail in &change.details {
                    terminal.line(plain(&format!("    {detail}")))?;
                }
            }
        }
        if !found.more.is_empty() {
            terminal.line(plain(&format!("more regions than are shown: {}", found.more.join(", "))))?;
        }
        if found.is_proved_empty() {
            terminal.line("no difference")?;
        }
        let customer = args.customer.as_ref().map(|name| format!(", for customer `{name}`")).unwrap_or_default();
        terminal.note(format!("as of {}{customer}; {SCOPE}", instant::text(now)));
        Ok(())
    }

    fn write(&self, found: &Diff, args: &Args, now: Seconds, terminal: &mut Terminal) -> Result<(), Failure> {
        for Setting { key, old, new } in &found.settings {
            json::write_line(terminal.data(), &SettingLine { kind: "setting", key, old, new })?;
        }
        for change in &found.changes {
            let line = ChangeLine {
                kind: change.kind.as_str(),
                details: &change.details,
                request: RequestObject::of(&change.witness),
                old: self.old.object(&change.old),
                new: self.new.object(&change.new),
            };
            json::write_line(terminal.data(), &line)?;
        }
        let summary = Summary {
            kind: "summary",
            differs: !found.is_empty(),
            proved: found.undecided.is_empty(),
            undecided: &found.undecided,
            more: &found.more,
            at: instant::text(now),
            customer: args.customer.as_deref(),
            scope: SCOPE,
        };
        json::write_line(terminal.data(), &summary)?;
        Ok(())
    }
}

impl<'w> RequestObject<'w> {
    /// A witness as a request line.
    pub(crate) fn of(witness: &'w Witness) -> Self {
        Self {
            method: &witness.method,
            url: &witness.url,
            customer: witness.customer.as_deref(),
            tags: witness.tags.as_deref(),
            headers: witness.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        }
    }
}

/// `policies/acme.toml:12`
pub(crate) fn place(sources: &SourceMap, span: Span) -> String {
    let at = sources.line_column(span.file, span.start);
    format!("{}:{}", sources.file(span.file).path.display(), at.line)
}
