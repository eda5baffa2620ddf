//! Reading inputs and writing outputs: whole or not at all, and never with a bare `os error`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::outcome::Explained;

/// A file or folder that is not what the command needs.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A directory where a file must be.
    #[error("`{}` is a directory, not a file", .0.display())]
    Directory(PathBuf),
    /// There already, and not to be lost.
    #[error("`{}` exists already", .0.display())]
    Exists(PathBuf),
    /// The file is not UTF-8.
    #[error("`{}` is not UTF-8: byte {byte} does not belong there", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Offset of the first bad byte.
        byte: usize,
    },
    /// It cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Over the limit of what this command reads.
    #[error("`{}` is larger than {} MiB", path.display(), limit / MIB)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// In bytes.
        limit: u64,
    },
    /// It cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Bytes in a mebibyte.
pub(crate) const MIB: u64 = 1024 * 1024;

impl Explained for FileError {
    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Directory(_) => "name a file in it".to_owned(),
            Self::Exists(_) => "nothing was written; remove it or choose another place".to_owned(),
            Self::NotUtf8 { .. } => "save the file as UTF-8".to_owned(),
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "check the spelling and the folder that the command runs in".to_owned()
            }
            Self::Read { .. } => "make it readable, or name another file".to_owned(),
            Self::TooLarge { .. } => "is it the right file?".to_owned(),
            Self::Write { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "make the folder first".to_owned()
            }
            Self::Write { .. } => "choose another place; what was there before is untouched".to_owned(),
        })
    }
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|source| read_error(path, source))?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// Reads a text file of at most `limit` bytes.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<String, FileError> {
    String::from_utf8(read(path, limit)?)
        .map_err(|error| FileError::NotUtf8 { path: path.to_owned(), byte: error.utf8_error().valid_up_to() })
}

/// Opens a file for reading, telling directories apart.
pub(crate) fn open(path: &Path) -> Result<File, FileError> {
    let file = File::open(path).map_err(|source| read_error(path, source))?;
    let metadata = file.metadata().map_err(|source| read_error(path, source))?;
    if metadata.is_dir() { Err(FileError::Directory(path.to_owned())) } else { Ok(file) }
}

/// The length of a file, if it has one: pipes and devices have none.
pub(crate) fn length(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
}

pub(crate) fn read_error(path: &Path, source: io::Error) -> FileError {
    FileError::Read { path: path.to_owned(), source }
}

pub(crate) fn write_error(path: &Path, source: io::Error) -> FileError {
    FileError::Write { path: path.to_owned(), source }
}

/// Writes a file so that readers see the old bytes or the new ones, and keeps the old ones on any error.
///
/// The bytes go to a temporary file beside the place, which is then renamed. A pipe or device is written to as it is.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Err(FileError::Directory(path.to_owned())),
        Ok(metadata) if !metadata.is_file() => {
            let mut device = OpenOptions::new().write(true).open(path).map_err(|source| write_error(path, source))?;
            return device.write_all(bytes).map_err(|source| write_error(path, source));
        }
        _ => {}
    }
    let mut file = beside(path, Access::Everyone)?;
    let written = file.write_all(bytes).and_then(|()| file.as_file().sync_all());
    written.map_err(|source| write_error(path, source))?;
    file.persist(path).map_err(|error| write_error(path, error.error))?;
    Ok(())
}

/// Writes a file that must not be there yet: whole or not at all.
pub(crate) fn write_new(path: &Path, bytes: &[u8], access: Access) -> Result<(), FileError> {
    let mut file = beside(path, access)?;
    let written = file.write_all(bytes).and_then(|()| file.as_file().sync_all());
    written.map_err(|source| write_error(path, source))?;
    file.persist_noclobber(path).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists(path.to_owned()),
        _ => write_error(path, error.error),
    })?;
    Ok(())
}

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever the umask lets.
    Everyone,
    /// The owner alone.
    Owner,
}

fn beside(path: &Path, access: Access) -> Result<NamedTempFile, FileError> {
    let mut builder = Builder::new();
    builder.prefix(".tidegate-");
    restrict(&mut builder, access);
    builder.tempfile_in(parent(path)).map_err(|source| write_error(path, source))
}

#[cfg(unix)]
fn restrict(builder: &mut Builder<'_, '_>, access: Access) {
    use std::os::unix::fs::PermissionsExt as _;
    // The system takes the umask off; without this, temporary files are the owner's alone.
    builder.permissions(fs::Permissions::from_mode(match access {
        Access::Everyone => 0o666,
        Access::Owner => 0o600,
    }));
}

#[cfg(not(unix))]
fn restrict(_: &mut Builder<'_, '_>, _: Access) {}

/// The folder that holds `path`.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("out");
        assert!(matches!(write_atomically(&path, b"new"), Err(FileError::Write { .. })));

        let path = folder.path().join("out");
        write_atomically(&path, b"old").unwrap();
        assert!(matches!(write_new(&path, b"new", Access::Everyone), Err(FileError::Exists(_))));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays behind");
    }

    #[test]
    fn a_file_over_the_limit_is_refused_without_reading_it_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(matches!(read(&path, MIB), Err(FileError::TooLarge { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        write_new(&path, b"secret", Access::Owner).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
