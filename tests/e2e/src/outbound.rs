//! The outbound Worker that is put into a chain.

use std::path::Path;

use anyhow::Result;
use tempfile::TempDir;

/// A folder with `index.js` and `index_bg.wasm`, as `tidegate build` writes it.
pub struct OutboundWorker {
    folder: TempDir,
}

impl OutboundWorker {
    /// STUB
    pub fn stub(dir: &Path) -> Result<Self> {
        let folder = TempDir::new()?;
        for f in ["index.js", "index_bg.wasm"] {
            std::fs::copy(dir.join(f), folder.path().join(f))?;
        }
        Ok(Self { folder })
    }

    /// Where the modules lie.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
