//! With one, two and four workerds behind the socket.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use tidegate_chart::Scale;
use tidegate_e2e::{Connection, Part, Upstream};
use tidegate_platform::names::NamespaceName;
use tidegate_platform::store::Store;

use super::Plan;
use super::page::{Curve, Page, Section, mib, ms};
use super::session::Session;
use super::traffic::{Traffic, ask};
use crate::figures::percentile;

const SIZES: [usize; 3] = [1, 2, 4];

const CONNECTIONS: usize = 16;

/// Each number of processes so often, in turns: whoever shares the machine slows all.
const ROUNDS: usize = 3;

const DEPLOYMENTS: usize = 50;

/// Answers with what tells its isolate from others; computes for a millisecond or two; fetches.
const USER: &str = r#"
let isolate;
export default {
  async fetch(request) {
    isolate ??= crypto.randomUUID();
    const { pathname } = new URL(request.url);
    if (pathname === "/compute") {
      let sum = 0;
      for (let i = 0; i < 500_000; i++) sum = (sum * 31 + i) | 0;
      return new Response(sum === 1 ? "never" : isolate);
    }
    if (pathname === "/fetch") await (await fetch("https://api.example/")).text();
    return new Response(isolate);
  },
};
"#;

const WORKLOADS: [(&str, [&str; 3]); 3] = [
    ("/", ["answer, requests/s", "answer, CPU/request", "answer, busiest"]),
    ("/fetch", ["fetch, requests/s", "fetch, CPU/request", "fetch, busiest"]),
    ("/compute", ["compute, requests/s", "compute, CPU/request", "compute, busiest"]),
];

pub(super) async fn measure(plan: &Plan, upstream: &Upstream, page: &mut Page) -> Result<()> {
    let data = tempfile::tempdir()?;
    let store = Store::open(data.path())?;
    store.create_namespace(&NamespaceName::parse("customers")?)?;
    store.close();
    let mut section = Section::new(
        "processes",
        "workerd processes",
        "`--processes N`, one user Worker, sixteen connections that are opened one after another. *answer* is dispatch → user Worker; *fetch* the same and one request through an \
         outbound Worker; *compute* a user Worker that keeps the processor busy. *busiest* is the share in per cent of the requests that the busiest process served. CPU is all \
         workerds' together. Medians of three rounds. Clients and upstream share the cores with the workerds: what several can gain is what those leave.",
        "processes",
    );
    let sizes = plan.up_to(&SIZES);
    let mut rounds: Vec<Vec<Vec<(&'static str, f64)>>> = vec![Vec::new(); sizes.len()];
    for round in 0..ROUNDS {
        for (size, kept) in sizes.iter().zip(&mut rounds) {
            let session = Session::start(data.path(), upstream.address(), &["--processes", &size.to_string()]).await?;
            if round == 0 {
                furnish(&session).await?;
            }
            kept.push(figures(&session, upstream).await?);
            session.stop().await?;
        }
    }
    for (size, rounds) in sizes.into_iter().zip(rounds) {
        let figures = medians(&rounds);
        println!("{size} processes: {figures:?}");
        section.add(size, figures);
    }
    page.add(
        &section,
        &[
            Curve {
                title: "requests per second",
                columns: &["answer, requests/s", "fetch, requests/s", "compute, requests/s"],
                y: Scale::Linear,
            },
            Curve {
                title: "CPU a request (milliseconds)",
                columns: &["answer, CPU/request", "fetch, CPU/request", "compute, CPU/request"],
                y: Scale::Linear,
            },
            Curve { title: "memory of all workerds (MiB)", columns: &["at rest", "under load"], y: Scale::Linear },
        ],
    );
    Ok(())
}

async fn furnish(session: &Session) -> Result<()> {
    let metadata = |bindings: serde_json::Value| json!({ "main_module": "index.js", "compatibility_date": "2026-01-01", "bindings": bindings });
    let outbound = "export default { fetch: (request) => fetch(request) };";
    let binding = json!({
        "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "customers",
        "outbound": { "worker": { "service": "outbound" } },
    });
    let dispatcher = "export default { fetch: (request, env) => env.DISPATCHER.get('acme').fetch(request) };";
    for (path, code, bindings) in [
        ("workers/scripts/outbound", outbound, json!([])),
        ("workers/scripts/dispatcher", dispatcher, json!([binding])),
        ("workers/dispatch/namespaces/customers/scripts/acme", USER, json!([])),
    ] {
        session.api.upload(path, &metadata(bindings), &[Part::module("index.js", code)]).await?.result()?;
    }
    Ok(())
}

async fn figures(session: &Session, upstream: &Upstream) -> Result<Vec<(&'static str, f64)>> {
    let mut figures = vec![("start", ms(session.started)), ("at rest", mib(session.memory_of_workerds()?))];
    let hosts = ["acme.apps.example".to_owned()];
    for (path, [rate, time, busiest]) in WORKLOADS {
        // Warm, and measured.
        Traffic::of(session.workers, &hosts, path, CONNECTIONS, Duration::from_millis(500)).await?;
        let before = session.cpu_of_workerds()?;
        let traffic = Traffic::of(session.workers, &hosts, path, CONNECTIONS, Duration::from_secs(3)).await?;
        let used = session.cpu_of_workerds()?.saturating_sub(before);
        upstream.take();
        figures.push((rate, traffic.per_second()));
        figures.push((time, ms(used / u32::try_from(traffic.requests().max(1))?)));
        figures.push((busiest, 100.0 * traffic.largest_share()));
    }
    figures.push(("under load", mib(session.memory_of_workerds()?)));
    let mut connection = Connection::open(session.workers).await?;
    let mut live = Vec::new();
    for number in 0..DEPLOYMENTS {
        let code = format!("{USER}\n// {number}");
        let begun = Instant::now();
        let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-01-01" });
        let path = "workers/dispatch/namespaces/customers/scripts/acme";
        session.api.upload(path, &metadata, &[Part::module("index.js", &code)]).await?.result()?;
        let answer = ask(&mut connection, &hosts[0], "/").await?;
        live.push(begun.elapsed());
        ensure!(!answer.is_empty(), "no answer");
    }
    figures.push(("live p50", ms(percentile(&mut live, 50))));
    figures.push(("live p99", ms(percentile(&mut live, 99))));
    Ok(figures)
}

/// Of each figure its median over the rounds.
fn medians(rounds: &[Vec<(&'static str, f64)>]) -> Vec<(&'static str, f64)> {
    let names = rounds.first().into_iter().flatten().map(|(name, _)| *name);
    let median = |(place, name): (usize, &'static str)| {
        let mut values: Vec<_> = rounds.iter().filter_map(|round| round.get(place)).map(|(_, value)| *value).collect();
        values.sort_unstable_by(f64::total_cmp);
        (name, values.get(values.len() / 2).copied().unwrap_or_default())
    };
    names.enumerate().map(median).collect()
}
