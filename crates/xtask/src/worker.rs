//! The outbound Worker's Wasm and JavaScript.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use anyhow::{Context, Result};

use crate::process::{cargo, program, run, say};
use crate::tools::{Tools, WASM_TARGET};
use crate::workspace::{root, target_folder};

/// The Cargo profile of the Worker, in the workspace's `Cargo.toml`.
const PROFILE: &str = "worker";

/// The Worker's main module.
const ENTRY: &str = "crates/worker/src/entry.js";

/// A crate that becomes a Worker without a policy: `index.js` and `index_bg.wasm`.
struct Worker {
    /// The crate's folder, from the top of the repository.
    source: &'static str,
    /// What the linker calls it.
    library: &'static str,
    /// The folder under `build/` in which it lies.
    folder: &'static str,
}

const SHIPPED: Worker = Worker { source: "crates/worker", library: "tidegate_worker", folder: "worker" };
const THAT_TRAPS: Worker =
    Worker { source: "tests/worker-that-traps", library: "tidegate_worker_that_traps", folder: "worker-that-traps" };

const THAT_LOOKS_UP: Worker = Worker {
    source: "tests/worker-that-looks-up",
    library: "tidegate_worker_that_looks_up",
    folder: "worker-that-looks-up",
};

/// Builds the Worker without a policy.
pub(crate) fn build(tools: &Tools) -> Result<()> {
    SHIPPED.build(tools)
}

/// Builds the one that traps where a request says so, for the tests. It shares all that is compiled with the other, but
/// for the crate itself.
pub(crate) fn build_that_traps(tools: &Tools) -> Result<()> {
    THAT_TRAPS.build(tools)
}

/// Builds the one that measures lookups in Wasm, for the benchmarks.
pub(crate) fn build_that_looks_up(tools: &Tools) -> Result<()> {
    THAT_LOOKS_UP.build(tools)
}

impl Worker {
    fn build(&self, tools: &Tools) -> Result<()> {
        let name = self.folder;
        let source = root().join(self.source);
        // The same call of cargo that worker-build makes, so that its own finds nothing left to do. Where
        // the result is that of last time, the minutes of wasm-opt are saved.
        run(
            &format!("compiling {} to Wasm", self.source),
            cargo()
                .current_dir(&source)
                .args(["build", "--lib", "--profile", PROFILE, "--target", WASM_TARGET])
                .env("WASM_BINDGEN_USE_JS_SYS", "1"),
        )?;
        let out = root().join("build").join(name);
        let stamp = out.with_extension("stamp");
        let fingerprint = self.fingerprint(tools)?;
        if out.join("index.js").is_file()
            && out.join("index_bg.wasm").is_file()
            && fs::read_to_string(&stamp).is_ok_and(|last| last == fingerprint)
        {
            say(&format!("the Worker in build/{name} is up to date"));
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
        put_entry_before(&out, tools)?;
        fs::write(&stamp, fingerprint).with_context(|| format!("cannot write {}", stamp.display()))
    }

    fn fingerprint(&self, tools: &Tools) -> Result<String> {
        let wasm = target_folder().join(WASM_TARGET).join(PROFILE).join(self.library).with_extension("wasm");
        let mut hasher = DefaultHasher::new();
        fs::read(&wasm).with_context(|| format!("cannot read {}", wasm.display()))?.hash(&mut hasher);
        let entry = root().join(ENTRY);
        fs::read(&entry).with_context(|| format!("cannot read {}", entry.display()))?.hash(&mut hasher);
        tools.versions().hash(&mut hasher);
        Ok(format!("{:016x}\n", hasher.finish()))
    }
}

/// Makes [`ENTRY`] the main module of what worker-build made: all becomes one `index.js`.
fn put_entry_before(out: &Path, tools: &Tools) -> Result<()> {
    let [index, inner, entry] = ["index.js", "inner.js", "entry.js"].map(|name| out.join(name));
    fs::rename(&index, &inner).with_context(|| format!("cannot rename {}", index.display()))?;
    fs::copy(root().join(ENTRY), &entry).with_context(|| format!("cannot copy {ENTRY}"))?;
    let mut esbuild = program_at(&tools.esbuild);
    esbuild.current_dir(out).args(["--bundle", "--minify", "--format=esm", "--log-level=warning"]);
    // `package.json` says that only `index.js` does anything when it is loaded, which is true of what worker-build made.
    esbuild.arg("--ignore-annotations");
    esbuild.args(["--external:./index_bg.wasm", "--external:cloudflare:*", "./entry.js", "--outfile=index.js"]);
    run("putting its main module before it", &mut esbuild)?;
    for part in [&entry, &inner] {
        fs::remove_file(part).with_context(|| format!("cannot remove {}", part.display()))?;
    }
    Ok(())
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

fn program_at(path: &Path) -> std::process::Command {
    program(&path.to_string_lossy())
}
