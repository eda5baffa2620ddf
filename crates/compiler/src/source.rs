//! The files that a policy is made of, and places in them.

use std::iter;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A file of a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub(crate) u32);

/// A place in a file: bytes `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: usize,
    /// One past the last byte; equal to `start` for a place without extent.
    pub end: usize,
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

/// A string that somebody wrote.
pub type Text = Spanned<String>;

/// Every file that was read, with its text.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
    /// Files that were named and could not be read.
    unread: Vec<PathBuf>,
}

/// One file of a [`SourceMap`].
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The path as the operator would write it.
    pub path: PathBuf,
    /// The text; empty where the file could not be read.
    pub text: String,
    /// First byte of every line, once somebody has asked: a list may have 10⁵ findings, and each asks for its line; most have none.
    line_starts: OnceLock<Vec<usize>>,
}

/// A place as people count: from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl SourceMap {
    /// Adds a file.
    pub fn add(&mut self, path: &Path, text: String) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(SourceFile { path: path.to_owned(), text, line_starts: OnceLock::new() });
        id
    }

    /// Notes a file that was named and could not be read.
    pub fn add_unread(&mut self, path: &Path) {
        self.unread.push(path.to_owned());
    }

    /// Every file, in the order of reading.
    pub fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter()
    }

    /// Every file that was named and could not be read: once it can be, the policy is another.
    pub fn unread(&self) -> impl Iterator<Item = &Path> {
        self.unread.iter().map(PathBuf::as_path)
    }

    /// The file behind an id of this map.
    ///
    /// # Panics
    /// If the id is of another map.
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// Line and column of a byte of a file; bytes past the end count as the end.
    pub fn line_column(&self, file: FileId, byte: usize) -> LineColumn {
        let file = self.file(file);
        let (text, line_starts) = (&file.text, file.line_starts());
        let mut byte = byte.min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line = line_starts.partition_point(|&start| start <= byte);
        LineColumn { line, column: text[line_starts[line - 1]..byte].chars().count() + 1 }
    }
}

impl SourceFile {
    fn line_starts(&self) -> &[usize] {
        let all = || iter::once(0).chain(self.text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        self.line_starts.get_or_init(all)
    }
}
