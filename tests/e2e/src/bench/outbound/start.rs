//! What a large table costs at the start: the first request of an isolate makes the Wasm instance and loads the table.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Result, ensure};
use axum::body::Body;
use hyper::Request;
use serde::Serialize;
use tidegate_e2e::{Connection, OutboundWorker, PlainChain};

use super::{USER, median, names};

/// Starts of each size, in turn: what a start takes differs by as much as a table of some megabytes costs.
const STARTS: usize = 25;

/// The figures of one size.
#[derive(Serialize)]
pub(super) struct Start {
    names: usize,
    table_bytes: usize,
    first_request_ms: Vec<f64>,
    second_request_ms: Vec<f64>,
}

/// A small table, a sixth of the names and all of them.
pub(super) async fn measure(count: usize, upstream: SocketAddr) -> Result<Vec<Start>> {
    let mut starts = Vec::new();
    for names in [1, count / 6, count] {
        let table = names::table(names)?;
        let start =
            Start { names, table_bytes: table.len(), first_request_ms: Vec::new(), second_request_ms: Vec::new() };
        starts.push((table, start));
    }
    for _ in 0..STARTS {
        for (table, start) in &mut starts {
            start.once(table, upstream).await?;
        }
    }
    Ok(starts.into_iter().map(|(_, start)| start).collect())
}

impl Start {
    /// Starts a workerd of its own.
    async fn once(&mut self, table: &[u8], upstream: SocketAddr) -> Result<()> {
        let chain = PlainChain::around(OutboundWorker::with_table(table)?)
            .user(&USER.replace("TARGET", "\"https://shop.example/\""))
            .without_dispatch()
            .binding("customer_name", "acme");
        let chain = chain.start(upstream).await?;
        let mut connection = Connection::open(chain.address()).await?;
        for times in [&mut self.first_request_ms, &mut self.second_request_ms] {
            let request = Request::builder().uri("/").header("host", "shop.example").body(Body::empty())?;
            let begun = Instant::now();
            let answer = connection.send(request).await?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            ensure!(answer.status() == 200, "{}", answer.status());
        }
        Ok(())
    }

    pub(super) fn print(&self) {
        let (first, second) = (median(&self.first_request_ms), median(&self.second_request_ms));
        println!(
            "{} names, {} bytes of table: first request {first:.1} ms, second {second:.1} ms",
            self.names, self.table_bytes
        );
    }
}
