//! The two streams of a run: data on stdout, everything else on stderr.
//!
//! A reader that goes away (`tidegate … | head`) is no error: what is written after that goes nowhere, and the command
//! still ends with the code that it would have had. Colours appear where stderr is a terminal and `NO_COLOR` is unset.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Stdout, Write};

use tidegate_compiler::diagnostic::Diagnostic;
use tidegate_compiler::source::SourceMap;
use tidegate_test::plain::{plain, without_c1};

use crate::outcome::{Explained, Failure};
use crate::progress::{Of, Progress};
use crate::render;

/// Where a command writes.
#[derive(Debug)]
pub(crate) struct Terminal {
    stdout: BufWriter<Tolerant<Stdout>>,
    /// Whether somebody watches, who may want to see how far a run has come.
    is_watched: bool,
}

impl Terminal {
    /// The streams of this process.
    pub(crate) fn new() -> Self {
        let stdout = BufWriter::with_capacity(64 * 1024, Tolerant { inner: io::stdout(), closed: false });
        Self { stdout, is_watched: io::stderr().is_terminal() }
    }

    /// The streams are for a program: nothing is drawn.
    pub(crate) fn is_for_a_program(&mut self) {
        self.is_watched = false;
    }

    /// Shows from now on how far something has come, if it takes long.
    pub(crate) fn progress(&self, doing: &str, of: Of) -> Progress {
        Progress::begin(doing, of, self.is_watched)
    }

    /// The stream for data, buffered.
    pub(crate) fn data(&mut self) -> &mut impl Write {
        &mut self.stdout
    }

    /// Writes a line of data for people.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), StdoutError> {
        Ok(writeln!(self.stdout, "{text}")?)
    }

    /// Writes data as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), StdoutError> {
        Ok(self.stdout.write_all(text.as_bytes())?)
    }

    /// Sends what is buffered, so that a reader who waits for an answer gets it.
    pub(crate) fn flush(&mut self) -> Result<(), StdoutError> {
        self.stdout.flush().map_err(StdoutError)
    }

    /// Whether nobody reads the data any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.stdout.get_ref().closed
    }

    /// Says something beside the data: text that may hold input, without its control characters.
    pub(crate) fn note(&mut self, text: impl Display) {
        self.styled(&plain_lines(&text.to_string()));
    }

    /// Shows findings, a block each.
    pub(crate) fn findings(&mut self, sources: &SourceMap, diagnostics: &[Diagnostic]) {
        for block in render::diagnostics(sources, diagnostics) {
            self.styled(&format!("{block}\n"));
        }
    }

    /// Shows one rendered finding.
    pub(crate) fn note_block(&mut self, block: &str) {
        self.styled(&format!("{block}\n"));
    }

    /// Says why the command stops.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        self.styled(&render::failure(failure));
    }

    /// Writes text with colours, which go where they cannot be shown. A stderr that cannot be written to stops nobody.
    fn styled(&mut self, text: &str) {
        let _ = self.stdout.flush();
        let _ = writeln!(anstream::stderr().lock(), "{}", without_c1(text));
    }
}

/// Stdout cannot be written to: a full disk, as a rule.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to stdout: {0}")]
pub(crate) struct StdoutError(#[from] pub(crate) io::Error);

impl Explained for StdoutError {
    fn help(&self) -> Option<String> {
        Some("the output is not complete; make room or send it elsewhere".to_owned())
    }
}

fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// A writer that keeps quiet once its reader has gone.
#[derive(Debug)]
struct Tolerant<W> {
    inner: W,
    closed: bool,
}

impl<W: Write> Tolerant<W> {
    fn unless_closed<T>(&mut self, gone: T, action: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        if self.closed {
            return Ok(gone);
        }
        match action(&mut self.inner) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(gone)
            }
            result => result,
        }
    }
}

impl<W: Write> Write for Tolerant<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_closed(bytes.len(), |inner| inner.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_closed((), Write::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_reader_that_goes_away_is_no_error() {
        let mut writer = Tolerant { inner: Broken, closed: false };
        assert!(writer.write_all(b"data").is_ok());
        assert!(writer.closed);
        assert!(writer.flush().is_ok());
    }

    #[test]
    fn notes_carry_no_escape_sequences() {
        assert!(!plain_lines("a\u{1b}[31mb\n\u{9b}31mc").contains(['\u{1b}', '\u{9b}']));
    }
}
