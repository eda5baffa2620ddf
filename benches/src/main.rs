//! `cargo xtask bench`, behind its preparations: measures Tidegate beside its peers and writes `docs/benchmarks.md`.
//!
//! One run, one machine, all contestants in turn. A part that is asked for alone (`--only`), or in a hurry (`--quick`), is
//! written to `target/bench` and not to the docs: what is published comes from one whole run.

mod compile;
mod customers;
mod decisions;
mod domains;
mod lists;
mod machine;
mod measure;
mod page;
mod queries;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::lists::Lists;
use crate::machine::Machine;

/// What can be measured.
const PARTS: [&str; 5] = ["lookups", "decisions", "workerd", "compilation", "growth"];

/// What one run measured. A part that was not asked for is empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) rounds: usize,
    /// Whether this is but a hurried run, or a part.
    pub(crate) partial: bool,
    pub(crate) lookups: Vec<domains::Comparison>,
    pub(crate) decisions: Vec<decisions::Comparison>,
    /// As the end-to-end benchmark wrote it.
    pub(crate) workerd: Option<page::Workerd>,
    pub(crate) compilation: Option<compile::Compilation>,
    pub(crate) names: Vec<domains::Comparison>,
    pub(crate) customers: Vec<customers::Row>,
}

/// What is asked for.
struct Plan {
    parts: Vec<String>,
    quick: bool,
    /// Where npm and pip have installed the lists.
    lists: PathBuf,
    /// Where what is measured on is kept.
    folder: PathBuf,
    /// The command line, for compilations.
    tidegate: PathBuf,
    /// The repository.
    root: PathBuf,
}

fn main() -> ExitCode {
    match Plan::read(std::env::args().skip(1)).and_then(|plan| plan.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Plan {
    fn read(mut given: impl Iterator<Item = String>) -> Result<Self> {
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let folder = root.join("target/bench");
        let mut plan = Self {
            parts: Vec::new(),
            quick: false,
            lists: folder.join("lists"),
            tidegate: root.join("target/release/tidegate"),
            folder,
            root,
        };
        while let Some(argument) = given.next() {
            let mut value = || given.next().with_context(|| format!("`{argument}` takes a value"));
            match argument.as_str() {
                "--only" => plan.parts.push(value()?),
                "--page" => {
                    plan.parts = vec!["page".to_owned()];
                }
                "--quick" => plan.quick = true,
                // It is started in folders of its own.
                "--tidegate" => plan.tidegate = std::path::absolute(value()?)?,
                _ => bail!("nothing is called `{argument}`: give `--quick`, `--page` or `--only PART`"),
            }
        }
        if let Some(unknown) = plan.parts.iter().find(|part| *part != "page" && !PARTS.contains(&part.as_str())) {
            bail!("there is nothing to measure called `{unknown}`: choose from {}", PARTS.join(", "));
        }
        Ok(plan)
    }

    fn run(&self) -> Result<()> {
        let results = self.folder.join("results.json");
        if self.parts == ["page"] {
            let text = fs::read(&results).context("there are no results: run `cargo xtask bench` first")?;
            return self.write(&serde_json::from_slice(&text).context("results.json is of another version")?);
        }
        let wanted = |part: &str| self.parts.is_empty() || self.parts.iter().any(|asked| asked == part);
        let partial = self.quick || !self.parts.is_empty();
        let rounds = if self.quick { 3 } else { 9 };
        let mut run = Results {
            machine: Machine::this(),
            rounds,
            partial,
            lookups: Vec::new(),
            decisions: Vec::new(),
            // First, for it was measured before: what cannot be read is said at once.
            workerd: if wanted("workerd") { self.workerd(partial)? } else { None },
            compilation: None,
            names: Vec::new(),
            customers: Vec::new(),
        };
        // Kept part by part: whoever ends a run that takes a quarter of an hour still has what it measured.
        let keep = |run: &Results| -> Result<()> {
            let json = serde_json::to_string_pretty(run)? + "\n";
            fs::write(self.folder.join("unfinished.json"), json).context("cannot keep the results")
        };
        if wanted("lookups") || wanted("growth") || wanted("compilation") {
            eprintln!("putting the lists together");
            let lists = Lists::of_packages(&self.lists)?;
            let largest = if self.quick { 200_000 } else { lists.million.len() };
            if wanted("lookups") {
                run.lookups = domains::compare(&lists, &self.folder, rounds, largest)?;
                keep(&run)?;
            }
            if wanted("growth") {
                run.names = domains::grow(&lists, &self.folder, rounds, largest)?;
                keep(&run)?;
            }
            if wanted("compilation") {
                let names = &lists.million[..largest.min(lists.million.len())];
                run.compilation = Some(compile::measure(names, &self.tidegate, &self.folder, rounds)?);
                keep(&run)?;
            }
        }
        if wanted("decisions") || wanted("growth") {
            run.decisions = decisions::compare(&self.folder, rounds, if self.quick { 1_000 } else { 10_000 })?;
            keep(&run)?;
        }
        if wanted("growth") {
            run.customers = customers::grow(&self.folder, rounds, if self.quick { 1_000 } else { 100_000 })?;
        }
        keep(&run)?;
        fs::rename(
            self.folder.join("unfinished.json"),
            if partial { self.folder.join("partial.json") } else { results },
        )
        .context("cannot keep the results")?;
        self.write(&run)
    }

    /// What the end-to-end benchmark has left, if it ran. `cargo xtask bench` lets it run just before, and a run in parts or in
    /// a hurry writes to a file of its own.
    fn workerd(&self, partial: bool) -> Result<Option<page::Workerd>> {
        let file = if partial { "workerd-partial.json" } else { "workerd.json" };
        let Ok(text) = fs::read(self.folder.join(file)) else { return Ok(None) };
        let read = serde_json::from_slice(&text);
        read.map(Some).with_context(|| format!("{file} is not what the end-to-end benchmark writes"))
    }

    fn write(&self, run: &Results) -> Result<()> {
        let docs = if run.partial { self.folder.join("partial") } else { self.root.join("docs") };
        page::write(run, &docs)?;
        eprintln!("written to {}", docs.join("benchmarks.md").display());
        Ok(())
    }
}
