//! The dictionary of parents: `com`, `co.uk`, `blogspot.com` and whatever else many names of this table are beneath.
//!
//! ```text
//!   u32          entries
//!   u32          bits of a slot's number, b
//!   u16 × 2^b    slots: an entry's number (12 bits), 0 where free, and four bits of its hash;
//!                found by hash, then one after the other
//!   12 × entries entries: code (24 bits), its length (5), whether it has one, has children, is a name (1 each);
//!                where its label is in the text (24), the label's length (8); the entry above. The first is the root
//!   …            the labels' text
//! ```
//!
//! An entry holds one label, and all entries above it are entries. An empty section is a dictionary of the root alone.

use super::buckets::mix;
use super::code::Stop;
use crate::words::{Fault, to_usize};

/// Whether the entry is a parent of its own, in the first word of an entry.
pub(super) const CODED: u32 = 1 << 29;
/// Whether there are entries beneath it.
pub(super) const HAS_CHILDREN: u32 = 1 << 30;
/// Whether it is itself a name of the table.
pub(super) const IS_NAME: u32 = 1 << 31;
pub(super) const LENGTH_SHIFT: u32 = 24;
/// Slots in which a label may be, from the one that its hash says: the builder leaves out what has no place there.
pub(super) const MAX_STEPS: usize = 16;

/// The bits of a slot that are an entry's number.
pub(super) const NUMBER: u16 = 0xfff;

/// The longest code.
#[cfg(feature = "write")]
pub(super) const MAX_CODE: u8 = 24;

/// The dictionary of parents.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parents<'t> {
    slot_bits: u32,
    slots: &'t [[u8; 2]],
    entries: &'t [[u8; 12]],
    text: &'t [u8],
}

impl<'t> Parents<'t> {
    /// The entry above all others.
    pub(super) const ROOT: usize = 0;

    pub(super) fn new(section: &'t [u8]) -> Result<Self, Fault> {
        const OUT_OF_BOUNDS: Fault = Fault("parents out of bounds");
        let Some((head, rest)) = section.split_first_chunk::<8>() else {
            return Ok(Self { slot_bits: 0, slots: &[], entries: &[], text: &[] });
        };
        let head = u64::from_le_bytes(*head);
        let (count, slot_bits) = (head & u64::from(u32::MAX), u32::try_from(head >> 32).unwrap_or(u32::MAX));
        let slots = 2_usize.checked_shl(slot_bits).ok_or(OUT_OF_BOUNDS)?;
        let (slots, rest) = rest.split_at_checked(slots).ok_or(OUT_OF_BOUNDS)?;
        let entries = usize::try_from(count).unwrap_or(usize::MAX).checked_mul(12).ok_or(OUT_OF_BOUNDS)?;
        let (entries, text) = rest.split_at_checked(entries).ok_or(OUT_OF_BOUNDS)?;
        Ok(Self { slot_bits, slots: slots.as_chunks().0, entries: entries.as_chunks().0, text })
    }

    /// The entry for a label beneath another.
    #[inline]
    pub(super) fn child(&self, entry: usize, label: &[u8]) -> Result<Option<usize>, Fault> {
        if self.first_word(entry) & HAS_CHILDREN == 0 {
            return Ok(None);
        }
        let mask = self.slots.len().wrapping_sub(1);
        let (mut place, tag) = slot(entry, label, self.slot_bits);
        for _ in 0..MAX_STEPS {
            let slot = self.slots.get(place & mask).ok_or(Fault("parent out of bounds"))?;
            let slot = u16::from_le_bytes(*slot);
            if slot == 0 {
                return Ok(None);
            }
            let number = usize::from(slot & NUMBER);
            if slot & !NUMBER == tag && self.is(number, entry, label).ok_or(Fault("parent out of bounds"))? {
                return Ok(Some(number));
            }
            place = place.wrapping_add(1);
        }
        Ok(None)
    }

    /// Whether an entry is the one for a label beneath another.
    #[inline]
    fn is(&self, number: usize, above: usize, label: &[u8]) -> Option<bool> {
        let &[_, _, _, _, a, b, c, length, ref parent @ ..] = self.entries.get(number)?;
        if to_usize(u32::from_le_bytes(*parent)) != above || usize::from(length) != label.len() {
            return Some(false);
        }
        let start = to_usize(u32::from_le_bytes([a, b, c, 0]));
        Some(self.text.get(start..)?.get(..label.len())? == label)
    }

    /// Whether an entry is itself a name of the table.
    #[inline]
    pub(super) fn is_name(&self, entry: usize) -> bool {
        self.first_word(entry) & IS_NAME != 0
    }

    /// The code of an entry, and how many bits it has.
    #[inline]
    pub(super) fn code(&self, entry: usize) -> Result<(u64, u32), Stop> {
        if self.entries.is_empty() {
            return Ok((0, 0));
        }
        let word = self.first_word(entry);
        if word & CODED == 0 {
            return Err(Stop::Unseen);
        }
        Ok((u64::from(word & 0xff_ffff), word >> LENGTH_SHIFT & 31))
    }

    #[inline]
    fn first_word(&self, entry: usize) -> u32 {
        self.entries.get(entry).and_then(|bytes| bytes.first_chunk()).map_or(0, |word| u32::from_le_bytes(*word))
    }
}

/// Where the search for a label beneath an entry begins, and four bits of its hash, above an entry's number.
#[inline]
pub(super) fn slot(entry: usize, label: &[u8], slot_bits: u32) -> (usize, u16) {
    // Both ends of the label, which overlap or leave out what is between them: so a label takes two loads.
    let ends = match (label.first_chunk(), label.last_chunk()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29),
        _ => match (label.first_chunk(), label.last_chunk()) {
            (Some(first), Some(last)) => {
                u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
            }
            _ => label.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)),
        },
    };
    let whole = ends ^ u64::try_from(entry << 8 | label.len()).unwrap_or(0).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let mixed = mix(whole).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let place = usize::try_from((mixed >> 1).wrapping_shr(63_u32.saturating_sub(slot_bits))).unwrap_or(0);
    (place, u16::try_from(mixed & 0xffff).unwrap_or(0) & !NUMBER)
}
