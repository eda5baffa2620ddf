//! Lines of a stream, each of bounded length: an input that is one endless line must not fill the memory.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::files::{self, FileError};

/// The longest line that is read: a request's headers may be 128 KiB and its URL 16 KiB, and JSON may escape every byte.
pub(crate) const LONGEST: usize = 4 * 1024 * 1024;

/// What there is to say of a line that is longer.
pub(crate) const TOO_LONG: &str = "the line is longer than 4 MiB";

/// A file or stdin.
pub(crate) type InputReader = BufReader<Box<dyn Read>>;

/// Opens a file for reading line by line; `-` is stdin.
pub(crate) fn open(path: &Path) -> Result<Lines<InputReader>, FileError> {
    let input: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin().lock()) } else { Box::new(files::open(path)?) };
    Ok(Lines::new(BufReader::with_capacity(64 * 1024, input)))
}

/// Reads lines into one buffer.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    consumed: u64,
}

/// A line, or what there was in its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'l> {
    /// Without its end.
    Bytes(&'l [u8]),
    /// Longer than [`LONGEST`]; passed over.
    TooLong,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `reader`.
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, line: Vec::new(), consumed: 0 }
    }

    /// Bytes read so far, ends of lines among them.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The next line; `None` at the end. A line break at the very end of the stream opens no further line.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let mut started = false;
        let mut too_long = false;
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                break;
            }
            started = true;
            let newline = chunk.iter().position(|&byte| byte == b'\n');
            let piece = &chunk[..newline.unwrap_or(chunk.len())];
            too_long |= self.line.len() + piece.len() > LONGEST;
            if !too_long {
                self.line.extend_from_slice(piece);
            }
            let consumed = piece.len() + usize::from(newline.is_some());
            self.reader.consume(consumed);
            self.consumed += consumed as u64;
            if newline.is_some() {
                break;
            }
        }
        Ok(started.then_some(if too_long { Line::TooLong } else { Line::Bytes(&self.line) }))
    }
}

impl<R: io::Read> Lines<io::BufReader<R>> {
    /// Whether the next line has begun to arrive.
    pub(crate) fn is_ready(&self) -> bool {
        !self.reader.buffer().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(input);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push(match line {
                Line::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Line::TooLong => "(too long)".to_owned(),
            });
        }
        found
    }

    #[test]
    fn every_line_counts_and_the_last_needs_no_end() {
        assert_eq!(lines(b""), [""; 0]);
        assert_eq!(lines(b"a\n\nb"), ["a", "", "b"]);
        assert_eq!(lines(b"a\n"), ["a"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let mut input = vec![b'x'; LONGEST + 1];
        input.extend_from_slice(b"\nb\n");
        assert_eq!(lines(&input), ["(too long)", "b"]);
    }
}
