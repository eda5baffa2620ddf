//! CPU time of a request through dispatch → user → outbound Worker, on the platform and wired statically in workerd.
//!
//! The outbound Worker is as small as can be, so that what is compared is the way through and not what is on it; then
//! comes the real one. Only workerd's own CPU time counts: that of the two ends of the chain is this process's.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::Request;
use serde_json::json;
use tidegate_e2e::{Chain, Connection, Customer, LocalPlatform, OutboundWorker, PlainChain, Reply, Upstream};

use crate::deployments::{deploy, furnish};
use crate::figures::{cpu, ms, percentile};

const USER: &str = r#"
export default {
  async fetch(request) {
    if (new URL(request.url).pathname === "/nothing") return new Response("nothing");
    return fetch("https://api.example/");
  },
};
"#;

const OUTBOUND: &str = r#"
export default {
  fetch(request, env) {
    const headers = new Headers(request.headers);
    headers.set("x-customer", env.customer);
    return fetch(new Request(request, { headers, redirect: "manual" }));
  },
};
"#;

/// Pairs of runs, one run of each chain right after the other: whoever shares the machine slows both.
const ROUNDS: usize = 7;
const REQUESTS: usize = 1500;
const CONNECTIONS: usize = 8;

pub(crate) async fn measure() -> Result<()> {
    let upstream = Upstream::start().await?;
    upstream.otherwise(|_| Reply::text("ok"));
    let plain = PlainChain::around_text(OUTBOUND).user(USER).binding("customer", "acme").start(upstream.address());
    let plain = plain.await?;
    let platform = LocalPlatform::start(upstream.address()).await?;
    furnish(&platform, Some(OUTBOUND)).await?;
    deploy(&platform, "acme", USER).await?;
    println!("workerd's CPU time a request, median of {ROUNDS} runs of {REQUESTS} over {CONNECTIONS} connections:");
    for (what, path) in [("dispatch → user", "/nothing"), ("dispatch → user → outbound → upstream", "/")] {
        let ends = [(plain.address(), plain.pid()), (platform.address(), platform.pid()?)];
        compare(what, path, ends, &upstream).await?;
    }
    platform.stop().await;
    drop(plain);
    real_outbound_worker(&upstream).await
}

/// The same with Tidegate's own outbound Worker, which judges.
async fn real_outbound_worker(upstream: &Upstream) -> Result<()> {
    const POLICY: &str = r#"
policy = 1
identity = { customer = "customer_name" }
[[rule]]
id = "api"
effect = "allow"
hosts = ["api.example"]
"#;
    let plain = PlainChain::around(OutboundWorker::with_policy(POLICY)?).user(USER).binding("customer_name", "acme");
    let plain = plain.start(upstream.address()).await?;
    let customer = Customer::new("acme").parameters(Some(json!({ "customer_name": "acme" })));
    let chain = Chain::with_policy(POLICY)?.customer(customer).upstream(upstream.address()).start().await?;
    let path = "workers/dispatch/namespaces/customers/scripts/acme";
    let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-01-01" });
    let part = tidegate_e2e::Part::module("index.js", USER);
    chain.platform().api().upload(path, &metadata, &[part]).await?.result()?;
    let ends = [(plain.address(), plain.pid()), (chain.address(), chain.pid()?)];
    compare("the same, with Tidegate's own", "/", ends, upstream).await
}

/// Measures the static chain and the platform in turns.
async fn compare(what: &str, path: &str, ends: [(SocketAddr, u32); 2], upstream: &Upstream) -> Result<()> {
    for (address, _) in ends {
        run(address, path, REQUESTS / 3).await?;
    }
    let mut ratios = Vec::new();
    let mut times = [Vec::new(), Vec::new()];
    let mut latencies = Vec::new();
    for _ in 0..ROUNDS {
        let mut used = [Duration::ZERO; 2];
        for ((address, pid), used) in ends.into_iter().zip(&mut used) {
            let before = cpu(pid)?;
            latencies = run(address, path, REQUESTS).await?;
            *used = cpu(pid)?.saturating_sub(before) / u32::try_from(REQUESTS)?;
            // Nobody looks at it, and it would grow.
            upstream.take();
        }
        ratios.push(used[1].as_secs_f64() / used[0].as_secs_f64());
        for (times, used) in times.iter_mut().zip(used) {
            times.push(used);
        }
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let [floor, here] = times.each_mut().map(|times| percentile(times, 50));
    println!(
        "  {what:<38} static {:>4} µs  platform {:>4} µs  ratio {:.2} ({:.2} to {:.2}); latency p50 {}, p95 {}",
        floor.as_micros(),
        here.as_micros(),
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1],
        ms(percentile(&mut latencies, 50)),
        ms(percentile(&mut latencies, 95)),
    );
    Ok(())
}

/// Makes so many requests; says how long each took.
async fn run(address: SocketAddr, path: &str, requests: usize) -> Result<Vec<Duration>> {
    let worker = async || -> Result<Vec<Duration>> {
        let mut connection = Connection::open(address).await?;
        let mut latencies = Vec::new();
        for _ in 0..requests.div_ceil(CONNECTIONS) {
            let request = Request::builder().uri(path).header("host", "acme.apps.example").body(Body::empty())?;
            let begun = Instant::now();
            let answer = connection.send(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(&body));
            latencies.push(begun.elapsed());
        }
        Ok(latencies)
    };
    let all = futures_util::future::try_join_all((0..CONNECTIONS).map(|_| worker())).await?;
    Ok(all.into_iter().flatten().collect())
}
