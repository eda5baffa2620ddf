//! The npm package with the built Worker, for operators who have no Rust.
//!
//! The package is made of two files of `build/worker` and of what stands in `crates/worker/npm`. `npm pack` writes it with dates and modes of its
//! own, so that the same input comes to the same bytes; the hash that is printed is what to compare.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::process::{program, say, shown};
use crate::workspace::{locked_version, root};

/// What of the built Worker goes into the package. The rest of its folder is for other tools.
const MODULES: [&str; 2] = ["index.js", "index_bg.wasm"];

/// The package's name on npm.
const NAME: &str = "tidegate-worker";

/// Makes the package of the Worker in a folder; the last lines say where it is and what its hashes are.
pub(crate) fn pack(worker: &Path) -> Result<()> {
    let version = locked_version(NAME)?;
    let folder = root().join("build").join("npm");
    let _ = fs::remove_dir_all(&folder);
    let package = folder.join(NAME);
    fs::create_dir_all(package.join("worker")).with_context(|| format!("cannot make {}", package.display()))?;
    for module in MODULES {
        let from = worker.join(module);
        fs::copy(&from, package.join("worker").join(module)).with_context(|| {
            format!("cannot copy {}: is it a built Worker? `cargo xtask worker` makes one", from.display())
        })?;
    }
    for (name, text) in texts(&version)? {
        fs::write(package.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    let tarball = npm_pack(&package, &folder)?;
    let path = folder.join(&tarball.filename);
    say(&format!("{}, {} bytes", path.display(), tarball.size));
    println!("{}", path.strip_prefix(root()).unwrap_or(&path).display());
    println!("integrity {}", tarball.integrity);
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    println!("sha256    {}", hex(&Sha256::digest(&bytes)));
    Ok(())
}

/// The files of `crates/worker/npm`, with the version of this workspace in its place, and the licence.
fn texts(version: &str) -> Result<[(&'static str, String); 3]> {
    let read = |name: &str| {
        let path = root().join("crates/worker/npm").join(name);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let manifest = read("package.json")?;
    let placeholder = "\"version\": \"0.0.0\"";
    if !manifest.contains(placeholder) {
        bail!("crates/worker/npm/package.json has no `{placeholder}`, where the workspace's version goes");
    }
    Ok([
        ("package.json", manifest.replace(placeholder, &format!("\"version\": \"{version}\""))),
        ("README.md", read("README.md")?.replace("VERSION", version)),
        ("LICENSE", read("LICENSE")?),
    ])
}

/// What `npm pack` made.
#[derive(Debug, PartialEq, Eq)]
struct Tarball {
    filename: String,
    /// SHA-512, as package-lock.json writes it.
    integrity: String,
    /// In bytes.
    size: u64,
}

fn npm_pack(package: &Path, to: &Path) -> Result<Tarball> {
    let mut pack = program("npm");
    pack.current_dir(package)
        .args(["pack", "--json", "--ignore-scripts", "--loglevel=error", "--pack-destination"])
        .arg(to)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = pack.output().context("cannot start npm: install Node 20 or later (https://nodejs.org/)")?;
    if !output.status.success() {
        bail!("{} ended with {}; its own words are above", shown(&pack), output.status);
    }
    let report = String::from_utf8(output.stdout).context("npm's report is no text")?;
    tarball(&report).with_context(|| format!("npm's report is not as expected:\n{report}"))
}

/// Reads what of npm's report is wanted here. Its values are plain: names, hashes, numbers.
fn tarball(report: &str) -> Option<Tarball> {
    let value = |key: &str| {
        let (_, rest) = report.split_once(&format!("\"{key}\":"))?;
        let end = rest.find([',', '\n', '}'])?;
        Some(rest[..end].trim().trim_matches('"').to_owned())
    };
    Some(Tarball { filename: value("filename")?, integrity: value("integrity")?, size: value("size")?.parse().ok()? })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Where `cargo xtask worker` puts the Worker.
pub(crate) fn built_worker() -> PathBuf {
    root().join("build").join("worker")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn npms_report_is_read() {
        let report = r#"[
  {
    "id": "tidegate-worker@0.1.0",
    "size": 245678,
    "unpackedSize": 638483,
    "shasum": "8e96c1b5",
    "integrity": "sha512-a+b/c==",
    "filename": "tidegate-worker-0.1.0.tgz",
    "files": []
  }
]"#;
        let wanted = Tarball {
            filename: "tidegate-worker-0.1.0.tgz".to_owned(),
            integrity: "sha512-a+b/c==".to_owned(),
            size: 245_678,
        };
        assert_eq!(tarball(report), Some(wanted));
        assert_eq!(tarball("[]"), None);
    }
}
