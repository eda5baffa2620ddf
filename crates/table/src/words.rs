//! Total access to bytes: every read returns a value or a [`Fault`].

use std::fmt;

/// A place in a table that says something no writer wrote. The request that met it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault(
    /// What was being read.
    pub &'static str,
);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the policy table is inconsistent: {}", self.0)
    }
}

impl std::error::Error for Fault {}

/// Stands for "none" where a word would be an index or an offset.
pub(crate) const NONE: u32 = u32::MAX;

/// A run of little-endian `u32`, wherever it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'t>(&'t [u8]);

impl<'t> Words<'t> {
    pub(crate) const fn new(bytes: &'t [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn len(self) -> usize {
        self.0.len() / 4
    }

    pub(crate) fn at(self, index: usize) -> Result<u32, Fault> {
        let word = index.checked_mul(4).and_then(|start| self.0.get(start..)).and_then(<[u8]>::first_chunk);
        word.map(|bytes| u32::from_le_bytes(*bytes)).ok_or(Fault("word out of bounds"))
    }

    /// `N` words from `start`.
    #[inline]
    pub(crate) fn array<const N: usize>(self, start: usize) -> Result<[u32; N], Fault> {
        let words = self.0.as_chunks().0.get(start..).and_then(<[_]>::first_chunk::<N>);
        words.map(|words| words.map(u32::from_le_bytes)).ok_or(Fault("words out of bounds"))
    }

    /// `length` words from `start`.
    pub(crate) fn slice(self, start: usize, length: usize) -> Result<Self, Fault> {
        let range = start
            .checked_mul(4)
            .zip(length.checked_mul(4))
            .and_then(|(from, bytes)| Some(from..from.checked_add(bytes)?));
        range.and_then(|range| self.0.get(range)).map(Self).ok_or(Fault("span out of bounds"))
    }

    /// The record of `size` words with the given index.
    pub(crate) fn record(self, index: u32, size: usize) -> Result<Self, Fault> {
        let start = to_usize(index).checked_mul(size).ok_or(Fault("record out of bounds"))?;
        self.slice(start, size)
    }

    pub(crate) fn numbers(self) -> Numbers<'t> {
        Numbers(self.0.as_chunks().0.iter())
    }
}

/// Numbers of a table, in order.
#[derive(Clone, Debug)]
pub struct Numbers<'t>(std::slice::Iter<'t, [u8; 4]>);

impl Numbers<'_> {
    /// Whether one of them is `number`. They must be sorted, as the compiler lays out those of conditions.
    pub fn contains_sorted(&self, number: u32) -> bool {
        self.0.as_slice().binary_search_by_key(&number, |bytes| u32::from_le_bytes(*bytes)).is_ok()
    }
}

impl Iterator for Numbers<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.0.next().map(|bytes| u32::from_le_bytes(*bytes))
    }
}

/// A `u32` as an index. All our targets have at least 32 bits; anything else would be out of bounds anyway.
pub(crate) fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
