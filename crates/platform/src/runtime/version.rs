//! Which workerd is new enough.

use std::path::Path;

use tokio::process::Command;

use super::RuntimeError;

/// The first whose traces can be read from within a Worker, by which requests find their invocation.
const OLDEST: &str = "2026-10-12";

/// Refuses what is missing or too old.
pub(super) async fn check(workerd: &Path) -> Result<(), RuntimeError> {
    if !workerd.is_file() {
        return Err(RuntimeError::Missing(workerd.to_owned()));
    }
    let output = Command::new(workerd).arg("--version").output().await;
    let output = output.map_err(|error| RuntimeError::Start(format!("{}: {error}", workerd.display())))?;
    let found = String::from_utf8_lossy(&output.stdout).trim().trim_start_matches("workerd ").to_owned();
    if is_date(&found) && found.as_str() >= OLDEST {
        Ok(())
    } else {
        Err(RuntimeError::TooOld { found, needed: OLDEST })
    }
}

/// `YYYY-MM-DD`: such texts compare as the days that they are.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() })
}
