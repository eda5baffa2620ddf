//! The outbound Worker that is put into a chain.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use tempfile::TempDir;
use tidegate_cli::bundle::Bundle;

use crate::api::Part;
use crate::paths::repository;

/// What `wrangler.toml` says about the runtime: what the Worker is deployed with, it is tested with.
pub(crate) struct Compatibility {
    /// `YYYY-MM-DD`.
    pub(crate) date: String,
    /// Flags of the runtime.
    pub(crate) flags: Vec<String>,
}

impl Compatibility {
    /// Reads the file.
    pub(crate) fn of_wrangler() -> Result<Self> {
        #[derive(serde::Deserialize)]
        struct Wrangler {
            compatibility_date: String,
            #[serde(default)]
            compatibility_flags: Vec<String>,
        }
        let text = fs::read_to_string(repository().join("wrangler.toml")).context("cannot read wrangler.toml")?;
        let wrangler: Wrangler = toml::from_str(&text).context("cannot read wrangler.toml")?;
        Ok(Self { date: wrangler.compatibility_date, flags: wrangler.compatibility_flags })
    }
}

/// A folder with `index.js` and `index_bg.wasm`, ready to run.
pub struct OutboundWorker {
    folder: TempDir,
}

impl OutboundWorker {
    /// The Worker with a policy given as text, compiled and built in as `tidegate build` does it.
    pub fn with_policy(policy: &str) -> Result<Self> {
        Self::with_table(&compile(policy)?)
    }

    /// The same, with the policy in a file, beside what it extends and the lists that it names.
    pub fn with_policy_file(policy: &Path) -> Result<Self> {
        Self::with_table(&compile_file(policy)?)
    }

    /// The Worker with any bytes for a table.
    pub fn with_table(table: &[u8]) -> Result<Self> {
        Self::bundled(&built_worker()?, table)
    }

    /// The Worker that traps where a request says so, with a policy given as text.
    pub fn that_traps(policy: &str) -> Result<Self> {
        Self::bundled(&built("worker-that-traps", "cargo xtask worker --that-traps")?, &compile(policy)?)
    }

    fn bundled(worker: &Path, table: &[u8]) -> Result<Self> {
        let folder = folder()?;
        let bundle = Bundle::new(worker, table).map_err(|error| anyhow!("{error}"))?;
        bundle.install(&folder.path().join("worker")).map_err(|error| anyhow!("{error}"))?;
        Ok(Self { folder })
    }

    /// The Worker as it was built, into which nobody has put a policy.
    pub fn without_policy() -> Result<Self> {
        Self::as_built(&built_worker()?)
    }

    /// Not an outbound Worker, but one that measures lookups in a table (`tests/worker-that-looks-up`).
    pub fn that_looks_up() -> Result<Self> {
        Self::as_built(&built("worker-that-looks-up", "cargo xtask worker --that-looks-up")?)
    }

    fn as_built(worker: &Path) -> Result<Self> {
        let folder = folder()?;
        let target = folder.path().join("worker");
        fs::create_dir(&target)?;
        for module in ["index.js", "index_bg.wasm"] {
            fs::copy(worker.join(module), target.join(module)).with_context(|| format!("cannot copy {module}"))?;
        }
        Ok(Self { folder })
    }

    /// The modules, as they are uploaded.
    pub(crate) fn parts(&self) -> Result<Vec<Part>> {
        let read = |name: &str| fs::read(self.folder().join(name)).with_context(|| format!("cannot read {name}"));
        let glue = Part::new("index.js", "application/javascript+module", read("index.js")?);
        Ok(vec![glue, Part::wasm("index_bg.wasm", &read("index_bg.wasm")?)])
    }

    /// Where the modules lie.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("worker")
    }
}

/// Compiles a policy that is given as text.
pub fn compile(policy: &str) -> Result<Vec<u8>> {
    let folder = folder()?;
    let file = folder.path().join("policy.toml");
    fs::write(&file, policy).context("cannot write the policy")?;
    compile_file(&file)
}

/// Compiles the policy in a file.
pub fn compile_file(policy: &Path) -> Result<Vec<u8>> {
    let compilation = tidegate_compiler::compile(policy);
    let findings = compilation.diagnostics;
    let output = compilation.output.with_context(|| format!("{} does not compile: {findings:#?}", policy.display()))?;
    Ok(output.table)
}

fn built_worker() -> Result<PathBuf> {
    built("worker", "cargo xtask worker")
}

fn built(name: &str, chore: &str) -> Result<PathBuf> {
    let folder = repository().join("build").join(name);
    if !folder.join("index_bg.wasm").is_file() {
        bail!("there is no built Worker in {}: run `{chore}`", folder.display());
    }
    Ok(folder)
}

fn folder() -> Result<TempDir> {
    TempDir::with_prefix("tidegate-e2e-").context("cannot make a temporary folder")
}
