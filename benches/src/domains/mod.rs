//! Is this host on the list, or beneath a name that is? The question that a blocklist answers, put to Tidegate's table and to
//! what else answers it.
//!
//! Every structure gives its answers before it is timed, on every host that it is asked for; one that differs from the hash
//! set's fails the run.

mod js;
mod peers;
mod tidegate;

pub(crate) use tidegate::POLICY;

use std::collections::HashSet;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::lists::{self, Lists};
use crate::measure::{self, Asked, Spread, count};
use crate::queries::Queries;

/// The lists are of these sizes; some peers cannot take the larger.
const SMALL: usize = 10_000;

/// One structure on one list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) structure: String,
    /// Whether it says yes where it should, and nowhere else.
    pub(crate) exact: bool,
    /// Bytes a name, as it is stored or in memory, where the structure tells.
    pub(crate) bytes: Option<f64>,
    /// Bytes a name of what would be deployed, gzipped.
    pub(crate) gzip: f64,
    /// Whether the stored bytes are what is looked up in. Else `bytes` is memory.
    pub(crate) in_place: bool,
    /// Nanoseconds a lookup.
    pub(crate) mix: Spread,
    pub(crate) hit: Spread,
    pub(crate) miss: Spread,
    /// Seconds from the names to the structure.
    pub(crate) build: f64,
    /// Milliseconds from what is stored to the first lookup.
    pub(crate) start: Spread,
    /// How many hosts its answers were compared on.
    pub(crate) checked: usize,
}

/// All structures on one list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Comparison {
    pub(crate) list: String,
    pub(crate) names: usize,
    /// Of the list itself, one name a line.
    pub(crate) text: f64,
    pub(crate) sha256: String,
    pub(crate) rows: Vec<Row>,
}

/// Something that was built of names.
pub(crate) struct Structure<'a> {
    pub(crate) name: &'static str,
    /// Bytes as it is stored or in memory, where it tells.
    pub(crate) bytes: Option<usize>,
    pub(crate) gzip: usize,
    pub(crate) in_place: bool,
    pub(crate) build: f64,
    /// Makes it usable, of what is stored.
    pub(crate) start: Box<dyn Fn() + 'a>,
    /// Whether a host is on the list.
    pub(crate) lookup: Box<dyn Lookup + 'a>,
}

/// Looks hosts up, many at a call: what it costs to call it through a pointer is no part of what is measured.
pub(crate) trait Lookup {
    /// How many of the hosts are on the list.
    fn count(&mut self, hosts: &[String]) -> usize;
    /// Of each of them, whether it is.
    fn each(&mut self, hosts: &[String]) -> Vec<bool>;
}

impl<F: FnMut(&str) -> bool> Lookup for F {
    fn count(&mut self, hosts: &[String]) -> usize {
        hosts.iter().filter(|host| self(std::hint::black_box(host))).count()
    }

    fn each(&mut self, hosts: &[String]) -> Vec<bool> {
        hosts.iter().map(|host| self(host)).collect()
    }
}

/// Measures all structures on lists of three sizes.
pub(crate) fn compare(lists: &Lists, folder: &Path, rounds: usize, largest: usize) -> Result<Vec<Comparison>> {
    let every = lists.million.len().div_ceil(SMALL.min(largest));
    let small: Vec<String> = lists.million.iter().step_by(every).cloned().collect();
    let mut comparisons = Vec::new();
    for (list, names) in [
        ("a sample of `pkg1m`", &small),
        ("npm `disposable-email-domains`", &lists.disposable),
        ("`pkg1m`", &lists.million),
    ] {
        if names.len() <= largest {
            eprintln!("lookups: {list}, {} names", names.len());
            comparisons.push(compare_on(list, names, lists, folder, rounds)?);
        }
    }
    Ok(comparisons)
}

fn compare_on(list: &str, names: &[String], lists: &Lists, folder: &Path, rounds: usize) -> Result<Comparison> {
    let queries = Queries::of(names, &lists.sites, crate::queries::HOSTS, 42);
    let text = names.join("\n") + "\n";
    let mut structures = vec![tidegate::structure(&text, folder)?];
    structures.extend(peers::all(names, &text)?);
    let mut rows = measured(names, &mut structures, &queries, rounds)?;
    rows.extend(js::rows(names, &text, &queries, folder, rounds)?);
    let text = count(text.len()) / count(names.len());
    Ok(Comparison { list: list.to_owned(), names: names.len(), text, sha256: lists::digest(names), rows })
}

/// Tidegate, the hash set, `fst` and marisa on lists of growing length: those that take a million.
pub(crate) fn grow(lists: &Lists, folder: &Path, rounds: usize, largest: usize) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    for length in
        [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000].into_iter().filter(|length| *length <= largest)
    {
        eprintln!("growth: {length} names");
        let every = lists.million.len() / length;
        let names: Vec<String> = lists.million.iter().step_by(every).take(length).cloned().collect();
        let queries = Queries::of(&names, &lists.sites, crate::queries::HOSTS, 42);
        let text = names.join("\n") + "\n";
        let mut structures = vec![tidegate::structure(&text, folder)?];
        structures.extend(peers::that_grow(&names, &text)?);
        let rows = measured(&names, &mut structures, &queries, rounds)?;
        let text = count(text.len()) / count(names.len());
        comparisons.push(Comparison {
            list: "`pkg1m`".to_owned(),
            names: length,
            text,
            sha256: lists::digest(&names),
            rows,
        });
    }
    Ok(comparisons)
}

fn measured(names: &[String], structures: &mut [Structure<'_>], queries: &Queries, rounds: usize) -> Result<Vec<Row>> {
    let set: HashSet<&str> = names.iter().map(String::as_str).collect();
    let checked: Vec<usize> =
        structures.iter_mut().map(|structure| check(structure, &set, queries)).collect::<Result<_>>()?;
    let mut times = Vec::new();
    for hosts in [&queries.mix, &queries.hits, &queries.misses] {
        let mut asked: Vec<Asked<'_>> = structures
            .iter_mut()
            .map(|structure| {
                let lookup = &mut structure.lookup;
                Box::new(move |range: std::ops::Range<usize>| lookup.count(&hosts[range])) as Asked<'_>
            })
            .collect();
        times.push(measure::in_turn(&mut asked, hosts.len(), rounds));
    }
    let each = |bytes: usize| count(bytes) / count(names.len());
    let row = |(at, structure): (usize, &Structure<'_>)| Row {
        structure: structure.name.to_owned(),
        exact: true,
        bytes: structure.bytes.map(each),
        gzip: each(structure.gzip),
        in_place: structure.in_place,
        mix: times[0][at],
        hit: times[1][at],
        miss: times[2][at],
        build: structure.build,
        start: measure::milliseconds(rounds.min(5), || (structure.start)()),
        checked: checked[at],
    };
    Ok(structures.iter().enumerate().map(row).collect())
}

/// Compares the answers with the hash set's, on so many hosts as take a second at most, and on a thousand at least.
fn check(structure: &mut Structure<'_>, set: &HashSet<&str>, queries: &Queries) -> Result<usize> {
    let started = std::time::Instant::now();
    let mut checked = 0;
    for hosts in queries.mix.chunks(1_000) {
        for (host, answer) in hosts.iter().zip(structure.lookup.each(hosts)) {
            if answer != covers(set, host) {
                bail!("{} says {answer} of `{host}`, and the hash set does not", structure.name);
            }
        }
        checked += hosts.len();
        if started.elapsed().as_secs() >= 4 {
            break;
        }
    }
    Ok(checked)
}

/// Whether the set holds a name or one that it is beneath.
pub(crate) fn covers(set: &HashSet<&str>, host: &str) -> bool {
    suffixes(host).any(|suffix| set.contains(suffix))
}

/// A host, and what remains of it label by label.
pub(crate) fn suffixes(host: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(host), |suffix| suffix.split_once('.').map(|(_, rest)| rest))
}

/// As `gzip -9` has it.
pub(crate) fn gzipped(bytes: &[u8]) -> usize {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).map_or(0, |compressed| compressed.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A few names, as alike and as different as those of lists are.
    fn small() -> Lists {
        let names = |count: usize, name: fn(usize) -> String| (0..count).map(name).collect::<Vec<_>>();
        let mut million = names(300, |number| format!("{}.family-{}.example", number * 7, number % 9));
        million.sort();
        let sites = names(200, |number| format!("site-{number}.test-{}.example", number % 3));
        Lists { disposable: million[..100].to_vec(), million, sites }
    }

    #[test]
    fn every_structure_gives_the_hash_sets_answers() {
        let folder = std::env::temp_dir().join(format!("tidegate-peers-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let comparisons = compare(&small(), &folder, 1, usize::MAX).unwrap();
        let grown = grow(&small(), &folder, 1, 1);
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(grown.unwrap().is_empty());
        assert_eq!(comparisons.len(), 3);
        for comparison in comparisons {
            let structures: Vec<&str> = comparison.rows.iter().map(|row| row.structure.as_str()).collect();
            assert_eq!(structures.len(), 13, "{structures:?}");
            assert!(comparison.rows.iter().all(|row| row.mix.median > 0.0), "{comparison:#?}");
        }
    }

    #[test]
    fn a_structure_that_is_wrong_of_one_host_ends_the_run() {
        let lists = small();
        let queries = Queries::of(&lists.million, &lists.sites, 1_000, 1);
        let set: HashSet<&str> = lists.million.iter().map(String::as_str).collect();
        let wrong = queries.hits[0].clone();
        let mut structure = Structure {
            name: "wrong",
            bytes: None,
            gzip: 0,
            in_place: true,
            build: 0.0,
            start: Box::new(|| ()),
            lookup: Box::new(|host: &str| host != wrong && covers(&set, host)),
        };
        assert!(check(&mut structure, &set, &queries).is_err());
        structure.lookup = Box::new(|host: &str| covers(&set, host));
        assert_eq!(check(&mut structure, &set, &queries).unwrap(), 1_000);
    }
}
