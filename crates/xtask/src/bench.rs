//! `cargo xtask bench`: Tidegate beside its peers, and what the local platform costs.
//!
//! The peers live in `benches`, a workspace of its own, that nobody pays for who does not measure. It is built into the same
//! target folder, so that what both depend on is built once.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process::{self, cargo};
use crate::workspace::{root, target_folder};
use crate::{python, tools, worker};

/// The folder with the lists and the figures, from the top of the repository.
const FOLDER: &str = "target/bench";

/// What pins the lists, in `benches/lists`.
const PINS: [&str; 3] = ["package.json", "package-lock.json", "requirements.txt"];

/// Installs the lists, builds the peers and hands over to them. Writes `docs/benchmarks.md`, or with options, a part of it to
/// `target/bench/partial`.
pub(crate) fn peers(options: &[&str]) -> Result<()> {
    let parts = parts(options)?;
    let wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    let only_page = options.contains(&"--page");
    if !only_page && ["lookups", "compilation", "growth"].into_iter().any(wanted) {
        lists()?;
    }
    if !only_page && wanted("compilation") {
        let build = ["build", "--release", "--package", "tidegate-cli"];
        process::run("building `tidegate`", cargo().current_dir(root()).args(build))?;
    }
    if !only_page && wanted("workerd") {
        // A run in parts or in a hurry leaves the figures of the last whole run alone.
        let partial =
            [&["outbound", "--json", "target/bench/workerd-partial.json"][..], &["--rounds", "3", "--seconds", "1"]];
        match (options.contains(&"--quick"), parts.is_empty()) {
            (true, _) => platform(&partial.concat())?,
            (false, false) => platform(partial[0])?,
            (false, true) => platform(&["outbound"])?,
        }
    }
    let mut peers = cargo();
    peers
        .current_dir(root().join("benches"))
        .args(["run", "--release", "--locked", "--target-dir"])
        .arg(target_folder());
    peers.args(["--", "--tidegate"]).arg(target_folder().join("release/tidegate")).args(options);
    process::run("measuring Tidegate beside its peers", &mut peers)
}

/// What is measured of the local platform: builds, and hands over to the benchmark itself, which shares the harness of the
/// end-to-end tests.
pub(crate) fn platform(arguments: &[&str]) -> Result<()> {
    let tools = tools::ensure()?;
    worker::build(&tools)?;
    if arguments.is_empty() || arguments.contains(&"outbound") {
        worker::build_that_looks_up(&tools)?;
    }
    let mut bench = cargo();
    bench.current_dir(root()).args(["run", "--package", "tidegate-e2e", "--bin", "tidegate-bench", "--release", "--"]);
    process::run("measuring the platform", bench.args(arguments))
}

/// The parts that are asked for: what stands behind each `--only`.
fn parts<'o>(options: &[&'o str]) -> Result<Vec<&'o str>> {
    let mut parts = Vec::new();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match *option {
            "--only" => parts.push(*options.next().context("`--only` takes the name of a part")?),
            "--page" | "--quick" => {}
            _ => bail!("`bench` has no option `{option}`: `cargo xtask` lists them"),
        }
    }
    Ok(parts)
}

/// Installs the packages with the lists. Of them only the lists are read: nothing of theirs runs.
fn lists() -> Result<()> {
    let folder = root().join(FOLDER).join("lists");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for pins in PINS {
        let from = root().join("benches/lists").join(pins);
        fs::copy(&from, folder.join(pins)).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    tools::npm_packages(&folder, "lists of host names, 90 MB")?;
    python_lists(&folder)
}

/// As npm's, unless the very same were installed last.
fn python_lists(folder: &Path) -> Result<()> {
    let requirements = folder.join("requirements.txt");
    let (packages, installed) = (folder.join("python"), folder.join("python.txt"));
    let wanted = fs::read(&requirements).context("cannot read requirements.txt")?;
    if fs::read(&installed).is_ok_and(|last| last == wanted) {
        return Ok(());
    }
    let _ = fs::remove_dir_all(&packages);
    python::install_alone(&requirements, &packages)?;
    fs::write(&installed, wanted).with_context(|| format!("cannot write {}", installed.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_what_is_named_behind_only() {
        assert_eq!(parts(&["--quick", "--only", "lookups", "--only", "growth"]).unwrap(), ["lookups", "growth"]);
        assert!(parts(&["--only"]).is_err() && parts(&["lookups"]).is_err());
    }

    #[test]
    fn the_peers_are_a_workspace_of_their_own_that_no_plain_build_pays_for() {
        let text = |file: &str| fs::read_to_string(root().join(file)).unwrap();
        let excluded =
            text("Cargo.toml").lines().any(|line| line.starts_with("exclude = ") && line.contains("\"benches\""));
        assert!(excluded, "Cargo.toml must exclude `benches`");
        let (manifest, lock, main) = (text("benches/Cargo.toml"), text("benches/Cargo.lock"), text("Cargo.lock"));
        assert!(manifest.lines().any(|line| line == "[workspace]"), "benches/Cargo.toml is no workspace");
        for peer in ["adblock", "cedar-policy", "fst", "regorus", "rsmarisa"] {
            let locked = format!("name = \"{peer}\"\n");
            assert!(manifest.contains(&format!("\n{peer} = ")), "{peer} is no peer any more: say so here");
            assert!(lock.contains(&locked), "benches/Cargo.lock lacks {peer}");
            assert!(!main.contains(&locked), "{peer} is in Cargo.lock: every build would pay for it");
        }
        for pins in PINS {
            assert!(root().join("benches/lists").join(pins).is_file(), "benches/lists/{pins} is missing");
        }
    }
}
