//! The tail Worker, which is told what the outbound Worker did, fails.
//!
//! On a chain wired by hand: the platform keeps `tail_consumers`, and runs none.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;
use tidegate_e2e::jwt::{Algorithm, SigningKey};
use tidegate_e2e::{Fetch, OutboundWorker, PlainChain, Tail, Upstream};

use super::{API_KEY, CREDENTIAL, HOSTS, MADE_BY, POLICY, is_not_shown, tokens_of};

/// What each of them prints when it is told something.
const TOLD: &str = "the tail was told";

const ROUNDS: usize = 3;

async fn goes_on_with(tail: Tail) -> Result<()> {
    let key = SigningKey::new(Algorithm::EdDsa, "k1")?;
    let upstream = Upstream::start().await?;
    let chain = PlainChain::around(OutboundWorker::with_policy(POLICY)?)
        .binding("customer_name", "acme")
        .binding("API_KEY", API_KEY)
        .binding("SIGNING_KEY", &key.private_pem)
        .tail(tail)
        .start(upstream.address())
        .await?;
    let mut outcomes = Vec::new();
    for (host, status) in HOSTS.iter().cycle().take(ROUNDS * HOSTS.len()) {
        let fetch = Fetch::get(format!("https://{host}/as-ever")).header(MADE_BY, "acme");
        let outcome = chain.fetch(fetch).await?;
        assert_eq!(outcome.status, Some(*status), "{host}: {outcome:?}");
        outcomes.push(outcome);
    }
    let arrived = upstream.captured();
    assert!(arrived.iter().any(|request| request.host == CREDENTIAL));
    let tokens = tokens_of(&arrived, &key)?;

    let log = chain
        .log_when(|log| decisions(log).len() >= outcomes.len() && log.iter().any(|line| line.contains(TOLD)))
        .await
        .context("a record is missing, or the tail Worker never ran")?;
    let records = decisions(&log);
    assert_eq!(records.len(), outcomes.len(), "each request leaves its record, whatever becomes of the tail");
    let allowed: Vec<_> = records.iter().filter(|record| record["effect"] == "allow").collect();
    assert_eq!(allowed.len(), arrived.len(), "what arrived was judged");
    for (record, request) in allowed.iter().zip(&arrived) {
        assert_eq!((&record["host"], &record["customer"]), (&request.host.as_str().into(), &"acme".into()));
    }
    let isolates: BTreeSet<_> = records.iter().filter_map(|record| record["isolate"].as_str()).collect();
    assert_eq!(isolates.len(), 1, "one isolate, from the first to the last");
    is_not_shown(&tokens, &key, &log.join("\n"), &outcomes)
}

fn decisions(log: &[String]) -> Vec<Value> {
    let records = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records.filter(|record| record["event"] == "decision").collect()
}

#[tokio::test]
async fn a_tail_that_throws_on_every_event_stops_nothing() -> Result<()> {
    goes_on_with(Tail::Buffered(format!(
        r#"export default {{ tail(events) {{ console.log("{TOLD}", JSON.stringify(events)); throw new Error("tail"); }} }};"#
    )))
    .await
}

#[tokio::test]
async fn a_tail_that_never_comes_back_stops_nothing() -> Result<()> {
    goes_on_with(Tail::Buffered(format!(
        r#"export default {{ async tail() {{ console.log("{TOLD}"); await new Promise(() => {{}}); }} }};"#
    )))
    .await
}

#[tokio::test]
async fn a_streaming_tail_that_throws_at_the_beginning_stops_nothing() -> Result<()> {
    goes_on_with(Tail::Streaming(format!(
        r#"export default {{ tailStream(event) {{ console.log("{TOLD}", JSON.stringify(event)); throw new Error("tail"); }} }};"#
    )))
    .await
}

#[tokio::test]
async fn a_streaming_tail_that_throws_at_everything_after_stops_nothing() -> Result<()> {
    goes_on_with(Tail::Streaming(format!(
        r#"export default {{
             tailStream() {{
               return (event) => {{ console.log("{TOLD}", JSON.stringify(event)); throw new Error("tail"); }};
             }},
           }};"#
    )))
    .await
}
