//! The books: what was set out to be done, what the reference says to it, what was seen of it.
//!
//! An errand is settled when the log holds a record for each of its hops. Then each hop is put together as an answer
//! ([`Observed`]) and held against the reference's; what is left over at the end was asked by nobody.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate_compiler::checked::Effect;
use tidegate_differential::{Compiled, reference};
use tidegate_e2e::jwt::{Token, VerifyingKeys};
use tidegate_e2e::observed::Observed;
use tidegate_e2e::{Captured, Chain, Outcome};
use tidegate_reference::{Answer, Reason};

use crate::platform::{MESSAGE, SECRETS, STREAMED, greeting, is_large, is_silent};
use crate::traffic::{Errand, Kind, number_of};

/// The longest that a record may take to reach us.
const RECORD: Duration = Duration::from_secs(30);

/// As many faults as are kept in words.
const KEPT: usize = 20;

/// What the reference says.
pub(crate) struct Oracle {
    policy: Compiled,
    secrets: HashMap<&'static str, String>,
}

impl Oracle {
    pub(crate) fn new(policy: Compiled, secrets: HashMap<&'static str, String>) -> Self {
        Self { policy, secrets }
    }

    /// The answers to the hops of an errand, as far as they come to be judged.
    pub(crate) fn answers(&self, errand: &Errand) -> Vec<Answer> {
        let secret = |name: &str| self.secrets.get(name).cloned();
        let mut answers = Vec::new();
        for hop in &errand.hops {
            answers.push(reference(&self.policy, hop, &secret));
            if answers.last().is_some_and(|answer| answer.effect == Effect::Deny) {
                break;
            }
        }
        answers
    }
}

/// An errand that is over.
pub(crate) struct Finished {
    pub(crate) errand: Errand,
    /// What the reference says to its hops.
    pub(crate) expected: Vec<Answer>,
    /// What the tenant saw; nothing if it hung up.
    pub(crate) outcome: Option<Outcome>,
    /// Of a stream, the bytes that came back.
    pub(crate) streamed: u64,
    pub(crate) at: Instant,
}

pub(crate) struct Books {
    keys: VerifyingKeys,
    /// What arrived and what was recorded, by the number of the errand.
    arrived: HashMap<u64, Vec<Captured>>,
    records: HashMap<u64, Vec<Value>>,
    /// Records of URLs that cannot be judged, which show no path: by decision.
    unreadable: HashMap<String, Value>,
    pending: Vec<Finished>,
    /// Errands whose customers hung up. What becomes of them, if anything, may come late: they are settled last.
    hung_up: Vec<Finished>,
    /// Tokens that have been verified.
    tokens: HashMap<String, Token>,
    pub(crate) tally: Tally,
}

/// What it came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests that were judged, redirects included.
    pub(crate) judged: u64,
    /// Errands by kind.
    pub(crate) errands: BTreeMap<Kind, u64>,
    /// Requests by effect and reason.
    pub(crate) answers: BTreeMap<(Effect, Reason), u64>,
    /// Tokens that were verified, each once.
    pub(crate) tokens: usize,
    pub(crate) wrong: u64,
    /// The first of them.
    pub(crate) faults: Vec<String>,
}

impl Tally {
    /// Counts a fault.
    pub(crate) fn wrong(&mut self, fault: &str) {
        self.wrong += 1;
        if self.faults.len() < KEPT {
            self.faults.push(fault.to_owned());
        }
    }
}

impl Books {
    pub(crate) fn new(keys: VerifyingKeys) -> Self {
        Self {
            keys,
            arrived: HashMap::new(),
            records: HashMap::new(),
            unreadable: HashMap::new(),
            pending: Vec::new(),
            hung_up: Vec::new(),
            tokens: HashMap::new(),
            tally: Tally::default(),
        }
    }

    /// One more errand is over.
    pub(crate) fn enter(&mut self, finished: Finished) {
        *self.tally.errands.entry(finished.errand.kind).or_default() += 1;
        let kept = if finished.errand.kind == Kind::HangUp { &mut self.hung_up } else { &mut self.pending };
        kept.push(finished);
    }

    /// Takes what has been seen since the last time, and settles what can be.
    pub(crate) fn settle(&mut self, chain: &Chain) {
        self.take(chain);
        let pending = std::mem::take(&mut self.pending);
        self.pending = pending.into_iter().filter_map(|finished| self.settled(finished)).collect();
    }

    fn take(&mut self, chain: &Chain) {
        for arrived in chain.upstream().take() {
            match number_of(&arrived.path) {
                Some(number) => self.arrived.entry(number).or_default().push(arrived),
                None => self.tally.wrong(&format!("nobody asked this: {arrived:?}")),
            }
        }
        for record in chain.take_decisions() {
            self.tally.judged += 1;
            if let Some(number) = record["path"].as_str().and_then(number_of) {
                self.records.entry(number).or_default().push(record);
            } else {
                let decision = record["decision"].as_str().unwrap_or_default().to_owned();
                self.unreadable.insert(decision, record);
            }
        }
    }

    /// Checks an errand; gives it back if it is too early.
    fn settled(&mut self, finished: Finished) -> Option<Finished> {
        match self.check(&finished) {
            Ok(true) => {}
            Ok(false) => return Some(finished),
            Err(error) => self.tally.wrong(&format!("{:?}: {error:#}", finished.errand)),
        }
        self.arrived.remove(&finished.errand.number);
        self.records.remove(&finished.errand.number);
        None
    }

    /// Whether nothing is left to be settled.
    pub(crate) fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }

    /// Settles what could not be before, and counts what is left over.
    pub(crate) fn close(mut self, chain: &Chain) -> Tally {
        self.settle(chain);
        for finished in std::mem::take(&mut self.hung_up) {
            self.settled(finished);
        }
        for arrived in std::mem::take(&mut self.arrived).values().flatten() {
            self.tally.wrong(&format!("nobody asked this: {arrived:?}"));
        }
        for record in std::mem::take(&mut self.records).values().flatten().chain(self.unreadable.clone().values()) {
            self.tally.wrong(&format!("nobody asked this: {record}"));
        }
        self.tally.tokens = self.tokens.len();
        self.tally
    }

    /// Holds an errand to the reference; `false` if it is too early.
    fn check(&mut self, finished: &Finished) -> Result<bool> {
        let Finished { errand, expected, outcome, at, .. } = finished;
        let decision = outcome.as_ref().and_then(|outcome| outcome.header("tidegate-decision"));
        if let Some(record) = decision.and_then(|decision| self.unreadable.remove(decision)) {
            self.records.entry(errand.number).or_default().push(record);
        }
        let records = self.records.get(&errand.number).map_or(&[][..], Vec::as_slice);
        let arrived = self.arrived.entry(errand.number).or_default();
        if errand.kind == Kind::Broken {
            // Where no answer comes workerd asks again, for the same.
            arrived.dedup();
        }
        let hung_up = errand.kind == Kind::HangUp;
        if !hung_up && records.len() < expected.len() {
            ensure!(at.elapsed() < RECORD, "{} records of {}, {outcome:?}", records.len(), expected.len());
            return Ok(false);
        }
        let let_out = expected.iter().filter(|answer| answer.effect == Effect::Allow).count();
        ensure!(records.len() <= expected.len(), "more was judged than was asked: {records:?}");
        ensure!(arrived.len() == let_out || (hung_up && arrived.len() < let_out), "{arrived:?} arrived of {let_out}");
        for (hop, (record, expected)) in records.iter().zip(expected).enumerate() {
            // What is refused is the last, so arrivals and hops have the same place.
            let is_last = hop + 1 == errand.hops.len() || expected.effect == Effect::Deny;
            let broke_off = errand.kind == Kind::Broken && expected.effect == Effect::Allow;
            let outcome = outcome.as_ref().filter(|_| is_last && !broke_off);
            let observed = Observed { outcome, record, arrived: arrived.get(hop) };
            let answer = observed.answer(expected, &mut |token| verified(&mut self.tokens, &self.keys, token))?;
            ensure!(answer == *expected, "the engines differ:\n    the Worker {answer:?}\n    expected   {expected:?}");
            *self.tally.answers.entry((answer.effect, answer.reason)).or_default() += 1;
        }
        if let Some((answer, arrived)) = expected.last().zip(arrived.last())
            && answer.effect == Effect::Allow
            && !hung_up
        {
            check_let_out(finished, arrived)?;
        }
        Ok(true)
    }
}

/// What the tenant and the upstream got of a request that was let out.
fn check_let_out(finished: &Finished, arrived: &Captured) -> Result<()> {
    let Finished { errand, outcome, streamed, .. } = finished;
    let outcome = outcome.as_ref().context("the tenant saw nothing")?;
    if errand.kind == Kind::Broken {
        let told = outcome.problem().is_some_and(|problem| problem["reason"] == "upstream-failed");
        let fails =
            if is_silent(&arrived.path) { outcome.status == Some(502) && told } else { outcome.error.is_some() };
        ensure!(fails, "the upstream broke off, and the tenant saw {outcome:?}");
        return Ok(());
    }
    let (sent, answered) = match errand.kind {
        Kind::Stream => (STREAMED, *streamed),
        _ => (errand.body.len() as u64, outcome.body.len() as u64),
    };
    let answer = match errand.kind {
        Kind::Stream => STREAMED,
        Kind::Socket => MESSAGE.len() as u64,
        _ if outcome.status == Some(101) || arrived.method == "HEAD" => 0,
        _ if is_large(&arrived.path) => STREAMED,
        _ => greeting(errand.number).len() as u64,
    };
    ensure!(matches!(outcome.status, Some(101 | 200)), "the tenant saw {outcome:?}");
    ensure!(arrived.length == sent, "{} of {sent} bytes arrived", arrived.length);
    ensure!(answered == answer, "{answered} of {answer} bytes came back: {outcome:?}");
    // A token begins with `eyJ`; so may the hash of what a runtime chose at random for an upgrade.
    let shown = outcome
        .headers
        .iter()
        .filter(|(name, _)| name != "sec-websocket-accept")
        .find(|(_, value)| SECRETS.iter().any(|(_, secret)| value.contains(secret)) || value.contains("eyJ"));
    ensure!(shown.is_none(), "an answer shows a credential: {shown:?}");
    Ok(())
}

/// What a token says. Each is verified once: they are used again and again.
fn verified(known: &mut HashMap<String, Token>, keys: &VerifyingKeys, token: &str) -> Result<Token> {
    if let Some(claims) = known.get(token) {
        return Ok(claims.clone());
    }
    let claims = keys.verify(&[token])?.pop().context("the verifier answered nothing")?;
    known.insert(token.to_owned(), claims.clone());
    Ok(claims)
}
