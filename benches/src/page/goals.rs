//! Goals, and how far a run is from them.

use std::fmt::Write as _;

use super::shown;
use crate::Results;
use crate::measure::{Spread, count};

/// A table of all goals. What the run did not measure says so.
pub(super) fn table(run: &Results) -> String {
    let mut text = "| goal | in this run | |\n|---|---|---|".to_owned();
    let mut each = |goal: &'static str, result: Option<(String, bool)>| {
        let _ = match result {
            Some((seen, true)) => write!(text, "\n| {goal} | {seen} | reached |"),
            Some((seen, false)) => write!(text, "\n| {goal} | {seen} | **missed** |"),
            None => write!(text, "\n| {goal} | not measured | |"),
        };
    };
    each("a million names: at most 6.0 bytes each, ids and all", bytes(run, 6.0));
    each("lookups at least twice as fast as marisa's", lookup_against(run, "marisa", 0.5));
    each("lookups no slower than `fst`", lookup_against(run, "fst", 1.0));
    each("stretch: 5.0 bytes", bytes(run, 5.0));
    each("stretch: at most twice the time of a hash set", lookup_against(run, "hash set (hashbrown)", 2.0));
    each("in Wasm in workerd at most twice the native time", lookup_in_workerd(run));
    each("a start in workerd takes at most 1.1 ms a MB of table", start_in_workerd(run));
    each("natively a policy is loaded in at most 1.1 ms a MB", load(run));
    each("a million names compile in at most 2 s", compilation(run));
    each("… and 1 GiB", memory(run));
    each(
        "decisions at 10,000 rules at least ten times as fast as cedar-policy's",
        decision_against(run, "cedar-policy"),
    );
    each("… as regorus' virtual machine's", decision_against(run, "regorus, virtual machine"));
    each("… as regorus' interpreter's", decision_against(run, "regorus, interpreter"));
    each("in workerd: CPU at most 1.1× of the same job in JavaScript", cpu(run, "tidegate-headers", 1.1));
    each("… with a token from the cache at most 1.25×", cpu(run, "tidegate-token", 1.25));
    text
}

fn row<'r>(run: &'r Results, structure: &str) -> Option<&'r crate::domains::Row> {
    let million = run.lookups.iter().find(|comparison| comparison.names == crate::lists::NAMES)?;
    million.rows.iter().find(|row| row.structure == structure)
}

fn bytes(run: &Results, most: f64) -> Option<(String, bool)> {
    let bytes = row(run, "Tidegate")?.bytes?;
    Some((format!("{bytes:.2}"), bytes <= most))
}

/// Our time on the mix as a share of a peer's.
fn lookup_against(run: &Results, peer: &str, most: f64) -> Option<(String, bool)> {
    let (ours, theirs) = (row(run, "Tidegate")?.mix.median, row(run, peer)?.mix.median);
    Some((
        format!("{} ns against {} ns: {}× the time", shown(ours), shown(theirs), shown(ours / theirs)),
        ours / theirs <= most,
    ))
}

fn lookup_in_workerd(run: &Results) -> Option<(String, bool)> {
    let lookup = run.workerd.as_ref()?.lookup.as_ref()?;
    let times = lookup.wasm_ns / lookup.native_ns;
    Some((
        format!("{} ns against {} ns: {times:.2}× the time", shown(lookup.wasm_ns), shown(lookup.native_ns)),
        times <= 2.0,
    ))
}

/// What a megabyte of table adds to the first request: the largest table against the smallest.
fn start_in_workerd(run: &Results) -> Option<(String, bool)> {
    let starts = &run.workerd.as_ref()?.start;
    let (least, most) = (starts.first()?, starts.last()?);
    let megabytes = count(most.table_bytes.checked_sub(least.table_bytes).filter(|bytes| *bytes > 0)?) / 1e6;
    // Starts take turns, so that each of the large table has one of the small beside it.
    let beside = std::iter::zip(&least.first_request_ms, &most.first_request_ms);
    let each = Spread::of(beside.map(|(least, most)| (most - least) / megabytes).collect());
    Some((format!("{:.2} ms a MB, median of {} pairs", each.median, most.first_request_ms.len()), each.median <= 1.1))
}

fn load(run: &Results) -> Option<(String, bool)> {
    let run = run.compilation.as_ref()?;
    let each = run.load.median / (count(run.table) / 1e6);
    Some((format!("{} ms a MB ({} ms)", shown(each), shown(run.load.median)), each <= 1.1))
}

fn compilation(run: &Results) -> Option<(String, bool)> {
    let run = run.compilation.as_ref().filter(|run| run.names == crate::lists::NAMES)?;
    let seen = format!("{} s; unchanged {} s", shown(run.cold.median), shown(run.warm.median));
    Some((seen, run.cold.median <= 2.0))
}

fn memory(run: &Results) -> Option<(String, bool)> {
    // Where the system does not tell, it is 0.
    let run = run.compilation.as_ref().filter(|run| run.names == crate::lists::NAMES && run.cold_memory > 0.0)?;
    Some((format!("{} MiB", shown(run.cold_memory)), run.cold_memory <= 1024.0))
}

fn decision_against(run: &Results, peer: &str) -> Option<(String, bool)> {
    let largest = run.decisions.iter().find(|comparison| comparison.rules == 10_000)?;
    let of = |engine: &str| largest.rows.iter().find(|row| row.engine == engine).map(|row| row.decision.median);
    let (ours, theirs) = (of("Tidegate")?, of(peer)?);
    Some((
        format!("{} ns against {} ns: {}× as fast", shown(ours), shown(theirs), shown(theirs / ours)),
        theirs / ours >= 10.0,
    ))
}

fn cpu(run: &Results, chain: &str, most: f64) -> Option<(String, bool)> {
    let ratio = run.workerd.as_ref()?.cpu_against(chain, "js-same-job")?;
    Some((format!("{ratio:.2}×"), ratio <= most))
}
