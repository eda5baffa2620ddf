//! With 1 to 1,000 user Workers in use: what their isolates take, and what is lost where fewer are kept.

use std::time::{Duration, Instant};

use anyhow::Result;
use tidegate_chart::Scale;
use tidegate_e2e::{Connection, Upstream};
use tidegate_platform::names::{NamespaceName, ScriptName};
use tidegate_platform::runtime::ISOLATES;
use tidegate_platform::store::Store;
use tidegate_platform::worker::{Scope, ScriptKey};

use super::page::{Curve, Page, Section, mib, ms};
use super::session::Session;
use super::traffic::{Traffic, ask};
use super::{Plan, scripts, traffic};
use crate::figures::percentile;
use crate::listing;

const SIZES: [usize; 6] = [1, 10, 30, 100, 300, 1000];

pub(super) async fn measure(plan: &Plan, upstream: &Upstream, page: &mut Page) -> Result<()> {
    let data = tempfile::tempdir()?;
    let sizes = plan.up_to(&SIZES);
    let most = sizes.last().copied().unwrap_or(1);
    let store = Store::open(data.path())?;
    let namespace = store.create_namespace(&NamespaceName::parse("customers")?)?;
    for number in 0..most {
        let key = ScriptKey { scope: Scope::Namespace(namespace.id), name: ScriptName::parse(&format!("w{number}"))? };
        store.deploy(&key, &listing::version_of(number, 20_000, Vec::new()))?;
    }
    store.close();
    let rule = format!("keeping {ISOLATES}");
    for (kept, what) in [(1000.max(ISOLATES.get()), "keeping all"), (ISOLATES.get(), rule.as_str())] {
        let mut section = Section::new(
            &format!("isolates-{kept}"),
            &format!("User Workers in use, {what}"),
            &format!(
                "`--isolates {kept}`. Each Worker has 20 KB of code. *cold* is the first request to a Worker. Then all are asked in turn over eight connections. \
                 Memory is workerd's, after that."
            ),
            "user Workers in use",
        );
        let session = Session::start(data.path(), upstream.address(), &["--isolates", &kept.to_string()]).await?;
        if kept != ISOLATES.get() {
            scripts::furnish(&session).await?;
        }
        let mut asked = 0;
        for size in sizes.iter().copied() {
            let figures = figures(&session, asked..size).await?;
            asked = size;
            println!("{size} user Workers, {what}: {figures:?}");
            section.add(size, figures);
        }
        session.stop().await?;
        page.add(
            &section,
            &[
                Curve { title: "memory of workerd (MiB)", columns: &["workerd"], y: Scale::Logarithmic },
                Curve { title: "milliseconds", columns: &["cold p50", "warm p50", "warm p99"], y: Scale::Logarithmic },
                Curve { title: "requests per second", columns: &["requests/s"], y: Scale::Linear },
            ],
        );
    }
    Ok(())
}

/// `new`: those that were not asked yet; in use are all up to its end.
async fn figures(session: &Session, new: std::ops::Range<usize>) -> Result<Vec<(&'static str, f64)>> {
    let hosts: Vec<_> = (0..new.end).map(|number| format!("w{number}.apps.example")).collect();
    let mut connection = Connection::open(session.workers).await?;
    let mut cold = Vec::new();
    for host in hosts.get(new).unwrap_or_default() {
        let begun = Instant::now();
        ask(&mut connection, host, "/").await?;
        cold.push(begun.elapsed());
    }
    let cpu = session.cpu_of_workerds()?;
    let mut traffic = Traffic::of(session.workers, &hosts, "/", traffic::CONNECTIONS, Duration::from_secs(3)).await?;
    let used = session.cpu_of_workerds()?.saturating_sub(cpu);
    let cpu = used / u32::try_from(traffic.requests().max(1))?;
    Ok(vec![
        ("cold p50", ms(percentile(&mut cold, 50))),
        ("cold p99", ms(percentile(&mut cold, 99))),
        ("warm p50", ms(traffic.percentile(50))),
        ("warm p99", ms(traffic.percentile(99))),
        ("requests/s", traffic.per_second()),
        ("CPU/request", ms(cpu)),
        ("workerd", mib(session.memory_of_workerds()?)),
    ])
}
