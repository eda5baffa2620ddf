//! What a deployment weighs: the platform counts raw bytes, and gzipped ones on older plans.

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::folder::Folder;

/// Bytes as they are and gzipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Size {
    /// As they are.
    pub raw: u64,
    /// By gzip at its default level, as wrangler counts.
    pub gzip: u64,
}

/// The parts of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// The Worker's module, with the table in it.
    pub wasm: Size,
    /// The policy's table alone.
    pub table: Size,
    /// Everything that is uploaded: modules and scripts.
    pub total: Size,
}

impl Sizes {
    /// Weighs a folder, the module in it, and the table in that.
    pub(super) fn of(folder: &Folder, module: &Path, table: &[u8]) -> Self {
        // A large policy takes its time: module and table side by side.
        let bytes = folder.files.get(module).map(Vec::as_slice).unwrap_or_default();
        let (wasm, table) = std::thread::scope(|scope| {
            let table = scope.spawn(|| Size::of(table));
            (Size::of(bytes), table.join().unwrap_or_default())
        });
        let scripts = folder.files.iter().filter(|(name, _)| name.as_path() != module && is_uploaded(name));
        Self { wasm, table, total: scripts.map(|(_, bytes)| Size::of(bytes)).fold(wasm, Size::plus) }
    }
}

impl Size {
    fn of(bytes: &[u8]) -> Self {
        let mut encoder = GzEncoder::new(Counter(0), Compression::default());
        // A counter takes everything.
        let gzip = encoder.write_all(bytes).and_then(|()| encoder.finish()).map_or(0, |counter| counter.0);
        Self { raw: bytes.len() as u64, gzip }
    }

    fn plus(self, other: Self) -> Self {
        Self { raw: self.raw + other.raw, gzip: self.gzip + other.gzip }
    }
}

/// Types and package files lie beside a Worker and stay behind.
fn is_uploaded(name: &Path) -> bool {
    matches!(name.extension().and_then(|extension| extension.to_str()), Some("js" | "mjs" | "wasm"))
}

/// Counts what is written to it.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_the_module_and_the_scripts() {
        let files = [("index_bg.wasm", 2000), ("index.js", 1000), ("index.d.ts", 500)];
        let folder = Folder { files: files.map(|(name, length)| (name.into(), vec![b'a'; length])).into() };
        let sizes = Sizes::of(&folder, Path::new("index_bg.wasm"), &[b'd'; 100]);
        assert_eq!((sizes.wasm.raw, sizes.table.raw, sizes.total.raw), (2000, 100, 3000));
        assert!(sizes.total.gzip < 200, "{sizes:?}");
    }
}
