//! Where the built Worker is, for those who do not say.
//!
//! In a clone of Tidegate it is built into `build/worker`. An operator's own repository has it from npm: the package
//! `tidegate-worker` holds it ready, so that no Rust is needed. npm puts packages into `node_modules` of the folder or of one above it,
//! as workspaces have it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{ENTRY, MODULE};
use crate::files;
use crate::outcome::Explained;

/// Where a clone builds it.
const BUILT: &str = "build/worker";

/// The npm package that holds it.
const PACKAGE: &str = "node_modules/tidegate-worker";

/// The Worker's folder in the package.
const IN_PACKAGE: &str = "worker";

/// No `package.json` of ours is longer.
const LONGEST: u64 = 64 * 1024;

/// Why no built Worker was found.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum FindError {
    /// There is none.
    #[error("there is no built Worker: neither in `{BUILT}` nor in `{PACKAGE}`, here or in a folder above")]
    Nowhere,
    /// Worker and command line do not fit.
    #[error("`{}` is of version {found}, and this is `tidegate` {}", package.display(), env!("CARGO_PKG_VERSION"))]
    OtherVersion {
        /// The package's folder.
        package: PathBuf,
        /// Its version, or what there is instead of one.
        found: String,
    },
}

impl Explained for FindError {
    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Nowhere => "run `npm install` if `package.json` names `tidegate-worker`, or say where it is with `--worker DIR`".to_owned(),
            Self::OtherVersion { .. } => {
                "install the package of the same version: a Worker refuses every request under a table that it cannot read".to_owned()
            }
        })
    }
}

/// The folder that was named, or the first one in which there is a built Worker.
pub(crate) fn worker(named: Option<&Path>) -> Result<PathBuf, FindError> {
    match named {
        Some(folder) => Ok(folder.to_owned()),
        None => search(Path::new(".")),
    }
}

fn search(from: &Path) -> Result<PathBuf, FindError> {
    let built = shown(from, BUILT);
    if is_worker(&built) {
        return Ok(built);
    }
    // Relative as long as can be: it is shown to people.
    let above = from.canonicalize().unwrap_or_else(|_| from.to_owned());
    let folders = std::iter::once(from).chain(above.ancestors().skip(1));
    let package = folders.map(|folder| shown(folder, PACKAGE)).find(|package| is_worker(&package.join(IN_PACKAGE)));
    let package = package.ok_or(FindError::Nowhere)?;
    let found = version(&package).unwrap_or_else(|| "unknown".to_owned());
    if found != env!("CARGO_PKG_VERSION") {
        return Err(FindError::OtherVersion { package, found });
    }
    Ok(package.join(IN_PACKAGE))
}

fn shown(folder: &Path, name: &str) -> PathBuf {
    if folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) }
}

fn is_worker(folder: &Path) -> bool {
    [MODULE, ENTRY].iter().all(|file| fs::metadata(folder.join(file)).is_ok_and(|metadata| metadata.is_file()))
}

fn version(package: &Path) -> Option<String> {
    let text = files::read_text(&package.join("package.json"), LONGEST).ok()?;
    serde_json::from_str::<Value>(&text).ok()?.get("version")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(MODULE), "").unwrap();
        fs::write(folder.join(ENTRY), "").unwrap();
    }

    #[test]
    fn a_clones_own_comes_first_then_the_package_here_then_one_above() {
        let root = tempfile::tempdir().unwrap();
        let here = root.path().canonicalize().unwrap().join("apps/gate");
        fs::create_dir_all(&here).unwrap();
        assert_eq!(search(&here), Err(FindError::Nowhere));

        let above = here.ancestors().nth(2).unwrap().join(PACKAGE);
        put(&above.join(IN_PACKAGE));
        fs::write(above.join("package.json"), format!("{{\"version\":\"{}\"}}", env!("CARGO_PKG_VERSION"))).unwrap();
        assert_eq!(search(&here), Ok(above.join(IN_PACKAGE)));

        put(&here.join(BUILT));
        assert_eq!(search(&here), Ok(here.join(BUILT)));
    }

    #[test]
    fn a_package_of_another_version_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let package = root.path().join(PACKAGE);
        put(&package.join(IN_PACKAGE));
        assert!(matches!(search(root.path()), Err(FindError::OtherVersion { found, .. }) if found == "unknown"));
        fs::write(package.join("package.json"), "{\"version\":\"9.9.9\"}").unwrap();
        assert!(matches!(search(root.path()), Err(FindError::OtherVersion { found, .. }) if found == "9.9.9"));
    }
}
