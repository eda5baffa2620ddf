//! `cargo xtask demo`: a policy with a real blocklist, the real Worker, two customers and an upstream, on one machine.

mod blocklist;
mod requests;
mod table;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};
use tidegate_e2e::jwt::{Algorithm, SigningKey, VerifyingKeys};
use tidegate_e2e::{ACCOUNT, Chain, Customer, OutboundWorker, Reply};

use crate::requests::Step;
use crate::table::Row;

#[tokio::main]
async fn main() -> ExitCode {
    let keep = std::env::args().any(|argument| argument == "--keep");
    match run(keep).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(keep: bool) -> Result<()> {
    let policy = blocklist::policy_with_the_full_list()?;
    let key = SigningKey::new(Algorithm::Es256, "2026-11")?;
    progress("key pair `2026-11`, as `tidegate keys new --alg ES256` makes it");

    let started = Instant::now();
    let worker = OutboundWorker::with_policy_file(&policy)?;
    progress(&format!(
        "compiled the policy and put it into the Worker: {} ms (unoptimised)",
        started.elapsed().as_millis()
    ));

    let customer = |name: &str, tags: &Value| {
        Customer::new(name).parameters(Some(json!({ "customer_name": name, "customer_tags": tags })))
    };
    let chain = Chain::around(worker)
        .customer(customer("acme", &json!(["paid"])))
        .customer(customer("globex", &json!([])))
        .secret("TIDEGATE_KEY_PLATFORM", &key.private_pem)
        .secret("GEOCODER_KEY", "geo-4711")
        .start()
        .await?;
    chain
        .upstream()
        .on("https://open.data.example/moved", |_| Reply::redirect(302, "http://169.254.169.254/latest/meta-data/"));
    progress(&format!("workerd (process {}) runs the platform on http://{}", chain.pid()?, chain.address()));

    let keys = VerifyingKeys::default().public(&key);
    let mut rows = Vec::new();
    for step in requests::steps() {
        rows.extend(take(&chain, &step, &keys).await?);
    }
    println!();
    table::print(&rows);
    println!();
    table::print_summary(&rows);
    if keep {
        stay(&chain).await?;
    }
    Ok(())
}

/// Lets one request be made and gathers what was decided about each of its hops, and what of it arrived.
async fn take(chain: &Chain, step: &Step, keys: &VerifyingKeys) -> Result<Vec<Row>> {
    let before = chain.decisions().len();
    step.make(chain).await?;
    let captured = chain.upstream().take();
    let allowed = |records: &[Value]| records.iter().skip(before).filter(|record| record["effect"] == "allow").count();
    let records = match step.customer {
        Some(_) => {
            let enough = |records: &[Value]| records.len() > before && allowed(records) >= captured.len();
            chain.decisions_when(enough).await?.split_off(before)
        }
        None => vec![chain.direct_record().await?],
    };
    let allowed = records.iter().filter(|record| record["effect"] == "allow").count();
    if allowed != captured.len() {
        anyhow::bail!(
            "{step}: {allowed} requests were allowed, but {} arrived; is another program using this platform?",
            captured.len()
        );
    }
    let mut arrived = captured.iter();
    let row = |(hop, record): (usize, &Value)| {
        let request = if record["effect"] == "allow" { arrived.next() } else { None };
        Row::new(step, hop, record, request, keys)
    };
    records.iter().enumerate().map(row).collect()
}

/// Keeps everything running and shows the decisions as they come.
async fn stay(chain: &Chain) -> Result<()> {
    let (address, api) = (chain.address(), chain.platform().api());
    println!(
        "\nThe platform goes on running on http://{address}; Ctrl-C stops it. Let a customer's Worker fetch something:\n"
    );
    println!(
        "  curl http://{address}/ -H 'host: acme.apps.example' -d '[{{\"url\":\"https://api.billing.example/v1/invoices\"}}]'\n"
    );
    println!("The API, with which more Workers can be deployed:\n");
    println!("  export CLOUDFLARE_API_BASE_URL={}", api.base());
    println!("  export CLOUDFLARE_API_TOKEN={} CLOUDFLARE_ACCOUNT_ID={ACCOUNT}\n", api.token());
    println!("Its decisions:");
    let mut shown = chain.decisions().len();
    loop {
        tokio::select! {
            () = asked_to_stop() => return Ok(()),
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
        chain.upstream().take();
        for record in chain.decisions().iter().skip(shown) {
            println!("  {record}");
            shown += 1;
        }
    }
}

/// Waits for Ctrl-C, or for `kill` where there is one: workerd must not outlive this process.
async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
            }
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

fn progress(line: &str) {
    eprintln!("demo: {line}");
}
