//! Workers that hang, processes that die: what was accepted stays, and the rest goes on.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use tidegate_platform::runtime::{Event, PATIENCE};

use super::*;

/// Serves, unless it is told to hang.
const HANGING: &str = r#"
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/later") await new Promise((resolve) => setTimeout(resolve, 400));
    if (pathname !== "/") for (;;) {}
    return new Response("fine");
  },
};
"#;

#[tokio::test]
async fn a_worker_that_hangs_is_named_and_the_others_are_served_again() -> Result<()> {
    for path in ["/at-once", "/later"] {
        let running = Running::start().await?;
        running.user("victim", &saying("served")).await?;
        running.user("looping", HANGING).await?;
        assert_eq!(running.text("looping", "/").await?, "fine");
        assert_eq!(running.text("victim", "/").await?, "served");
        let pid = running.platform.pid()?;

        let hung = running.get("looping", path).await;
        assert!(hung.is_err() || hung.is_ok_and(|(status, _)| status >= 500), "it was never answered");
        assert_eq!(running.text("victim", "/").await?, "served");
        assert_ne!(running.platform.pid()?, pid, "workerd was replaced");
        let suspects = running
            .platform
            .event(|event| match event {
                Event::Hung { invocations, .. } => Some(invocations.clone()),
                _ => None,
            })
            .await?;
        assert_eq!(suspects.first().map(String::as_str), Some("customers/looping"), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_worker_that_exhausts_memory_is_named_and_the_others_are_served_again() -> Result<()> {
    let running = Running::start().await?;
    running.user("victim", &saying("served")).await?;
    let code = "export default { fetch() { const kept = []; for (;;) kept.push(new Array(100_000).fill({})); } };";
    running.user("hoarding", code).await?;
    let _ = running.get("hoarding", "/").await;
    assert_eq!(running.text("victim", "/").await?, "served");
    let named = running
        .platform
        .event(|event| match event {
            // Whether its heap is full before it counts as hung is a matter of the machine.
            Event::Restarted { invocations, .. } | Event::Hung { invocations, .. } => Some(invocations.clone()),
            _ => None,
        })
        .await?;
    assert_eq!(named.first().map(String::as_str), Some("customers/hoarding"));
    Ok(())
}

/// Only Linux says what a process has worked.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_workerd_that_is_served_no_processor_time_is_slow_and_not_hung() -> Result<()> {
    let running = Running::start().await?;
    running.user("acme", &saying("served")).await?;
    assert_eq!(running.text("acme", "/").await?, "served");
    let pid = running.platform.pid()?;
    signal(pid, Signal::STOP)?;
    tokio::time::sleep(3 * PATIENCE).await;
    signal(pid, Signal::CONT)?;
    assert_eq!(running.text("acme", "/").await?, "served");
    assert_eq!(running.platform.pid()?, pid, "by the same process");
    assert!(!running.platform.events().iter().any(|event| matches!(event, Event::Hung { .. })));
    Ok(())
}

#[tokio::test]
async fn workerd_can_be_killed_at_any_time() -> Result<()> {
    let running = Running::start().await?;
    for round in 0..5 {
        running.user("acme", &saying(&format!("round {round}"))).await?;
        let pid = running.platform.pid()?;
        kill(pid)?;
        // The listening socket is ours: a request waits for the next process.
        assert_eq!(running.text("acme", "/").await.or(running.text("acme", "/").await)?, format!("round {round}"));
        assert_ne!(running.platform.pid()?, pid);
    }
    assert!(running.platform.events().iter().any(|event| matches!(event, Event::Restarted { .. })));
    Ok(())
}

#[tokio::test]
async fn a_deployment_while_workerd_is_down_serves_as_soon_as_it_is_up() -> Result<()> {
    let running = Running::start().await?;
    running.user("acme", &saying("before")).await?;
    assert_eq!(running.text("acme", "/").await?, "before");
    kill(running.platform.pid()?)?;
    running.user("acme", &saying("after")).await?;
    assert_eq!(running.text("acme", "/").await?, "after");
    Ok(())
}

#[tokio::test]
async fn a_data_folder_survives_a_restart_with_all_that_is_in_it() -> Result<()> {
    let data = tempfile::tempdir()?;
    let upstream = Upstream::start().await?;
    upstream.otherwise(echo_stamp);
    let platform = LocalPlatform::in_folder(upstream.address(), data.path()).await?;
    let running = Running { platform, upstream };
    running.furnish().await?;
    let code = "export default { async fetch(request, env) { return new Response(env.TOKEN + (await (await fetch('https://api.example/')).text())); } };";
    let secret =
        json!({ "bindings": [{ "type": "secret_text", "name": "TOKEN", "text": "s3cret-" }], "tags": ["paid"] });
    running.deploy(&user("acme"), code, &secret).await?;
    let Running { platform, upstream } = running;
    platform.stop().await;

    let platform = LocalPlatform::in_folder(upstream.address(), data.path()).await?;
    let running = Running { platform, upstream };
    assert_eq!(running.text("acme", "/").await?, "s3cret-acme");
    let tags = running.platform.api().get(&format!("{}/tags", user("acme"))).await?.result()?;
    assert_eq!(tags, json!(["paid"]));
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_before_anything_is_left_behind() -> Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let upstream = Upstream::start().await?;
    let options = LocalPlatform::options(upstream.address())?;
    let workers = tidegate_platform::Options { address: taken.local_addr()?, ..options.clone() };
    let api = tidegate_platform::Options { api: taken.local_addr()?, ..options };
    for (options, flag) in [(workers, "--port"), (api, "--api-port")] {
        let Err(error) = LocalPlatform::with(options).await else { anyhow::bail!("it started") };
        let error = error.to_string();
        assert!(error.contains("cannot listen on") && error.contains(flag), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_workerd_that_is_missing_or_too_old_is_said_with_the_way_out() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir()?;
    let old = folder.path().join("workerd");
    std::fs::write(&old, "#!/bin/sh\necho workerd 2026-04-26\n")?;
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755))?;
    let upstream = Upstream::start().await?;
    let cases = [(old.as_path(), "is too old"), (Path::new("/nowhere/workerd"), "there is no workerd at")];
    for (workerd, expected) in cases {
        let options = LocalPlatform::options(upstream.address())?;
        let options = tidegate_platform::Options { workerd: workerd.to_owned(), ..options };
        let Err(error) = LocalPlatform::with(options).await else { anyhow::bail!("it started") };
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains("npm install workerd"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_full_disk_refuses_an_upload_and_what_served_goes_on_serving() -> Result<()> {
    let running = Running::start().await?;
    running.user("acme", &saying("before")).await?;
    running.platform.platform().store().limit_size(Some(0))?;
    let large = format!("{}// {}", saying("after"), "x".repeat(2_000_000));
    let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-01-01" });
    let parts = [Part::module("index.js", &large)];
    let answer = running.platform.api().upload(&user("acme"), &metadata, &parts).await?;
    assert!(answer.status >= 500, "{}", answer.status);
    assert_eq!(answer.code()?, 10002);
    assert!(answer.message()?.contains("full"), "{}", answer.message()?);
    assert_eq!(running.text("acme", "/").await?, "before");
    running.platform.platform().store().limit_size(None)?;
    running.upload(&user("acme"), &json!({}), &parts).await?;
    assert_eq!(running.text("acme", "/").await?, "after");
    Ok(())
}

#[tokio::test]
async fn whatever_order_uploads_and_deletions_come_in_what_serves_is_what_the_store_says() -> Result<()> {
    let running = Running::start().await?;
    let (path, api) = (user("contested"), running.platform.api());
    for round in 0..5 {
        let upload = async |version: usize| running.user("contested", &saying(&format!("{round}.{version}"))).await;
        let delete = async || {
            let answer = api.delete(&path).await?;
            ensure!(answer.status == 200 || answer.status == 404, "{}", answer.status);
            anyhow::Ok(())
        };
        let uploads = futures_util::future::try_join_all((0..6).map(upload));
        let deletions = futures_util::future::try_join_all((0..3).map(|_| delete()));
        tokio::try_join!(uploads, deletions)?;
        let kept = api.get(&format!("{path}/content")).await?;
        let (status, served) = running.get("contested", "/").await?;
        if kept.status == 404 {
            assert_eq!((status, served.as_str()), (500, "Error: Worker not found."));
        } else {
            assert_eq!(status, 200);
            let code = String::from_utf8(kept.body)?;
            assert!(code.contains(&format!("{served:?}")), "{served} is served, and kept is {code}");
        }
    }
    Ok(())
}

fn kill(pid: u32) -> Result<()> {
    signal(pid, Signal::KILL)
}

fn signal(pid: u32, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(pid)?).context("no process")?;
    Ok(kill_process(pid, signal)?)
}
