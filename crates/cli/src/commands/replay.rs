//! `tidegate replay`: what another policy would make of recorded traffic.

use std::path::{Path, PathBuf};

use tidegate_engine::Reason;
use tidegate_test::instant::{self, Seconds};
use tidegate_test::plain::plain;

use crate::cli::Format;
use crate::log::{Entry, Log, Place, Record};
use crate::outcome::{Failure, Outcome};
use crate::progress::Of;
use crate::replay::report::{self, Replay, SHOWN_UNREADABLE};
use crate::replay::{Change, Judge, Judged, Question, Sample, Tables, Verdict};
use crate::terminal::Terminal;
use crate::{files, load};

/// Say what a policy would change for recorded traffic
///
/// LOG holds decision records of the outbound Worker, as it prints them or within the objects of `wrangler tail --format
/// json`, Logpush or `tidegate dev --format json`; or requests, a JSON object a line, as for `tidegate decide --requests`. What was
/// recorded is compared with what the policy says, counted by rule and customer, with samples.
///
/// Records hold no headers. Where the answer depends on what is not recorded, it is `undecided`, and says on what.
#[derive(Debug, clap::Args)]
#[command(after_long_help = CHANGES)]
pub(crate) struct Args {
    /// What was recorded; `-` is stdin.
    #[arg(value_name = "LOG")]
    log: PathBuf,

    /// The policy to try.
    #[arg(long, value_name = "NEW")]
    policy: PathBuf,

    /// The policy to compare with, in place of what was recorded; requests need one.
    #[arg(long, value_name = "OLD")]
    against: Option<PathBuf>,

    /// When it is, for every request: `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`; by default when it was made, or now where
    /// nobody noted that.
    #[arg(long, value_name = "DATE", value_parser = instant::parse)]
    at: Option<Seconds>,

    /// The outbound Worker: what other Workers logged does not count.
    #[arg(long, value_name = "NAME")]
    worker: Option<String>,

    /// Exit 1 if anything changes, 3 if nothing does as far as is known and something is undecided.
    #[arg(long)]
    exit_code: bool,
}

const CHANGES: &str = "\
Changes:
  newly denied        went out and would be refused
  newly allowed       was refused and would go out
  newly reported      goes out, and would be refused but for report mode
  no longer reported  was let through by report mode alone, and would be allowed
  other rule          the same becomes of it, by another rule or for another reason
  undecided           depends on what is not recorded

Taken for granted: the secrets and keys that rules ask for are there, and the outbound parameters that the policy reads hold
the customer and the tags that were recorded. Queries are neither shown nor judged.";

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let new = Tables::new(load::compile(&args.policy, terminal)?);
    let old = match &args.against {
        Some(path) => Some(Tables::new(load::compile(path, terminal)?)),
        None => None,
    };
    let run = Run {
        log: &args.log,
        at: args.at,
        now: instant::now(),
        new: Judge::new(&new)?,
        old: old.as_ref().map(Judge::new).transpose()?,
        replay: Replay::default(),
    };
    let replay = run.read(args.worker.as_deref(), terminal)?;
    match format {
        Format::Human => report::print(&replay, terminal)?,
        Format::Json => report::write(&replay, terminal)?,
    }
    conclude(args, &replay, terminal)
}

/// A replay that is under way.
struct Run<'t> {
    log: &'t Path,
    at: Option<Seconds>,
    now: Seconds,
    new: Judge<'t>,
    old: Option<Judge<'t>>,
    replay: Replay,
}

impl Run<'_> {
    fn read(mut self, worker: Option<&str>, terminal: &Terminal) -> Result<Replay, Failure> {
        let mut log = Log::open(self.log, worker)?;
        let progress =
            terminal.progress(&format!("replaying {}", self.log.display()), Of::Bytes(files::length(self.log)));
        let mut consumed = 0;
        while let Some((line, entry)) = log.next().map_err(|error| files::read_error(self.log, error))? {
            progress.advance(log.consumed() - consumed);
            consumed = log.consumed();
            match entry {
                Entry::Decisions(records) => {
                    for record in records {
                        self.record(record)?;
                    }
                }
                Entry::Other => self.replay.other += 1,
                Entry::Request(request) => {
                    if self.old.is_none() {
                        return Err(Failure::usage(
                            format!(
                                "line {line} of `{}` is a request, and says not what was decided",
                                self.log.display()
                            ),
                            "name the policy to compare with: `--against OLD`",
                        ));
                    }
                    self.question(&Question::of_request(request.request), None, None)?;
                }
                Entry::Unreadable(why) => {
                    self.replay.unreadable += 1;
                    if self.replay.first_unreadable.len() < SHOWN_UNREADABLE {
                        self.replay.first_unreadable.push((line, why));
                    }
                }
            }
        }
        Ok(self.replay)
    }

    fn record(&mut self, record: Record) -> Result<(), Failure> {
        let recorded = Verdict::of_record(&record);
        // No policy would have judged it; or this very policy did.
        let is_the_same = self.at.is_none() && self.old.is_none() && self.new.decided(&record);
        if record.reason == Reason::InvalidRequest || is_the_same {
            self.replay.tally.unchanged += 1;
            return Ok(());
        }
        let no_policy = matches!(record.reason, Reason::EvaluationFault | Reason::PolicyUnavailable);
        match Question::of_record(&record) {
            Some(question) if !no_policy || self.old.is_some() => self.question(&question, Some(recorded), record.at),
            _ => {
                let why = format!("`{}` was not for a policy to decide", record.reason.as_str());
                let url = record.place.as_ref().map_or_else(|| "-".to_owned(), Place::as_recorded);
                self.replay.tally.undecided(Some(recorded), why, || Sample {
                    customer: record.customer,
                    method: record.method.unwrap_or_else(|| "-".to_owned()),
                    url,
                });
                Ok(())
            }
        }
    }

    /// Compares the verdicts on one request. What was recorded counts unless there is a policy to ask.
    fn question(&mut self, question: &Question, recorded: Option<Verdict>, at: Option<Seconds>) -> Result<(), Failure> {
        if self.at.is_none() && at.is_none() {
            self.replay.without_time += 1;
        }
        let at = self.at.or(at).unwrap_or(self.now);
        let before = match (&mut self.old, recorded) {
            (Some(old), _) => old.judge(question, at)?,
            (None, Some(recorded)) => Judged::Certain(recorded),
            (None, None) => Judged::Undecided("nothing was recorded".to_owned()),
        };
        let after = self.new.judge(question, at)?;
        let sample = || Sample {
            customer: question.request.customer.clone(),
            method: question.request.method.clone(),
            url: question.url(),
        };
        let tally = &mut self.replay.tally;
        match (before, after) {
            (Judged::Certain(before), Judged::Certain(after)) => tally.decided(before, after, sample),
            (Judged::Certain(before), Judged::Undecided(why)) => tally.undecided(Some(before), why, sample),
            (Judged::Undecided(why), _) => tally.undecided(None, why, sample),
        }
        Ok(())
    }
}

/// What there is to say besides, and how the run ends.
fn conclude(args: &Args, replay: &Replay, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let tally = &replay.tally;
    let log = args.log.display();
    for (line, why) in &replay.first_unreadable {
        terminal.note(plain(&format!("{log}:{line}: {why}")));
    }
    let counts: Vec<_> = Change::ALL
        .into_iter()
        .map(|change| (change, tally.count_of(change)))
        .filter(|(_, count)| *count > 0)
        .map(|(change, count)| format!("{count} {}", change.words()))
        .collect();
    let counts = if counts.is_empty() { "nothing changes".to_owned() } else { counts.join(", ") };
    terminal.note(format!("{}: {counts}", requests(tally.total())));
    if replay.without_time > 0 {
        terminal.note(format!("{} without a time, judged as of now", requests(replay.without_time)));
    }
    if replay.unreadable > 0 {
        let noun = if replay.unreadable == 1 { "entry" } else { "entries" };
        return Err(Failure::new(
            format!("{} {noun} of `{log}` cannot be read", replay.unreadable),
            "the first of them are named above; the others were replayed",
        ));
    }
    if tally.total() == 0 {
        return Err(Failure::new(
            format!("`{log}` holds no decision record and no request"),
            "log what the outbound Worker prints; `tidegate replay --help` says in which forms",
        ));
    }
    Ok(if !args.exit_code {
        Outcome::Fine
    } else if tally.changes() > 0 {
        Outcome::Found
    } else if tally.count_of(Change::Undecided) > 0 {
        Outcome::CouldNotWork
    } else {
        Outcome::Fine
    })
}

fn requests(count: u64) -> String {
    format!("{count} request{}", if count == 1 { "" } else { "s" })
}
