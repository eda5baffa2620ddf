//! Clients in Python that the end-to-end tests run.
//!
//! `tests/e2e/clients/python/NAME.txt` pins each package of one client, those that it needs included, and
//! `tests/e2e/clients/python/NAME` is where they go: with `pip install --target`, which needs neither a virtual environment
//! (Debian's Python cannot make one) nor leave to change the system's packages.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process::{output, program, run};
use crate::workspace::root;

/// The interpreter, by its usual name.
pub(crate) const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };
const OLDEST: (u32, u32) = (3, 11);

/// The folder of the clients.
pub(crate) const FOLDER: &str = "tests/e2e/clients/python";

/// Installs the packages of each client, unless the very same ones were installed last.
pub(crate) fn ensure() -> Result<()> {
    let way_out = format!("install Python {}.{} or later with pip, then run this again", OLDEST.0, OLDEST.1);
    let Some(version) = output(program(PYTHON).args(["-c", "import sys; print(*sys.version_info[:2])"])) else {
        bail!("`{PYTHON}` is not on the PATH: {way_out}");
    };
    if parsed(&version).is_none_or(|version| version < OLDEST) {
        bail!("`{PYTHON}` is {}, too old: {way_out}", version.replace(' ', "."));
    }
    for client in clients()? {
        packages(&root().join(FOLDER).join(&client), &client, &version, &way_out)?;
    }
    Ok(())
}

/// The names of the clients.
pub(crate) fn clients() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join(FOLDER)).with_context(|| format!("cannot read {FOLDER}"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".txt").map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

fn packages(folder: &Path, client: &str, version: &str, way_out: &str) -> Result<()> {
    let pinned = folder.with_extension("txt");
    let lock = fs::read_to_string(&pinned).with_context(|| format!("cannot read {}", pinned.display()))?;
    // Some packages are compiled, and fit one version of Python alone.
    let wanted = format!("# Python {version}\n{lock}");
    let installed = folder.join(".installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|last| last == wanted) {
        return Ok(());
    }
    if output(program(PYTHON).args(["-m", "pip", "--version"])).is_none() {
        bail!("`{PYTHON}` has no pip: {way_out} (Debian: `apt install python3-pip`)");
    }
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    run(
        &format!("installing Python packages (`{client}`, once)"),
        program(PYTHON)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"])
            // All are pinned, so nothing is left to be resolved; and none runs code to be installed.
            .args(["--no-deps", "--only-binary=:all:", "--target"])
            .arg(folder)
            .arg("--requirement")
            .arg(&pinned),
    )
    .with_context(|| format!("cannot install the packages of {client}: check that pip reaches its index"))?;
    fs::write(&installed, wanted).with_context(|| format!("cannot write {}", installed.display()))
}

/// `3 11`.
fn parsed(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(parsed("3 9").unwrap() < OLDEST && parsed("3 13\n").unwrap() > OLDEST);
        assert_eq!(parsed("Python 3.11"), None);
    }

    #[test]
    fn every_package_of_a_client_is_pinned_to_one_version() {
        for client in clients().unwrap() {
            let pinned = fs::read_to_string(root().join(FOLDER).join(format!("{client}.txt"))).unwrap();
            for line in pinned.lines().filter(|line| !line.starts_with(['#', ' ']) && !line.is_empty()) {
                assert!(line.split_whitespace().next().unwrap().contains("=="), "{client}: {line}");
            }
        }
    }
}
