//! Chores of this repository. `cargo xtask` lists them.

mod bench;
mod coverage;
mod demo;
mod differential;
mod docs;
mod fuzz;
mod instructions;
mod npm;
mod process;
mod python;
mod sabotage;
mod soak;
mod test;
mod tools;
mod worker;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask <chore>

  bench [--quick] [--only PART]…
                  measure Tidegate beside its peers and write docs/benchmarks.md; a quarter of an hour
                  parts: lookups, decisions, workerd, compilation, growth; a part, or a hurried run, goes to target/bench/partial
                  --page writes the page anew from the figures of the last whole run
  bench platform [PART]…
                  measure what the local platform costs, beside the same chain wired statically in workerd
                  parts: chain, outbound, deployments, listing, density, growth
                  outbound measures what outbound Workers cost, ours beside others, with `wrk`;
                  --rounds N, --seconds N (a round and chain), --names N (the largest table), --json FILE (target/bench/workerd.json)
                  growth draws docs/benchmarks; --most N (scripts, isolates, processes), --out DIR
  coverage        measure which lines of the table and the engine the native tests run: 95 % of them or more
  demo [--keep]   show the whole path on this machine: policy, Worker, two customers, an upstream
                  --keep leaves it running until Ctrl-C
  differential [--policies N] [--requests-per-policy M] [--seed S] [--jobs J]
                  put M generated requests to each of N generated policies, on the reference interpreter and the table
  docs            write docs/schema and docs/reference.md anew, from what the reader knows and the API serves
  fuzz --minutes N [TARGET]
                  run the fuzz targets, or one of them, for so long altogether
  instructions [--update]
                  count the instructions of decisions, a load and a compilation: 5 % more than before fails
                  --update writes down the new counts
  npm [--worker DIR]
                  make the npm package `tidegate-worker` of the built Worker, into build/npm, and print its hashes
                  --worker DIR takes a Worker that is built already
  sabotage [BUG]  seed the bugs in tests/sabotage one at a time in a copy of the tree: each must turn the tests red
  soak [OPTION]…  mixed traffic at saturation, every answer checked against the reference, memory watched
                  --minutes N (10), --out FILE (build/soak.svg)
  test            run every test: native, Wasm in workerd, end to end, with wrangler and curl
  tools           install what the others need: npm and Python packages, worker-build, wasm-bindgen
  worker [--that-traps | --that-looks-up]
                  build the outbound Worker without a policy into build/worker
                  --that-traps builds the one of the tests of traps into build/worker-that-traps
                  --that-looks-up the one that measures lookups into build/worker-that-looks-up
  build           build the outbound Worker with policies/example.toml into build/outbound";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        [] | ["help" | "-h" | "--help"] => {
            println!("{USAGE}");
            Ok(())
        }
        ["bench", "platform", parts @ ..] => bench::platform(parts),
        ["bench", options @ ..] => bench::peers(options),
        ["build"] => worker::build_with_policy(&tools::ensure()?),
        ["coverage"] => coverage::run_tests(),
        ["demo"] => demo::run(false),
        ["demo", "--keep"] => demo::run(true),
        ["differential", arguments @ ..] => differential::compare(arguments),
        ["docs"] => docs::write(),
        ["fuzz", "--minutes", minutes] => fuzz::run_for(minutes, None),
        ["fuzz", "--minutes", minutes, target] => fuzz::run_for(minutes, Some(target)),
        ["instructions"] => instructions::compare(),
        ["instructions", "--update"] => instructions::update(),
        ["npm"] => worker::build(&tools::ensure()?).and_then(|()| npm::pack(&npm::built_worker())),
        ["npm", "--worker", folder] => npm::pack(std::path::Path::new(folder)),
        ["sabotage", bugs @ ..] => sabotage::run(bugs),
        ["soak", options @ ..] => soak::run(options),
        ["test"] => test::run(),
        ["tools"] => tools::ensure().and_then(|_| tools::ensure_clients()),
        ["worker"] => worker::build(&tools::ensure()?),
        ["worker", "--that-looks-up"] => worker::build_that_looks_up(&tools::ensure()?),
        ["worker", "--that-traps"] => worker::build_that_traps(&tools::ensure()?),
        _ => bail!("no chore `{}`\n\n{USAGE}", arguments.join(" ")),
    }
}
