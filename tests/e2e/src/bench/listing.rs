//! How long listing by tag takes with ten thousand scripts in the store.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tidegate_platform::names::{NamespaceName, ScriptName};
use tidegate_platform::store::{NewVersion, Started, Store, TagFilter};
use tidegate_platform::worker::{Code, Entry, Module, ModuleKind, Scope, ScriptKey};

use crate::figures::{ms, percentile};

const SCRIPTS: usize = 10_000;
const LISTINGS: usize = 200;

/// As many as one page of the API has at most.
const PAGE: usize = 1000;

pub(crate) fn measure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path())?;
    let namespace = store.create_namespace(&NamespaceName::parse("customers")?)?;
    let scope = Scope::Namespace(namespace.id);
    let begun = Instant::now();
    for number in 0..SCRIPTS {
        let key = ScriptKey { scope, name: ScriptName::parse(&format!("script-{number:05}"))? };
        let plan = if number % 10 == 0 { "paid" } else { "free" };
        let tags = vec![format!("customer-{}", number / 5), plan.to_owned(), "production".to_owned()];
        store.deploy(&key, &version(number, tags))?;
    }
    println!("{SCRIPTS} scripts, each deployed in {} on average:", ms(begun.elapsed() / u32::try_from(SCRIPTS)?));
    let filter = |with: &[&str], without: &[&str]| TagFilter {
        with: with.iter().map(|tag| (*tag).to_owned()).collect(),
        without: without.iter().map(|tag| (*tag).to_owned()).collect(),
    };
    let cases = [
        ("one customer's", filter(&["customer-700"], &[]), 5),
        ("paid ones, the first page", filter(&["paid"], &[]), PAGE),
        ("all in production but the paid", filter(&["production"], &["paid"]), PAGE),
    ];
    for (what, filter, expected) in cases {
        let mut samples = Vec::new();
        for _ in 0..LISTINGS {
            let begun = Instant::now();
            let page = store.scripts(scope, &filter, PAGE, None)?;
            samples.push(begun.elapsed());
            ensure!(page.items.len() == expected, "{} are listed", page.items.len());
        }
        let (p50, p95): (Duration, Duration) = (percentile(&mut samples, 50), percentile(&mut samples, 95));
        println!("  {what:<34} p50 {:>9}  p95 {:>9}   ({expected} scripts)", ms(p50), ms(p95));
    }
    store.close();
    folder.close().context("cannot remove the folder")
}

/// A small script that says its number.
pub(crate) fn version(number: usize, tags: Vec<String>) -> NewVersion {
    version_of(number, 0, tags)
}

/// One with a comment of so many bytes.
pub(crate) fn version_of(number: usize, size: usize, tags: Vec<String>) -> NewVersion {
    let code = Code {
        entry: Entry::MainModule("index.js".to_owned()),
        modules: vec![Module {
            name: "index.js".to_owned(),
            kind: ModuleKind::EsModule,
            content_type: "application/javascript+module".to_owned(),
            content: format!("export default {{ fetch: () => new Response('{number}') }};\n// {}", "x".repeat(size))
                .into(),
        }],
        bindings: Vec::new(),
        compatibility_date: "2026-01-01".to_owned(),
        compatibility_flags: Vec::new(),
        settings: serde_json::Map::new(),
        assets: None,
    };
    NewVersion { code, started: Started::default(), tags: Some(tags), derived_from: None, files: None }
}
