//! A folder that can be deployed: the built Worker with a policy's table in it.
//!
//! ```text
//!   worker/                        out/
//!     index.js          ──copy──►    index.js
//!     index_bg.wasm     ──embed─►    index_bg.wasm   + section `tidegate.policy`
//!     …                 ──copy──►    …
//! ```
//!
//! The new folder is made beside its place and put there in one step, so that a deployment never sees half of it, and an
//! error leaves what was there. Only a folder whose every file is made anew is replaced: a misspelt `--out` must not
//! cost anybody their files.

pub(crate) mod find;
mod folder;
mod size;
pub mod wasm;

use std::path::{Path, PathBuf};

use crate::files::FileError;
use crate::outcome::Explained;

use folder::Folder;
pub use size::{Size, Sizes};
pub use wasm::WasmError;

/// The Worker's module, as `worker-build` names it.
const MODULE: &str = "index_bg.wasm";

/// The Worker's entry, as `worker-build` names it.
const ENTRY: &str = "index.js";

/// A built folder, not yet in its place.
#[derive(Debug)]
pub struct Bundle {
    worker: PathBuf,
    folder: Folder,
    table: Vec<u8>,
}

/// Why there is no new folder; the old one is untouched.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Reading or writing.
    #[error(transparent)]
    File(#[from] FileError),
    /// The Worker's folder lacks a file.
    #[error("`{}` holds no built Worker: there is no `{file}` in it", folder.display())]
    NoWorker {
        /// The folder.
        folder: PathBuf,
        /// What it lacks.
        file: &'static str,
    },
    /// Neither file nor folder.
    #[error("`{}` is neither a file nor a folder", .0.display())]
    Odd(PathBuf),
    /// The output would hold itself.
    #[error("the output `{}` is inside the Worker's folder", .0.display())]
    OutputInside(PathBuf),
    /// The place is taken by something else.
    #[error("`{}` holds `{}`, which is no part of this build", folder.display(), file.display())]
    Taken {
        /// The output folder.
        folder: PathBuf,
        /// A file that would be lost.
        file: PathBuf,
    },
    /// More than a Worker's folder ever holds.
    #[error("`{}` holds more than {} files or MiB", .0.display(), folder::MOST)]
    TooMuch(PathBuf),
    /// The module cannot take a table.
    #[error("`{}` cannot take a policy: {source}", path.display())]
    Wasm {
        /// The module.
        path: PathBuf,
        /// Why.
        source: WasmError,
    },
}

impl Explained for BundleError {
    fn help(&self) -> Option<String> {
        Some(match self {
            Self::File(error) => return error.help(),
            Self::NoWorker { .. } => "name the folder that `worker-build` wrote, with `--worker DIR`".to_owned(),
            Self::Odd(_) => "remove it from the Worker's folder".to_owned(),
            Self::OutputInside(_) => "choose an output folder beside it, with `--out DIR`".to_owned(),
            Self::Taken { .. } | Self::TooMuch(_) => "choose another folder, or clear this one out".to_owned(),
            Self::Wasm { .. } => "build the Worker again".to_owned(),
        })
    }
}

impl Bundle {
    /// The name of the Worker's script.
    pub const ENTRY: &str = ENTRY;

    /// Reads the built Worker in the folder `worker` and puts `table` into its module.
    pub fn new(worker: &Path, table: &[u8]) -> Result<Self, BundleError> {
        // Looked for before the folder is walked: it may be anybody's home.
        for file in [MODULE, ENTRY] {
            if !worker.join(file).is_file() {
                return Err(BundleError::NoWorker { folder: worker.to_owned(), file });
            }
        }
        let mut folder = Folder::read(worker)?;
        let module = folder
            .files
            .get_mut(Path::new(MODULE))
            .ok_or(BundleError::NoWorker { folder: worker.to_owned(), file: MODULE })?;
        *module =
            wasm::embed(module, table).map_err(|source| BundleError::Wasm { path: worker.join(MODULE), source })?;
        Ok(Self { worker: worker.to_owned(), folder, table: table.to_owned() })
    }

    /// The Worker's script and its module: name and bytes. They are all that a Worker imports; what lies beside them is for
    /// other tools.
    pub fn modules(&self) -> [(&'static str, &[u8]); 2] {
        [ENTRY, MODULE]
            .map(|name| (name, self.folder.files.get(Path::new(name)).map(Vec::as_slice).unwrap_or_default()))
    }

    /// What it weighs. Squeezing it takes longer than everything else here.
    pub fn sizes(&self) -> Sizes {
        Sizes::of(&self.folder, Path::new(MODULE), &self.table)
    }

    /// Puts the folder in its place, in one step. The Worker's own folder may be the place.
    pub fn install(&self, out: &Path) -> Result<(), BundleError> {
        // The nearest folder above the output that there is.
        let above = out.ancestors().skip(1).find_map(|above| {
            let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            above.canonicalize().ok()
        });
        if let (Some(above), Ok(worker)) = (above, self.worker.canonicalize())
            && above.starts_with(&worker)
        {
            return Err(BundleError::OutputInside(out.to_owned()));
        }
        self.folder.install(out)
    }
}
