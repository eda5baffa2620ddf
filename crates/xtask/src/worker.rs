//! The outbound Worker's Wasm and JavaScript.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::{cargo, program, run, say};
use crate::tools::{Tools, WASM_TARGET};
use crate::workspace::root;

/// The Cargo profile of the Worker, in the workspace's `Cargo.toml`.
const PROFILE: &str = "worker";

/// Where the Worker without a policy lies: `index.js` and `index_bg.wasm`.
pub(crate) fn worker_folder() -> PathBuf {
    root().join("build").join("worker")
}

/// Builds the Worker without a policy.
pub(crate) fn build(tools: &Tools) -> Result<()> {
    let source = root().join("crates").join("worker");
    // The same call of cargo that worker-build makes, so that its own finds nothing left to do. Where
    // the result is that of last time, the minutes of wasm-opt are saved.
    run(
        "compiling the outbound Worker to Wasm",
        cargo()
            .current_dir(&source)
            .args(["build", "--lib", "--profile", PROFILE, "--target", WASM_TARGET])
            .env("WASM_BINDGEN_USE_JS_SYS", "1"),
    )?;
    let out = worker_folder();
    let stamp = out.with_extension("stamp");
    let fingerprint = fingerprint(tools)?;
    if out.join("index.js").is_file()
        && out.join("index_bg.wasm").is_file()
        && fs::read_to_string(&stamp).is_ok_and(|last| last == fingerprint)
    {
        say("the outbound Worker in build/worker is up to date");
        return Ok(());
    }
    let _ = fs::remove_dir_all(&out);
    let mut worker_build = program_at(&tools.worker_build);
    worker_build
        .arg(&source)
        .args([OsStr::new("--profile"), OsStr::new(PROFILE), OsStr::new("--out-dir"), out.as_os_str()])
        .env("WASM_BINDGEN_BIN", &tools.wasm_bindgen)
        .env("WASM_OPT_BIN", &tools.wasm_opt)
        .env("ESBUILD_BIN", &tools.esbuild);
    run("wrapping and shrinking it (wasm-bindgen, wasm-opt, esbuild)", &mut worker_build)?;
    fs::write(&stamp, fingerprint).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Builds the Worker and puts `policies/example.toml` into it. `wrangler deploy` calls this.
pub(crate) fn build_with_policy(tools: &Tools) -> Result<()> {
    build(tools)?;
    run(
        "putting policies/example.toml into the Worker",
        cargo().current_dir(root()).args([
            "run",
            "--quiet",
            "--package",
            "tidegate-cli",
            "--",
            "build",
            "--policy",
            "policies/example.toml",
            "--worker",
            "build/worker",
            "--out",
            "build/outbound",
        ]),
    )
}

fn fingerprint(tools: &Tools) -> Result<String> {
    let wasm = target_folder().join(WASM_TARGET).join(PROFILE).join("tidegate_worker.wasm");
    let mut hasher = DefaultHasher::new();
    fs::read(&wasm).with_context(|| format!("cannot read {}", wasm.display()))?.hash(&mut hasher);
    tools.versions().hash(&mut hasher);
    Ok(format!("{:016x}\n", hasher.finish()))
}

fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

fn program_at(path: &Path) -> std::process::Command {
    program(&path.to_string_lossy())
}
