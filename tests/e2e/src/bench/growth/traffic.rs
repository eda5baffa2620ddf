//! Requests at saturation, over connections that are kept.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use axum::body::Body;
use futures_util::future::try_join_all;
use http_body_util::BodyExt as _;
use hyper::Request;
use tidegate_e2e::Connection;

use crate::figures::percentile;

/// As many as workerd's one thread can be kept busy with.
pub(super) const CONNECTIONS: usize = 8;

/// Connections are opened this long after one another, each with a first request: of those that come at the same moment
/// one process may take all.
const APART: Duration = Duration::from_millis(10);

/// What came of it.
pub(super) struct Traffic {
    latencies: Vec<Duration>,
    took: Duration,
    /// How many requests ended in each answer.
    answers: HashMap<String, usize>,
}

impl Traffic {
    /// Asks for `path` over and over, each connection of the next of the hosts.
    pub(super) async fn of(
        address: SocketAddr,
        hosts: &[String],
        path: &str,
        connections: usize,
        duration: Duration,
    ) -> Result<Self> {
        let client = async |number: usize| -> Result<_> {
            tokio::time::sleep(APART * u32::try_from(number)?).await;
            let mut connection = Connection::open(address).await?;
            ask(&mut connection, &hosts[number % hosts.len()], path).await?;
            // All measure the same time.
            tokio::time::sleep(APART * u32::try_from(connections - number)?).await;
            let begun = Instant::now();
            let (mut latencies, mut answers) = (Vec::new(), HashMap::new());
            let mut next = number;
            while begun.elapsed() < duration {
                let asked = Instant::now();
                let answer = ask(&mut connection, &hosts[next % hosts.len()], path).await?;
                latencies.push(asked.elapsed());
                *answers.entry(answer).or_insert(0) += 1;
                next += connections;
            }
            Ok((latencies, answers))
        };
        let mut traffic = Self { latencies: Vec::new(), took: duration, answers: HashMap::new() };
        for (latencies, answers) in try_join_all((0..connections).map(client)).await? {
            traffic.latencies.extend(latencies);
            for (answer, count) in answers {
                *traffic.answers.entry(answer).or_default() += count;
            }
        }
        Ok(traffic)
    }

    pub(super) fn requests(&self) -> usize {
        self.latencies.len()
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub(super) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    pub(super) fn percentile(&mut self, percent: usize) -> Duration {
        percentile(&mut self.latencies, percent)
    }

    /// The share of the most frequent answer.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub(super) fn largest_share(&self) -> f64 {
        self.answers.values().copied().max().unwrap_or_default() as f64 / self.latencies.len().max(1) as f64
    }
}

/// A GET that is answered with 200; its body.
pub(super) async fn ask(connection: &mut Connection, host: &str, path: &str) -> Result<String> {
    let request = Request::builder().uri(path).header("host", host).body(Body::empty())?;
    let answer = connection.send(request).await?;
    let status = answer.status();
    let body = String::from_utf8_lossy(&answer.into_body().collect().await?.to_bytes()).into_owned();
    ensure!(status == 200, "{host}: {status}: {body}");
    Ok(body)
}
