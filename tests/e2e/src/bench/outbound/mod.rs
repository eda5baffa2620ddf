//! What an outbound Worker costs: ours beside others, in the same chain, wired statically in workerd.
//!
//! ```text
//!  wrk ─► user Worker ─► outbound Worker ─► upstream      each chain is a workerd of its own
//! ```
//!
//! All chains run at once and are loaded in turns, round after round, so that whoever shares the machine slows all alike: compare
//! the rows of one run. CPU is that of the workerd process, user and kernel mode, divided by the requests of the round. Each
//! outbound Worker was made warm before. The policy, and what is written by hand to do the same, denies a thousand
//! domains and allows two; a request carries three headers of the tenant's, its answer five.

mod load;
mod lookup;
mod names;
mod start;
mod upstream;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use axum::body::Body;
use hyper::Request;
use serde::Serialize;
use tempfile::TempDir;
use tidegate_e2e::jwt::{Algorithm, SigningKey};
use tidegate_e2e::{Connection, OutboundWorker, PlainBuilder, PlainChain, repository};

use crate::figures::cpu;
use crate::machine;
use upstream::Upstream;

const USER: &str = include_str!("../../../workers/bench/user.js");
const PASS_THROUGH: &str = include_str!("../../../workers/bench/pass-through.js");
const SAME_JOB: &str = include_str!("../../../workers/bench/same-job.js");
const PUBLISHED_SAMPLE: &str = include_str!("../../../workers/bench/published-sample.js");

const SHOP: &str = "https://api.shop.example/v1/items?page=2";
const SIGNED: &str = "https://api.signed.example/v1/items?page=2";

/// Domains that are denied.
const DENIED: usize = 1000;

/// How long a chain is made warm: until V8 has compiled all that is hot, Wasm included.
const WARM_UP: u32 = 4;

/// How it is measured.
pub(crate) struct Plan {
    /// Rounds.
    pub(crate) rounds: usize,
    /// Seconds a round and chain.
    pub(crate) seconds: u32,
    /// Names in the largest table, for what is measured besides.
    pub(crate) names: usize,
    /// The file with the figures.
    pub(crate) json: PathBuf,
}

impl Default for Plan {
    fn default() -> Self {
        Self { rounds: 9, seconds: 2, names: 1_000_000, json: repository().join("target/bench/workerd.json") }
    }
}

/// All figures, as they are written.
#[derive(Serialize)]
struct Report {
    machine: BTreeMap<&'static str, String>,
    rows: Vec<Row>,
    lookup: lookup::Lookup,
    start: Vec<start::Start>,
}

/// One chain's figures, a number for each round.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    what: &'static str,
    requests_per_second: Vec<f64>,
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
    cpu_us_per_request: Vec<f64>,
}

/// Measures, prints a table and writes the figures.
pub(crate) async fn measure(plan: &Plan) -> Result<()> {
    let folder = TempDir::with_prefix("tidegate-bench-")?;
    let wrk = load::prepare(folder.path())?;
    let reached = Upstream::start()?;
    let upstream = reached.address();
    let mut chains = Vec::new();
    let mut heads = BTreeMap::new();
    for (name, what, builder) in chains_to_compare()? {
        let chain = builder.without_dispatch().without_log().start(upstream).await.with_context(|| name.to_owned())?;
        heads.insert(name, first_head(&chain, &reached).await.with_context(|| name.to_owned())?);
        load::run(folder.path(), chain.address(), WARM_UP).with_context(|| name.to_owned())?;
        chains.push((Row::new(name, what), chain));
    }
    let [by_hand, ours] = ["js-same-job", "tidegate-headers"].map(|name| heads.get(name));
    ensure!(by_hand == ours, "the same job sends another request than ours:\n{by_hand:#?}\n{ours:#?}");
    for _ in 0..plan.rounds {
        for (row, chain) in &mut chains {
            row.measure(chain, folder.path(), plan.seconds).with_context(|| row.name.to_owned())?;
        }
    }
    let rows: Vec<Row> = chains.into_iter().map(|(row, _)| row).collect();
    let lookup = lookup::measure(plan.names, upstream).await?;
    let start = start::measure(plan.names, upstream).await?;
    let mut machine = machine::facts()?;
    machine.insert("load", wrk);
    let report = Report { machine, rows, lookup, start };
    report.print();
    report.write(&plan.json)
}

/// What arrives upstream of a chain that nobody has used yet.
async fn first_head(chain: &PlainChain, upstream: &Upstream) -> Result<String> {
    let request = Request::builder().uri("/").header("host", "shop.example").body(Body::empty())?;
    let answer = Connection::open(chain.address()).await?.send(request).await?;
    ensure!(answer.status() == 200, "{}", answer.status());
    upstream.last_head().context("nothing arrived")
}

/// Names, what they are, and how they are wired.
fn chains_to_compare() -> Result<Vec<(&'static str, &'static str, PlainBuilder)>> {
    let denied: Vec<String> = (0..DENIED).map(|n| format!("host{n:04}.tracker{}.example", n % 97)).collect();
    let list = serde_json::to_string(&denied)?;
    let user = |target: &str| USER.replace("TARGET", &format!("\"{target}\""));
    let script = |text: &str| {
        let chain = PlainChain::around_text(&text.replace("DENIED", &list));
        chain.user(&user(SHOP)).binding("customer_name", "acme")
    };
    let same_job = |records: bool| script(&SAME_JOB.replace("RECORDS", &records.to_string()));
    let key = SigningKey::new(Algorithm::Es256, "k1")?;
    let ours = |target: &str| -> Result<PlainBuilder> {
        let chain = PlainChain::around(OutboundWorker::with_policy(&policy(&list))?).user(&user(target));
        Ok(chain.binding("customer_name", "acme").binding("SIGNING_KEY", &key.private_pem))
    };
    Ok(vec![
        ("direct", "no outbound Worker", PlainChain::direct().user(&user(SHOP))),
        ("js-pass-through", "JavaScript: `fetch(request)`", script(PASS_THROUGH)),
        ("published-sample", "JavaScript: `some(includes)` over the block list, one header", script(PUBLISHED_SAMPLE)),
        ("js-same-job-unlogged", "JavaScript: as js-same-job, but without the decision record", same_job(false)),
        (
            "js-same-job",
            "JavaScript: URL parsed, suffixes looked up in sets, headers dropped and set, redirects by hand, one decision record",
            same_job(true),
        ),
        ("tidegate-headers", "Tidegate: a rule that allows and sets a header", ours(SHOP)?),
        ("tidegate-token", "Tidegate: a rule that allows and sends a token, ES256, from the cache", ours(SIGNED)?),
    ])
}

fn policy(denied: &str) -> String {
    format!(
        r#"
policy = 1
default = "deny"
identity = {{ customer = "customer_name" }}

[keys.platform]
alg = "ES256"
secret = "SIGNING_KEY"
kid = "k1"

[[rule]]
id = "no-trackers"
effect = "deny"
domains = {denied}

[[rule]]
id = "shop"
effect = "allow"
domains = ["shop.example"]
set = {{ x-customer = "{{customer}}" }}

[[rule]]
id = "signed"
effect = "allow"
domains = ["signed.example"]
jwt = {{ key = "platform", audience = "signed.example", ttl = "1h" }}
"#
    )
}

impl Row {
    fn new(name: &'static str, what: &'static str) -> Self {
        let [requests_per_second, p50_ms, p99_ms, cpu_us_per_request] = [const { Vec::new() }; 4];
        Self { name, what, requests_per_second, p50_ms, p99_ms, cpu_us_per_request }
    }

    /// One round more.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn measure(&mut self, chain: &PlainChain, folder: &Path, seconds: u32) -> Result<()> {
        let before = cpu(chain.pid())?;
        let round = load::run(folder, chain.address(), seconds)?;
        let used = cpu(chain.pid())?.saturating_sub(before);
        let requests = round.requests as f64;
        self.requests_per_second.push(requests / (round.microseconds as f64 / 1e6));
        self.p50_ms.push(round.p50 as f64 / 1e3);
        self.p99_ms.push(round.p99 as f64 / 1e3);
        self.cpu_us_per_request.push(used.as_secs_f64() * 1e6 / requests);
        Ok(())
    }
}

impl Report {
    /// Medians, and CPU against the same job and against the pass-through, as medians of the rounds' ratios.
    fn print(&self) {
        let cpu_of = |name: &str| self.rows.iter().find(|row| row.name == name).map(|row| &row.cpu_us_per_request);
        let ratio = |row: &Row, name: &str| {
            let against = cpu_of(name).into_iter().flatten();
            median(&row.cpu_us_per_request.iter().zip(against).map(|(ours, theirs)| ours / theirs).collect::<Vec<_>>())
        };
        println!(
            "{:<22} {:>10} {:>8} {:>8} {:>12} {:>9} {:>9}",
            "", "requests/s", "p50 ms", "p99 ms", "CPU µs", "same job", "pass"
        );
        for row in &self.rows {
            println!(
                "{:<22} {:>10.0} {:>8.2} {:>8.2} {:>12.0} {:>9.2} {:>9.2}",
                row.name,
                median(&row.requests_per_second),
                median(&row.p50_ms),
                median(&row.p99_ms),
                median(&row.cpu_us_per_request),
                ratio(row, "js-same-job"),
                ratio(row, "js-pass-through"),
            );
        }
        self.lookup.print();
        for start in &self.start {
            start.print();
        }
    }

    fn write(&self, file: &Path) -> Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        println!("written to {}", file.strip_prefix(repository()).unwrap_or(file).display());
        Ok(())
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
