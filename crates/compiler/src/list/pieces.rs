//! Reads the lines of a list, those of a large one in pieces, at the same time.
//!
//! What comes of it does not depend on the pieces: names are a set, findings are put one behind the other in the order of
//! the file, and counts are added up.

use std::panic::resume_unwind;
use std::{iter, mem, thread};

use tidegate_engine::canonical;

use super::{Kind, Line, MAX_FINDINGS, Reader, excerpt, is_comment_too, no_host, span, unreadable, without_mark};
use crate::diagnostic::Diagnostic;
use crate::names::{Names, Unsorted};
use crate::source::FileId;
use crate::syntax::ListFormat;

/// The least that is worth a thread, in bytes.
const MIN_PIECE: usize = 1 << 20;

/// Pieces that are read at once at most: what they give is put together by one thread.
const MAX_PIECES: usize = 8;

/// A list, as it is written.
#[derive(Clone, Copy)]
pub(super) struct Written<'l> {
    pub(super) format: ListFormat,
    /// What is passed over, and counted.
    pub(super) skip: &'l [Kind],
    pub(super) file: FileId,
    pub(super) text: &'l str,
}

/// What some of its lines say.
#[derive(Debug, PartialEq)]
pub(super) struct Part {
    /// Names that stand for themselves and everything beneath them.
    pub(super) names: Names,
    /// Names that stand for themselves alone.
    pub(super) alone: Names,
    /// Names that stand for everything beneath them.
    pub(super) beneath: Names,
    /// Lines that were passed over, for each kind of `skip`.
    pub(super) skipped: Vec<usize>,
    /// What is wrong with the others, in order.
    pub(super) findings: Vec<Diagnostic>,
}

/// How many pieces of so much text are worth reading at once, on this machine.
pub(super) fn at_once(length: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    (length / MIN_PIECE).min(cores).clamp(1, MAX_PIECES)
}

impl Written<'_> {
    /// Reads the list in so many pieces at most.
    pub(super) fn read_in_pieces(self, count: usize) -> Part {
        let whole = without_mark(self.text);
        let pieces = pieces(whole, count);
        let [_, _, ..] = pieces[..] else { return self.read(whole) };
        let parts: Vec<Part> = thread::scope(|scope| {
            let threads: Vec<_> = pieces.iter().map(|piece| scope.spawn(|| self.read(piece))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        if parts.iter().map(|part| part.findings.len()).sum::<usize>() >= MAX_FINDINGS {
            return self.read(whole); // reading ends where so many have been found
        }
        parts.into_iter().reduce(Part::and).unwrap_or_else(|| self.read(""))
    }

    /// Reads some of the list's lines.
    fn read(self, lines: &str) -> Part {
        let Self { format, skip, file, text } = self;
        let (mut names, mut alone, mut beneath) = (Unsorted::default(), Unsorted::default(), Unsorted::default());
        let mut findings = Vec::new();
        let mut skipped = vec![0; skip.len()];
        let mut count =
            |kind| iter::zip(skip, &mut skipped).filter(|(known, _)| **known == kind).for_each(|(_, n)| *n += 1);
        let mut reader = Reader::new(format);
        for line in lines.lines() {
            if findings.len() >= MAX_FINDINGS {
                break;
            }
            let whole = span(file, text, line.trim());
            let mut has_invalid = false;
            let mut add = |names: &mut Unsorted, written: &str| match canonical::host_text(written) {
                Ok(name) => names.push(&name),
                Err(_) if skip.contains(&Kind::Invalid) => has_invalid = true,
                Err(fault) => findings.push(no_host(format, span(file, text, written), written, fault)),
            };
            match reader.read(line) {
                Line::Nothing => {}
                Line::Names(written) => written.into_iter().for_each(|name| add(&mut names, name)),
                Line::Alone(written) => add(&mut alone, written),
                Line::Beneath(written) => add(&mut beneath, written),
                Line::Skippable(kind) if skip.contains(&kind) => count(kind),
                Line::Skippable(kind) if is_comment_too(format, kind, line) => {}
                Line::Skippable(kind) => findings.push(kind.finding(whole, &excerpt(line.trim()))),
                Line::Unreadable(message, help) => findings.push(unreadable(whole, message, help)),
            }
            if has_invalid {
                count(Kind::Invalid);
            }
        }
        Part { names: names.sort(), alone: alone.sort(), beneath: beneath.sort(), skipped, findings }
    }
}

impl Part {
    /// This part with the one that follows it.
    fn and(mut self, mut next: Self) -> Self {
        let union = |ours: &mut Names, theirs| *ours = mem::take(ours).union(theirs);
        union(&mut self.names, next.names);
        union(&mut self.alone, next.alone);
        union(&mut self.beneath, next.beneath);
        iter::zip(&mut self.skipped, next.skipped).for_each(|(ours, theirs)| *ours += theirs);
        self.findings.append(&mut next.findings);
        self
    }
}

/// Cuts text into so many pieces at most, about as long as each other, behind line feeds.
fn pieces(text: &str, count: usize) -> Vec<&str> {
    let mut pieces = Vec::with_capacity(count);
    let mut rest = text;
    for left in (1..=count).rev() {
        let about = rest.len() / left;
        let end =
            rest.as_bytes()[about..].iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| about + at + 1);
        let (piece, after) = rest.split_at(if left == 1 { rest.len() } else { end });
        pieces.push(piece);
        rest = after;
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_whole_lines_and_together_the_text() {
        for text in ["", "\n", "a", "a\nb\nc\nd\n", "a\nb", "é\n\n\nü\nabcdefghi", "one long line and no other"] {
            for count in 1..6 {
                let pieces = pieces(text, count);
                assert_eq!(pieces.concat(), text, "{count}");
                assert!(pieces.len() <= count, "{text:?} {count}");
                let (_, all_but_last) = pieces.split_last().unwrap_or((&"", &[]));
                assert!(all_but_last.iter().all(|piece| piece.ends_with('\n')), "{text:?} {count}");
            }
        }
        assert_eq!(pieces("a\nb\nc\nd\n", 2).len(), 2);
    }

    #[test]
    fn a_list_in_pieces_says_what_it_says_as_a_whole() {
        let text = "\u{feff}b.example\r\n# why\nfaulty..name\n0.0.0.0\nb.example\na.example##.ad\nä.example\n\nx y\n||z^\nc.example";
        for (format, skip) in [
            (ListFormat::Domains, &[][..]),
            (ListFormat::Domains, &[Kind::Invalid, Kind::Cosmetic]),
            (ListFormat::Hosts, &[Kind::Cosmetic]),
            (ListFormat::Adblock, &[Kind::Wildcard, Kind::Invalid]),
        ] {
            let list = Written { format, skip, file: FileId(0), text };
            let whole = list.read_in_pieces(1);
            assert!(!whole.findings.is_empty() || !whole.names.is_empty());
            for count in 2..12 {
                assert_eq!(list.read_in_pieces(count), whole, "{format:?} in {count}");
            }
        }
    }
}
