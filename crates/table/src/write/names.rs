//! The writer of name directories, as [`crate::names`] reads them.

use std::collections::{BTreeSet, HashMap};

use super::{TooLarge, le_bytes, word};
use crate::names::{ENTRY_WORDS, bucket};

/// Names with their numbers.
pub(super) struct Numbered<'p> {
    buckets: u32,
    /// By number.
    names: Vec<&'p str>,
    numbers: HashMap<&'p str, u32>,
}

impl<'p> Numbered<'p> {
    pub(super) fn new(names: BTreeSet<&'p str>) -> Result<Self, TooLarge> {
        let buckets = word(names.len().div_ceil(2))?;
        let mut names: Vec<_> = names.into_iter().map(|name| (bucket(name.as_bytes(), buckets), name)).collect();
        // They are sorted by name, and stay so within a bucket.
        names.sort_by_key(|(bucket, _)| *bucket);
        let names: Vec<_> = names.into_iter().map(|(_, name)| name).collect();
        let numbers = (0..).zip(&names).map(|(number, name)| (*name, number)).collect();
        Ok(Self { buckets, names, numbers })
    }

    /// By number.
    pub(super) fn names(&self) -> &[&'p str] {
        &self.names
    }

    /// The numbers of some of the names, sorted, each once.
    pub(super) fn numbers<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> Result<Vec<u32>, TooLarge> {
        let numbers = names.into_iter().map(|name| self.numbers.get(name.as_str()).copied().ok_or(TooLarge));
        let numbers: BTreeSet<u32> = numbers.collect::<Result<_, _>>()?;
        Ok(numbers.into_iter().collect())
    }

    /// The section, with a payload for each number.
    pub(super) fn section(&self, payload: impl Fn(usize) -> u32) -> Result<Vec<u8>, TooLarge> {
        let mut words = vec![word(self.names.len())?, self.buckets];
        let mut next = 0;
        for wanted in 0..=self.buckets {
            while self.names.get(next).is_some_and(|name| bucket(name.as_bytes(), self.buckets) < wanted) {
                next += 1;
            }
            words.push(word(next)?);
        }
        let mut start = 4 * (words.len() + ENTRY_WORDS * self.names.len() + 1);
        for (number, name) in self.names.iter().enumerate() {
            words.extend([word(start)?, payload(number)]);
            start += name.len();
        }
        words.push(word(start)?);
        let mut section = le_bytes(&words);
        section.extend(self.names.iter().flat_map(|name| name.bytes()));
        Ok(section)
    }
}
