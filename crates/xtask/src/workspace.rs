//! Where things are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The top of the clone.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable for what it runs; the built-in one is for a binary that is started by hand.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let crate_dir = PathBuf::from(manifest);
    crate_dir.ancestors().nth(2).map_or(crate_dir.clone(), Path::to_path_buf)
}

/// Where Cargo puts what it builds.
pub(crate) fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// The version at which `Cargo.lock` holds a crate. Tools that must fit a crate are installed at this very version.
pub(crate) fn locked_version(name: &str) -> Result<String> {
    let lock = fs::read_to_string(root().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    version_in_lock(&lock, name)
        .map(str::to_owned)
        .with_context(|| format!("no crate `{name}` in Cargo.lock: is it still a dependency of crates/worker?"))
}

/// `Cargo.lock` writes `version` right below `name`.
fn version_in_lock<'l>(lock: &'l str, name: &str) -> Option<&'l str> {
    let mut lines = lock.lines();
    lines.find(|line| line.strip_prefix("name = ").is_some_and(|value| value.trim_matches('"') == name))?;
    Some(lines.next()?.strip_prefix("version = ")?.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_crate_with_the_whole_name() {
        let lock = "[[package]]\nname = \"worker-macros\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"worker\"\nversion = \"0.8.7\"\n";
        assert_eq!(version_in_lock(lock, "worker"), Some("0.8.7"));
        assert_eq!(version_in_lock(lock, "work"), None);
    }
}
