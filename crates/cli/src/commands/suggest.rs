//! `tidegate suggest`: rules for what was denied.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;
use tidegate_compiler::checked::CheckedPolicy;
use tidegate_compiler::diagnostic::Severity;
use tidegate_engine::{Effect, Target};
use tidegate_test::instant;
use tidegate_test::request::Request;

use crate::cli::Format;
use crate::log::{Entry, Log, Place, Record};
use crate::outcome::{Failure, Outcome};
use crate::progress::Of;
use crate::render::counted;
use crate::replay::report::SHOWN_UNREADABLE;
use crate::replay::{Judge, Judged, Question, Tables, Verdict};
use crate::suggest::{Asked, Evidence, LeftOut, Scope, Suggestion, suggestion};
use crate::terminal::Terminal;
use crate::{files, json, load};

/// Propose rules for what was denied
///
/// LOG holds decision records of the outbound Worker, as for `tidegate replay`: under `mode = "report"` they tell what would be
/// denied. The proposal goes to stdout, as a policy file: exact hosts, the methods and paths that were asked for, and the evidence
/// as comments. Tenants choose what they ask for: read every rule before you keep it.
///
/// Not proposed, but named in comments: what a deny rule denies; addresses and local names; what no rule could allow.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What was recorded; `-` is stdin.
    #[arg(value_name = "LOG")]
    log: PathBuf,

    /// The policy that the rules will join: what it allows by now is not proposed, and its rules' ids are not used.
    #[arg(long, value_name = "CURRENT")]
    policy: Option<PathBuf>,

    /// Fold siblings into `*.x.example` from so many distinct names on.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_two)]
    fold: usize,

    /// Whom the rules are for, where only some ask: the customers who did, or those with a tag that all of them have. By
    /// default everybody.
    #[arg(long, value_enum)]
    by: Option<By>,

    /// The outbound Worker: what other Workers logged does not count.
    #[arg(long, value_name = "NAME")]
    worker: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    Customer,
    Tag,
}

/// The proposal, for programs.
#[derive(Debug, Serialize)]
struct SuggestionLine<'s> {
    toml: &'s str,
    rules: usize,
    denied: u64,
    requests: u64,
    unreadable: u64,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let current = match &args.policy {
        Some(path) => Some(Tables::new(load::compile(path, terminal)?)),
        None => None,
    };
    let policy = current.as_ref().map(Tables::policy);
    let scope = scope(args.by, policy)?;
    let nobody_may_ask = policy.is_none_or(|policy| policy.identity.is_none());
    let mut run = Run {
        log: &args.log,
        judge: current.as_ref().map(Judge::new).transpose()?,
        evidence: Evidence::new(scope, nobody_may_ask),
        requests: 0,
        unreadable: Vec::new(),
        unreadable_count: 0,
    };
    run.read(args.worker.as_deref(), terminal)?;

    let Run { evidence, requests, unreadable, unreadable_count, .. } = run;
    let denied = evidence.denied;
    let Suggestion { toml, rules } = suggestion(evidence, &args.log.display().to_string(), policy, args.fold);
    compiles(&toml)?;
    match format {
        Format::Human => terminal.line(toml.trim_end())?,
        Format::Json => {
            let line = SuggestionLine { toml: &toml, rules, denied, requests, unreadable: unreadable_count };
            json::write_line(terminal.data(), &line)?;
        }
    }
    let log = args.log.display();
    for (line, why) in unreadable {
        terminal.note(format!("{log}:{line}: {why}"));
    }
    let noun = if requests == 1 { "request" } else { "requests" };
    terminal.note(format!("{requests} {noun}, {denied} of them denied: {} proposed", counted(rules, "rule")));
    if unreadable_count > 0 {
        let noun = if unreadable_count == 1 { "entry" } else { "entries" };
        return Err(Failure::new(
            format!("{unreadable_count} {noun} of `{log}` cannot be read"),
            "the first of them are named above; the proposal is made from the others",
        ));
    }
    if requests == 0 {
        return Err(Failure::new(
            format!("`{log}` holds no decision record and no request"),
            "log what the outbound Worker prints; `tidegate replay --help` says in which forms",
        ));
    }
    Ok(Outcome::Fine)
}

fn scope(by: Option<By>, policy: Option<&CheckedPolicy>) -> Result<Scope, Failure> {
    let identity = policy.map(|policy| policy.identity.as_ref());
    match by {
        None => Ok(Scope::Everybody),
        Some(By::Customer) if identity == Some(None) => Err(Failure::usage(
            "`--by customer`, and the policy says `identity = \"none\"`",
            "leave `--by` out: its rules are for everybody",
        )),
        Some(By::Customer) => Ok(Scope::Customers),
        Some(By::Tag) if identity.flatten().is_some_and(|identity| identity.tags.is_some()) => Ok(Scope::Tags),
        Some(By::Tag) => Err(Failure::usage(
            "`--by tag` needs a policy whose requests have tags",
            "name it with `--policy`; its `[identity]` says where tags are: `tags = \"customer_tags\"`",
        )),
    }
}

/// A log that is being read.
struct Run<'t> {
    log: &'t Path,
    judge: Option<Judge<'t>>,
    evidence: Evidence,
    requests: u64,
    unreadable: Vec<(u64, String)>,
    unreadable_count: u64,
}

impl Run<'_> {
    fn read(&mut self, worker: Option<&str>, terminal: &Terminal) -> Result<(), Failure> {
        let mut log = Log::open(self.log, worker)?;
        let progress =
            terminal.progress(&format!("reading {}", self.log.display()), Of::Bytes(files::length(self.log)));
        let mut consumed = 0;
        while let Some((line, entry)) = log.next().map_err(|error| files::read_error(self.log, error))? {
            progress.advance(log.consumed() - consumed);
            consumed = log.consumed();
            match entry {
                Entry::Decisions(records) => {
                    for record in &records {
                        self.record(record)?;
                    }
                }
                Entry::Other => {}
                Entry::Request(line_object) => self.request(line, line_object.request)?,
                Entry::Unreadable(why) => {
                    self.unreadable_count += 1;
                    if self.unreadable.len() < SHOWN_UNREADABLE {
                        self.unreadable.push((line, why));
                    }
                }
            }
        }
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<(), Failure> {
        self.requests += 1;
        let (Some(place), Some(method)) = (&record.place, &record.method) else {
            if record.effect == Effect::Deny {
                self.evidence.leave_out(LeftOut::Reason);
            }
            return Ok(());
        };
        let mut asked = Asked {
            at: record.at,
            customer: record.customer.as_deref(),
            tags: record.tags.as_deref(),
            method,
            place,
            upgrade: record.upgrade,
            would_deny: &record.would_deny,
        };
        let mut verdict = Verdict::of_record(record);
        // What was denied then may be allowed by now.
        if let (Some(judge), Some(question)) = (&mut self.judge, Question::of_record(record))
            && let Judged::Certain(current) = judge.judge(&question, record.at.unwrap_or_else(instant::now))?
        {
            verdict = current;
            asked.would_deny = &[];
        }
        self.evidence.take(&asked, &verdict);
        Ok(())
    }

    fn request(&mut self, line: u64, request: Request) -> Result<(), Failure> {
        let Some(judge) = &mut self.judge else {
            return Err(Failure::usage(
                format!("line {line} of `{}` is a request, and says not what was decided", self.log.display()),
                "name the policy that decides: `--policy CURRENT`",
            ));
        };
        self.requests += 1;
        let question = Question::of_request(request);
        let (Ok(target), Judged::Certain(verdict)) =
            (Target::parse(&question.request.url), judge.judge(&question, instant::now())?)
        else {
            self.evidence.leave_out(LeftOut::Reason);
            return Ok(());
        };
        let Request { method, customer, tags, headers, .. } = &question.request;
        let asked = Asked {
            at: None,
            customer: customer.as_deref(),
            tags: tags.as_deref(),
            method,
            place: &Place::of(&target),
            upgrade: tidegate_engine::RequestView {
                method,
                target: Ok(&target),
                headers,
                customer: None,
                tags: None,
                vars: None,
                now: 0,
            }
            .is_upgrade(),
            would_deny: &[],
        };
        self.evidence.take(&asked, &verdict);
        Ok(())
    }
}

/// A proposal that is no policy would be worse than none.
fn compiles(toml: &str) -> Result<(), Failure> {
    let compile = || {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("suggested.toml");
        std::fs::write(&path, toml)?;
        Ok::<_, std::io::Error>(tidegate_compiler::compile(&path))
    };
    let compilation = compile().map_err(|error| {
        Failure::new(format!("cannot check the proposal: {error}"), "make room in the folder for temporary files")
    })?;
    match compilation.diagnostics.iter().find(|finding| finding.severity == Severity::Error) {
        None => Ok(()),
        Some(finding) => Err(Failure::new(
            format!("the proposal does not compile: {}", finding.message),
            "this is a fault of Tidegate; please report it",
        )),
    }
}

fn at_least_two(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number >= 2).ok_or_else(|| "a fold takes at least 2 names".to_owned())
}
