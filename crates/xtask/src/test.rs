//! `cargo xtask test`: every test there is. Nothing is skipped: an ignored test fails the run, and so does a missing tool.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::process::{self, cargo, say, shown};
use crate::workspace::root;
use crate::{demo, fuzz, instructions, tools, worker};

/// What the tests of one stage came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u32,
    failed: u32,
    /// Ignored or filtered out.
    skipped: u32,
}

/// Runs everything; the last lines say what was run and how long it took.
pub(crate) fn run() -> Result<()> {
    let mut report = Report::default();
    // First, so that a missing Node or valgrind is said at once and not after minutes.
    let tools = report.stage("tools", || {
        instructions::ensure_valgrind()?;
        let tools = tools::ensure()?;
        tools::ensure_clients().map(|()| tools)
    })?;
    report.stage("format", || process::run("looking at the format", cargo().args(["fmt", "--all", "--check"])))?;
    report.stage("lints", || {
        let lint = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        process::run("looking for lints", cargo().current_dir(root()).args(lint))
    })?;
    report.tests("native tests", &["test"])?;
    let targets = report.stage("fuzzing", fuzz::test)?;
    report.count(targets);
    report.stage("instructions", instructions::compare)?;
    report.stage("Worker build", || worker::build(&tools))?;
    report.stage("Worker that traps", || worker::build_that_traps(&tools))?;
    report.tests("end-to-end tests", &["test", "--package", "tidegate-e2e"])?;
    report.stage("demo", || demo::run(false))?;
    report.finish();
    Ok(())
}

#[derive(Default)]
struct Report {
    lines: Vec<String>,
    passed: u32,
    started: Option<Instant>,
}

impl Report {
    fn stage<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let started = Instant::now();
        self.started.get_or_insert(started);
        let done = work().with_context(|| format!("stage `{name}`"))?;
        self.lines.push(format!("{name:<18} {:>5} s", started.elapsed().as_secs()));
        Ok(done)
    }

    fn tests(&mut self, name: &str, arguments: &[&str]) -> Result<()> {
        let tally = self.stage(name, || run_tests(name, arguments))?;
        self.count(tally.passed);
        Ok(())
    }

    /// Adds what passed in the stage that was last.
    fn count(&mut self, passed: u32) {
        if let Some(line) = self.lines.last_mut() {
            *line = format!("{line}   {passed} passed");
        }
        self.passed += passed;
    }

    fn finish(self) {
        let seconds = self.started.map_or(0, |started| started.elapsed().as_secs());
        println!();
        for line in &self.lines {
            println!("{line}");
        }
        println!("in {} min {} s", seconds / 60, seconds % 60);
        println!("{} passed, 0 failed, 0 skipped", self.passed);
    }
}

/// Runs `cargo test …`, shows its output as it comes and adds up its results.
fn run_tests(name: &str, arguments: &[&str]) -> Result<Tally> {
    let mut command = cargo();
    command.current_dir(root()).args(arguments).arg("--no-fail-fast").stdout(Stdio::piped());
    say(&format!("running the {name}"));
    let mut child = command.spawn().with_context(|| format!("cannot start {}", shown(&command)))?;
    let stdout = child.stdout.take().context("no output to read")?;
    let mut tally = Tally::default();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.context("cannot read the tests' output")?;
        let line = String::from_utf8_lossy(&line);
        writeln!(std::io::stdout(), "{line}")?;
        tally.add(&line);
    }
    let status = child.wait()?;
    if !status.success() || tally.failed > 0 {
        bail!("{}: {} failed; the failures are listed above", shown(&command), tally.failed);
    }
    if tally.skipped > 0 {
        bail!("{} tests were skipped: a test that does not run shows nothing; run it or remove it", tally.skipped);
    }
    if tally.passed == 0 {
        bail!("{} ran no test", shown(&command));
    }
    Ok(tally)
}

impl Tally {
    /// Reads `test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
    fn add(&mut self, line: &str) {
        let Some(result) = line.trim().strip_prefix("test result: ") else { return };
        let results = result.split_once(". ").map_or(result, |(_, results)| results);
        for item in results.split("; ") {
            let Some((count, what)) = item.split_once(' ') else { continue };
            let Ok(count) = count.parse::<u32>() else { continue };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" | "filtered out" => self.skipped += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_add_up_and_ignored_tests_count_as_skipped() {
        let mut tally = Tally::default();
        tally.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        tally.add("test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.00s");
        tally.add("test tests::something ... ok");
        assert_eq!(tally, Tally { passed: 5, failed: 1, skipped: 5 });
    }
}
