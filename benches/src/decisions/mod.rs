//! May this request go out? Whole decisions under 10 to 10,000 rules, by Tidegate, Cedar, Rego and a matcher written by hand.
//!
//! All engines get the same rules, each in its own language, and must give the same verdict on every request before one of
//! them is timed.

mod cedar;
mod plain;
mod policy;
mod rego;
pub(crate) mod tidegate;

use std::ops::Range;
use std::path::Path;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::measure::{self, Asked, Spread};

/// How many requests are judged.
const REQUESTS: usize = 4_000;

/// All engines under so many rules.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Comparison {
    pub(crate) rules: usize,
    pub(crate) requests: usize,
    /// How many of them are allowed.
    pub(crate) allowed: usize,
    pub(crate) rows: Vec<Row>,
}

/// One engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) engine: String,
    /// Nanoseconds a decision.
    pub(crate) decision: Spread,
    /// Seconds from the rules' text to an engine that decides.
    pub(crate) build: f64,
    /// Bytes of what is deployed, where there is such a thing.
    pub(crate) bytes: Option<usize>,
}

/// What was made of the rules.
struct Engine<'a> {
    name: &'static str,
    build: f64,
    bytes: Option<usize>,
    decide: Box<dyn Prepared + 'a>,
}

/// Decides on requests that it knows by number, many at a call.
trait Prepared {
    fn count(&mut self, requests: Range<usize>) -> usize;
    fn each(&mut self, requests: Range<usize>) -> Vec<bool>;
}

/// What decides, behind a pointer.
fn prepared<'a>(decide: impl FnMut(usize) -> bool + 'a) -> Box<dyn Prepared + 'a> {
    Box::new(decide)
}

impl<F: FnMut(usize) -> bool> Prepared for F {
    fn count(&mut self, requests: Range<usize>) -> usize {
        requests.filter(|request| self(std::hint::black_box(*request))).count()
    }

    fn each(&mut self, requests: Range<usize>) -> Vec<bool> {
        requests.map(self).collect()
    }
}

/// Measures all engines at growing numbers of rules.
pub(crate) fn compare(folder: &Path, rounds: usize, most: usize) -> Result<Vec<Comparison>> {
    [10, 100, 1_000, 10_000]
        .into_iter()
        .filter(|rules| *rules <= most)
        .map(|rules| compare_under(rules, folder, rounds))
        .collect()
}

fn compare_under(count: usize, folder: &Path, rounds: usize) -> Result<Comparison> {
    eprintln!("decisions: {count} rules");
    let rules = policy::rules(count);
    let requests = policy::requests(&rules, REQUESTS, 7);
    let expected: Vec<bool> = requests.iter().map(|request| policy::allowed(&rules, request)).collect();
    let mut engines = vec![tidegate::engine(&rules, &requests, folder)?, plain::engine(&rules, &requests)];
    engines.push(cedar::engine(&rules, &requests)?);
    engines.extend(rego::engines(&rules, &requests)?);
    for engine in &mut engines {
        let verdicts = engine.decide.each(0..requests.len());
        if let Some(other) = verdicts.iter().zip(&expected).position(|(said, expected)| said != expected) {
            bail!("{} allows {:?}: {}; the others do not", engine.name, requests[other], verdicts[other]);
        }
    }
    let mut asked: Vec<Asked<'_>> = engines
        .iter_mut()
        .map(|engine| Box::new(|range: Range<usize>| engine.decide.count(range)) as Asked<'_>)
        .collect();
    let times = measure::in_turn(&mut asked, requests.len(), rounds);
    drop(asked);
    let row = |(engine, decision): (&Engine<'_>, Spread)| Row {
        engine: engine.name.to_owned(),
        decision,
        build: engine.build,
        bytes: engine.bytes,
    };
    let rows = engines.iter().zip(times).map(row).collect();
    let allowed = expected.iter().filter(|allowed| **allowed).count();
    Ok(Comparison { rules: count, requests: requests.len(), allowed, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_engines_give_the_same_verdicts() {
        let folder = std::env::temp_dir().join(format!("tidegate-engines-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let comparison = compare_under(50, &folder, 1);
        std::fs::remove_dir_all(&folder).unwrap();
        let engines: Vec<String> = comparison.unwrap().rows.into_iter().map(|row| row.engine).collect();
        assert_eq!(
            engines,
            ["Tidegate", "by hand", "cedar-policy", "regorus, virtual machine", "regorus, interpreter"]
        );
    }
}
