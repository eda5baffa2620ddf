//! `docs/benchmarks.md`: the template `page.md` with the figures of a run in their places, and the pictures beside it.
//!
//! Which goals are reached is worked out here, from the figures of the very run.

mod goals;
mod pictures;
mod tables;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::Results;
use crate::measure::Spread;

const TEMPLATE: &str = include_str!("../page.md");

/// What the end-to-end benchmark writes: a row for each chain, with a figure for each round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Workerd {
    #[serde(default)]
    machine: BTreeMap<String, String>,
    rows: Vec<Chain>,
    lookup: Option<Lookup>,
    #[serde(default)]
    start: Vec<Start>,
}

/// Lookups of the same hosts in the same table.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Lookup {
    names: usize,
    native_ns: f64,
    wasm_ns: f64,
}

/// Starts with one table, a figure for each.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Start {
    names: usize,
    table_bytes: usize,
    first_request_ms: Vec<f64>,
    second_request_ms: Vec<f64>,
}

/// One chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Chain {
    name: String,
    #[serde(default)]
    what: String,
    requests_per_second: Vec<f64>,
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
    cpu_us_per_request: Vec<f64>,
}

impl Workerd {
    fn chain(&self, name: &str) -> Option<&Chain> {
        self.rows.iter().find(|chain| chain.name == name)
    }

    /// CPU a request of one chain against another's: the median of the rounds' ratios.
    fn cpu_against(&self, one: &str, other: &str) -> Option<f64> {
        let (one, other) = (self.chain(one)?, self.chain(other)?);
        let ratios = one.cpu_us_per_request.iter().zip(&other.cpu_us_per_request).map(|(one, other)| one / other);
        Some(Spread::of(ratios.collect()).median)
    }
}

/// Writes the page and its pictures into a folder of documents.
pub(crate) fn write(run: &Results, docs: &Path) -> Result<()> {
    let pictures = docs.join("benchmarks");
    fs::create_dir_all(&pictures).with_context(|| format!("cannot make {}", pictures.display()))?;
    for (name, svg) in pictures::all(run) {
        fs::write(pictures.join(name), svg).with_context(|| format!("cannot write {name}"))?;
    }
    let page = docs.join("benchmarks.md");
    fs::write(&page, text(run)?).with_context(|| format!("cannot write {}", page.display()))
}

fn text(run: &Results) -> Result<String> {
    let mut text = TEMPLATE.to_owned();
    for (place, figures) in [
        ("machine", tables::machine(&run.machine)),
        ("rounds", run.rounds.to_string()),
        ("goals", goals::table(run)),
        ("queries", tables::queries()),
        ("lookups", tables::lookups(&run.lookups)),
        ("requests", tables::requests(&run.decisions)),
        ("decisions", tables::decisions(&run.decisions)),
        ("workerd", tables::workerd(run.workerd.as_ref())),
        ("compilation", tables::compilation(run.compilation.as_ref())),
        ("growth", tables::growth(run)),
        ("lists", tables::lists(&run.lookups)),
    ] {
        let place = format!("{{{place}}}");
        if !text.contains(&place) {
            bail!("page.md has no place for `{place}`");
        }
        text = text.replace(&place, &figures);
    }
    Ok(text)
}

/// With three digits that count, or as many as there are before the point.
fn shown(value: f64) -> String {
    let magnitude = value.abs();
    let digits = if magnitude >= 100.0 || magnitude == 0.0 {
        0
    } else if magnitude >= 10.0 {
        1
    } else {
        2
    };
    if magnitude > 0.0 && magnitude < 0.1 { format!("{value:.3}") } else { format!("{value:.digits$}") }
}

/// `12.3 (11.9–14.0)`
fn spread(figure: Spread) -> String {
    format!("{} ({}–{})", shown(figure.median), shown(figure.least), shown(figure.most))
}

/// With commas between the thousands.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        let figures = [0.0, 0.0123, 0.5, 1.234, 12.34, 123.4, 12_345.6].map(shown);
        assert_eq!(figures, ["0", "0.012", "0.50", "1.23", "12.3", "123", "12346"]);
        assert_eq!([7, 1_000, 1_000_000].map(thousands), ["7", "1,000", "1,000,000"]);
    }
}
