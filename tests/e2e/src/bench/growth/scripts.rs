//! With 10 to 10,000 scripts in a namespace: deploying, listing, finding, serving, memory.
//!
//! The store is filled directly, a transaction a script, as the API writes them; everything else goes through the API.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tidegate_chart::Scale;
use tidegate_e2e::{Connection, Part, Upstream};
use tidegate_platform::names::{NamespaceName, ScriptName};
use tidegate_platform::store::Store;
use tidegate_platform::worker::{Scope, ScriptKey};

use super::page::{Curve, Page, Section, mib, ms};
use super::session::Session;
use super::traffic::{Traffic, ask};
use super::{Plan, traffic};
use crate::deployments::DISPATCHER;
use crate::figures::percentile;
use crate::listing;

const SIZES: [usize; 5] = [10, 100, 1000, 3000, 10_000];

/// Of each figure.
const SAMPLES: usize = 100;

/// Scripts that are served at the same time.
const SERVED: usize = 10;

pub(super) async fn measure(plan: &Plan, upstream: &Upstream, page: &mut Page) -> Result<()> {
    let data = tempfile::tempdir()?;
    let mut section = Section::new(
        "scripts",
        "Scripts in a namespace",
        "One namespace, filled directly in the store. Deploying is an upload of 20 KB through the API, until it is accepted and until a request is answered by the new code. \
         A page has 100 scripts. *a new host* is a request to a host that was never asked for. Requests per second are of ten warm scripts over eight connections.",
        "scripts",
    );
    let mut filled = 0;
    for size in plan.up_to(&SIZES) {
        fill(data.path(), filled..size)?;
        filled = size;
        let session = Session::start(data.path(), upstream.address(), &[]).await?;
        if size == SIZES[0] {
            furnish(&session).await?;
        }
        let figures = figures(&session, size).await?;
        println!("{size} scripts: {figures:?}");
        section.add(size, figures);
        session.stop().await?;
    }
    page.add(
        &section,
        &[
            Curve {
                title: "milliseconds",
                columns: &["live p50", "live p99", "list, first page", "list, last page", "one script"],
                y: Scale::Logarithmic,
            },
            Curve { title: "requests per second", columns: &["requests/s"], y: Scale::Linear },
            Curve { title: "memory of the platform (MiB)", columns: &["platform"], y: Scale::Linear },
        ],
    );
    Ok(())
}

/// Scripts that the store does not have yet.
fn fill(data: &Path, numbers: std::ops::Range<usize>) -> Result<()> {
    let store = Store::open(data)?;
    let name = NamespaceName::parse("customers")?;
    let namespace = if numbers.start == 0 { store.create_namespace(&name)? } else { store.namespace(&name)? };
    for number in numbers {
        let key = ScriptKey { scope: Scope::Namespace(namespace.id), name: ScriptName::parse(&script(number))? };
        let plan = if number % 10 == 0 { "paid" } else { "free" };
        let tags = vec![format!("customer-{}", number / 5), plan.to_owned(), "production".to_owned()];
        store.deploy(&key, &listing::version(number, tags))?;
    }
    store.close();
    Ok(())
}

fn script(number: usize) -> String {
    format!("script-{number:05}")
}

/// The dispatch Worker.
pub(super) async fn furnish(session: &Session) -> Result<()> {
    let binding = json!({ "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "customers" });
    let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-01-01", "bindings": [binding] });
    let code = DISPATCHER.replace(", {}, { outbound: { customer: 'acme' } }", "");
    session.api.upload("workers/scripts/dispatcher", &metadata, &[Part::module("index.js", &code)]).await?.result()?;
    Ok(())
}

async fn figures(session: &Session, size: usize) -> Result<Vec<(&'static str, f64)>> {
    let base = "workers/dispatch/namespaces/customers/scripts";
    let mut connection = Connection::open(session.workers).await?;
    let (mut accepted, mut live) = (Vec::new(), Vec::new());
    for number in 0..SAMPLES {
        let name = script(number * 7919 % size);
        let code = format!("export default {{ fetch: () => new Response('v{number}') }};\n// {}", "x".repeat(20_000));
        let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-01-01" });
        let begun = Instant::now();
        let parts = [Part::module("index.js", &code)];
        session.api.upload(&format!("{base}/{name}"), &metadata, &parts).await?.result()?;
        accepted.push(begun.elapsed());
        let answer = ask(&mut connection, &format!("{name}.apps.example"), "/").await?;
        live.push(begun.elapsed());
        ensure!(answer == format!("v{number}"), "{name} answers {answer}");
    }
    let pages = size.div_ceil(100);
    let get = async |path: String, least: usize| -> Result<Duration> {
        let mut samples = Vec::new();
        for _ in 0..SAMPLES {
            let begun = Instant::now();
            let answer = session.api.get(&path).await?;
            samples.push(begun.elapsed());
            let result = answer.result()?;
            let listed = result.as_array().map_or(1, Vec::len);
            ensure!(listed >= least, "{path}: {listed}");
        }
        Ok(percentile(&mut samples, 50))
    };
    let full = size.min(100);
    let first_page = get(format!("{base}?per_page=100&page=1"), full).await?;
    let last_page = get(format!("{base}?per_page=100&page={pages}"), 1).await?;
    let by_tag = get(format!("{base}?tags=customer-1:yes"), 5).await?;
    let by_two_tags = get(format!("{base}?tags=production:yes,paid:yes&limit=100"), 1).await?;
    let one = get(format!("{base}/{}", script(size / 2)), 1).await?;
    let mut new_hosts = Vec::new();
    for number in 0..SAMPLES {
        let host = format!("{}.new-{number}.example", script(0));
        let begun = Instant::now();
        ask(&mut connection, &host, "/").await?;
        new_hosts.push(begun.elapsed());
    }
    let hosts: Vec<_> = (0..SERVED.min(size)).map(|number| format!("{}.apps.example", script(number))).collect();
    for host in &hosts {
        ask(&mut connection, host, "/").await?;
    }
    let traffic = Traffic::of(session.workers, &hosts, "/", traffic::CONNECTIONS, Duration::from_secs(2)).await?;
    let megabytes = session.memory().map(mib).context("the platform's memory")?;
    Ok(vec![
        ("start", ms(session.started)),
        ("accepted p50", ms(percentile(&mut accepted, 50))),
        ("live p50", ms(percentile(&mut live, 50))),
        ("live p99", ms(percentile(&mut live, 99))),
        ("list, first page", ms(first_page)),
        ("list, last page", ms(last_page)),
        ("list, one customer's", ms(by_tag)),
        ("list, two tags", ms(by_two_tags)),
        ("one script", ms(one)),
        ("a new host", ms(percentile(&mut new_hosts, 50))),
        ("requests/s", traffic.per_second()),
        ("platform", megabytes),
    ])
}
