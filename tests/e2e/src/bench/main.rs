//! `cargo xtask bench platform`: what the platform costs, measured on this machine as it is.
//!
//! Ratios are taken within one run; times are as seen, and say little where others share the machine.

mod chain;
mod density;
mod deployments;
mod figures;
mod listing;

use std::process::ExitCode;

use anyhow::{Result, bail};

const PARTS: &str = "chain, deployments, listing, density";

#[tokio::main]
async fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    match run(&asked).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures what is asked for; all of it if nothing is.
async fn run(asked: &[String]) -> Result<()> {
    if let Some(unknown) = asked.iter().find(|part| !PARTS.split(", ").any(|known| known == part.as_str())) {
        bail!("there is nothing to measure called `{unknown}`: choose from {PARTS}");
    }
    let wanted = |part: &str| asked.is_empty() || asked.iter().any(|known| known == part);
    if wanted("chain") {
        chain::measure().await?;
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
    Ok(())
}
