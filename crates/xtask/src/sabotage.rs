//! `cargo xtask sabotage`: whether the tests would notice.
//!
//! `tests/sabotage/*.patch` are seeded bugs, each of the kind that somebody has shipped: a lost dot boundary, a
//! followed redirect, a cache that mixes up customers. One at a time they are put into a copy of the tree, and the tests
//! must turn red. A patch begins with a sentence on what goes wrong; the rest is what `git diff` prints.
//!
//! Packages are tested from the cheapest to the dearest, and the first red one ends a patch; those that cannot know what it
//! touches are left out. What no native test notices is put to the end-to-end tests, with a Worker built from the copy.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::process::{self, cargo, program, say, shown};
use crate::workspace::root;
use crate::{python, tools};

/// What is tested, in this order.
const NATIVE: &[&[&str]] = &[
    &["tidegate-table", "tidegate-engine"],
    &["tidegate-compiler"],
    &["tidegate-differential"],
    &["tidegate-worker", "tidegate-cli"],
];

/// What is tested where one crate alone is touched of which the others' tests know nothing.
const APART: [(&str, &[&[&str]]); 2] =
    [("+++ b/crates/platform/", &[&["tidegate-platform"]]), ("+++ b/crates/worker/", &[&["tidegate-worker"]])];

/// A seeded bug.
struct Bug {
    name: String,
    /// What goes wrong.
    sentence: String,
    patch: PathBuf,
}

impl Bug {
    /// The native packages whose tests may notice it.
    fn packages(&self) -> Result<&'static [&'static [&'static str]]> {
        let patch = fs::read_to_string(&self.patch)?;
        let touched = || patch.lines().filter(|line| line.starts_with("+++ "));
        let apart = APART.into_iter().find(|(folder, _)| touched().all(|line| line.starts_with(folder)));
        Ok(apart.map_or(NATIVE, |(_, packages)| packages))
    }
}

/// Which tests a bug is put to.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Native,
    EndToEnd,
}

/// Seeds the bugs that are named, or all of them.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    let mut bugs = bugs(names)?;
    let started = Instant::now();
    let copy = Copy::new()?;
    let mut caught = BTreeMap::new();
    for stage in [Stage::Native, Stage::EndToEnd] {
        let left: Vec<&Bug> = bugs.iter().filter(|bug| !caught.contains_key(&bug.name)).collect();
        if left.is_empty() {
            break;
        }
        say(&format!("{stage:?}: seeing the tests green without a bug"));
        let suites = match stage {
            Stage::Native => left.iter().map(|bug| bug.packages()).collect::<Result<BTreeSet<_>>>()?,
            // One, whatever was touched.
            Stage::EndToEnd => BTreeSet::from([NATIVE]),
        };
        for packages in suites {
            if let Some(red) = copy.test(stage, packages)? {
                bail!("the tests are red without any bug: {red}");
            }
        }
        for bug in left {
            copy.apply(&bug.patch, &[])?;
            let by = copy.test(stage, bug.packages()?).with_context(|| format!("seeding `{}`", bug.name));
            copy.apply(&bug.patch, &["--reverse"])?;
            let by = by?;
            say(&format!("{}: {}", bug.name, by.as_deref().unwrap_or("not caught so far")));
            caught.extend(by.map(|by| (bug.name.clone(), by)));
        }
    }
    println!("\n{:<36} caught by", "seeded bug");
    for bug in &bugs {
        println!("{:<36} {}", bug.name, caught.get(&bug.name).map_or("NOTHING", String::as_str));
    }
    let minutes = started.elapsed().as_secs() / 60;
    println!("{} of {} seeded bugs caught in {minutes} min", caught.len(), bugs.len());
    bugs.retain(|bug| !caught.contains_key(&bug.name));
    if let Some(bug) = bugs.first() {
        bail!("no test notices `{}` ({}): write the one that is missing", bug.name, bug.sentence);
    }
    Ok(())
}

fn folder() -> PathBuf {
    root().join("tests/sabotage")
}

fn bugs(names: &[&str]) -> Result<Vec<Bug>> {
    let entries = fs::read_dir(folder()).context("cannot read tests/sabotage")?;
    let mut patches: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    patches.retain(|path| path.extension().is_some_and(|extension| extension == "patch"));
    patches.sort();
    let mut wanted: BTreeSet<&str> = names.iter().copied().collect();
    let mut bugs = Vec::new();
    for patch in patches {
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if wanted.remove(name.as_str()) || names.is_empty() {
            let text = fs::read_to_string(&patch)?;
            let sentence = text.lines().next().unwrap_or_default().to_owned();
            bugs.push(Bug { name, sentence, patch });
        }
    }
    if let Some(unknown) = wanted.first() {
        bail!("there is no tests/sabotage/{unknown}.patch");
    }
    if bugs.is_empty() {
        bail!("there are no patches in tests/sabotage");
    }
    Ok(bugs)
}

/// A copy of the tree in which bugs are seeded, with a `target` of its own that is kept from one run to the next.
struct Copy {
    tree: PathBuf,
}

impl Copy {
    /// Copies what git knows or would know, as it stands.
    fn new() -> Result<Self> {
        tools::ensure()?;
        tools::ensure_clients()?;
        let tree = root().join("target/sabotage/tree");
        let _ = fs::remove_dir_all(&tree);
        let listed = program("git")
            .current_dir(root())
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .output()
            .context("cannot start git")?;
        for name in String::from_utf8(listed.stdout)?.split_terminator('\0') {
            let (from, to) = (root().join(name), tree.join(name));
            if from.is_file() {
                fs::create_dir_all(to.parent().unwrap_or(&tree))?;
                // With its times: what did not change is not compiled again.
                fs::copy(&from, &to)
                    .and_then(|_| fs::File::options().write(true).open(&to)?.set_modified(from.metadata()?.modified()?))
                    .with_context(|| format!("cannot copy {name}"))?;
            }
        }
        for packages in ["node_modules", "tests/e2e/clients/node_modules"] {
            link(&root().join(packages), &tree.join(packages))?;
        }
        // Says where the Python packages are.
        fs::copy(root().join(python::INSTALLED), tree.join(python::INSTALLED)).context("run `cargo xtask tools`")?;
        Ok(Self { tree })
    }

    fn apply(&self, patch: &Path, options: &[&str]) -> Result<()> {
        let applied = program("git")
            .current_dir(&self.tree)
            // The copy lies inside of a repository, which is none of its business.
            .env("GIT_CEILING_DIRECTORIES", root().join("target/sabotage"))
            .arg("apply")
            .args(options)
            .arg(patch)
            .output()
            .context("cannot start git")?;
        if !applied.status.success() {
            bail!("{} does not apply: {}", patch.display(), String::from_utf8_lossy(&applied.stderr).trim());
        }
        Ok(())
    }

    /// The test that failed, if one did.
    fn test(&self, stage: Stage, native: &[&[&str]]) -> Result<Option<String>> {
        match stage {
            Stage::Native => {
                for packages in native {
                    let arguments: Vec<&str> = packages.iter().flat_map(|package| ["--package", package]).collect();
                    if let Some(by) = self.cargo_test(&arguments)? {
                        return Ok(Some(by));
                    }
                }
                Ok(None)
            }
            Stage::EndToEnd => {
                for worker in [&["xtask", "worker"][..], &["xtask", "worker", "--that-traps"]] {
                    process::run("building the Worker with it", self.at_home(cargo().args(worker)))?;
                }
                self.cargo_test(&["--package", "tidegate-e2e"])
            }
        }
    }

    /// The test that failed first, if one did.
    fn cargo_test(&self, arguments: &[&str]) -> Result<Option<String>> {
        let test = |more: &[&str]| {
            let mut test = cargo();
            self.at_home(&mut test).arg("test").args(arguments).args(more);
            test
        };
        let mut build = test(&["--no-run", "--quiet"]);
        let outcome = build.output().with_context(|| format!("cannot start {}", shown(&build)))?;
        if !outcome.status.success() {
            bail!("{} fails: {}", shown(&build), String::from_utf8_lossy(&outcome.stderr));
        }
        let tested = test(&[]).output()?;
        if tested.status.success() {
            return Ok(None);
        }
        let output = String::from_utf8_lossy(&tested.stdout);
        let by = first_failure(&output).context("the tests failed, and no test says so")?;
        Ok(Some(by))
    }

    fn at_home<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        // Cargo tells the processes that it starts where it is; this one is to be somewhere else.
        command
            .current_dir(&self.tree)
            .env_remove("CARGO_MANIFEST_DIR")
            .env("CARGO_TARGET_DIR", root().join("target/sabotage/target"))
    }
}

/// `test name ... FAILED`, as libtest prints it.
fn first_failure(output: &str) -> Option<String> {
    output.lines().find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED")).map(str::to_owned)
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> Result<()> {
    std::os::unix::fs::symlink(to, at).with_context(|| format!("cannot link {}", at.display()))
}

#[cfg(windows)]
fn link(to: &Path, at: &Path) -> Result<()> {
    std::os::windows::fs::symlink_dir(to, at).with_context(|| format!("cannot link {}", at.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_named() {
        let output = "running 2 tests\ntest a::fine ... ok\ntest a::broken ... FAILED\ntest b ... FAILED\n";
        assert_eq!(first_failure(output).as_deref(), Some("a::broken"));
        assert_eq!(first_failure("test a ... ok\n"), None);
    }

    #[test]
    fn every_patch_says_what_goes_wrong_and_applies() {
        let bugs = bugs(&[]).unwrap();
        assert!(bugs.len() >= 12, "{}", bugs.len());
        for bug in bugs {
            assert!(bug.sentence.ends_with('.') && !bug.sentence.starts_with("diff"), "{}", bug.name);
            let check = program("git").current_dir(root()).args(["apply", "--check"]).arg(&bug.patch).output().unwrap();
            assert!(check.status.success(), "{}: {}", bug.name, String::from_utf8_lossy(&check.stderr));
        }
    }
}
