//! `cargo xtask bench platform`: what the platform costs, measured on this machine as it is.
//!
//! Ratios are taken within one run; times are as seen, and say little where others share the machine.

mod chain;
mod density;
mod deployments;
mod figures;
mod growth;
mod listing;
mod machine;
mod outbound;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::growth::Plan;

const PARTS: &str = "chain, outbound, deployments, listing, density, growth";

fn main() -> ExitCode {
    // `growth` measures the shipped program from outside; to have it at hand, this one is that, too.
    if std::env::args().nth(1).is_some_and(|first| first == "tidegate") {
        return tidegate_cli::run(std::env::args_os().skip(1));
    }
    match read_and_run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn read_and_run() -> Result<()> {
    let (mut asked, mut plan, mut outbound) = (Vec::new(), Plan::default(), outbound::Plan::default());
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        let mut value = || given.next().with_context(|| format!("`{argument}` takes a value"));
        match argument.as_str() {
            "--most" => plan.most = value()?.parse().context("`--most` takes a number")?,
            "--rounds" => outbound.rounds = value()?.parse().context("`--rounds` takes a number")?,
            "--seconds" => outbound.seconds = value()?.parse().context("`--seconds` takes a number")?,
            "--names" => outbound.names = value()?.parse().context("`--names` takes a number")?,
            "--json" => outbound.json = PathBuf::from(value()?),
            "--out" => plan.out = PathBuf::from(value()?),
            _ => asked.push(argument),
        }
    }
    run(&asked, &plan, &outbound).await
}

/// Measures what is asked for; all of it if nothing is.
async fn run(asked: &[String], plan: &Plan, outbound: &outbound::Plan) -> Result<()> {
    if let Some(unknown) = asked.iter().find(|part| !PARTS.split(", ").any(|known| known == part.as_str())) {
        bail!("there is nothing to measure called `{unknown}`: choose from {PARTS}");
    }
    let wanted = |part: &str| asked.is_empty() || asked.iter().any(|known| known == part);
    if wanted("chain") {
        chain::measure().await?;
    }
    if wanted("outbound") {
        outbound::measure(outbound).await?;
    }
    if wanted("deployments") {
        deployments::measure().await?;
    }
    if wanted("listing") {
        listing::measure()?;
    }
    if wanted("density") {
        density::measure().await?;
    }
    if wanted("growth") {
        growth::measure(plan).await?;
    }
    Ok(())
}
