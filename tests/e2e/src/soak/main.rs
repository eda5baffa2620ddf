//! `cargo xtask soak --minutes N`: mixed traffic at saturation, every answer checked, memory watched.
//!
//! One workerd, one outbound isolate, several customers. Requests are put together at random (`traffic`), and each is held
//! against what the reference interpreter says to it (`books`). Meanwhile workerd's memory is sampled every second (`memory`); at
//! the end it is drawn, and growth over the last half that is more than noise is a failure (`report`).

mod books;
mod memory;
mod platform;
mod report;
mod traffic;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use axum::body::Body;
use fastrand::Rng;
use http_body_util::BodyExt;
use tidegate_e2e::{Chain, Connection, Outcome, repository};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::books::{Books, Finished, Oracle, Tally};
use crate::memory::Sample;
use crate::platform::{MESSAGE, long_body};
use crate::traffic::{Errand, Kind};

/// Clients at once, and fetches that a tenant makes at once for each: more than workerd's one thread can serve.
const CLIENTS: u64 = 16;
const BATCH: u64 = 8;

/// How long workerd is given at the end for requests whose customers hung up.
const QUIET: Duration = Duration::from_secs(5);

/// Where the first errand's random numbers come from: a soak can be repeated.
const SEED: u64 = 2026;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    duration: Duration,
    out: PathBuf,
}

impl Arguments {
    fn read() -> Result<Self> {
        let mut arguments = Self { duration: Duration::from_mins(10), out: repository().join("build/soak.svg") };
        let mut given = std::env::args().skip(1);
        while let Some(name) = given.next() {
            let value = given.next().with_context(|| format!("`{name}` takes a value"))?;
            match name.as_str() {
                "--minutes" => {
                    let minutes: f64 = value.parse().with_context(|| format!("`{value}` is no number of minutes"))?;
                    arguments.duration = Duration::try_from_secs_f64(minutes * 60.0)?;
                }
                "--out" => arguments.out = PathBuf::from(value),
                _ => bail!("no option `{name}`; there are `--minutes N` and `--out FILE`"),
            }
        }
        Ok(arguments)
    }
}

/// What all share.
struct Soak {
    chain: Chain,
    oracle: Oracle,
    next: AtomicU64,
    judged: AtomicU64,
    is_over: AtomicBool,
}

impl Soak {
    fn over(&self, errand: Errand, outcome: Option<Outcome>, streamed: u64) -> Finished {
        let expected = self.oracle.answers(&errand);
        Finished { errand, expected, outcome, streamed, at: Instant::now() }
    }
}

async fn run() -> Result<()> {
    let Arguments { duration, out } = Arguments::read()?;
    let (chain, oracle, books) = platform::start().await?;
    eprintln!("soak: workerd (process {}) for {:.1} minutes, seed {SEED}", chain.pid()?, duration.as_secs_f64() / 60.0);
    let soak = Arc::new(Soak { chain, oracle, next: 1.into(), judged: 0.into(), is_over: false.into() });
    let (finished, to_settle) = unbounded_channel();
    let clients: Vec<_> =
        (0..CLIENTS).map(|client| tokio::spawn(client_of(Arc::clone(&soak), client, finished.clone()))).collect();
    drop(finished);
    let settled = tokio::spawn(settle(Arc::clone(&soak), books, to_settle));
    let samples = sample(&soak, duration).await?;
    soak.is_over.store(true, Ordering::SeqCst);
    let mut failed = Vec::new();
    for client in clients {
        failed.extend(client.await?.err());
    }
    let mut tally = settled.await?;
    for error in failed {
        tally.wrong(&format!("a client gave up: {error:#}"));
    }
    report::conclude(&samples, &tally, &out)
}

/// Looks at workerd every second.
async fn sample(soak: &Soak, duration: Duration) -> Result<Vec<Sample>> {
    let start = Instant::now();
    let mut samples = Vec::new();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    while start.elapsed() <= duration {
        second.tick().await;
        let judged = soak.judged.load(Ordering::SeqCst);
        samples.push(Sample { at: start.elapsed(), memory: soak.chain.memory()?, judged });
        if samples.len() % 60 == 0 {
            eprintln!("soak: {} min, {judged} requests", samples.len() / 60);
        }
    }
    Ok(samples)
}

/// Settles errands as they finish.
async fn settle(soak: Arc<Soak>, mut books: Books, mut finished: UnboundedReceiver<Finished>) -> Tally {
    let mut is_open = true;
    while is_open || !books.is_settled() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        loop {
            match finished.try_recv() {
                Ok(errand) => books.enter(errand),
                Err(error) => {
                    is_open = error == tokio::sync::mpsc::error::TryRecvError::Empty;
                    break;
                }
            }
        }
        tokio::task::block_in_place(|| books.settle(&soak.chain));
        soak.judged.store(books.tally.judged, Ordering::SeqCst);
    }
    // Nobody is asking any more, and what was asked by those who hung up is soon done.
    tokio::time::sleep(QUIET).await;
    books.close(&soak.chain)
}

/// Does one errand after the other until it is over.
async fn client_of(soak: Arc<Soak>, client: u64, finished: UnboundedSender<Finished>) -> Result<()> {
    let mut random = Rng::with_seed(SEED + client);
    let mut connection = soak.chain.connection().await?;
    while !soak.is_over.load(Ordering::SeqCst) {
        let kind = match random.u32(..40) {
            0 => Kind::HangUp,
            1 => Kind::Socket,
            2 => Kind::Stream,
            _ => Kind::Fetch,
        };
        let over = if kind == Kind::Fetch {
            let first = soak.next.fetch_add(BATCH, Ordering::SeqCst);
            fetch(&soak, &mut connection, traffic::batch(first..first + BATCH, &mut random)).await?
        } else {
            let errand = traffic::errand(soak.next.fetch_add(1, Ordering::SeqCst), kind, &mut random);
            let patience = Duration::from_millis(random.u64(1..60));
            vec![go(&soak, errand, patience).await?]
        };
        for errand in over {
            let _ = finished.send(errand);
        }
    }
    Ok(())
}

/// Several fetches at once.
async fn fetch(soak: &Soak, connection: &mut Connection, errands: Vec<Errand>) -> Result<Vec<Finished>> {
    let tenant = errands.first().context("no errands")?.tenant;
    let fetches: Vec<_> = errands.iter().map(Errand::fetch).collect();
    let outcomes = connection.fetch_all(tenant, &fetches).await?;
    Ok(errands.into_iter().zip(outcomes).map(|(errand, outcome)| soak.over(errand, Some(outcome), 0)).collect())
}

/// An errand that takes a connection of its own.
async fn go(soak: &Soak, errand: Errand, patience: Duration) -> Result<Finished> {
    let (chain, tenant, fetch) = (&soak.chain, errand.tenant, errand.fetch());
    match errand.kind {
        Kind::HangUp => {
            let _ = tokio::time::timeout(patience, chain.stream(tenant, &fetch, "GET", Body::empty())).await;
            Ok(soak.over(errand, None, 0))
        }
        Kind::Socket => {
            let outcome = chain.converse(tenant, &fetch.send(MESSAGE)).await?;
            Ok(soak.over(errand, Some(outcome), 0))
        }
        _ => {
            let answer = chain.stream(tenant, &fetch, "POST", long_body()).await?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await?.to_bytes();
            let headers = head.headers.iter();
            let outcome = Outcome {
                status: Some(head.status.as_u16()),
                status_text: None,
                headers: headers
                    .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                    .collect(),
                body: String::from_utf8_lossy(&body[..body.len().min(4096)]).into_owned(),
                url: String::new(),
                error: None,
            };
            Ok(soak.over(errand, Some(outcome), body.len() as u64))
        }
    }
}
