//! Runs generated policies and requests through the engines side by side, for as long as one likes.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use tidegate_differential::run::{Settings, run};

const USAGE: &str = "\
usage: tidegate-differential [--policies N] [--requests-per-policy M] [--seed S] [--jobs J]

  puts M generated requests to each of N generated policies and compares the reference interpreter with the compiled
  table; ends with 1 and a case for tests/conformance where they differ";

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn start() -> Result<ExitCode> {
    let settings = settings(std::env::args().skip(1))?;
    let Settings { policies, requests_per_policy, seed, jobs } = settings;
    let started = Instant::now();
    let tally = run(settings)?;
    for case in &tally.differences {
        println!("{case}");
    }
    println!(
        "tidegate-differential --policies {policies} --requests-per-policy {requests_per_policy} --seed {seed} --jobs {jobs}\n"
    );
    println!("{tally}\n\nin {} s", started.elapsed().as_secs());
    Ok(ExitCode::from(u8::from(!tally.differences.is_empty())))
}

fn settings(mut arguments: impl Iterator<Item = String>) -> Result<Settings> {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut settings = Settings { policies: 1_000, requests_per_policy: 1_000, seed: 1, jobs };
    while let Some(name) = arguments.next() {
        if !matches!(name.as_str(), "--policies" | "--requests-per-policy" | "--seed" | "--jobs") {
            bail!("no argument `{name}`\n\n{USAGE}");
        }
        let value = arguments.next().with_context(|| format!("`{name}` needs a number\n\n{USAGE}"))?;
        let number: u64 = value.parse().with_context(|| format!("`{name} {value}`: not a number\n\n{USAGE}"))?;
        match name.as_str() {
            "--policies" => settings.policies = number,
            "--requests-per-policy" => settings.requests_per_policy = usize::try_from(number)?,
            "--seed" => settings.seed = number,
            _ => settings.jobs = usize::try_from(number)?,
        }
    }
    Ok(settings)
}
