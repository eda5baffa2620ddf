//! The same lookups natively: `natively TABLE HOSTS ROUNDS` says what the Worker answers.

#[path = "../src/lookups.rs"]
mod lookups;

use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use tidegate_table::Table;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [table, hosts, rounds] = arguments.as_slice() else { bail!("usage: natively TABLE HOSTS ROUNDS") };
    let bytes = std::fs::read(table).context("cannot read the table")?;
    let hosts = std::fs::read_to_string(hosts).context("cannot read the hosts")?;
    let hosts: Vec<&str> = hosts.lines().collect();
    let table = Table::from_bytes(&bytes)?;
    let (mut hits, mut nanoseconds) = (0, Vec::new());
    for _ in 0..rounds.parse().context("`ROUNDS` is a number")? {
        let begun = Instant::now();
        hits = lookups::hits(&table, &hosts).map_err(|fault| anyhow!("{fault}"))?;
        nanoseconds.push(begun.elapsed().as_secs_f64() * 1e9 / f64::from(u32::try_from(hosts.len())?));
    }
    println!("{{\"hits\":{hits},\"nanoseconds\":{nanoseconds:?}}}");
    Ok(())
}
