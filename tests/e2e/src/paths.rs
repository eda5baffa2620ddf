//! Where things are.

use std::path::{Path, PathBuf};

/// The top of the clone.
pub fn repository() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let package = PathBuf::from(manifest);
    package.ancestors().nth(2).map_or_else(|| package.clone(), Path::to_path_buf)
}
