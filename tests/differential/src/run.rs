//! The long run: many policies, many requests each, on all engines that are at hand, and a count of what came of it.
//!
//! Policies are numbered, and a number stands for the same policy and requests in every run of one seed, whatever else is
//! run beside it. Threads take the next number each; the first difference stops them all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use tidegate_compiler::checked::Effect;
use tidegate_compiler::diagnostic::{Code, Severity};
use tidegate_reference::{Answer, Reason};

use crate::difference::{compare, smallest_case};
use crate::generate::{self, Hints};
use crate::policy::{Compiled, Folder};
use crate::table::Table;

/// How much is run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Numbers of policies; some do not compile.
    pub policies: u64,
    /// Requests that each policy is asked.
    pub requests_per_policy: usize,
    /// Chooses the series.
    pub seed: u64,
    /// Threads.
    pub jobs: usize,
}

/// What was run, and what came out.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Digests of the tables.
    policies: BTreeSet<String>,
    /// Policies that did not compile, by the first error.
    pub rejected: BTreeMap<Code, u64>,
    pairs: u64,
    answers: BTreeMap<(bool, Reason), u64>,
    with_obligations: u64,
    with_token: u64,
    waived: u64,
    /// A case of the corpus for each difference that was found; the run ends with the first.
    pub differences: Vec<String>,
}

/// Runs everything.
pub fn run(settings: Settings) -> Result<Tally> {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let work = || {
        let result = work(settings, &next, &stop);
        stop.fetch_or(result.is_err(), Ordering::Relaxed);
        result
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..settings.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let mut tally = Tally::default();
        for thread in threads {
            match thread.join() {
                Ok(part) => tally.add(part?),
                Err(_) => bail!("a thread panicked; its words are above"),
            }
        }
        Ok(tally)
    })
}

fn work(settings: Settings, next: &AtomicU64, stop: &AtomicBool) -> Result<Tally> {
    let folder = Folder::new()?;
    let mut tally = Tally::default();
    while !stop.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= settings.policies {
            break;
        }
        let (policy, sketches) = generate::seeded(settings.seed, number);
        let compilation = folder.compile(&policy.text(), &policy.files())?;
        let error = compilation.diagnostics.iter().find(|finding| finding.severity == Severity::Error);
        let error = error.map(|finding| finding.code);
        let Some(compiled) = Compiled::of(compilation) else {
            *tally.rejected.entry(error.context("a policy without errors is none")?).or_default() += 1;
            continue;
        };
        let hints = Hints::of(&compiled.policy);
        let mut table = Table::load(&compiled.table)?;
        tally.policies.insert(table.digest().to_owned());
        for sketch in sketches.take(settings.requests_per_policy) {
            let request = sketch.request(&hints);
            let Ok(answer) = compare(&compiled, &mut table, &request, &|name| policy.secret(name)) else {
                stop.store(true, Ordering::Relaxed);
                tally.differences.push(smallest_case(&policy, &request)?);
                return Ok(tally);
            };
            tally.count(&answer);
        }
    }
    Ok(tally)
}

impl Tally {
    /// Pairs of a policy and a request.
    pub const fn pairs(&self) -> u64 {
        self.pairs
    }

    /// Policies that compiled, equal ones once.
    pub fn distinct_policies(&self) -> usize {
        self.policies.len()
    }

    /// How many answers were given for a reason.
    pub fn for_reason(&self, reason: Reason) -> u64 {
        self.answers.iter().filter(|((_, known), _)| *known == reason).map(|(_, count)| count).sum()
    }

    fn count(&mut self, answer: &Answer) {
        self.pairs += 1;
        *self.answers.entry((answer.effect == Effect::Allow, answer.reason)).or_default() += 1;
        self.waived += u64::from(!answer.enforced);
        if let Some(forwarded) = &answer.forwarded {
            let has_obligations =
                !forwarded.set.is_empty() || !forwarded.remove.is_empty() || forwarded.token.is_some();
            self.with_obligations += u64::from(has_obligations);
            self.with_token += u64::from(forwarded.token.is_some());
        }
    }

    fn add(&mut self, other: Self) {
        self.policies.extend(other.policies);
        for (code, count) in other.rejected {
            *self.rejected.entry(code).or_default() += count;
        }
        self.pairs += other.pairs;
        for (answer, count) in other.answers {
            *self.answers.entry(answer).or_default() += count;
        }
        self.with_obligations += other.with_obligations;
        self.with_token += other.with_token;
        self.waived += other.waived;
        self.differences.extend(other.differences);
    }

    fn forwarded(&self) -> u64 {
        self.answers.iter().filter(|((allows, _), _)| *allows).map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_pairs = |count| Share { count, of: self.pairs };
        let of_forwarded = |count| Share { count, of: self.forwarded() };
        writeln!(f, "distinct policies  {:>12}", self.policies.len())?;
        for (code, count) in &self.rejected {
            writeln!(f, "  not compiled     {count:>12}   {}", code.as_str())?;
        }
        writeln!(f, "pairs              {:>12}", self.pairs)?;
        writeln!(f, "differences        {:>12}", self.differences.len())?;
        writeln!(f)?;
        for ((allows, reason), count) in &self.answers {
            let effect = if *allows { "allow" } else { "deny" };
            writeln!(f, "{effect:<6}{:<22}  {}", reason.as_str(), of_pairs(*count))?;
        }
        writeln!(f)?;
        let by_default = self.for_reason(Reason::Default);
        writeln!(f, "not decided by default        {}", of_pairs(self.pairs.saturating_sub(by_default)))?;
        writeln!(f, "let through by report mode    {}", of_pairs(self.waived))?;
        writeln!(f, "forwarded                     {}", of_pairs(self.forwarded()))?;
        writeln!(f, "  of these with obligations   {}", of_forwarded(self.with_obligations))?;
        write!(f, "  of these with a token       {}", of_forwarded(self.with_token))
    }
}

/// A count and its share of another.
struct Share {
    count: u64,
    of: u64,
}

impl fmt::Display for Share {
    #[expect(clippy::cast_precision_loss, reason = "a share with one decimal")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = 100.0 * self.count as f64 / self.of.max(1) as f64;
        write!(f, "{:>12}  {percent:>5.1} %", self.count)
    }
}
