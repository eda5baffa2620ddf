//! `kill -9` while the platform starts, and a workerd that does not come to life.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use serde_json::json;
use tidegate_e2e::{ApiClient, Part};
use tidegate_platform::Options;
use tidegate_platform::runtime::Event;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_is_killed_while_it_starts_leaves_no_process_behind_and_starts_at_the_same_ports() -> Result<()>
{
    let mut rng = rng("start")?;
    let folder = tempfile::tempdir()?;
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary)?;
    let (port, api_port) = (free_port()?, free_port()?);
    let command = |data: &Path| {
        let data = data.display().to_string();
        let args = ["--port", &port, "--api-port", &api_port, "--data", &data, "--token", TOKEN];
        let mut command = Session::command(&args)?;
        command.env("TMPDIR", &temporary);
        anyhow::Ok(command)
    };
    let started = Instant::now();
    let Ok(session) = Session::of(command(&folder.path().join("0"))?).await? else { bail!("it did not start") };
    let whole = started.elapsed();
    session.signal(Signal::KILL)?;
    session.ended().await?;
    for kill in 0..kills()?.div_ceil(10) {
        // A folder that is new, one that was half made, one in which all is there.
        let data = folder.path().join((kill / 3).to_string());
        let mut child = command(&data)?.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()?;
        sleep(whole.mul_f64(rng.f64())).await;
        child.kill().await?;
        let session = match Session::of(command(&data)?).await? {
            Ok(session) => session,
            Err(failed) => bail!("it does not start after kill {kill}: {failed:?}"),
        };
        session.api(TOKEN)?.get("workers/dispatch/namespaces").await?.result()?;
        session.signal(Signal::KILL)?;
        session.ended().await?;
    }
    // Each workerd was told of a config in that folder.
    for _ in 0..1000 {
        if processes_that_name(&temporary)?.is_empty() {
            return Ok(());
        }
        sleep(Duration::from_millis(20)).await;
    }
    bail!("these outlive the platform: {:?}", processes_that_name(&temporary)?)
}

fn free_port() -> Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string())
}

/// The command lines that name a folder.
fn processes_that_name(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten() {
        let line = std::fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&folder) {
            found.push(line);
        }
    }
    Ok(found)
}

/// Stands for workerd, and is it unless a file says otherwise. A line of the log for each start.
const STAND_IN: &str = r#"#!/bin/sh
case "$* $(cat FOLDER/fault 2>/dev/null)" in
  *serve.capnp*mute)   echo start >>FOLDER/log; echo "no memory" >&2; exit 1 ;;
  *serve.capnp*fleeting) echo start >>FOLDER/log
    for socket in front admin-front admin-gate; do echo '{"event":"listen","socket":"'$socket'"}' >&3; done; exit 1 ;;
esac
exec WORKERD "$@"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_workerd_that_does_not_come_to_life_is_tried_again_ever_more_rarely_until_it_does() -> Result<()> {
    for fault in ["mute", "fleeting"] {
        let folder = tempfile::tempdir()?;
        let upstream = Upstream::start().await?;
        let options = LocalPlatform::options(upstream.address())?;
        let workerd = folder.path().join("workerd");
        let text = STAND_IN.replace("FOLDER", &folder.path().display().to_string());
        std::fs::write(&workerd, text.replace("WORKERD", &options.workerd.display().to_string()))?;
        std::fs::set_permissions(&workerd, std::fs::Permissions::from_mode(0o755))?;
        let local = LocalPlatform::with(Options { workerd, ..options }).await?;
        let api = local.api();
        deploy(api, "before").await?;
        local.give_host("worker").await?;
        assert_eq!(local.get("worker.workers.localhost", "/").await?.1, "before");

        std::fs::write(folder.path().join("fault"), fault)?;
        let pid = Pid::from_raw(i32::try_from(local.pid()?)?).context("no process")?;
        kill_process(pid, Signal::KILL)?;
        let pauses = async {
            loop {
                let events = local.events();
                let pauses = events.iter().filter_map(|event| match event {
                    Event::Down { pause, .. } => Some(*pause),
                    _ => None,
                });
                let pauses: Vec<Duration> = pauses.collect();
                if pauses.len() >= 4 {
                    return pauses;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let pauses = tokio::time::timeout(Duration::from_mins(1), pauses).await.context("it gave up")?;
        assert!(pauses.is_sorted_by(|one, next| one < next), "{fault}: {pauses:?}");
        let starts = std::fs::read_to_string(folder.path().join("log"))?.lines().count();
        assert!(starts <= local.events().len() + 1, "{fault}: each of {starts} starts is told");
        // What is written meanwhile is acknowledged, and serves when there is a workerd again.
        deploy(api, "after").await?;

        std::fs::remove_file(folder.path().join("fault"))?;
        assert_eq!(local.get("worker.workers.localhost", "/").await?.1, "after", "{fault}");
        local.stop().await;
    }
    Ok(())
}

async fn deploy(api: &ApiClient, text: &str) -> Result<()> {
    let code = format!("export default {{ fetch: () => new Response({text:?}) }};");
    let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-01-01" });
    api.upload("workers/scripts/worker", &metadata, &[Part::module("index.js", &code)]).await?.result().map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_leaves_nothing_served_but_what_is_kept() -> Result<()> {
    let mut rng = rng("hang up")?;
    let upstream = Upstream::start().await?;
    let local = LocalPlatform::start(upstream.address()).await?;
    let api = local.api();
    deploy(api, "0").await?;
    local.give_host("worker").await?;
    let started = Instant::now();
    deploy(api, "1").await?;
    let whole = started.elapsed();
    for number in 2..30 {
        let text = number.to_string();
        let uploading = deploy(api, &text);
        // Dropped, the request's connection is closed.
        let _ = tokio::time::timeout(whole.mul_f64(rng.f64() * 1.2), uploading).await;
        agree(&local).await.with_context(|| format!("after upload {number}"))?;
    }
    Ok(())
}

/// Of an upload that was cut off nobody knows when it is over; then what serves is what is kept.
async fn agree(local: &LocalPlatform) -> Result<()> {
    let mut seen = (String::new(), String::new());
    for _ in 0..500 {
        let kept = String::from_utf8(local.api().get("workers/scripts/worker/content/v2").await?.body)?;
        let (_, served) = local.get("worker.workers.localhost", "/").await?;
        if kept.contains(&format!("{served:?}")) {
            return Ok(());
        }
        seen = (kept, served);
        sleep(Duration::from_millis(20)).await;
    }
    bail!("{} is served, and kept is {}", seen.1, seen.0)
}
