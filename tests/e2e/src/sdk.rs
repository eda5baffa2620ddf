//! Cloudflare's own SDKs, unmodified: what runs them, and what their tests come to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

use crate::paths::repository;

/// The longest run takes a minute on an idle machine.
const PATIENCE: Duration = Duration::from_mins(8);

/// What the SDKs would otherwise take from the environment of whoever runs the tests.
const OTHERS: [&str; 5] = [
    "CLOUDFLARE_API_EMAIL",
    "CLOUDFLARE_API_KEY",
    "CLOUDFLARE_API_TOKEN",
    "CLOUDFLARE_API_USER_SERVICE_KEY",
    "CLOUDFLARE_BASE_URL",
];

/// The Python packages that `cargo xtask tools` installed.
#[derive(Clone, Debug)]
pub struct PythonPackages(PathBuf);

/// What a run of tests came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those that passed.
    pub passed: u32,
    /// Those that failed, or could not be run.
    pub failed: u32,
    /// Those that the suite itself leaves out.
    pub skipped: u32,
}

/// A run of tests.
#[derive(Debug)]
pub struct TestRun {
    command: String,
    status: ExitStatus,
    output: String,
    /// What it says that it came to.
    pub tally: Tally,
}

impl PythonPackages {
    /// Those that are installed.
    pub fn installed() -> Result<Self> {
        let pointer = clients().join("python/.installed");
        let folder =
            fs::read_to_string(&pointer).with_context(|| format!("{}: run `cargo xtask tools`", pointer.display()))?;
        let folder = PathBuf::from(folder.trim());
        ensure!(folder.is_dir(), "{} is gone: run `cargo xtask tools`", folder.display());
        Ok(Self(folder))
    }

    /// The source distribution of the SDK, with its suite.
    pub fn sdk(&self) -> PathBuf {
        self.0.join("cloudflare-5.9.0")
    }

    /// Python, to which these packages are known, and no others of this machine.
    pub fn python(&self) -> Command {
        let mut command = Command::new("python3");
        command
            .env("PYTHONPATH", self.0.join("packages"))
            .envs([("PYTHONDONTWRITEBYTECODE", "1"), ("PYTHONNOUSERSITE", "1")])
            .kill_on_drop(true);
        command
    }

    /// Runs pytest in a folder.
    pub async fn pytest(&self, folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result<TestRun> {
        let mut command = self.python();
        command
            // One process: the platform answers one request after another.
            .args(["-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "--quiet", "--tb=short", "-rfE"])
            .args(arguments)
            .current_dir(folder)
            .envs(environment.iter().copied());
        TestRun::of(command, pytests_tally).await
    }
}

/// Runs a file of `tests/e2e/clients/typescript` with Node's own test runner.
pub async fn node_tests(file: &str, environment: &[(&str, &str)]) -> Result<TestRun> {
    let package = clients().join("node_modules/cloudflare");
    ensure!(package.is_dir(), "{} is missing: run `cargo xtask tools`", package.display());
    let mut command = Command::new("node");
    command
        .args(["--test", "--test-reporter=tap"])
        .arg(clients().join("typescript").join(file))
        .envs(environment.iter().copied());
    TestRun::of(command, nodes_tally).await
}

fn clients() -> PathBuf {
    repository().join("tests/e2e/clients")
}

impl TestRun {
    async fn of(mut command: Command, tally: impl Fn(&str) -> Tally) -> Result<Self> {
        for name in OTHERS {
            command.env_remove(name);
        }
        command
            .envs([("NO_PROXY", "127.0.0.1"), ("no_proxy", "127.0.0.1"), ("NO_COLOR", "1")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let words = std::iter::once(command.as_std().get_program()).chain(command.as_std().get_args());
        let shown = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let child = command.spawn().with_context(|| format!("cannot start `{shown}`"))?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let Ok(output) = tokio::time::timeout(PATIENCE, child.wait_with_output()).await else {
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL);
            }
            bail!("`{shown}` had not ended after {PATIENCE:?}");
        };
        let output = output?;
        let both = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok(Self { command: shown, status: output.status, tally: tally(&both), output: both })
    }

    /// It must have come to just this, and ended well. Else what failed is in the error, by name.
    pub fn came_to(&self, passed: u32, skipped: u32) -> Result<()> {
        let expected = Tally { passed, failed: 0, skipped };
        ensure!(
            self.status.success() && self.tally == expected,
            "`{}` ended with {} and came to {:?}, not to {expected:?}:\n{}",
            self.command,
            self.status,
            self.tally,
            self.output
        );
        Ok(())
    }
}

/// Reads pytest's last line: `2 failed, 3 passed, 1 skipped in 0.12s`.
fn pytests_tally(output: &str) -> Tally {
    let mut tally = Tally::default();
    let is_summary = |line: &&str| line.contains(" in ") && line.contains("passed") || line.contains("failed");
    let Some(line) = output.lines().rev().find(is_summary) else { return tally };
    for item in line.trim_matches(['=', ' ']).split(" in ").next().unwrap_or_default().split(", ") {
        let Some((count, what)) = item.split_once(' ') else { continue };
        let Ok(count) = count.parse::<u32>() else { continue };
        match what {
            "passed" => tally.passed += count,
            "failed" | "error" | "errors" => tally.failed += count,
            "skipped" => tally.skipped += count,
            _ => {}
        }
    }
    tally
}

/// Reads what Node's runner says in the end: `# pass 3`, `# fail 0`, `# skipped 0`.
fn nodes_tally(output: &str) -> Tally {
    let number = |name: &str| {
        let value =
            output.lines().rev().find_map(|line| line.strip_prefix("# ")?.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.trim().parse::<u32>().ok()).unwrap_or_default()
    };
    Tally {
        passed: number("pass"),
        failed: number("fail") + number("cancelled"),
        skipped: number("skipped") + number("todo"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runners_say_in_the_end_is_read() {
        let pytest =
            "FAILED tests/test_a.py::test_b - 3 passed\n2 failed, 3 passed, 1 skipped, 4 errors in 61.20s (0:01:01)";
        assert_eq!(pytests_tally(pytest), Tally { passed: 3, failed: 6, skipped: 1 });
        assert_eq!(pytests_tally("no tests ran in 0.01s"), Tally::default());
        let node = "ok 1 - a\n# tests 9\n# pass 4\n# fail 1\n# cancelled 2\n# skipped 1\n# todo 1\n# duration_ms 9";
        assert_eq!(nodes_tally(node), Tally { passed: 4, failed: 3, skipped: 2 });
        assert_eq!(nodes_tally("Error: no such file"), Tally::default());
    }
}
