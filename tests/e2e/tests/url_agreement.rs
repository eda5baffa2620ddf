//! Where our canonicaliser accepts a URL, the runtime accepts it too and reads it in the same way.
//!
//! The URLs are those of the corpus, those that the fuzzer keeps, and many that are put together at random from parts that have
//! confused parsers, the same ones in every run.

#[path = "../../corpus/url_cases.rs"]
#[expect(dead_code, reason = "what is asked here is not what a policy says")]
mod url_cases;

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use serde::Deserialize;
use tidegate_e2e::{Script, repository};
use tidegate_engine::Target;

const GENERATED: usize = 10_000;
const BATCH: usize = 2_000;

/// What workerd says of a string.
#[derive(Debug, Deserialize)]
struct Runtime {
    href: Option<String>,
    narrowed: Option<String>,
    requested: Option<String>,
}

#[tokio::test]
async fn where_our_canonicaliser_accepts_a_url_workerd_reads_the_same() -> Result<()> {
    let runtime = Script::start(include_str!("../workers/urls.js")).await?;
    let mut urls: BTreeSet<String> = url_cases::all().into_iter().map(|case| case.url).collect();
    urls.extend(kept_by_the_fuzzer()?);
    let (parts, mut rng) = (Parts::read()?, Rng::with_seed(3));
    urls.extend((0..GENERATED).map(|_| parts.url(&mut rng)));

    let urls: Vec<&String> = urls.iter().collect();
    let (mut accepted, mut wrong) = (0, Vec::new());
    for batch in urls.chunks(BATCH) {
        let judged: Vec<Option<Target>> = batch.iter().map(|url| Target::parse(url).ok()).collect();
        let read: Vec<Runtime> = runtime.ask(&batch).await?;
        let forwarded: Vec<&str> = judged.iter().map(|target| target.as_ref().map_or("", Target::url)).collect();
        let read_again: Vec<Runtime> = runtime.ask(&forwarded).await?;
        for (((url, target), read), again) in batch.iter().zip(&judged).zip(&read).zip(&read_again) {
            let Some(target) = target else { continue };
            accepted += 1;
            let ours = Some(target.url());
            let agrees = read.narrowed.as_deref() == ours && read.href.is_some();
            if !agrees || again.href.as_deref() != ours || again.requested.as_deref() != ours {
                wrong.push(format!("{url:?}\n    we read {ours:?}\n    workerd {read:?}\n    and of ours {again:?}"));
            }
        }
    }
    println!("{} URLs, {accepted} accepted, {} read in another way", urls.len(), wrong.len());
    ensure!(wrong.is_empty(), "{} of {accepted}:\n{}", wrong.len(), wrong.join("\n"));
    ensure!(accepted * 3 > urls.len(), "only {accepted} of {} are accepted: this shows little", urls.len());
    Ok(())
}

/// The kept inputs of the fuzz target that looks at URLs alone.
fn kept_by_the_fuzzer() -> Result<Vec<String>> {
    let mut urls = Vec::new();
    for folder in ["fuzz/corpus/canonical_urls_agree", "fuzz/regressions/canonical_urls_agree"] {
        let folder = repository().join(folder);
        for file in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            urls.push(String::from_utf8_lossy(&fs::read(file?.path())?).into_owned());
        }
    }
    Ok(urls)
}

/// Parts that URLs are put together from.
#[derive(Deserialize)]
struct Parts {
    schemes: Vec<String>,
    userinfo: Vec<String>,
    labels: Vec<String>,
    dots: Vec<String>,
    hosts: Vec<String>,
    ports: Vec<String>,
    slashes: Vec<String>,
    segments: Vec<String>,
    queries: Vec<String>,
    fragments: Vec<String>,
    anywhere: Vec<String>,
}

impl Parts {
    fn read() -> Result<Self> {
        Ok(toml::from_str(include_str!("../../corpus/url-parts.toml"))?)
    }

    /// A URL of which most parts are plain, so that one odd part does not hide behind another.
    fn url(&self, rng: &mut Rng) -> String {
        let mut url = odd_or(0.2, "https://", &self.schemes, rng).to_owned();
        url += odd_or(0.1, "", &self.userinfo, rng);
        if rng.f64() < 0.3 {
            url += odd_or(1.0, "", &self.labels, rng);
            url += odd_or(1.0, "", &self.dots, rng);
        }
        url += odd_or(0.5, "api.example.com", &self.hosts, rng);
        url += odd_or(0.2, "", &self.ports, rng);
        for _ in 0..rng.u8(..5) {
            url += odd_or(0.3, "/", &self.slashes, rng);
            url += odd_or(1.0, "", &self.segments, rng);
            url += odd_or(0.3, "", &self.segments, rng);
        }
        url += odd_or(0.3, "", &self.queries, rng);
        url += odd_or(0.1, "", &self.fragments, rng);
        if rng.f64() < 0.2 {
            let places: Vec<usize> = url.char_indices().map(|(at, _)| at).collect();
            url.insert_str(places[rng.usize(..places.len())], odd_or(1.0, "", &self.anywhere, rng));
        }
        url
    }
}

/// One of the odd parts, so often, or else the plain one.
fn odd_or<'p>(often: f64, plain: &'p str, odd: &'p [String], rng: &mut Rng) -> &'p str {
    if rng.f64() < often { &odd[rng.usize(..odd.len())] } else { plain }
}
