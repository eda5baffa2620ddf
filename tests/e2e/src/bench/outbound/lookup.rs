//! What a lookup in the host index costs in Wasm, and natively: the same function over the same hosts, nine of ten of which
//! are not on the list.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::Request;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tidegate_e2e::{Connection, OutboundWorker, PlainChain, repository};

use super::{median, names};

/// Hosts that are looked up.
const HOSTS: usize = 20_000;

/// How often. The first of them are those in which V8 compiles.
const ROUNDS: usize = 40;
const WARM_UP: usize = 10;

/// The figures: nanoseconds a lookup.
#[derive(Serialize)]
pub(super) struct Lookup {
    names: usize,
    table_bytes: usize,
    native_ns: f64,
    wasm_ns: f64,
}

/// What both measurements say.
#[derive(Deserialize)]
struct Said {
    hits: u64,
    nanoseconds: Vec<f64>,
}

pub(super) async fn measure(count: usize, upstream: SocketAddr) -> Result<Lookup> {
    let table = names::table(count)?;
    let hosts: Vec<String> = (0..HOSTS)
        .map(|n| if n % 10 == 0 { format!("www.{}", names::name(n * 7919 % count)) } else { names::name(count + n) })
        .collect();
    let hosts = hosts.join("\n");
    let native = natively(&table, &hosts)?;
    let wasm = in_wasm(&table, &hosts, upstream).await?;
    ensure!(native.hits == wasm.hits, "{} hits natively, {} in Wasm", native.hits, wasm.hits);
    let settled = |said: &Said| median(said.nanoseconds.get(WARM_UP..).unwrap_or_default());
    Ok(Lookup { names: count, table_bytes: table.len(), native_ns: settled(&native), wasm_ns: settled(&wasm) })
}

impl Lookup {
    pub(super) fn print(&self) {
        let Self { names, table_bytes, native_ns, wasm_ns } = self;
        println!(
            "a lookup among {names} names ({table_bytes} bytes): {native_ns:.0} ns natively, {wasm_ns:.0} ns in workerd, {:.2} times that",
            wasm_ns / native_ns
        );
    }
}

/// In a program of its own, which is built with optimisation whatever this one is built with.
fn natively(table: &[u8], hosts: &str) -> Result<Said> {
    let folder = TempDir::with_prefix("tidegate-bench-")?;
    let [table_file, hosts_file] = ["policy.table", "hosts.txt"].map(|name| folder.path().join(name));
    std::fs::write(&table_file, table)?;
    std::fs::write(&hosts_file, hosts)?;
    let mut program = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    program.current_dir(repository()).args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "tidegate-worker-that-looks-up",
    ]);
    program.args(["--example", "natively", "--"]).args([&table_file, &hosts_file]).arg(ROUNDS.to_string());
    let output = program.output().context("cannot run cargo")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the native lookups said nothing of use")
}

async fn in_wasm(table: &[u8], hosts: &str, upstream: SocketAddr) -> Result<Said> {
    let chain = PlainChain::around(OutboundWorker::that_looks_up()?)
        .user("export default { fetch: () => fetch('https://lookups.example/') };")
        .without_dispatch()
        .binding("HOSTS", hosts)
        .binding("ROUNDS", &ROUNDS.to_string())
        .data("TABLE", table.to_vec())
        .start(upstream)
        .await?;
    let request = Request::builder().uri("/").header("host", "lookups.example").body(Body::empty())?;
    let answer = Connection::open(chain.address()).await?.send(request).await?;
    let body = answer.into_body().collect().await?.to_bytes();
    serde_json::from_slice(&body).with_context(|| String::from_utf8_lossy(&body).into_owned())
}
