//! The conformance corpus, put to the third engine: the Wasm Worker in workerd, between a customer's Worker that fetches and an
//! upstream that keeps what arrives. The other two, in one process, are asked in `tests/differential`.
//!
//! Each case is an outbound Worker of its own (its policy is a custom section, nothing is rebuilt), each identity in it a
//! customer whose outbound parameters hold it. A workerd runs a handful of cases, and is asked one question after the other.

mod tenant;

use anyhow::{Context, Result, anyhow, bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value, json};
use tidegate_cli::keys::{Jwks, public_keys};
use tidegate_compiler::checked::{Algorithm, CheckedPolicy, Effect};
use tidegate_differential::corpus::{self, Case, Question};
use tidegate_differential::{Compiled, Identity, Request, Table, reference};
use tidegate_e2e::jwt::{Token, VerifyingKeys};
use tidegate_e2e::observed::{COOKIE, Observed};
use tidegate_e2e::{Captured, Chain, Customer, Fetch, OutboundWorker, Outcome, Reply};
use tidegate_reference::{Answer, Reason};

use crate::tenant::{Date, is_unsent};

/// Cases that one workerd runs.
const CASES_OF_A_CHAIN: usize = 12;

/// A workerd is busy on one core, this process on another.
const CHAINS_AT_ONCE: usize = 2;

/// The largest secret that a Worker of the platform can have, in bytes.
const LARGEST_SECRET: usize = 5 * 1024;

/// How long the answer to an undated question must stay the same: the Worker's clock is real.
const CENTURY: i64 = 100 * 366 * 86_400;

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_answers_every_case_of_the_corpus_as_expected() -> Result<()> {
    let tally = run(corpus::read()?, Date::New).await?;
    // The corpus grows; what cannot be asked of the Worker does so only if somebody says it here.
    tally.assert_right(&Bounds { asked: 1200, unsent: 140, dated: 40 });
    Ok(())
}

/// The URLs that such a tenant can write are judged by the same rules, in one more spelling.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_an_old_date_fares_no_better() -> Result<()> {
    let files = corpus::read()?.into_iter().filter(|(name, _)| ["hosts", "paths", "urls"].contains(&name.as_str()));
    let tally = run(files.collect(), Date::Old).await?;
    tally.assert_right(&Bounds { asked: 500, unsent: 100, dated: 10 });
    Ok(())
}

/// What was asked, and what was wrong.
#[derive(Debug, Default)]
struct Tally {
    asked: usize,
    /// Which came to nothing in the tenant already.
    unsent: usize,
    /// Of these, which might have been allowed.
    excused: usize,
    /// Which hang on the date, so that the Worker cannot be asked.
    dated: usize,
    wrong: Vec<String>,
}

/// At least so many asked, at most so many of the others.
struct Bounds {
    asked: usize,
    unsent: usize,
    dated: usize,
}

impl Tally {
    fn add(mut self, other: Self) -> Self {
        self.asked += other.asked;
        self.unsent += other.unsent;
        self.excused += other.excused;
        self.dated += other.dated;
        self.wrong.extend(other.wrong);
        self
    }

    fn assert_right(&self, bounds: &Bounds) {
        let Self { asked, unsent, excused, dated, wrong } = self;
        println!(
            "{asked} questions asked, {unsent} not sent by the tenant's runtime ({excused} of them might have been \
             allowed), {dated} dated; {} wrong",
            wrong.len()
        );
        assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
        assert!(*asked >= bounds.asked, "only {asked} were asked");
        assert!(*unsent <= bounds.unsent && *dated <= bounds.dated, "{unsent} not sent, {dated} dated");
    }
}

async fn run(files: Vec<(String, Vec<Case>)>, date: Date) -> Result<Tally> {
    let cases: Vec<(String, Case)> =
        files.into_iter().flat_map(|(file, cases)| cases.into_iter().map(move |case| (file.clone(), case))).collect();
    let chunks: Vec<Vec<(String, Case)>> = cases.chunks(CASES_OF_A_CHAIN).map(<[_]>::to_vec).collect();
    let tallies: Vec<Tally> = stream::iter(chunks)
        .map(|cases| async move { tokio::spawn(ask(cases, date)).await? })
        .buffer_unordered(CHAINS_AT_ONCE)
        .try_collect()
        .await?;
    Ok(tallies.into_iter().fold(Tally::default(), Tally::add))
}

/// A case, ready to be asked.
struct Prepared {
    place: String,
    case: Case,
    compiled: Compiled,
    /// The id of its policy in decision records.
    digest: String,
    /// The outbound parameters of its questions, each once.
    parameters: Vec<Value>,
}

/// A question that was asked, and what became of it.
struct Asked<'c> {
    prepared: &'c Prepared,
    question: &'c Question,
    date: Date,
    request: Request,
    body: String,
    expected: Answer,
    outcome: Outcome,
    arrived: Vec<Captured>,
}

/// Puts all questions of some cases to one workerd.
async fn ask(cases: Vec<(String, Case)>, date: Date) -> Result<Tally> {
    let prepared = cases.into_iter().map(|(file, case)| Prepared::new(&file, case)).collect::<Result<Vec<_>>>()?;
    let chain = start(&prepared, date).await?;
    let mut tally = Tally::default();
    let mut all = Vec::new();
    for (number, prepared) in prepared.iter().enumerate() {
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
            let arrived = chain.upstream().take();
            let expected = prepared.expected(&request, date)?;
            all.push(Asked { prepared, question, date, request, body, expected, outcome, arrived });
        }
    }
    let (unsent, sent): (Vec<_>, Vec<_>) = all.into_iter().partition(|asked| is_unsent(&asked.request, &asked.outcome));
    let mut records = Records::of(&chain, &sent).await?;
    for asked in &sent {
        let checked = records.take(asked).and_then(|record| asked.check(&record));
        tally.wrong.extend(checked.err().map(|error| format!("{}: {error:#}", asked.name())));
    }
    for asked in &unsent {
        tally.wrong.extend(asked.check_unsent().err().map(|error| format!("{}: {error:#}", asked.name())));
    }
    // A request that was judged although the tenant's runtime said that it sent none is among these.
    tally.wrong.extend(records.0.iter().map(|record| format!("nobody asked this: {record}")));
    tally.asked = sent.len();
    tally.unsent = unsent.len();
    tally.excused = unsent.iter().filter(|asked| asked.expected.effect == Effect::Allow).count();
    Ok(tally)
}

/// The decision records of a chain, in order.
struct Records(Vec<Value>);

impl Records {
    /// All of them: one for each request that was refused or arrived.
    async fn of(chain: &Chain, sent: &[Asked<'_>]) -> Result<Self> {
        let judged = sent.iter().filter(|asked| asked.decision().is_some() || !asked.arrived.is_empty()).count();
        Ok(Self(chain.decisions_when(|records| records.len() >= judged).await?))
    }

    /// The record of a question: of a refusal by its id, of a request that arrived the next that let one out.
    fn take(&mut self, asked: &Asked<'_>) -> Result<Value> {
        let position = match (asked.decision(), asked.arrived.is_empty()) {
            (Some(id), true) => self.0.iter().position(|record| record["decision"] == id),
            (None, false) => self.0.iter().position(|record| record["effect"] == "allow"),
            (None, true) => bail!("it was neither refused nor did it arrive: {:?}", asked.outcome),
            (Some(_), false) => bail!("it was refused and arrived: {:?} {:?}", asked.outcome, asked.arrived),
        };
        Ok(self.0.remove(position.context("no decision record")?))
    }
}

async fn start(cases: &[Prepared], date: Date) -> Result<Chain> {
    let mut chain: Option<tidegate_e2e::ChainBuilder> = None;
    for (number, prepared) in cases.iter().enumerate() {
        let name = format!("case-{number}");
        let worker = OutboundWorker::with_table(&prepared.compiled.table)?;
        let mut builder = match chain {
            None => Chain::around(worker),
            Some(builder) => builder.outbound(&name, worker),
        };
        for (name, value) in prepared.case.secrets.iter().filter(|(_, value)| value.len() <= LARGEST_SECRET) {
            builder = builder.secret(name, value);
        }
        for (identity, parameters) in prepared.parameters.iter().enumerate() {
            let mut known = Customer::new(&customer(number, identity))
                .compatibility_date(date.as_str())
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
        let digest = Table::load(&compiled.table).with_context(|| place.clone())?.digest().to_owned();
        let mut prepared = Self { place, case, compiled, digest, parameters: Vec::new() };
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

    /// The reference's answer.
    fn expected(&self, request: &Request, date: Date) -> Result<Answer> {
        let read = Request { url: date.read(&request.url).to_owned(), ..request.clone() };
        let at = |now| reference(&self.compiled, &Request { now, ..read.clone() }, &|name| self.case.secret(name));
        let expected = at(request.now);
        ensure!(at(request.now + CENTURY) == expected, "{}: the answer hangs on the date: say `at`", self.place);
        Ok(expected)
    }

    /// The outbound parameters of a question: its customer, tags and variables, where the policy looks for them, and what is too
    /// large for a secret. In the Worker's `env` it makes no difference.
    fn parameters_of(&self, question: &Question) -> Result<Value> {
        let large = self.case.secrets.iter().filter(|(_, value)| value.len() > LARGEST_SECRET);
        let mut parameters: Map<_, _> = large.map(|(name, value)| (name.clone(), json!(value))).collect();
        if let Some(identity) = &self.compiled.policy.identity {
            let tags = identity.tags.as_ref().zip(question.tags.as_ref());
            let vars = identity.vars.as_ref().zip(question.vars.as_ref());
            let customer = question.customer.iter().map(|value| (&identity.customer, value));
            for (path, value) in customer.chain(tags).chain(vars) {
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

    /// What came to nothing in the tenant must not arrive, nor be what the Worker would have let out; unless the runtime is known
    /// to send no such requests.
    fn check_unsent(&self) -> Result<()> {
        ensure!(self.arrived.is_empty(), "it was not sent, and {:?} arrived", self.arrived);
        let excused = self.date.excuse(&self.request, &self.outcome);
        ensure!(self.expected.effect == Effect::Deny || excused.is_some(), "it was not sent: {:?}", self.outcome.error);
        Ok(())
    }

    /// Holds what became of it against the other engine's answer, and against what the case expects.
    fn check(&self, record: &Value) -> Result<()> {
        ensure!(self.arrived.len() <= 1, "more than one request arrived: {:?}", self.arrived);
        self.check_asker(record)?;
        let observed = Observed { outcome: Some(&self.outcome), record, arrived: self.arrived.first() };
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
        // What the runtime reads otherwise is another question than the case's.
        if self.date.read(&self.request.url) == self.request.url { self.question.check(&answer) } else { Ok(()) }
    }

    /// Holds the record to the policy and the customer that the question is about.
    fn check_asker(&self, record: &Value) -> Result<()> {
        let Prepared { compiled, digest, .. } = self.prepared;
        let Identity { customer, .. } = &self.request.identity;
        let customer = customer.as_ref().filter(|_| compiled.policy.identity.is_some());
        // Names that no customer can have do not go to the log.
        let is_shown =
            self.expected.reason != Reason::UnknownCustomer && self.expected.reason != Reason::InvalidRequest;
        ensure!(record["policy"] == json!(digest), "another policy judged it: {record}");
        ensure!(!is_shown || record["customer"] == json!(customer), "it was judged for another customer: {record}");
        Ok(())
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
            Algorithm::EdDsa | Algorithm::Es256 => {
                let public =
                    public_keys(&secret).map_err(|error| anyhow!("the secret of key `{}`: {error}", key.id))?;
                VerifyingKeys::default().jwks(&Jwks::new(public.into_iter().map(|jwk| jwk.named(Some(&key.kid))))?)?
            }
        };
        keys.verify(&[token])?.pop().context("the verifier answered nothing")
    }
}
