//! New code serves once it is accepted, and until then what was there before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::Request;

use super::*;

#[tokio::test]
async fn what_does_not_start_is_refused_with_its_message_and_what_served_goes_on_serving() -> Result<()> {
    let running = Running::start().await?;
    running.user("acme", &saying("first")).await?;
    let broken = [
        ("export default { fetch( }", "SyntaxError"),
        ("import './nowhere.js'; export default {};", "nowhere.js"),
        ("throw new Error('at the top'); export default {};", "at the top"),
        ("export default { fetch: await fetch('https://api.example/') };", "Disallowed operation"),
    ];
    for (code, message) in broken {
        let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-01-01" });
        let answer = running.platform.api().upload(&user("acme"), &metadata, &[Part::module("index.js", code)]).await?;
        assert_eq!((answer.status, answer.code()?), (400, 10021), "{code}");
        assert!(answer.message()?.contains(message), "{code}: {}", answer.message()?);
        assert_eq!(running.text("acme", "/").await?, "first");
    }
    for (date, flags) in [("2099-01-01", json!([])), ("yesterday", json!([])), ("2026-01-01", json!(["no_such_flag"]))]
    {
        let metadata = json!({ "main_module": "index.js", "compatibility_date": date, "compatibility_flags": flags });
        let parts = [Part::module("index.js", &saying("second"))];
        let answer = running.platform.api().upload(&user("acme"), &metadata, &parts).await?;
        assert_eq!((answer.status, answer.code()?), (400, 10021), "{date} {flags}");
        assert_eq!(running.text("acme", "/").await?, "first");
    }
    Ok(())
}

#[tokio::test]
async fn code_that_hangs_while_it_starts_is_refused_and_costs_nobody_anything() -> Result<()> {
    let running = Running::start().await?;
    running.user("acme", &saying("first")).await?;
    let pid = running.platform.pid()?;
    let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-01-01" });
    let hangs = [Part::module("index.js", "for (;;) {} export default {};")];
    let api = running.platform.api();
    let served = AtomicBool::new(false);
    let path = user("acme");
    let (answer, others) = tokio::join!(
        async {
            let answer = api.upload(&path, &metadata, &hangs).await;
            served.store(true, Ordering::Relaxed);
            answer
        },
        async {
            let mut answers = 0;
            while !served.load(Ordering::Relaxed) {
                running.text("acme", "/").await?;
                answers += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            anyhow::Ok(answers)
        }
    );
    let answer = answer?;
    assert_eq!((answer.status, answer.code()?), (400, 10021));
    assert!(answer.message()?.contains("startup exceeded CPU time limit"), "{}", answer.message()?);
    assert!(others? > 0, "others were served meanwhile");
    assert_eq!(running.platform.pid()?, pid, "by the same workerd");
    running.user("acme", &saying("second")).await?;
    assert_eq!(running.text("acme", "/").await?, "second");
    Ok(())
}

#[tokio::test]
async fn deploying_drops_no_request_and_the_answer_to_it_means_that_it_serves() -> Result<()> {
    let running = Running::start().await?;
    running.user("acme", &saying("0")).await?;
    let done = AtomicBool::new(false);
    let traffic = async {
        let mut answers = 0;
        while !done.load(Ordering::Relaxed) {
            running.text("acme", "/").await?.parse::<u32>()?;
            answers += 1;
        }
        anyhow::Ok(answers)
    };
    let deployments = async {
        for version in 1..=40 {
            running.user("acme", &saying(&version.to_string())).await?;
            ensure!(running.text("acme", "/").await? == version.to_string(), "version {version} does not serve yet");
        }
        anyhow::Ok(())
    };
    let deployments = async {
        let deployed = deployments.await;
        // What breaks the deployments ends the traffic, too.
        done.store(true, Ordering::Relaxed);
        deployed
    };
    let (answers, ()) = tokio::try_join!(traffic, deployments)?;
    assert!(answers > 0);
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_under_way_ends_on_the_code_that_it_began_on() -> Result<()> {
    let running = Running::start().await?;
    running.upstream.otherwise(echo_stamp);
    let slow = r#"
        export default {
          async fetch(request) {
            const { readable, writable } = new IdentityTransformStream();
            const write = async () => {
              const writer = writable.getWriter();
              const encoder = new TextEncoder();
              await writer.write(encoder.encode("begun "));
              await new Promise((resolve) => setTimeout(resolve, 700));
              const answer = await (await fetch("https://api.example/")).text();
              await writer.write(encoder.encode(`old ${answer}`));
              await writer.close();
            };
            write();
            return new Response(readable);
          },
        };
    "#;
    running.user("acme", slow).await?;
    let request = Request::builder().uri("/").header("host", "acme.apps.example").body(Body::empty())?;
    let mut answer = running.platform.send(request).await?.into_body();
    let begun = answer.frame().await.context("no answer")??;
    assert_eq!(begun.into_data().ok().as_deref(), Some(&b"begun "[..]));
    running.user("acme", &saying("new")).await?;
    assert_eq!(running.text("acme", "/").await?, "new");
    let rest = answer.collect().await?.to_bytes();
    assert_eq!(String::from_utf8_lossy(&rest), "old acme", "with its own parameters");
    Ok(())
}

#[tokio::test]
async fn an_account_worker_leaves_its_host_as_soon_as_that_is_switched_off() -> Result<()> {
    let running = Running::start().await?;
    running.deploy("workers/scripts/open", &saying("open"), &json!({})).await?;
    let host = "open.workers.localhost";
    let switch = async |enabled: bool| {
        let wanted = json!({ "enabled": enabled });
        running.platform.api().json("POST", "workers/scripts/open/subdomain", &wanted).await?.result()
    };
    switch(true).await?;
    assert_eq!(running.platform.get(host, "/").await?, (200, "open".to_owned()));
    switch(false).await?;
    assert_eq!(running.platform.get(host, "/").await?.0, 404);
    Ok(())
}
