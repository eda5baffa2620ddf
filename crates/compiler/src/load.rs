//! The files of a policy: the one that was asked for and those it extends, each read once, what is extended first.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::{self, PolicyFile, Role};

/// The largest policy file, in bytes.
pub(crate) const MAX_POLICY: u64 = 16 << 20;
/// The largest list file, in bytes.
pub(crate) const MAX_LIST: u64 = 64 << 20;

/// The files of a policy.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Those that could be read, in the order in which their rules count: what is extended first, the root last.
    pub(crate) files: Vec<LoadedFile>,
    /// Every file could be read and is TOML, so that a name which none of them declares is declared nowhere.
    pub(crate) is_complete: bool,
}

/// A policy file that was read.
#[derive(Debug)]
pub(crate) struct LoadedFile {
    /// What it says.
    pub(crate) policy: PolicyFile,
    /// Where its relative paths begin.
    pub(crate) directory: PathBuf,
}

/// Reads a policy and everything that it extends, depth first.
pub(crate) fn load(root: &Path, sources: &mut SourceMap, findings: &mut Vec<Diagnostic>) -> Loaded {
    let policy = Loaded { files: Vec::new(), is_complete: true };
    let mut loader = Loader { sources, findings, open: Vec::new(), seen: Vec::new(), policy };
    loader.visit(root, None);
    loader.policy
}

/// Reads a text file of at most `limit` bytes. The fault names the file as `path` does.
pub fn read_text(path: &Path, limit: u64) -> Result<String, Fault> {
    let fault = |code, message: String| Fault { code, message };
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        let message = match error.kind() {
            ErrorKind::NotFound => format!("there is no file `{shown}`"),
            ErrorKind::PermissionDenied => format!("no permission to read `{shown}`"),
            _ => format!("`{shown}` cannot be read: {error}"),
        };
        fault(Code::FileUnreadable, message)
    };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(fault(Code::FileUnreadable, format!("`{shown}` is a directory, not a file")));
    }
    let too_large = || fault(Code::FileTooLarge, format!("`{shown}` is over {} MiB", limit >> 20));
    if metadata.len() > limit {
        return Err(too_large());
    }
    // The length is what the file system says; pipes and growing files say less than they hold.
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].split(|&byte| byte == b'\n').count();
        fault(Code::NotUtf8, format!("`{shown}` is not UTF-8: byte {} on line {line}", valid + 1))
    })
}

/// Why a file could not be read.
#[derive(Debug)]
pub struct Fault {
    code: Code,
    message: String,
}

impl Fault {
    /// The fault as a finding at the place that names the file.
    pub fn at(self, span: Span) -> Diagnostic {
        let finding = Diagnostic::error(self.code, span, self.message);
        match self.code {
            Code::FileTooLarge => finding.help("split it into several files"),
            Code::NotUtf8 => finding.help("save it as UTF-8"),
            _ => finding,
        }
    }
}

struct Loader<'a> {
    sources: &'a mut SourceMap,
    findings: &'a mut Vec<Diagnostic>,
    /// The files between the root and the one being read, with the place that names each; to find cycles.
    open: Vec<(PathBuf, Option<Span>)>,
    /// Every file that was begun, by its true path: a file that is reached twice counts once.
    seen: Vec<PathBuf>,
    policy: Loaded,
}

impl Loader<'_> {
    fn visit(&mut self, path: &Path, named_at: Option<Span>) {
        // A file that has no true path cannot be read either; reading says why.
        let true_path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(begin) = self.open.iter().position(|(open, _)| *open == true_path) {
            self.report_cycle(path, begin, named_at);
            return;
        }
        if self.seen.contains(&true_path) {
            return;
        }
        self.seen.push(true_path.clone());
        let Some((file, text)) = self.read(path, named_at) else {
            self.policy.is_complete = false;
            return;
        };
        let role = if named_at.is_none() { Role::Root } else { Role::Extended };
        let policy = syntax::parse(file, &text, role, self.findings);
        self.policy.is_complete &= policy.is_toml;
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        self.open.push((true_path, named_at));
        for extended in &policy.extends {
            self.visit(&directory.join(&extended.value), Some(extended.span));
        }
        self.open.pop();
        self.policy.files.push(LoadedFile { policy, directory });
    }

    fn read(&mut self, path: &Path, named_at: Option<Span>) -> Option<(FileId, String)> {
        match read_text(path, MAX_POLICY) {
            Ok(text) => Some((self.sources.add(path, text.clone()), text)),
            Err(fault) => {
                self.sources.add_unread(path);
                // Nothing names the root but the command line: its fault is shown at its own beginning.
                let span = named_at.unwrap_or_else(|| {
                    let file = self.sources.add(path, String::new());
                    Span { file, start: 0, end: 0 }
                });
                self.findings.push(fault.at(span));
                None
            }
        }
    }

    fn report_cycle(&mut self, path: &Path, begin: usize, named_at: Option<Span>) {
        let Some(span) = named_at else { return };
        let mut finding =
            Diagnostic::error(Code::ExtendsCycle, span, format!("`extends` comes back to `{}`", path.display()))
                .help("move what both files need into a third one that both extend");
        for (file, named_at) in &self.open[begin + 1..] {
            if let Some(named_at) = named_at {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                finding = finding.label(*named_at, format!("by way of `{name}`"));
            }
        }
        self.findings.push(finding);
    }
}
