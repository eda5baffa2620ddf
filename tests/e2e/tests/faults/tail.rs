//! The tail Worker, which is told what the outbound Worker did, fails.

use anyhow::{Context, Result};
use tidegate_e2e::{OutboundWorker, Tail};

use super::{POLICY, Platform};

/// What each of them prints when it is told something.
const TOLD: &str = "the tail was told";

async fn goes_on_with(tail: Tail) -> Result<()> {
    let mut platform = Platform::start(OutboundWorker::with_policy(POLICY)?, |chain| chain.tail(tail)).await?;
    for _ in 0..3 {
        platform.serves_everybody().await?;
    }
    let records = platform.chain.decisions_when(|records| records.len() >= 18).await?;
    assert_eq!(records.len(), 18, "each request leaves its record, whatever becomes of the tail");
    platform.keeps_its_secrets(&platform.chain.upstream().captured()).await?;
    platform
        .chain
        .log_when(|log| log.iter().any(|line| line.contains(TOLD)))
        .await
        .context("the tail Worker never ran")?;
    Ok(())
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
