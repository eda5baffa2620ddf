//! `cargo xtask instructions`: a decision, a load and a compilation cost no more instructions than they did.
//!
//! Times on shared machines differ by half from one run to the next; instruction counts by less than a percent. So the
//! work in `tests/instructions` runs under valgrind's callgrind, and what it counts is compared with `tests/instructions/counts.txt`,
//! which is part of the repository: who makes something dearer says so in the same commit, by `--update`.
//!
//! The counts hang on the compiler (`rust-toolchain.toml`), on the libraries (`Cargo.lock`) and a little on the C library's choice of
//! `memcpy`, which [`LEEWAY`] covers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{cargo, output, run, say};
use crate::workspace::{root, target_folder};

/// What is counted. A compilation counts as a whole process, of the others only what is done in `counted`.
const KINDS: [(&str, Counted); 4] = [
    ("decide-hit", Counted::Marked),
    ("decide-miss", Counted::Marked),
    ("load", Counted::Marked),
    ("compile-100k", Counted::Process),
];

/// What the counts are of: another kind of processor has other instructions.
const ARCHITECTURE: &str = "x86_64";

/// Percent by which a count may be off.
const LEEWAY: u64 = 5;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    Marked,
    Process,
}

/// Counts, and compares with what was counted before; more than [`LEEWAY`] percent up fails.
pub(crate) fn compare() -> Result<()> {
    if std::env::consts::ARCH != ARCHITECTURE {
        say(&format!("instructions are not compared: what is written down was counted on {ARCHITECTURE}"));
        return Ok(());
    }
    let before = read(&counts_file())?;
    let now = count()?;
    let mut report = String::new();
    let mut dearer = Vec::new();
    let mut cheaper = Vec::new();
    for (kind, now) in &now {
        let before = *before.get(kind).with_context(|| {
            format!(
                "no count of `{kind}` in {}; `cargo xtask instructions --update` writes it",
                counts_file().display()
            )
        })?;
        writeln!(report, "{kind:<12} {before:>14} before {now:>14} now   {}", change(before, *now))?;
        match verdict(before, *now) {
            Verdict::Dearer => dearer.push(format!("{kind}: {before} → {now} ({})", change(before, *now))),
            Verdict::Cheaper => cheaper.push(kind.as_str()),
            Verdict::Same => {}
        }
    }
    print!("{report}");
    if !dearer.is_empty() {
        bail!(
            "more than {LEEWAY} % more instructions than before: {}; find what made it dearer (callgrind's output is in {}), or say that it is \
             worth it with `cargo xtask instructions --update`",
            dearer.join(", "),
            folder().display()
        );
    }
    if !cheaper.is_empty() {
        say(&format!("{} became cheaper: keep the gain with `cargo xtask instructions --update`", cheaper.join(", ")));
    }
    Ok(())
}

/// Counts, and writes the counts down as those that hold from now on.
pub(crate) fn update() -> Result<()> {
    if std::env::consts::ARCH != ARCHITECTURE {
        bail!("the counts that are written down are those of {ARCHITECTURE}: count them there");
    }
    let mut text =
        "# Instructions, as `cargo xtask instructions` counts them; `--update` writes this file.\n".to_owned();
    for (kind, count) in count()? {
        writeln!(text, "{kind} {count}")?;
    }
    print!("{text}");
    fs::write(counts_file(), text).with_context(|| format!("cannot write {}", counts_file().display()))
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Cheaper,
    Same,
    Dearer,
}

fn verdict(before: u64, now: u64) -> Verdict {
    let [least, most] = [100 - LEEWAY, 100 + LEEWAY].map(|percent| u128::from(before) * u128::from(percent));
    match u128::from(now) * 100 {
        now if now > most => Verdict::Dearer,
        now if now < least => Verdict::Cheaper,
        _ => Verdict::Same,
    }
}

/// `+1.2 %`.
#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn change(before: u64, now: u64) -> String {
    format!("{:+.1} %", (now as f64 / before as f64 - 1.0) * 100.0)
}

/// Fails where something should be counted and nothing can.
pub(crate) fn ensure_valgrind() -> Result<()> {
    if std::env::consts::ARCH == ARCHITECTURE && output(Command::new("valgrind").arg("--version")).is_none() {
        bail!(
            "`valgrind` is not on the PATH, and nothing else counts instructions: install it (Debian: `apt-get install valgrind`)"
        );
    }
    Ok(())
}

fn count() -> Result<BTreeMap<String, u64>> {
    ensure_valgrind()?;
    let mut build = cargo();
    run(
        "building what is counted",
        build.current_dir(root()).args(["build", "--release", "-p", "tidegate-instructions"]),
    )?;
    let program = target_folder().join("release/tidegate-instructions");
    let folder = folder();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    run("preparing a policy", Command::new(&program).arg("prepare").arg(&folder))?;
    KINDS
        .into_iter()
        .map(|(kind, counted)| {
            let out = folder.join(format!("callgrind.{kind}"));
            let mut valgrind = Command::new("valgrind");
            valgrind.args(["--quiet", "--tool=callgrind"]).arg(format!("--callgrind-out-file={}", out.display()));
            if counted == Counted::Marked {
                valgrind.args(["--collect-atstart=no", "--toggle-collect=tidegate_instructions::counted::*"]);
            }
            run(&format!("counting `{kind}`"), valgrind.arg(&program).arg(kind).arg(&folder))?;
            let text = fs::read_to_string(&out).with_context(|| format!("callgrind left no {}", out.display()))?;
            let count = total(&text).filter(|&count| count > 0);
            Ok((kind.to_owned(), count.with_context(|| format!("callgrind counted nothing in `{kind}`"))?))
        })
        .collect()
}

/// What callgrind's output says in all: `totals: 123`.
fn total(output: &str) -> Option<u64> {
    output.lines().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}

fn read(file: &Path) -> Result<BTreeMap<String, u64>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (kind, count) = line.split_once(' ').with_context(|| format!("`{line}` is no kind and its count"))?;
            Ok((kind.to_owned(), count.parse().with_context(|| format!("`{count}` is no count"))?))
        })
        .collect()
}

fn counts_file() -> PathBuf {
    root().join("tests/instructions/counts.txt")
}

fn folder() -> PathBuf {
    target_folder().join("instructions")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_five_percent_up_is_dearer() {
        assert_eq!(verdict(1_000, 1_050), Verdict::Same);
        assert_eq!(verdict(1_000, 1_051), Verdict::Dearer);
        assert_eq!(verdict(1_000, 950), Verdict::Same);
        assert_eq!(verdict(1_000, 949), Verdict::Cheaper);
        assert_eq!(change(1_000, 1_051), "+5.1 %");
    }

    #[test]
    fn the_total_is_what_callgrind_says_in_all() {
        assert_eq!(total("version: 1\nevents: Ir\nfn=(1) x\n1 2\ntotals: 4711\n"), Some(4711));
        assert_eq!(total("version: 1\n"), None);
    }
}
