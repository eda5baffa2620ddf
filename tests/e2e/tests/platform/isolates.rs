//! More user Workers than isolates are kept.

use std::num::NonZeroUsize;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::*;

#[tokio::test]
async fn four_hundred_workers_are_served_while_the_least_recently_used_isolates_are_evicted() -> Result<()> {
    const WORKERS: usize = 400;
    let running = Running::start().await?;
    // Each says its name and how many requests its isolate has seen: an evicted one begins anew.
    let code = |number: usize| {
        format!("let seen = 0; export default {{ fetch: () => new Response(`{number} ${{++seen}}`) }};")
    };
    stream::iter(0..WORKERS)
        .map(|number| {
            let running = &running;
            async move { running.user(&format!("w{number}"), &code(number)).await.map(drop) }
        })
        .buffer_unordered(8)
        .try_collect::<()>()
        .await?;
    let ask = async |number: usize| -> Result<u32> {
        let text = running.text(&format!("w{number}"), "/").await?;
        let (name, seen) = text.split_once(' ').context("no name")?;
        ensure!(name == number.to_string(), "w{number} answered {text}");
        Ok(seen.parse()?)
    };
    for number in 0..WORKERS {
        assert_eq!(ask(number).await?, 1, "w{number} was never asked before");
    }
    assert_eq!(ask(WORKERS - 1).await?, 2, "the one that was used last is there still");
    assert_eq!(ask(0).await?, 1, "the one that was used least recently began anew");
    Ok(())
}

#[tokio::test]
async fn as_many_isolates_are_kept_as_are_asked_for() -> Result<()> {
    let running = Running::with(|options| options.isolates = NonZeroUsize::MIN).await?;
    let code = "let seen = 0; export default { fetch: () => new Response(String(++seen)) };";
    running.user("first", code).await?;
    running.user("second", code).await?;
    assert_eq!([running.text("first", "/").await?, running.text("first", "/").await?], ["1", "2"]);
    assert_eq!(running.text("second", "/").await?, "1");
    // What runs is not evicted; that nothing does is known with the next sign of life.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(running.text("first", "/").await?, "1", "it began anew");
    Ok(())
}
