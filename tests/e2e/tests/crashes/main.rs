//! `kill -9` at random points: of the platform, of workerd, of a first start.
//!
//! Several clients upload, delete, tag, put secrets, write to KV, make and delete namespaces, all at once; then something
//! is killed. A model says what each thing may be ([`model`]): what was acknowledged is there, and what was not is there
//! wholly or not at all. That is held against what the API says after the next start, and against what is served: each
//! version says the same number in its modules, its variables, its secrets and its tags.
//!
//! `TIDEGATE_KILLS` says how often something is killed (200), `TIDEGATE_SEED` what is done in which order, and when. A run
//! says its seed. It repeats what the clients choose, not how the machine interleaves it.

mod clients;
mod model;
mod starts;
mod world;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use futures_util::future::try_join_all;
use rustix::process::{Pid, Signal, kill_process};
use tidegate_e2e::{LocalPlatform, Session, Upstream};
use tokio::sync::watch;
use tokio::time::sleep;

use clients::{Client, Step};
use world::{CLIENTS, Platform, World};

const TOKEN: &str = "a-token-for-crashes-and-nothing-else";

/// The longest that the clients work before the platform is killed: some ten writes.
const LONGEST_LIFE: Duration = Duration::from_millis(400);

/// How often something is killed: three of four times it is the platform.
fn kills() -> Result<usize> {
    std::env::var("TIDEGATE_KILLS").map_or(Ok(200), |kills| kills.parse().context("TIDEGATE_KILLS is no number"))
}

/// Random numbers; it is said how to have the same again.
fn rng(test: &str) -> Result<Rng> {
    let seed = match std::env::var("TIDEGATE_SEED") {
        Ok(seed) => seed.parse().context("TIDEGATE_SEED is no number")?,
        Err(_) => fastrand::u64(..),
    };
    println!("{test}: TIDEGATE_SEED={seed}");
    Ok(Rng::with_seed(seed))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_platform_acknowledged_is_there_after_it_was_killed_and_all_else_wholly_or_not_at_all() -> Result<()> {
    let mut rng = rng("platform")?;
    let data = tempfile::tempdir()?;
    let world = World::new();
    let (session, platform) = start(data.path()).await?;
    world.furnish(&platform.api).await?;
    let mut running = Some((session, platform));
    for kill in 0..kills()?.div_ceil(4) * 3 {
        let (session, platform) = match running.take() {
            Some(running) => running,
            None => start(data.path()).await?,
        };
        world.audit(&platform).await.with_context(|| format!("after {kill} kills"))?;
        let (stop, stopped) = watch::channel(false);
        let delay = LONGEST_LIFE.mul_f64(rng.f64());
        let killing = async {
            sleep(delay).await;
            session.signal(Signal::KILL)?;
            session.ended().await?;
            stop.send_replace(true);
            anyhow::Ok(())
        };
        tokio::try_join!(killing, work(&world, &platform, &mut rng, &stopped))?;
    }
    let (session, platform) = start(data.path()).await?;
    world.audit(&platform).await?;
    session.signal(Signal::TERM)?;
    session.ended().await?;
    report("platform", &world)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_write_is_lost_and_nothing_old_or_mixed_is_served_while_workerd_is_killed_again_and_again() -> Result<()> {
    let mut rng = rng("workerd")?;
    let upstream = Upstream::start().await?;
    let local = LocalPlatform::start(upstream.address()).await?;
    let platform = Platform { api: local.api().clone(), workers: local.address() };
    let world = World::new();
    world.furnish(&platform.api).await?;
    let (stop, stopped) = watch::channel(false);
    let (mut timing, kills) = (rng.fork(), kills()? / 4);
    let killing = async {
        for kill in 0..kills {
            sleep(LONGEST_LIFE.mul_f64(timing.f64())).await;
            // Now and then that one, too, which starts what was uploaded.
            match checking_workerd()? {
                Some(pid) if kill % 4 == 3 => kill_process(pid, Signal::KILL)?,
                _ => replace(&local).await?,
            }
        }
        stop.send_replace(true);
        anyhow::Ok(())
    };
    let ((), answered) = tokio::try_join!(killing, work(&world, &platform, &mut rng, &stopped))?;
    ensure!(answered, "the API did not answer, and it was never killed");
    world.audit(&platform).await?;
    report("workerd", &world)
}

/// Kills the workerd that serves, and waits for the next one.
async fn replace(local: &LocalPlatform) -> Result<()> {
    let pid = local.pid()?;
    kill_process(Pid::from_raw(i32::try_from(pid)?).context("no process")?, Signal::KILL)?;
    for _ in 0..2000 {
        if local.pid().is_ok_and(|other| other != pid) {
            return Ok(());
        }
        sleep(Duration::from_millis(10)).await;
    }
    bail!("workerd was not started again: {:?}", local.events())
}

/// The child of this process that starts what was uploaded.
fn checking_workerd() -> Result<Option<Pid>> {
    for entry in std::fs::read_dir("/proc").into_iter().flatten() {
        let path = entry?.path();
        // Processes end while they are looked at.
        let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap_or_default();
        let parent = read("stat").rsplit(')').next().and_then(|rest| rest.split(' ').nth(2)?.parse().ok());
        if parent == Some(std::process::id()) && read("cmdline").contains("check.capnp") {
            let pid = path.file_name().and_then(|name| name.to_str()?.parse().ok());
            return Ok(pid.and_then(Pid::from_raw));
        }
    }
    Ok(None)
}

/// Lets clients write and one read until all is over. Says whether each write was answered.
async fn work(world: &World, platform: &Platform, rng: &mut Rng, stopped: &watch::Receiver<bool>) -> Result<bool> {
    let client = |number, rng: &mut Rng| Client { number, world, platform: platform.clone(), rng: rng.fork() };
    let mut reader = client(0, rng);
    let writers = try_join_all((0..CLIENTS).map(|number| client(number, rng)).map(async |mut client| {
        while !*stopped.borrow() {
            if client.step().await? == Step::Unanswered {
                return Ok(false);
            }
        }
        anyhow::Ok(true)
    }));
    let reading = async {
        while !*stopped.borrow() {
            reader.read().await?;
            // A platform that is gone refuses at once.
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    };
    let (answered, ()) = tokio::try_join!(writers, reading)?;
    Ok(answered.into_iter().all(|answered| answered))
}

async fn start(data: &Path) -> Result<(Session, Platform)> {
    let data = data.display().to_string();
    let session = Session::start(&["--data", &data, "--token", TOKEN]).await?;
    let platform = Platform { api: session.api(TOKEN)?, workers: session.address()? };
    Ok((session, platform))
}

/// Says what it came to; a run in which hardly anything happened shows nothing.
fn report(test: &str, world: &World) -> Result<()> {
    let books = world.books();
    println!("{test}: {} writes were acknowledged, {} answers were whole versions", books.acknowledged, books.served);
    ensure!(books.acknowledged > 0 && books.served > 0);
    Ok(())
}
