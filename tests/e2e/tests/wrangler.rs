//! What `npx wrangler deploy` would ship.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use tidegate_e2e::repository;

#[test]
fn wrangler_deploy_from_a_clone_ships_the_worker_with_the_example_policy_in_it() -> Result<()> {
    let out = tempfile::tempdir()?;
    let output = Command::new("node")
        .current_dir(repository())
        .arg("node_modules/wrangler/bin/wrangler.js")
        .args(["deploy", "--dry-run", "--outdir"])
        .arg(out.path())
        .env("WRANGLER_SEND_METRICS", "false")
        .env("CI", "true")
        .env("NO_COLOR", "1")
        .output()
        .context("cannot start node: install Node 20 or later, then run `cargo xtask tools`")?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "wrangler failed:\n{said}");
    assert!(said.contains("--dry-run: exiting now"), "{said}");
    assert!(!said.contains("WARNING"), "{said}");

    let shipped = wasm_in(out.path())?;
    let table = tidegate_cli::bundle::wasm::extract(&shipped).context("the Wasm that is shipped has no policy")?;
    let expected = tidegate_e2e::compile_file(&repository().join("policies/example.toml"))?;
    assert!(table == expected, "the policy that is shipped is not policies/example.toml");
    Ok(())
}

/// Without a table: what a policy weighs is its author's affair.
#[test]
fn the_worker_weighs_at_most_400_kib_gzipped() -> Result<()> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    for module in ["index.js", "index_bg.wasm"] {
        let path = repository().join("build/worker").join(module);
        let bytes = fs::read(&path).with_context(|| format!("{}: run `cargo xtask worker`", path.display()))?;
        gzip.write_all(&bytes)?;
    }
    let kib = gzip.finish()?.len() / 1024;
    println!("the Worker without a table: {kib} KiB gzipped");
    assert!(kib < 400, "{kib} KiB");
    Ok(())
}

fn wasm_in(folder: &Path) -> Result<Vec<u8>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            return Ok(fs::read(path)?);
        }
    }
    anyhow::bail!("wrangler ships no Wasm")
}
