//! What has to be installed before the Worker can be built and run.
//!
//! npm packages come from `package-lock.json` into `node_modules`, those of the end-to-end tests alone from and into
//! `tests/e2e/clients`. `worker-build` and `wasm-bindgen` must fit the crates that the Worker is linked with, so they are
//! installed at the versions of `Cargo.lock`, each into a folder of its own in the user's cache: a second clone finds
//! them there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{cargo, output, program, run, say};
use crate::python;
use crate::workspace::{locked_version, root};

pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";
const OLDEST_NODE: u32 = 20;

/// Programs that the build of the Worker calls.
pub(crate) struct Tools {
    /// Drives the build.
    pub(crate) worker_build: PathBuf,
    /// Makes the JavaScript that goes with the Wasm.
    pub(crate) wasm_bindgen: PathBuf,
    /// Shrinks the Wasm.
    pub(crate) wasm_opt: PathBuf,
    /// Bundles the JavaScript.
    pub(crate) esbuild: PathBuf,
}

impl Tools {
    /// Their versions: what was built by others is built again.
    pub(crate) fn versions(&self) -> String {
        let lock = fs::read_to_string(root().join("package-lock.json")).unwrap_or_default();
        format!("{}\n{}\n{lock}", self.worker_build.display(), self.wasm_bindgen.display())
    }
}

/// Installs what is missing.
pub(crate) fn ensure() -> Result<Tools> {
    node_is_new_enough()?;
    wasm_target()?;
    // None of the packages needs its install script: they only replace a launcher by the binary that it launches.
    npm_packages(&root(), "workerd, wrangler, esbuild, binaryen; some 300 MB")?;
    let scripts = root().join("node_modules").join(".bin");
    let script = |name: &str| scripts.join(if cfg!(windows) { format!("{name}.cmd") } else { name.to_owned() });
    let tools = Tools {
        worker_build: crate_binary("worker-build", &locked_version("worker")?, "worker-build")?,
        wasm_bindgen: crate_binary("wasm-bindgen-cli", &locked_version("wasm-bindgen")?, "wasm-bindgen")?,
        wasm_opt: script("wasm-opt"),
        esbuild: script("esbuild"),
    };
    let _ = fs::remove_dir_all(build_folder());
    Ok(tools)
}

fn node_is_new_enough() -> Result<()> {
    let way_out = format!("install Node {OLDEST_NODE} or later with npm (https://nodejs.org/), then run this again");
    let Some(version) = output(program("node").arg("--version")) else {
        bail!("`node` is not on the PATH: {way_out}");
    };
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < OLDEST_NODE) {
        bail!("`node` is {version}, too old: {way_out}");
    }
    if output(program("npm").arg("--version")).is_none() {
        bail!("`npm` is not on the PATH: {way_out}");
    }
    Ok(())
}

/// rustup reads the target from `rust-toolchain.toml`; without rustup the user has to see to it.
fn wasm_target() -> Result<()> {
    let libraries =
        output(program("rustc").current_dir(root()).args(["--print", "target-libdir", "--target", WASM_TARGET]));
    if libraries.is_some_and(|folder| Path::new(&folder).is_dir()) {
        return Ok(());
    }
    run(
        &format!("adding the Rust target {WASM_TARGET}"),
        program("rustup").current_dir(root()).args(["target", "add", WASM_TARGET]),
    )
    .with_context(|| format!("Rust cannot build for {WASM_TARGET}: install rustup (https://rustup.rs/), or that target with your system's packages"))
}

/// Installs what the end-to-end tests need beside [`ensure`]'s: a newer wrangler, the Node that it asks for, the SDKs, and
/// what else runs on Python.
///
/// It takes workerd and esbuild from the clone's own `node_modules`, at the very versions that it wants: its
/// `package.json` overrides both with links, for they would weigh three times what is left.
pub(crate) fn ensure_clients() -> Result<()> {
    npm_packages(&root().join("tests/e2e/clients"), "a newer wrangler, its Node, and Cloudflare's SDK; some 450 MB")?;
    python::ensure()
}

/// Installs the packages of a folder's `package-lock.json`, unless the very same lock was installed last.
pub(crate) fn npm_packages(folder: &Path, what: &str) -> Result<()> {
    let lock = fs::read(folder.join("package-lock.json")).context("cannot read package-lock.json")?;
    let installed = folder.join("node_modules").join(".installed-lock.json");
    if fs::read(&installed).is_ok_and(|last| last == lock) {
        return Ok(());
    }
    run(
        &format!("installing npm packages ({what}, once)"),
        // Errors alone: a warning says that this machine's Node is too old for the newer wrangler, which runs on its own.
        program("npm").current_dir(folder).args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]),
    )
    .context("cannot install the npm packages: check that npm reaches its registry (`npm ping`)")?;
    fs::write(&installed, lock).with_context(|| format!("cannot write {}", installed.display()))
}

/// A binary of a published crate at one version, from the user's cache folder; built into it if it is not there.
pub(crate) fn crate_binary(name: &str, version: &str, binary: &str) -> Result<PathBuf> {
    let folder = tools_folder()?.join(format!("{name}-{version}"));
    let path = folder.join("bin").join(format!("{binary}{}", std::env::consts::EXE_SUFFIX));
    if path.is_file() {
        return Ok(path);
    }
    // Built beside its place and renamed into it: an interrupted run leaves nothing that looks installed.
    let staging = folder.with_file_name(format!(".{name}-{version}-{}", std::process::id()));
    say(&format!("{name} {version} goes into {}", folder.display()));
    let built = run(
        &format!("building {name} {version} (once for this version; one to five minutes)"),
        // Without --locked: a version that the crate's own lock pins may have been withdrawn since.
        cargo()
            .args(["install", name, "--force", "--no-track", "--version"])
            .arg(format!("={version}"))
            .arg("--root")
            .arg(&staging)
            .arg("--target-dir")
            .arg(build_folder())
            // They work for seconds; what counts is how soon they are there.
            .arg("--debug")
            .env("CARGO_PROFILE_DEV_DEBUG", "none"),
    );
    if built.is_err() {
        let _ = fs::remove_dir_all(&staging);
    }
    built.with_context(|| format!("cannot install {name} {version}: check that cargo reaches its registry"))?;
    let _ = fs::remove_dir_all(&folder);
    if fs::rename(&staging, &folder).is_err() {
        // Another clone may have been faster; then its copy does.
        let _ = fs::remove_dir_all(&staging);
    }
    if !path.is_file() {
        bail!(
            "{name} {version} was built but is not at {}: remove {} and run this again",
            path.display(),
            folder.display()
        );
    }
    Ok(path)
}

/// Where both are built, so that they share what both depend on. It is removed afterwards.
fn build_folder() -> PathBuf {
    root().join("target").join("tools")
}

/// `$XDG_CACHE_HOME/tidegate/tools`, or what stands for it on this system.
pub(crate) fn tools_folder() -> Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = variable("XDG_CACHE_HOME")
        .or_else(|| if cfg!(windows) { variable("LOCALAPPDATA") } else { None })
        .or_else(|| variable("HOME").map(|home| home.join(".cache")))
        .context("no folder for caches: set HOME or XDG_CACHE_HOME")?;
    let folder = cache.join("tidegate").join("tools");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}
