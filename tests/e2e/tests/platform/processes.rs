//! Several workerds behind one socket: they serve as one, and when one of them fails the others go on.
//!
//! Which process takes a connection is the system's choice, unless all but one are stopped for the moment. So each test
//! holds a connection to each process.

use std::fs;
use std::num::NonZeroUsize;
use std::time::Duration;

use axum::body::Body;
use futures_util::future::join;
use http_body_util::BodyExt as _;
use hyper::Request;
use rustix::process::{Pid, Signal, kill_process};
use tidegate_e2e::Connection;
use tidegate_platform::runtime::Event;

use super::*;

/// Says which isolate answers; hangs when it is told to.
const WHO: &str = r#"
let isolate;
export default {
  fetch(request) {
    isolate ??= crypto.randomUUID();
    if (new URL(request.url).pathname === "/loop") for (;;) {}
    return new Response(isolate);
  },
};
"#;

/// Answers with what its outbound Worker stamped.
const STAMPED: &str = "export default { fetch: () => fetch('https://api.example/') };";

/// As many as are started, unless a test says otherwise.
const PROCESSES: usize = 2;

#[tokio::test]
async fn every_process_serves_with_isolates_of_its_own_and_a_connection_stays_with_one() -> Result<()> {
    let running = started(3).await?;
    running.user("who", WHO).await?;
    let mut isolates = Vec::new();
    for mut held in connected(&running).await? {
        let isolate = held.text("who", "/").await?;
        for _ in 0..10 {
            assert_eq!(held.text("who", "/").await?, isolate);
        }
        assert!(!isolates.contains(&isolate), "two processes share {isolate}");
        isolates.push(isolate);
    }
    assert_eq!(isolates.len(), 3);
    Ok(())
}

#[tokio::test]
async fn parameters_are_each_requests_own_in_every_process() -> Result<()> {
    let running = started(PROCESSES).await?;
    running.upstream.otherwise(echo_stamp);
    running.user("shared", STAMPED).await?;
    let mut held = connected(&running).await?;
    for round in 0..50 {
        // At the same moment, for two customers.
        let [first, second] = held.as_mut_slice() else { anyhow::bail!("there are {PROCESSES} processes") };
        let customers = [format!("first-{round}"), format!("second-{round}")];
        let (first, second) = join(first.of(&customers[0], "shared"), second.of(&customers[1], "shared")).await;
        assert_eq!([first?, second?], customers);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_deployed_or_deleted_is_so_in_every_process_once_that_is_answered() -> Result<()> {
    let running = started(PROCESSES).await?;
    running.user("acme", &saying("0")).await?;
    let mut held = connected(&running).await?;
    for version in 1..=15 {
        running.user("acme", &saying(&version.to_string())).await?;
        for held in &mut held {
            assert_eq!(held.text("acme", "/").await?, version.to_string(), "in process {}", held.pid);
        }
    }
    running.platform.api().delete(&user("acme")).await?.result()?;
    for held in &mut held {
        assert_eq!(held.get("acme", "/").await?, (500, "Error: Worker not found.".to_owned()));
    }
    // Account Workers are loaded by another of the platform's own Workers.
    for version in 1..=5 {
        running.deploy("workers/scripts/dispatcher", &saying(&format!("dispatcher {version}")), &json!({})).await?;
        running.platform.give_host("dispatcher").await?;
        for held in &mut held {
            let (status, text) = held.send("dispatcher.workers.localhost", "/", None).await?;
            assert_eq!((status, text), (200, format!("dispatcher {version}")), "in process {}", held.pid);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_deployment_is_answered_when_the_last_process_has_heard_of_it() -> Result<()> {
    let running = started(PROCESSES).await?;
    running.user("acme", &saying("old")).await?;
    let mut held = connected(&running).await?;
    for held in &mut held {
        assert_eq!(held.text("acme", "/").await?, "old");
    }
    let (mut late, mut other) = (held.remove(0), held.remove(0));
    let stopped = Stopped::new(late.pid)?;
    let code = saying("new");
    let mut deployment = std::pin::pin!(running.user("acme", &code));
    loop {
        tokio::select! {
            biased;
            done = &mut deployment => anyhow::bail!("answered while a process serves the old code: {done:?}"),
            text = other.text("acme", "/") => if text? == "new" { break },
        }
    }
    for _ in 0..50 {
        tokio::select! {
            biased;
            done = &mut deployment => anyhow::bail!("answered while a process serves the old code: {done:?}"),
            text = other.text("acme", "/") => assert_eq!(text?, "new"),
        }
    }
    drop(stopped);
    deployment.await?;
    assert_eq!(late.text("acme", "/").await?, "new");
    Ok(())
}

#[tokio::test]
async fn a_process_that_is_killed_is_replaced_while_the_others_serve() -> Result<()> {
    let running = started(PROCESSES).await?;
    running.user("acme", &saying("before")).await?;
    let mut held = connected(&running).await?;
    let (killed, mut other) = (held.remove(0).pid, held.remove(0));
    signal(killed, Signal::KILL)?;
    assert_eq!(other.text("acme", "/").await?, "before");
    running.user("acme", &saying("meanwhile")).await?;
    assert_eq!(other.text("acme", "/").await?, "meanwhile");
    running
        .platform
        .event(|event| matches!(event, Event::Restarted { pid, .. } if *pid == killed).then_some(()))
        .await?;
    while running.platform.pids().len() < PROCESSES {
        assert_eq!(other.text("acme", "/").await?, "meanwhile");
    }
    let pids = running.platform.pids();
    assert!(pids.contains(&other.pid) && !pids.contains(&killed), "{pids:?}");
    for mut held in connected(&running).await? {
        assert_eq!(held.text("acme", "/").await?, "meanwhile", "in process {}", held.pid);
    }
    Ok(())
}

#[tokio::test]
async fn a_worker_that_loops_in_one_process_is_named_and_the_others_go_on() -> Result<()> {
    let running = started(PROCESSES).await?;
    // An invocation of another process, under way all the while, is no suspect.
    running.upstream.otherwise(|_| Reply::text("late").delayed(Duration::from_mins(1)));
    running.user("waiting", STAMPED).await?;
    running.user("who", WHO).await?;
    let mut held = connected(&running).await?;
    let (mut looping, mut other) = (held.remove(0), held.remove(0));
    let mut waiting = running.connection_to(other.pid).await?;
    let waiting = tokio::spawn(async move { waiting.get("waiting", "/").await });
    running.upstream_is_asked().await;
    let isolate = other.text("who", "/").await?;

    let hung = looping.pid;
    let looping = tokio::spawn(async move { looping.get("who", "/loop").await });
    let named = loop {
        // Served by the same isolate, and not by a process that took its place.
        assert_eq!(other.text("who", "/").await?, isolate);
        let events = running.platform.events();
        let named = |event: &Event| match event {
            Event::Hung { pid, invocations } => Some((*pid, invocations.clone())),
            _ => None,
        };
        if let Some(named) = events.iter().find_map(named) {
            break named;
        }
    };
    assert_eq!(named, (hung, vec!["customers/who".to_owned()]));
    assert!(looping.await?.is_err(), "it was never answered");
    assert_eq!(other.text("who", "/").await?, isolate);
    waiting.abort();
    Ok(())
}

#[tokio::test]
async fn records_and_lines_come_from_every_process() -> Result<()> {
    let running = started(PROCESSES).await?;
    let recording = r#"
        export default {
          fetch(request, env) {
            console.log(JSON.stringify({ event: "decision", customer: env.customer }));
            return new Response("recorded");
          },
        };
    "#;
    running.deploy("workers/scripts/outbound", recording, &json!({})).await?;
    let printing =
        "export default { fetch(request) { console.log('printed'); return fetch('https://api.example/'); } };";
    running.user("acme", printing).await?;
    for mut held in connected(&running).await? {
        assert_eq!(held.of(&held.pid.to_string(), "acme").await?, "recorded");
        let record = format!(r#"{{"event":"decision","customer":"{}"}}"#, held.pid);
        let worker = "outbound".to_owned();
        let decision = Event::Decision { worker, record };
        running.platform.event(|event| (*event == decision).then_some(())).await?;
        let line = Event::Line { worker: None, text: "printed".to_owned() };
        running.platform.event(|event| (*event == line).then_some(())).await?;
        running.platform.take_events();
    }
    Ok(())
}

#[tokio::test]
async fn stopping_leaves_no_process_behind_not_even_one_that_does_not_listen() -> Result<()> {
    let running = started(3).await?;
    let pids = running.platform.pids();
    assert_eq!(pids.len(), 3);
    signal(pids[1], Signal::STOP)?;
    running.platform.stop().await;
    for pid in pids {
        assert!(!fs::exists(format!("/proc/{pid}"))?, "process {pid} is there still");
    }
    Ok(())
}

async fn started(processes: usize) -> Result<Running> {
    let processes = NonZeroUsize::new(processes).context("none")?;
    Running::with(|options| options.processes = processes).await
}

/// A connection to each process.
async fn connected(running: &Running) -> Result<Vec<Held>> {
    let mut all = Vec::new();
    for pid in running.platform.pids() {
        all.push(running.connection_to(pid).await?);
    }
    Ok(all)
}

impl Running {
    /// A connection to the process that alone can take it, since the others are stopped.
    async fn connection_to(&self, pid: u32) -> Result<Held> {
        let others = self.platform.pids().into_iter().filter(|other| *other != pid);
        let _stopped = others.map(Stopped::new).collect::<Result<Vec<_>>>()?;
        let mut held = Held { pid, connection: Connection::open(self.platform.address()).await? };
        // It is taken when it is answered.
        held.send("nobody.workers.localhost", "/", None).await?;
        Ok(held)
    }

    /// Waits for a request at the upstream.
    async fn upstream_is_asked(&self) {
        while self.upstream.take().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A connection that one process has taken.
struct Held {
    pid: u32,
    connection: Connection,
}

impl Held {
    async fn send(&mut self, host: &str, path: &str, customer: Option<&str>) -> Result<(u16, String)> {
        let mut request = Request::builder().uri(path).header("host", host);
        if let Some(customer) = customer {
            request = request.header("x-customer", customer);
        }
        let answer = self.connection.send(request.body(Body::empty())?).await?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// What a user Worker answers.
    async fn get(&mut self, name: &str, path: &str) -> Result<(u16, String)> {
        self.send(&format!("{name}.apps.example"), path, None).await
    }

    /// The same, where it is 200.
    async fn text(&mut self, name: &str, path: &str) -> Result<String> {
        let (status, body) = self.get(name, path).await?;
        ensure!(status == 200, "{name}{path}: {status}: {body}");
        Ok(body)
    }

    /// What a user Worker answers to a request of a customer.
    async fn of(&mut self, customer: &str, name: &str) -> Result<String> {
        let (status, body) = self.send(&format!("{name}.apps.example"), "/", Some(customer)).await?;
        ensure!(status == 200, "{name}: {status}: {body}");
        Ok(body)
    }
}

/// A process that does nothing until this is dropped.
struct Stopped(u32);

impl Stopped {
    fn new(pid: u32) -> Result<Self> {
        signal(pid, Signal::STOP)?;
        let stopped = Self(pid);
        // The signal is sent; it has stopped a moment later (proc(5): the state comes after the name).
        let status = format!("/proc/{pid}/stat");
        while !fs::read_to_string(&status)?.contains(") T ") {
            std::thread::yield_now();
        }
        Ok(stopped)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = signal(self.0, Signal::CONT);
    }
}

fn signal(pid: u32, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(pid)?).context("no process")?;
    Ok(kill_process(pid, signal)?)
}
