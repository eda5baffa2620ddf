//! The example policy with a real blocklist in the place of its sample.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tidegate_e2e::repository;

use crate::progress;

/// The list as the policy names it.
const LIST: &str = "lists/disposable-email-domains.txt";

/// Copies `policies/` into `target/demo/` and puts all names of npm's `disposable-email-domains` into the list there.
pub(crate) fn policy_with_the_full_list() -> Result<PathBuf> {
    let folder = repository().join("target").join("demo").join("policies");
    copy(&repository().join("policies"), &folder).context("cannot copy policies/")?;
    let package = repository().join("node_modules/disposable-email-domains/index.json");
    let names =
        fs::read(&package).with_context(|| format!("cannot read {}: run `cargo xtask tools`", package.display()))?;
    let names: Vec<String> = serde_json::from_slice(&names).context("index.json is no array of names")?;
    let list = folder.join(LIST);
    fs::write(&list, names.join("\n") + "\n").with_context(|| format!("cannot write {}", list.display()))?;
    progress(&format!("blocklist of {} names in {}", names.len(), list.display()));
    Ok(folder.join("example.toml"))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
