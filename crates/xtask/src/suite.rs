//! The test suite of Cloudflare's Python SDK, which its source distribution holds.
//!
//! It comes from PyPI with pip, checked against its hash in `tests/e2e/clients/python/cloudflare.txt`, and lies beside the
//! packages of that list, in `cloudflare/.suite`. So it goes when they do.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{program, run};
use crate::python::{FOLDER, PYTHON};
use crate::workspace::root;

/// The package, and the list that has it.
const PACKAGE: &str = "cloudflare";

/// Fetches the suite, unless it is there. The packages must be.
pub(crate) fn ensure() -> Result<()> {
    let clients = root().join(FOLDER);
    let packages = clients.join(PACKAGE);
    let suite = packages.join(".suite");
    if suite.is_dir() {
        return Ok(());
    }
    let list = clients.join(format!("{PACKAGE}.txt"));
    let list = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    // Made beside its place and renamed into it: an interrupted run leaves nothing that looks fetched.
    let staging = packages.join(".suite.new");
    let _ = fs::remove_dir_all(&staging);
    fs::create_dir_all(&staging).with_context(|| format!("cannot make {}", staging.display()))?;
    let wanted = staging.join("wanted.txt");
    fs::write(&wanted, requirement(&list, PACKAGE)?).with_context(|| format!("cannot write {}", wanted.display()))?;
    run(
        "fetching the suite of Cloudflare's Python SDK (once)",
        program(PYTHON)
            .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps"])
            // What it is built with is among the packages, so that nothing comes unchecked.
            .args(["--no-binary=:all:", "--no-build-isolation", "--dest"])
            .arg(&staging)
            .arg("--requirement")
            .arg(&wanted)
            .env("PYTHONPATH", &packages),
    )
    .context("cannot fetch the suite: check that pip reaches its index")?;
    let archive = archive_in(&staging)?;
    run("unpacking it", program(PYTHON).args(["-m", "tarfile", "-e"]).arg(&archive).arg(&staging))?;
    fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))?;
    fs::rename(&staging, &suite).with_context(|| format!("cannot make {}", suite.display()))
}

fn archive_in(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "gz"))
        .with_context(|| format!("pip left no archive in {}", folder.display()))
}

/// One package of a list: its line, and those with its hashes.
fn requirement(list: &str, package: &str) -> Result<String> {
    let begins = |line: &&str| line.strip_prefix(package).is_some_and(|rest| rest.starts_with("=="));
    let mut requirement = String::new();
    for line in list.lines().skip_while(|line| !begins(line)) {
        requirement.extend([line, "\n"]);
        if !line.ends_with('\\') {
            return Ok(requirement);
        }
    }
    bail!("`{package}` is not in the list of packages")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_found_with_its_hashes_alone() {
        let list = "# head\na==1 \\\n    --hash=sha256:1\n    # via b\nab==2 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\nc==3\n";
        assert_eq!(requirement(list, "ab").unwrap(), "ab==2 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\n");
        assert_eq!(requirement(list, "a").unwrap(), "a==1 \\\n    --hash=sha256:1\n");
        assert!(requirement(list, "b").is_err());
        assert!(requirement("a==1 \\\n", "a").is_err(), "it ends in the midst");
    }
}
