//! Clients in Python, as `cargo xtask tools` installs them: each with its packages in a folder of its own.

use std::fs;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::paths::repository;

/// Python, to which the packages of a client are known, and no others of this machine.
pub fn python(client: &str) -> Result<Command> {
    let folder = repository().join("tests/e2e/clients/python").join(client);
    let pinned = folder.with_extension("txt");
    let wanted = fs::read_to_string(&pinned).with_context(|| format!("cannot read {}", pinned.display()))?;
    let installed = fs::read_to_string(folder.join(".installed.txt")).unwrap_or_default();
    ensure!(installed.ends_with(&wanted), "the packages of {client} are not installed: run `cargo xtask tools`");
    let mut command = Command::new(if cfg!(windows) { "python" } else { "python3" });
    command.env("PYTHONPATH", folder).env("PYTHONNOUSERSITE", "1").kill_on_drop(true);
    Ok(command)
}
