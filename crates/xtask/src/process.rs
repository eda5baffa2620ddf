//! Other programs: started with a word on what they are for, and named when they fail.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// A command that finds npm's and node's scripts on every system.
pub(crate) fn program(name: &str) -> Command {
    // On Windows npm is a script, which `CreateProcess` finds only by its whole name.
    if cfg!(windows) && matches!(name, "npm" | "npx") {
        Command::new(format!("{name}.cmd"))
    } else {
        Command::new(name)
    }
}

/// The cargo that runs this very chore.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs to the end; what it prints is seen at once. Says what is being done, and how long it took if that was long.
pub(crate) fn run(doing: &str, command: &mut Command) -> Result<()> {
    say(doing);
    let started = Instant::now();
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{doing}: {} ended with {status}; its own words are above", shown(command));
    }
    let seconds = started.elapsed().as_secs();
    if seconds >= 5 {
        say(&format!("  done in {seconds} s"));
    }
    Ok(())
}

/// What a program prints, if it can be started and succeeds.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A line of progress.
pub(crate) fn say(line: &str) {
    eprintln!("xtask: {line}");
}

pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    format!("`{}`", words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "))
}
