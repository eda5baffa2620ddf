//! A folder in memory, and how it takes another's place.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempDir};

use super::BundleError;
use crate::files::{self, FileError, MIB, read_error, write_error};

/// No Worker's folder holds more files, or more MiB (the platform takes 64 MiB).
pub(super) const MOST: usize = 256;

/// Where `wasm-bindgen` puts scripts of its making; their names change from build to build.
const SNIPPETS: &str = "snippets";

/// Files by their path in the folder.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// Paths are relative.
    pub(super) files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Folder {
    /// Reads every file in `root` and beneath.
    pub(super) fn read(root: &Path) -> Result<Self, BundleError> {
        let mut files = BTreeMap::new();
        let mut left = MOST as u64 * MIB;
        for name in names(root)? {
            let path = root.join(&name);
            if !path.is_file() {
                return Err(BundleError::Odd(path));
            }
            let bytes = files::read(&path, left).map_err(|error| match error {
                FileError::TooLarge { .. } => BundleError::TooMuch(root.to_owned()),
                other => other.into(),
            })?;
            left -= bytes.len() as u64;
            files.insert(name, bytes);
        }
        Ok(Self { files })
    }

    /// Writes the folder beside `out` and puts it there in one step.
    pub(super) fn install(&self, out: &Path) -> Result<(), BundleError> {
        // What a link points to is what is replaced; the link stays.
        let out = &out.canonicalize().unwrap_or_else(|_| out.to_owned());
        let replaces = match fs::symlink_metadata(out) {
            Ok(metadata) if !metadata.is_dir() => return Err(FileError::Exists(out.clone()).into()),
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(read_error(out, error).into()),
        };
        if replaces {
            let would_be_lost = |name: &PathBuf| !self.files.contains_key(name) && !name.starts_with(SNIPPETS);
            if let Some(file) = names(out)?.into_iter().find(would_be_lost) {
                return Err(BundleError::Taken { folder: out.clone(), file });
            }
        }
        let parent = files::parent(out);
        fs::create_dir_all(parent).map_err(|error| write_error(parent, error))?;
        let beside = Builder::new().prefix(".tidegate-").tempdir_in(parent);
        let beside = beside.map_err(|error| write_error(out, error))?;
        let new = beside.path().join("new");
        self.write(&new)?;
        // `beside` then holds the old folder, and takes it along when it goes.
        let placed = if replaces { exchange(&beside, &new, out) } else { fs::rename(&new, out) };
        Ok(placed.map_err(|error| write_error(out, error))?)
    }

    fn write(&self, root: &Path) -> Result<(), FileError> {
        fs::create_dir(root).map_err(|error| write_error(root, error))?;
        for (name, bytes) in &self.files {
            let path = root.join(name);
            let folder = files::parent(&path);
            fs::create_dir_all(folder).map_err(|error| write_error(folder, error))?;
            fs::write(&path, bytes).map_err(|error| write_error(&path, error))?;
        }
        Ok(())
    }
}

/// Every file in a folder and beneath, in order, by relative path. Links to folders are not followed: they may lead
/// round in circles.
fn names(root: &Path) -> Result<Vec<PathBuf>, BundleError> {
    let mut names = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        for entry in fs::read_dir(&path).map_err(|error| read_error(&path, error))? {
            let entry = entry.map_err(|error| read_error(&path, error))?;
            let kind = entry.file_type().map_err(|error| read_error(&path, error))?;
            let name = folder.join(entry.file_name());
            if kind.is_dir() {
                folders.push(name);
            } else {
                names.push(name);
            }
            if names.len() + folders.len() > MOST {
                return Err(BundleError::TooMuch(root.to_owned()));
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Swaps two folders: in one system call where there is one for it.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn exchange(beside: &TempDir, new: &Path, out: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, new, CWD, out, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        // Some file systems cannot.
        Err(_) => move_aside(beside, new, out),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn exchange(beside: &TempDir, new: &Path, out: &Path) -> io::Result<()> {
    move_aside(beside, new, out)
}

/// Swaps in two steps, and goes back if the second fails.
fn move_aside(beside: &TempDir, new: &Path, out: &Path) -> io::Result<()> {
    let old = beside.path().join("old");
    fs::rename(out, &old)?;
    fs::rename(new, out).inspect_err(|_| {
        let _ = fs::rename(&old, out);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> Folder {
        Folder { files: files.iter().map(|(name, text)| (name.into(), text.as_bytes().to_vec())).collect() }
    }

    #[test]
    fn a_new_folder_takes_the_old_ones_place_whole() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("deep/out");
        folder(&[("index.js", "old"), ("snippets/a.js", "old")]).install(&out).unwrap();
        folder(&[("index.js", "new"), ("snippets/c.js", "new"), ("b.js", "new")]).install(&out).unwrap();
        assert_eq!(fs::read_to_string(out.join("index.js")).unwrap(), "new");
        let left = names(&root.path().join("deep")).unwrap();
        assert_eq!(left, ["out/b.js", "out/index.js", "out/snippets/c.js"].map(PathBuf::from));
    }

    #[test]
    fn a_folder_with_other_files_is_not_replaced() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.txt"), "years of work").unwrap();
        let refused = folder(&[("index.js", "new")]).install(root.path());
        assert!(matches!(refused, Err(BundleError::Taken { file, .. }) if file == Path::new("thesis.txt")));
        assert!(root.path().join("thesis.txt").exists());
    }

    #[test]
    fn swapping_in_two_steps_comes_to_the_same() {
        let root = tempfile::tempdir().unwrap();
        let beside = Builder::new().tempdir_in(root.path()).unwrap();
        let (new, out) = (beside.path().join("new"), root.path().join("out"));
        folder(&[("a", "new")]).write(&new).unwrap();
        folder(&[("a", "old")]).write(&out).unwrap();
        move_aside(&beside, &new, &out).unwrap();
        assert_eq!(fs::read_to_string(out.join("a")).unwrap(), "new");
    }
}
