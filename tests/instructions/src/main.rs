//! The work whose instructions `cargo xtask instructions` counts.
//!
//! Time on a shared machine says little; the number of instructions that a program retires is nearly the same on every run
//! and every machine. So this does a fixed amount of work of each kind that is paid for often, under valgrind's callgrind:
//!
//! | kind           | what is counted |
//! |----------------|-----------------|
//! | `decide-hit`   | 4,096 requests that rules or the list speak of: the URL is parsed, the request decided |
//! | `decide-miss`  | 4,096 requests of which none does |
//! | `load`         | a table of 100,000 names and 1,000 rules is loaded, 16 times |
//! | `compile-100k` | the policy of that table is compiled, the list read anew |
//!
//! `prepare DIR` writes the policy, its list and its table, once for all; `KIND DIR` does the work. Of the first three kinds only what is
//! done within [`counted`] counts; a compilation counts as a whole process, for it has threads, which callgrind
//! counts each for itself.

mod policy;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use tidegate_engine::{Policy, RequestView, Target};

/// 2026-11-22
const NOW: i64 = 1_795_305_600;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, folder] = arguments.as_slice() else { bail!("usage: tidegate-instructions KIND DIR") };
    let folder = Path::new(folder);
    let table = folder.join("policy.table");
    match kind.as_str() {
        "prepare" => {
            policy::write(folder)?;
            fs::write(table, compile(folder)?).context("cannot write the table")
        }
        "compile-100k" => compile(folder).map(drop),
        "load" => {
            let table = fs::read(&table).context("cannot read the table: `prepare` writes it")?;
            counted::load(&table)
        }
        "decide-hit" | "decide-miss" => {
            let table = fs::read(&table).context("cannot read the table: `prepare` writes it")?;
            let policy = Policy::from_bytes(&table)?;
            let requests = policy::requests(kind == "decide-hit");
            // What is made once for an isolate is not paid for by each request.
            let mut scratch = policy.scratch();
            decide(&policy, &requests, &mut scratch);
            let allowed = counted::decisions(&policy, &requests, &mut scratch);
            anyhow::ensure!(allowed == policy::allowed(kind == "decide-hit"), "{allowed} requests were allowed");
            Ok(())
        }
        _ => bail!("nothing called `{kind}` is counted"),
    }
}

fn compile(folder: &Path) -> Result<Vec<u8>> {
    let compilation = tidegate_compiler::compile(&folder.join("policy.toml"));
    compilation.output.map(|output| output.table).with_context(|| format!("{:#?}", compilation.diagnostics))
}

/// Decides on each request, and says how many were allowed.
fn decide(policy: &Policy<'_>, requests: &[policy::Request], scratch: &mut tidegate_engine::Scratch) -> usize {
    let mut allowed = 0;
    for request in requests {
        let target = Target::parse(&request.url);
        let view = RequestView {
            method: "GET",
            target: target.as_ref().map_err(|invalid| *invalid),
            headers: &[],
            customer: Some(&request.customer),
            tags: Some(&request.tags),
            vars: None,
            now: NOW,
        };
        allowed += usize::from(policy.decide(&view, scratch).effect == tidegate_engine::Effect::Allow);
    }
    allowed
}

/// What callgrind is told to count: these functions, and what they call.
mod counted {
    use std::hint::black_box;

    use super::{Policy, Result, decide, policy};

    #[inline(never)]
    pub(super) fn load(table: &[u8]) -> Result<()> {
        for _ in 0..16 {
            black_box(Policy::from_bytes(black_box(table))?);
        }
        Ok(())
    }

    #[inline(never)]
    pub(super) fn decisions(
        policy: &Policy<'_>,
        requests: &[policy::Request],
        scratch: &mut tidegate_engine::Scratch,
    ) -> usize {
        decide(policy, requests, scratch)
    }
}
