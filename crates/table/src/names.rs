//! A directory of names: from a text to its number, for customers and for tags.
//!
//! # The idea
//! A policy's customers, and every name that its rules spell out, are looked up once a request; from then on there are only
//! numbers, and two names are equal exactly if their numbers are. A hash picks a bucket of two names or so, and in it the names
//! are sorted and compared in full: what a lookup costs does not depend on how many names there are, and where somebody
//! makes names that all fall into one bucket (customers may choose theirs) it becomes a binary search.
//!
//! # The layout
//! A section of its own: words, then the names behind each other.
//!
//! ```text
//!   0     number of names n
//!   1     number of buckets b                        ⌈n / 2⌉
//!   2…    number of the first name of each bucket    b + 1
//!   …     where the name begins, payload             n × 2; one closing word more: where the last name ends
//!   …     the names' bytes, in order
//! ```
//!
//! A name's bucket is `(xxh3(name) >> 32) × b >> 32`; within a bucket names are in the order of their bytes.
//!
//! # The cost
//! 10 bytes a name beside its text. A lookup reads three places: the bucket, the entries, and the names, which lie side by side.

use xxhash_rust::xxh3::xxh3_64;

use crate::words::{Fault, Words, to_usize};

/// Words of a name.
pub(crate) const ENTRY_WORDS: usize = 2;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'t> {
    section: &'t [u8],
    count: u32,
    buckets: u32,
    /// Where the entries begin, in words.
    entries: usize,
}

impl<'t> Names<'t> {
    pub(crate) fn new(section: &'t [u8]) -> Result<Self, Fault> {
        let words = Words::new(section);
        let (count, buckets) = (words.at(0)?, words.at(1)?);
        Ok(Self { section, count, buckets, entries: to_usize(buckets).saturating_add(3) })
    }

    /// How many names there are. Never more than the section has bytes.
    pub(crate) fn len(self) -> u32 {
        self.count.min(u32::try_from(self.section.len()).unwrap_or(u32::MAX))
    }

    /// The number of a name.
    pub(crate) fn find(self, name: &str) -> Result<Option<u32>, Fault> {
        if self.count == 0 {
            return Ok(None);
        }
        let bucket = to_usize(bucket(name.as_bytes(), self.buckets)).saturating_add(2);
        let words = Words::new(self.section);
        let (mut low, mut high) = (words.at(bucket)?, words.at(bucket.saturating_add(1))?);
        while low < high {
            let middle = low.midpoint(high);
            match self.name(middle)?.cmp(name.as_bytes()) {
                std::cmp::Ordering::Less => low = middle.saturating_add(1),
                std::cmp::Ordering::Equal => return Ok(Some(middle)),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    /// What belongs to a name.
    pub(crate) fn payload(self, number: u32) -> Result<u32, Fault> {
        Words::new(self.section).at(self.entry(number)?.saturating_add(1))
    }

    fn name(self, number: u32) -> Result<&'t [u8], Fault> {
        let words = Words::new(self.section);
        let entry = self.entry(number)?;
        let (start, end) = (to_usize(words.at(entry)?), to_usize(words.at(entry.saturating_add(ENTRY_WORDS))?));
        self.section.get(start..end).ok_or(Fault("name out of bounds"))
    }

    fn entry(self, number: u32) -> Result<usize, Fault> {
        let within = Some(number).filter(|&number| number < self.count);
        let entry = within.and_then(|number| to_usize(number).checked_mul(ENTRY_WORDS)?.checked_add(self.entries));
        entry.ok_or(Fault("no such name"))
    }
}

/// Which of so many buckets a name falls into.
pub(crate) fn bucket(name: &[u8], buckets: u32) -> u32 {
    let scaled = (xxh3_64(name) >> 32).saturating_mul(u64::from(buckets)) >> 32;
    u32::try_from(scaled).unwrap_or(0)
}
