//! What a Worker in JavaScript would do, in Node. Not in turn with the rest, for it is another process: right after.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{Row, covers, gzipped};
use crate::measure::{Spread, count};
use crate::queries::Queries;

/// What `js/lookup.mjs` tells of a contestant.
#[derive(Deserialize)]
struct Told {
    name: String,
    exact: bool,
    /// By how much the heap has grown.
    bytes: f64,
    start: Spread,
    mix: Spread,
    hit: Spread,
    miss: Spread,
    /// Of the first hosts, `1` where the answer is yes.
    answers: String,
}

pub(crate) fn rows(names: &[String], text: &str, queries: &Queries, folder: &Path, rounds: usize) -> Result<Vec<Row>> {
    let (list, hosts) = (folder.join("names.txt"), folder.join("queries.json"));
    fs::write(&list, text).with_context(|| format!("cannot write {}", list.display()))?;
    let queries_json = serde_json::json!({ "mix": queries.mix, "hits": queries.hits, "misses": queries.misses });
    fs::write(&hosts, queries_json.to_string())?;
    let script = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/js/lookup.mjs"));
    let mut node = Command::new("node");
    node.arg("--expose-gc").arg("--max-old-space-size=4096").arg(script).args([list, hosts]).arg(rounds.to_string());
    let output = node.output().context("cannot start Node: is it on the PATH?")?;
    if !output.status.success() {
        bail!("js/lookup.mjs failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let told: Vec<Told> = serde_json::from_slice(&output.stdout).context("js/lookup.mjs says something else")?;
    let set: HashSet<&str> = names.iter().map(String::as_str).collect();
    told.into_iter().map(|told| row(told, names, text, queries, &set)).collect()
}

fn row(told: Told, names: &[String], text: &str, queries: &Queries, set: &HashSet<&str>) -> Result<Row> {
    let wrong =
        queries.mix.iter().zip(told.answers.bytes()).filter(|(host, answer)| covers(set, host) != (*answer == b'1'));
    let wrong = wrong.count();
    if told.exact && wrong > 0 {
        bail!("{} is wrong of {wrong} hosts", told.name);
    }
    Ok(Row {
        structure: told.name,
        exact: told.exact,
        bytes: Some(told.bytes / count(names.len())).filter(|bytes| *bytes > 0.0),
        gzip: count(gzipped(text.as_bytes())) / count(names.len()),
        in_place: false,
        mix: told.mix,
        hit: told.hit,
        miss: told.miss,
        build: told.start.median / 1e3,
        start: told.start,
        checked: told.answers.len(),
    })
}
