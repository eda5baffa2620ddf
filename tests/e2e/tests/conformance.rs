//! The conformance corpus, put to the third engine: the Wasm Worker in workerd, between a customer's Worker that fetches and an
//! upstream that keeps what arrives. The other two, in one process, are asked in `tests/differential`.
//!
//! Each case is an outbound Worker of its own (its policy is a custom section, nothing is rebuilt), each identity in it a
//! customer whose outbound parameters hold it. A workerd runs a handful of cases, and is asked one question after the other.

use anyhow::{Context, Result, bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value, json};
use tidegate_compiler::checked::{Algorithm, CheckedPolicy};
use tidegate_differential::corpus::{self, Case, Question};
use tidegate_differential::{Compiled, Request, Table};
use tidegate_e2e::jwt::{Token, VerifyingKeys};
use tidegate_e2e::observed::{COOKIE, Observed};
use tidegate_e2e::{Captured, Chain, Customer, Fetch, OutboundWorker, Outcome, Reply};
use tidegate_reference::{Answer, Reason};

/// Cases that one workerd runs.
const CASES_OF_A_CHAIN: usize = 12;

/// A workerd is busy on one core, this process on another.
const CHAINS_AT_ONCE: usize = 2;

/// The compatibility dates of the customers' Workers: one that resolves URLs as everybody does, and one that
/// passes on what was written.
const NEW_DATE: &str = "2026-01-01";
const OLD_DATE: &str = "2024-01-01";

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_answers_every_case_of_the_corpus_as_expected() -> Result<()> {
    let tally = run(corpus::read()?, NEW_DATE).await?;
    tally.assert_nothing_wrong();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_an_old_date_fares_no_better() -> Result<()> {
    let files = corpus::read()?.into_iter().filter(|(name, _)| ["urls", "paths", "hosts"].contains(&name.as_str()));
    let tally = run(files.collect(), OLD_DATE).await?;
    tally.assert_nothing_wrong();
    Ok(())
}

/// What was asked, and what was wrong.
#[derive(Debug, Default)]
struct Tally {
    asked: usize,
    /// Which the tenant's own `fetch` refuses to send.
    thrown: usize,
    /// Which hang on the date.
    dated: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn assert_nothing_wrong(&self) {
        let Self { asked, thrown, dated, wrong } = self;
        println!("{asked} questions asked, {thrown} thrown, {dated} dated; {} wrong", wrong.len());
        assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}

async fn run(files: Vec<(String, Vec<Case>)>, date: &'static str) -> Result<Tally> {
    let cases: Vec<(String, Case)> =
        files.into_iter().flat_map(|(file, cases)| cases.into_iter().map(move |case| (file.clone(), case))).collect();
    let chunks: Vec<Vec<(String, Case)>> = cases.chunks(CASES_OF_A_CHAIN).map(<[_]>::to_vec).collect();
    let tallies: Vec<Tally> = stream::iter(chunks)
        .map(|cases| async move { tokio::spawn(ask(cases, date)).await? })
        .buffer_unordered(CHAINS_AT_ONCE)
        .try_collect()
        .await?;
    Ok(tallies.into_iter().fold(Tally::default(), |mut sum, tally| {
        sum.asked += tally.asked;
        sum.thrown += tally.thrown;
        sum.dated += tally.dated;
        sum.wrong.extend(tally.wrong);
        sum
    }))
}

/// A case, ready to be asked.
struct Prepared {
    place: String,
    case: Case,
    compiled: Compiled,
    /// The outbound parameters of its questions, each once.
    parameters: Vec<Value>,
}

/// A question that was asked, and what became of it.
struct Asked<'c> {
    prepared: &'c Prepared,
    question: &'c Question,
    request: Request,
    body: String,
    expected: Answer,
    outcome: Outcome,
    arrived: Vec<Captured>,
}

/// Puts all questions of some cases to one workerd.
async fn ask(cases: Vec<(String, Case)>, date: &str) -> Result<Tally> {
    let prepared = cases.into_iter().map(|(file, case)| Prepared::new(&file, case)).collect::<Result<Vec<_>>>()?;
    let chain = start(&prepared, date).await?;
    let mut tally = Tally::default();
    let mut all = Vec::new();
    for (number, prepared) in prepared.iter().enumerate() {
        let mut table = Table::load(&prepared.compiled.table)?;
        for question in &prepared.case.questions {
            if question.is_dated() {
                tally.dated += 1;
                continue;
            }
            let request = question.request();
            let body = body(&request, all.len());
            let customer = customer(number, prepared.identity(question)?);
            let outcome =
                chain.fetch(&customer, fetch(&request, &body)).await.with_context(|| prepared.place.clone())?;
            let expected = table.judge(&request, &|name| prepared.case.secret(name));
            all.push(Asked { prepared, question, request, body, expected, outcome, arrived: chain.upstream().take() });
        }
    }
    let mut records = Records::of(&chain, &all).await?;
    for asked in &all {
        let checked = match asked.outcome.error {
            Some(_) => asked.check_thrown(),
            None => records.take(asked).and_then(|record| asked.check(&record)),
        };
        if let Err(error) = checked {
            tally.wrong.push(format!("{}: {error:#}", asked.name()));
        }
    }
    ensure!(records.0.is_empty(), "requests were judged that nobody made: {:?}", records.0);
    tally.thrown = all.iter().filter(|asked| asked.outcome.error.is_some()).count();
    tally.asked = all.len() - tally.thrown;
    Ok(tally)
}

/// The decision records of a chain, in order.
struct Records(Vec<Value>);

impl Records {
    /// All of them: one for each request that was refused or arrived.
    async fn of(chain: &Chain, all: &[Asked<'_>]) -> Result<Self> {
        let judged = all.iter().filter(|asked| asked.decision().is_some() || !asked.arrived.is_empty()).count();
        Ok(Self(chain.decisions_when(|records| records.len() >= judged).await?))
    }

    /// The record of a question: of a refusal by its id, of a request that arrived the next that let one out.
    fn take(&mut self, asked: &Asked<'_>) -> Result<Value> {
        let position = match (asked.decision(), asked.arrived.is_empty()) {
            (Some(id), true) => self.0.iter().position(|record| record["decision"] == id),
            (None, false) => self.0.iter().position(|record| record["effect"] == "allow"),
            _ => bail!("it was not refused, or arrived all the same: {:?} {:?}", asked.outcome, asked.arrived),
        };
        Ok(self.0.remove(position.context("no decision record")?))
    }
}

async fn start(cases: &[Prepared], date: &str) -> Result<Chain> {
    let mut chain: Option<tidegate_e2e::ChainBuilder> = None;
    for (number, prepared) in cases.iter().enumerate() {
        let name = format!("case-{number}");
        let worker = OutboundWorker::with_table(&prepared.compiled.table)?;
        let mut builder = match chain {
            None => Chain::around(worker),
            Some(builder) => builder.outbound(&name, worker),
        };
        for (name, value) in &prepared.case.secrets {
            builder = builder.secret(name, value);
        }
        for (identity, parameters) in prepared.parameters.iter().enumerate() {
            let mut known = Customer::new(&customer(number, identity))
                .compatibility_date(date)
                .parameters(Some(parameters.clone()));
            if number > 0 {
                known = known.through(&name);
            }
            builder = builder.customer(known);
        }
        chain = Some(builder);
    }
    let chain = chain.context("no cases")?.start().await?;
    chain.upstream().otherwise(|_| Reply::text("ok").header("set-cookie", COOKIE));
    Ok(chain)
}

fn customer(case: usize, identity: usize) -> String {
    format!("case-{case}-customer-{identity}")
}

/// The fetch that a tenant makes for a request.
fn fetch(request: &Request, body: &str) -> Fetch {
    let fetch = Fetch::new(&request.method, &request.url);
    let fetch = request.headers.iter().fold(fetch, |fetch, (name, value)| fetch.header(name, value));
    if body.is_empty() { fetch } else { fetch.octets(body) }
}

/// A body for what can have one.
fn body(request: &Request, number: usize) -> String {
    match request.method.to_ascii_uppercase().as_str() {
        "GET" | "HEAD" => String::new(),
        _ => format!("what question {number} says"),
    }
}

impl Prepared {
    fn new(file: &str, case: Case) -> Result<Self> {
        let place = format!("{file}: {}", case.name);
        let compiled = Compiled::new(&case.policy, &case.files).with_context(|| place.clone())?;
        let mut prepared = Self { place, case, compiled, parameters: Vec::new() };
        let all = prepared.case.questions.iter().map(|question| prepared.parameters_of(question));
        let all = all.collect::<Result<Vec<_>>>()?;
        for parameters in all {
            if !prepared.parameters.contains(&parameters) {
                prepared.parameters.push(parameters);
            }
        }
        Ok(prepared)
    }

    /// Which of the parameters are this question's.
    fn identity(&self, question: &Question) -> Result<usize> {
        let parameters = self.parameters_of(question)?;
        self.parameters.iter().position(|known| *known == parameters).context("parameters that nobody prepared")
    }

    /// The outbound parameters of a question: its customer and tags, where the policy looks for them.
    fn parameters_of(&self, question: &Question) -> Result<Value> {
        let mut parameters = Map::new();
        if let Some(identity) = &self.compiled.policy.identity {
            let tags = identity.tags.as_ref().zip(question.tags.as_ref());
            for (path, value) in question.customer.iter().map(|value| (&identity.customer, value)).chain(tags) {
                place(&mut parameters, path, value).with_context(|| self.place.clone())?;
            }
        }
        Ok(Value::Object(parameters))
    }
}

/// Puts a value at the end of a path of properties.
fn place(object: &mut Map<String, Value>, path: &[String], value: &Value) -> Result<()> {
    match path {
        [] => bail!("a path without steps"),
        [last] => ensure!(object.insert(last.clone(), value.clone()).is_none(), "`{last}` is taken"),
        [first, rest @ ..] => {
            let inner = object.entry(first.clone()).or_insert_with(|| json!({}));
            place(inner.as_object_mut().with_context(|| format!("`{first}` is no object"))?, rest, value)?;
        }
    }
    Ok(())
}

impl Asked<'_> {
    fn name(&self) -> String {
        let Self { prepared, request, .. } = self;
        format!("{}: {} {}", prepared.place, request.method, request.url)
    }

    /// The decision that a refusal names.
    fn decision(&self) -> Option<&str> {
        self.outcome.header("tidegate-decision")
    }

    /// What the tenant's own `fetch` refuses never got as far as being judged; it must be nothing that was to go out.
    fn check_thrown(&self) -> Result<()> {
        ensure!(self.arrived.is_empty(), "the fetch threw, and {:?} arrived", self.arrived);
        ensure!(self.expected.reason == Reason::InvalidRequest, "the fetch threw {:?}", self.outcome.error);
        Ok(())
    }

    /// Holds what became of it against the other engine's answer, and against what the case expects.
    fn check(&self, record: &Value) -> Result<()> {
        ensure!(self.arrived.len() <= 1, "more than one request arrived: {:?}", self.arrived);
        let observed = Observed { outcome: &self.outcome, record, arrived: self.arrived.first() };
        let answer = observed.answer(&self.expected, &mut |token| self.verify(token))?;
        ensure!(
            answer == self.expected,
            "the engines differ:\n    the Worker {answer:?}\n    expected   {:?}\n    the record {record}",
            self.expected
        );
        if let Some(arrived) = observed.arrived {
            let body = String::from_utf8_lossy(&arrived.body);
            ensure!(body == self.body, "the body {:?} arrives as {body:?}", self.body);
        }
        self.question.check(&answer)
    }

    /// Verifies a token with the key that the policy names, by its secret in this case.
    fn verify(&self, token: &str) -> Result<Token> {
        let forwarded = self.expected.forwarded.as_ref().context("nothing was to go out")?;
        let expected = forwarded.token.as_ref().context("no token was to go out")?;
        let policy: &CheckedPolicy = &self.prepared.compiled.policy;
        let key = policy.keys.iter().find(|key| key.id == expected.key).context("a key that the policy lacks")?;
        let secret = self.prepared.case.secret(&key.secret).context("the case lacks the key's secret")?;
        let keys = match key.alg {
            Algorithm::Hs256 => VerifyingKeys::default().shared(&key.kid, &secret),
            Algorithm::EdDsa | Algorithm::Es256 => VerifyingKeys::default().public_half(&key.kid, &secret)?,
        };
        keys.verify(&[token])?.pop().context("the verifier answered nothing")
    }
}
