//! The Worker traps in the middle of a request: a build that does so where the request says it (`crates/worker/src/trap.rs`).

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::{Body, Bytes};
use futures_util::stream;
use http_body_util::BodyExt;
use tidegate_e2e::{Act, Fetch, OutboundWorker, Outcome, RawUpstream, Reply, repository};
use tokio::sync::{Barrier, Semaphore};

use super::{API_KEY, MADE_BY, POLICY, Platform};

/// All the ways in which an instance ends. The runtime has another exception for each but the first two.
const WAYS: [&str; 5] = ["abort", "panic", "recurse", "recurse-with-memory", "throw"];

const HEADER: &str = "x-deliberate-trap";
const API: &str = "https://api.example.com/";

async fn platform() -> Result<Platform> {
    let platform = Platform::start(OutboundWorker::that_traps(POLICY)?, |chain| chain).await?;
    // What arrived says whether its answer springs a trap.
    platform.chain.upstream().on(&format!("{API}sprung"), |request| {
        Reply::text("ok").header(HEADER, &request.header("x-spring").unwrap_or_default())
    });
    Ok(platform)
}

/// How often an instance was lost, by the log.
fn lost(log: &[String]) -> usize {
    log.iter().filter(|line| line.contains(r#"{"event":"instance-lost"}"#)).count()
}

/// The operator was told each time, and nothing has run since in an instance that was lost.
async fn was_lost(platform: &Platform, times: usize) -> Result<()> {
    platform.chain.log_when(|log| lost(log) >= times).await?;
    let log = platform.chain.log();
    assert_eq!(lost(&log), times);
    let ran: Vec<_> = log.iter().filter(|line| line.contains(r#""event":"dead-instance-ran""#)).collect();
    assert!(ran.is_empty(), "{ran:#?}");
    Ok(())
}

#[tokio::test]
async fn a_request_that_traps_before_it_is_judged_goes_nowhere_and_all_others_are_served() -> Result<()> {
    let mut platform = platform().await?;
    platform.serves_everybody().await?;
    for (number, way) in WAYS.into_iter().enumerate() {
        let fetch = Fetch::get(format!("{API}trapped")).header(HEADER, format!("before-judgement {way}"));
        let outcome = platform.fetch("acme", fetch).await?;
        assert!(outcome.error.is_some(), "{way}: {outcome:?}");
        platform.serves_everybody().await?;
        was_lost(&platform, number + 1).await.context(way)?;
    }
    let arrived = platform.chain.upstream().captured();
    assert!(arrived.iter().all(|request| request.path != "/trapped"), "nothing goes out unjudged");
    assert!(platform.chain.decisions().iter().all(|record| record["path"] != "/trapped"), "nor was it judged");
    platform.keeps_its_secrets(&arrived).await
}

#[tokio::test]
async fn a_request_that_traps_with_its_credential_in_hand_goes_nowhere_and_all_others_are_served() -> Result<()> {
    let mut platform = platform().await?;
    platform.serves_everybody().await?;
    for (number, way) in WAYS.into_iter().enumerate() {
        let fetch = Fetch::get(format!("{API}trapped")).header(HEADER, format!("before-sending {way}"));
        let outcome = platform.fetch("acme", fetch).await?;
        assert!(outcome.error.is_some(), "{way}: {outcome:?}");
        platform.serves_everybody().await?;
        was_lost(&platform, number + 1).await.context(way)?;
    }
    let arrived = platform.chain.upstream().captured();
    assert!(arrived.iter().all(|request| request.path != "/trapped"), "what did not go out stays here");
    let judged = |records: &[serde_json::Value]| records.iter().filter(|record| record["path"] == "/trapped").count();
    platform.chain.decisions_when(|records| judged(records) == WAYS.len()).await?;
    platform.keeps_its_secrets(&arrived).await
}

#[tokio::test]
async fn an_answer_at_which_the_worker_traps_reaches_nobody_and_all_others_are_served() -> Result<()> {
    let mut platform = platform().await?;
    for (number, way) in WAYS.into_iter().enumerate() {
        let fetch = Fetch::get(format!("{API}sprung")).header("x-spring", format!("after-the-answer {way}"));
        let outcome = platform.fetch("acme", fetch).await?;
        assert!(outcome.error.is_some(), "{way}: {outcome:?}");
        platform.serves_everybody().await?;
        was_lost(&platform, number + 1).await.context(way)?;
    }
    platform.keeps_its_secrets(&platform.chain.upstream().captured()).await
}

/// Another customer's request is under way while one traps. Its answer, which shows a secret, comes before any other request does,
/// or after.
async fn answer_to_a_dead_instance(platform: &mut Platform, way: &str, others_first: bool) -> Result<Outcome> {
    let release = Arc::new(Barrier::new(2));
    let (held, slow) = (Arc::clone(&release), format!("{API}slow-{way}"));
    platform
        .chain
        .upstream()
        .on(&slow, move |_| Reply::text("slow").header("x-echo", API_KEY).after(Arc::clone(&held)));

    let chain = &platform.chain;
    let arrived = || chain.upstream().captured().iter().any(|request| request.url() == slow);
    let (slow, trapped) = tokio::join!(chain.fetch("beta", Fetch::get(&slow).header(MADE_BY, "beta")), async {
        while !arrived() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let trap = Fetch::get(format!("{API}trapped")).header(HEADER, format!("before-sending {way}"));
        let trapped = chain.fetch("acme", trap).await;
        if others_first {
            assert_eq!(chain.fetch("acme", Fetch::get(API).header(MADE_BY, "acme")).await?.status, Some(200));
        }
        release.wait().await;
        trapped
    });
    let (slow, trapped) = (slow?, trapped?);
    assert!(trapped.error.is_some(), "{trapped:?}");
    platform.outcomes.extend([slow.clone(), trapped]);
    platform.serves_everybody().await?;
    Ok(slow)
}

#[tokio::test]
async fn an_answer_that_comes_back_to_a_dead_instance_is_lost_and_runs_nothing_in_the_fresh_one() -> Result<()> {
    let mut platform = platform().await?;
    for (number, way) in WAYS.into_iter().enumerate() {
        let outcome = answer_to_a_dead_instance(&mut platform, way, false).await?;
        // wasm-bindgen's words.
        assert!(
            outcome.error.as_deref().is_some_and(|error| error.contains("Module terminated")),
            "{way}: {outcome:?}"
        );
        was_lost(&platform, number + 1).await.context(way)?;
    }
    platform.keeps_its_secrets(&platform.chain.upstream().captured()).await
}

#[tokio::test]
async fn an_answer_that_comes_back_after_the_fresh_instance_was_made_is_looked_through_by_that() -> Result<()> {
    let mut platform = platform().await?;
    for (number, way) in WAYS.into_iter().enumerate() {
        let outcome = answer_to_a_dead_instance(&mut platform, way, true).await?;
        assert_eq!((outcome.status, outcome.body.as_str()), (Some(200), "slow"), "{way}: {outcome:?}");
        assert_eq!(outcome.header("x-echo"), Some("***"), "{way}: {outcome:?}");
        was_lost(&platform, number + 1).await.context(way)?;
    }
    platform.keeps_its_secrets(&platform.chain.upstream().captured()).await
}

/// What comes instead of an answer has its way through Wasm too.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_off_after_a_trap_is_not_told_to_the_dead_instance() -> Result<()> {
    let broken = Arc::new(Semaphore::new(0));
    let until = Arc::clone(&broken);
    let upstream = RawUpstream::start(move |request| match request.path.as_str() {
        "/reset" => vec![Act::Await(Arc::clone(&until)), Act::Reset],
        "/no-status" => {
            vec![Act::Await(Arc::clone(&until)), Act::send("HTTP/1.1 600 OK\r\ncontent-length: 0\r\n\r\n")]
        }
        _ => vec![Act::send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine")],
    })?;
    let mut platform =
        Platform::start(OutboundWorker::that_traps(POLICY)?, |chain| chain.upstream(upstream.address())).await?;
    for (number, path) in ["/reset", "/no-status"].into_iter().enumerate() {
        let chain = &platform.chain;
        let (lost, trapped) = tokio::join!(
            chain.fetch("beta", Fetch::get(format!("{API}{}", &path[1..])).header(MADE_BY, "beta")),
            async {
                while !upstream.captured().iter().any(|request| request.path == path) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                let trap = Fetch::get(format!("{API}trapped")).header(HEADER, "before-sending abort");
                let trapped = chain.fetch("acme", trap).await;
                broken.add_permits(1);
                trapped
            }
        );
        let (lost, trapped) = (lost?, trapped?);
        assert!(trapped.error.is_some(), "{trapped:?}");
        let is_lost = lost.error.as_deref().is_some_and(|error| error.contains("Module terminated"));
        // What is wrong with a status is seen in JavaScript.
        assert!(is_lost || (path == "/no-status" && lost.status == Some(502)), "{path}: {lost:?}");
        platform.outcomes.extend([lost, trapped]);
        platform.serves_everybody().await?;
        was_lost(&platform, number + 1).await.context(path)?;
    }
    platform.keeps_its_secrets(&upstream.captured()).await
}

#[tokio::test]
async fn a_body_that_was_under_way_when_another_request_trapped_arrives_whole() -> Result<()> {
    let mut platform = platform().await?;
    let second_half = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&second_half);
    platform.chain.upstream().on("https://open.example.com/long", move |_| {
        let held = Arc::clone(&held);
        Reply::text(Body::from_stream(stream::unfold(0, move |sent| {
            let held = Arc::clone(&held);
            async move {
                if sent == 1 {
                    held.acquire().await.ok()?.forget();
                }
                (sent < 2).then_some((Ok::<_, std::io::Error>(Bytes::from_static(b"half")), sent + 1))
            }
        })))
    });
    let fetch = Fetch::get("https://open.example.com/long").header(MADE_BY, "beta");
    let mut body = platform.chain.stream("beta", &fetch, "GET", Body::empty()).await?.into_body();
    let first = body.frame().await.context("no body")??;
    assert_eq!(first.data_ref().map(|data| &data[..]), Some(&b"half"[..]));

    let trap = Fetch::get(format!("{API}trapped")).header(HEADER, "before-judgement abort");
    assert!(platform.fetch("acme", trap).await?.error.is_some());
    platform.serves_everybody().await?;
    second_half.add_permits(1);
    assert_eq!(body.collect().await?.to_bytes(), "half");
    platform.keeps_its_secrets(&platform.chain.upstream().captured()).await
}

#[tokio::test]
async fn the_worker_that_is_shipped_springs_no_trap() -> Result<()> {
    let has_trap = |build: &str| -> Result<bool> {
        let folder = repository().join("build").join(build);
        let modules = ["index.js", "index_bg.wasm"].map(|module| std::fs::read(folder.join(module)));
        let [glue, wasm] = modules;
        let marker = b"a deliberate trap";
        Ok([glue?, wasm?].iter().any(|bytes| bytes.windows(marker.len()).any(|window| window == marker)))
    };
    assert!(has_trap("worker-that-traps")?, "the marker is one");
    assert!(!has_trap("worker")?);

    let mut platform = Platform::start(OutboundWorker::with_policy(POLICY)?, |chain| chain).await?;
    for place in ["before-judgement", "before-sending"] {
        for way in WAYS {
            let outcome = platform.fetch("acme", Fetch::get(API).header(HEADER, format!("{place} {way}"))).await?;
            assert_eq!(outcome.status, Some(200), "{outcome:?}");
        }
    }
    was_lost(&platform, 0).await
}
