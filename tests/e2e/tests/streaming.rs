//! Bodies stream both ways: nothing of ours holds them.
#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::{Body, Bytes};
use futures_util::stream;
use http_body_util::BodyExt;
use tidegate_e2e::{Chain, Customer, Fetch, Reply};
use tokio::sync::Semaphore;

const MIB: u64 = 1024 * 1024;
const CHUNK: usize = 64 * 1024;
const SMALL: u64 = 16 * MIB;
const LARGE: u64 = 256 * MIB;
/// What a body sixteen times as large may cost on top.
const ALLOWANCE: u64 = 32 * MIB;

const POLICY: &str = r#"
policy  = 1
default = "deny"
[[rule]]
id     = "files"
effect = "allow"
hosts  = ["files.example.com"]
set    = { x-tenant = "{customer}" }
"#;

async fn chain() -> Result<Chain> {
    Chain::with_policy(POLICY)?.customer(Customer::new("acme")).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_256_mib_takes_hardly_more_memory_than_one_of_16() -> Result<()> {
    let (small, large) = (peak_of_upload(SMALL).await?, peak_of_upload(LARGE).await?);
    println!("upload: peak {} MiB for 16 MiB, {} MiB for 256 MiB", small / MIB, large / MIB);
    assert!(large <= small + ALLOWANCE, "{large} bytes against {small}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_of_256_mib_takes_hardly_more_memory_than_one_of_16() -> Result<()> {
    let (small, large) = (peak_of_download(SMALL).await?, peak_of_download(LARGE).await?);
    println!("download: peak {} MiB for 16 MiB, {} MiB for 256 MiB", small / MIB, large / MIB);
    assert!(large <= small + ALLOWANCE, "{large} bytes against {small}");
    Ok(())
}

/// A body of so many bytes, whose second half waits until it is asked for.
fn body(size: u64, second_half: Arc<Semaphore>) -> Body {
    let chunks = size / CHUNK as u64;
    let chunk = Bytes::from(vec![0x5a; CHUNK]);
    Body::from_stream(stream::unfold(0, move |sent| {
        let (chunk, second_half) = (chunk.clone(), Arc::clone(&second_half));
        async move {
            if sent == chunks / 2 {
                second_half.acquire().await.ok()?.forget();
            }
            (sent < chunks).then_some((Ok::<_, std::io::Error>(chunk), sent + 1))
        }
    }))
}

/// Uploads to the upstream in a fresh process; the second half leaves only when the first has begun to arrive.
async fn peak_of_upload(size: u64) -> Result<u64> {
    let chain = Arc::new(chain().await?);
    let second_half = Arc::new(Semaphore::new(0));
    let upload = {
        let (chain, body) = (Arc::clone(&chain), body(size, Arc::clone(&second_half)));
        let fetch = Fetch::new("PUT", "https://files.example.com/");
        tokio::spawn(async move { chain.stream("acme", &fetch, "PUT", body).await })
    };
    within_a_minute(async {
        while chain.upstream().received_bytes() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .context("no byte arrives before the last one is sent: the upload is held somewhere")?;
    second_half.add_permits(1);
    assert_eq!(within_a_minute(upload).await???.status(), 200);
    assert_eq!(chain.upstream().received_bytes(), size);
    assert_eq!(chain.upstream().captured()[0].header("x-tenant").as_deref(), Some("acme"));
    chain.peak_memory()
}

/// Downloads from the upstream in a fresh process; the second half is sent only when the first has begun to arrive.
async fn peak_of_download(size: u64) -> Result<u64> {
    let chain = chain().await?;
    let second_half = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&second_half);
    chain.upstream().on("https://files.example.com/", move |_| Reply::text(body(size, Arc::clone(&gate))));
    let fetch = Fetch::get("https://files.example.com/");
    let mut answer = within_a_minute(chain.stream("acme", &fetch, "GET", Body::empty())).await??.into_body();
    let first = within_a_minute(answer.frame())
        .await
        .context("no byte arrives before the last one is sent: the download is held somewhere")?;
    let mut received = first.context("no body")??.data_ref().map_or(0, |data| data.len() as u64);
    second_half.add_permits(1);
    while let Some(frame) = within_a_minute(answer.frame()).await? {
        received += frame?.data_ref().map_or(0, |data| data.len() as u64);
    }
    assert_eq!(received, size);
    chain.peak_memory()
}

async fn within_a_minute<T>(work: impl Future<Output = T>) -> Result<T> {
    Ok(tokio::time::timeout(Duration::from_mins(1), work).await?)
}
