//! `cargo xtask test`: every test there is. Nothing is skipped: an ignored test fails the run, and so does a missing tool.

use std::io::{BufRead, BufReader, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::process::{self, cargo, output, say, shown};
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
    // First, so that a missing Node, valgrind or nextest is said at once and not after minutes.
    let tools = report.stage("tools", || {
        ensure_nextest()?;
        instructions::ensure_valgrind()?;
        let tools = tools::ensure()?;
        tools::ensure_clients().map(|()| tools)
    })?;
    report.stage("format", || process::run("looking at the format", cargo().args(["fmt", "--all", "--check"])))?;
    report.stage("lints", || {
        let lint = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        process::run("looking for lints", cargo().current_dir(root()).args(lint))
    })?;
    report.tests("native tests", &["nextest", "run"])?;
    // nextest leaves them out.
    report.tests("examples in docs", &["test", "--doc", "--no-fail-fast"])?;
    let targets = report.stage("fuzzing", fuzz::test)?;
    report.count(targets);
    report.stage("instructions", instructions::compare)?;
    report.stage("Worker build", || worker::build(&tools))?;
    report.stage("Worker that traps", || worker::build_that_traps(&tools))?;
    report.tests("end-to-end tests", &["nextest", "run", "--package", "tidegate-e2e"])?;
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

/// nextest gives each test a process and a time in which to end (`.config/nextest.toml`).
fn ensure_nextest() -> Result<()> {
    match output(cargo().args(["nextest", "--version"])) {
        Some(_) => Ok(()),
        None => bail!(
            "`cargo nextest` is missing: `cargo install cargo-nextest --locked` (https://nexte.st/), then run this again"
        ),
    }
}

/// Runs `cargo …`, shows its output as it comes and adds up its results.
fn run_tests(name: &str, arguments: &[&str]) -> Result<Tally> {
    let mut command = cargo();
    // `cargo test` writes its results to stdout, nextest to stderr.
    let (reader, writer) = std::io::pipe()?;
    // Colours would stand within what is read here, wherever somebody's environment asks for them.
    command.current_dir(root()).args(arguments).env("CARGO_TERM_COLOR", "never");
    command.stdout(writer.try_clone()?).stderr(writer);
    say(&format!("running the {name}"));
    let mut child = command.spawn().with_context(|| format!("cannot start {}", shown(&command)))?;
    let asked = shown(&command);
    // It holds the ends of the pipe to write to, which would never be at its end.
    drop(command);
    let mut tally = Tally::default();
    // Tests' own output may hold lines of the other kind.
    let summary = if arguments.first() == Some(&"nextest") { &NEXTEST } else { &LIBTEST };
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.context("cannot read the tests' output")?;
        let line = String::from_utf8_lossy(&line);
        writeln!(std::io::stdout(), "{line}")?;
        tally.add(summary, &line);
    }
    let status = child.wait()?;
    if !status.success() || tally.failed > 0 {
        bail!("{asked}: {} failed; the failures are listed above", tally.failed);
    }
    if tally.skipped > 0 {
        bail!("{} tests were skipped: a test that does not run shows nothing; run it or remove it", tally.skipped);
    }
    if tally.passed == 0 {
        bail!("{asked} ran no test");
    }
    Ok(tally)
}

/// The line in which a runner of tests sums up: how it begins, and what stands right before the counts.
struct Summary(&'static str, &'static str);

/// `test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s`
const LIBTEST: Summary = Summary("test result: ", ". ");
/// `Summary [   2.003s] 4/5 tests run: 2 passed (1 slow), 1 failed, 1 timed out, 1 skipped`
const NEXTEST: Summary = Summary("Summary [", " run: ");

impl Tally {
    /// Adds the counts, if the line is one that sums up.
    fn add(&mut self, Summary(beginning, before): &Summary, line: &str) {
        let Some(line) = line.trim_start().strip_prefix(beginning) else { return };
        let Some((_, results)) = line.split_once(before) else { return };
        // In parentheses stands how so many of them passed or failed: `2 passed (1 slow, 1 leaky)`.
        let results: String =
            results.split('(').map(|part| part.split_once(')').map_or(part, |(_, after)| after)).collect();
        for item in results.split([';', ',']) {
            let Some((count, what)) = item.trim().split_once(' ') else { continue };
            let Ok(count) = count.parse::<u32>() else { continue };
            match what.trim_end() {
                "passed" => self.passed += count,
                "ignored" | "filtered out" | "skipped" => self.skipped += count,
                "measured" => {}
                // What nextest calls by another name than `failed` did not pass, either.
                _ => self.failed += count,
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
        tally.add(
            &LIBTEST,
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        );
        tally.add(
            &LIBTEST,
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.00s",
        );
        tally.add(&LIBTEST, "test tests::something ... ok");
        assert_eq!(tally, Tally { passed: 5, failed: 1, skipped: 5 });
    }

    #[test]
    fn results_of_nextest_add_up_and_what_hangs_has_failed() {
        let mut tally = Tally::default();
        tally.add(&NEXTEST, "     Summary [   0.065s] 1 test run: 1 passed, 0 skipped");
        tally.add(
            &NEXTEST,
            "     Summary [  12.003s] 4/6 tests run: 2 passed (1 slow), 1 failed, 1 timed out, 3 skipped",
        );
        tally.add(&NEXTEST, "        PASS [   0.064s] (1/1) tidegate-table tests::something");
        assert_eq!(tally, Tally { passed: 3, failed: 2, skipped: 3 });
        tally.add(&NEXTEST, "     Summary [   1.513s] 3 tests run: 2 passed (1 slow, 1 leaky), 1 failed (1 due to being leaky), 0 skipped");
        tally.add(
            &NEXTEST,
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 97 filtered out; finished in 7.68s",
        );
        assert_eq!(tally, Tally { passed: 5, failed: 3, skipped: 3 });
    }
}
