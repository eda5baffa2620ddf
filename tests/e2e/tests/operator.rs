//! An operator's own repository: what `tidegate init` writes, with the Worker from the npm package, and without any Rust.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use tidegate_e2e::repository;

/// Runs a program to its end; what it says is in the error.
fn run(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let said = || String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{command:?} ended with {}:\n{}", output.status, said());
    Ok(output)
}

/// Packs the Worker that was built for these tests; the path and the hashes, as they are printed.
fn pack() -> Result<Vec<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut pack = Command::new(cargo);
    pack.current_dir(repository()).args([
        "run",
        "--quiet",
        "--package",
        "xtask",
        "--",
        "npm",
        "--worker",
        "build/worker",
    ]);
    let output = run(&mut pack)?;
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

fn tidegate(folder: &Path, arguments: &[&str]) -> Result<Output> {
    let mut tidegate = Command::new(env!("CARGO_BIN_EXE_tidegate-under-test"));
    tidegate.current_dir(folder).args(arguments).env_remove("TIDEGATE_WORKER").env_remove("TIDEGATE_POLICY");
    run(&mut tidegate)
}

/// One test, not several: all of them pack into `build/npm`.
#[test]
fn a_repository_of_ones_own_is_checked_tested_typed_and_built_with_the_worker_from_npm() -> Result<()> {
    let first = pack()?;
    let [tarball, integrity, sha256] = first.as_slice() else { anyhow::bail!("path and hashes: {first:?}") };
    ensure!(integrity.starts_with("integrity sha512-"), "{integrity}");
    ensure!(sha256.starts_with("sha256    "), "{sha256}");
    let bytes = fs::read(repository().join(tarball))?;
    // Touched, but the same: a file's date is no part of the package.
    let module = repository().join("build/worker/index.js");
    fs::File::options().append(true).open(&module)?.set_modified(std::time::SystemTime::now())?;
    ensure!(pack()? == first, "the same Worker comes to another package");
    ensure!(fs::read(repository().join(tarball))? == bytes, "the same Worker comes to other bytes");

    // npm takes the package as it is, without a registry, into a folder of its own.
    let npm = tempfile::tempdir()?;
    fs::write(npm.path().join("package.json"), "{\"private\":true}")?;
    let install = ["install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    run(Command::new("npm").current_dir(npm.path()).args(install).arg(repository().join(tarball)))?;
    let lock = fs::read_to_string(npm.path().join("package-lock.json"))?;
    ensure!(
        lock.contains(integrity.trim_start_matches("integrity ")),
        "the lock holds the hash that was printed: {lock}"
    );

    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    tidegate(folder, &["init"])?;
    let modules = folder.join("node_modules");
    fs::rename(npm.path().join("node_modules"), &modules)?;
    tidegate(folder, &["check", "policies/policy.toml"])?;
    tidegate(folder, &["test"])?;
    tidegate(folder, &["doctor", "--policy", "policies/policy.toml"])?;
    tidegate(folder, &["build"])?;
    let built = fs::read(folder.join("build/outbound/index_bg.wasm"))?;
    ensure!(
        built.starts_with(&fs::read(repository().join("build/worker/index_bg.wasm"))?),
        "it is the Worker, and the policy"
    );
    let inspected = tidegate(folder, &["inspect", "build/outbound/index_bg.wasm", "--format", "json"])?;
    ensure!(String::from_utf8(inspected.stdout)?.contains("\"rules\":2"));

    // The dispatch Worker is typed; TypeScript and its types are those of the clone.
    std::os::unix::fs::symlink(repository().join("node_modules/@cloudflare"), modules.join("@cloudflare"))?;
    let typescript = repository().join("node_modules/typescript/bin/tsc");
    run(Command::new("node").current_dir(folder).arg(typescript).args(["-p", "."]))?;

    // wrangler takes both configurations, and builds the outbound Worker by its own command.
    let wrangler = repository().join("node_modules/wrangler/bin/wrangler.js");
    let path = format!("{}:{}", programs(folder)?.display(), std::env::var("PATH").unwrap_or_default());
    for config in ["wrangler.toml", "dispatcher/wrangler.jsonc"] {
        run(Command::new("node")
            .current_dir(folder)
            .arg(&wrangler)
            .args(["deploy", "--dry-run", "--config", config])
            .env("PATH", &path)
            .env("CI", "1")
            .env("WRANGLER_SEND_METRICS", "false"))?;
    }
    Ok(())
}

/// A folder with `tidegate` in it, by that name.
fn programs(folder: &Path) -> Result<std::path::PathBuf> {
    let programs = folder.join("programs");
    fs::create_dir(&programs)?;
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tidegate-under-test"), programs.join("tidegate"))?;
    Ok(programs)
}
