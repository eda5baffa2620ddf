//! What every record is made of: words, and what they point to.

use crate::header::{SectionKind, Table};
use crate::words::{Fault, NONE, Words, to_usize};

/// A run of words, with the table that it points into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'t> {
    pub(crate) words: Words<'t>,
    pub(crate) table: &'t Table<'t>,
}

impl<'t> Record<'t> {
    pub(crate) fn pool(self) -> Words<'t> {
        Words::new(self.table.section(SectionKind::Words))
    }

    pub(crate) fn word(self, at: usize) -> Result<u32, Fault> {
        self.words.at(at)
    }

    pub(crate) fn flag(self, at: usize, flag: u32) -> Result<bool, Fault> {
        Ok(self.word(at)? & flag != 0)
    }

    /// The index at `at`, if it is not "none".
    pub(crate) fn index(self, at: usize) -> Result<Option<u32>, Fault> {
        Ok(Some(self.word(at)?).filter(|&index| index != NONE))
    }

    pub(crate) fn text(self, at: usize) -> Result<&'t str, Fault> {
        self.optional_text(at)?.ok_or(Fault("text missing"))
    }

    pub(crate) fn optional_text(self, at: usize) -> Result<Option<&'t str>, Fault> {
        if self.index(at)?.is_none() {
            return Ok(None);
        }
        std::str::from_utf8(self.bytes(at)?).map(Some).map_err(|_| Fault("text is not UTF-8"))
    }

    /// The bytes of the text at `at`, for comparing.
    pub(crate) fn bytes(self, at: usize) -> Result<&'t [u8], Fault> {
        let (offset, length) = (to_usize(self.word(at)?), to_usize(self.word(at.saturating_add(1))?));
        let text = self.table.section(SectionKind::Text);
        text.get(offset..).and_then(|rest| rest.get(..length)).ok_or(Fault("text out of bounds"))
    }

    /// What the span at `at` points to.
    pub(crate) fn span(self, at: usize) -> Result<Self, Fault> {
        let words = self.pool().slice(to_usize(self.word(at)?), to_usize(self.word(at.saturating_add(1))?))?;
        Ok(Self { words, ..self })
    }

    pub(crate) fn texts(self, at: usize) -> Result<Texts<'t>, Fault> {
        Ok(Texts { record: self.span(at)?, next: 0 })
    }

    /// Cuts this run into records of `size` words.
    pub(crate) fn parts(self, size: usize) -> impl Iterator<Item = Result<Self, Fault>> {
        let count = u32::try_from(self.words.len().checked_div(size).unwrap_or(0)).unwrap_or(0);
        (0..count).map(move |index| Ok(Self { words: self.words.record(index, size)?, ..self }))
    }
}

/// Texts in order.
#[derive(Clone, Debug)]
pub struct Texts<'t> {
    pub(crate) record: Record<'t>,
    pub(crate) next: usize,
}

impl<'t> Iterator for Texts<'t> {
    type Item = Result<&'t str, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.next;
        (at < self.record.words.len()).then(|| {
            self.next = at.saturating_add(2);
            self.record.text(at)
        })
    }
}
