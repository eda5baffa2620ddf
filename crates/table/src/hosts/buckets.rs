//! Where the codes of a table's names are found: buckets, what is left of each code, and nothing else.

use super::bits::{field, low, select, word};
use crate::header::{SectionKind, Table};
use crate::words::{Fault, Words, to_usize};

/// Buckets in a block: with the number of items before them, 32 bits, they fill a quarter of a cache line.
pub(super) const BLOCK: usize = 96;
const BLOCK_BYTES: usize = 16;
/// Where the buckets begin in a block, in bits.
pub(super) const BLOCK_HEAD: usize = 32;

/// Items in a bucket, at most: the builder takes a seed that keeps to it.
pub(super) const MAX_RUN: usize = 32;

/// Words before the groups of lengths: number of groups, zero, seed.
pub(super) const LENGTHS_HEAD: usize = 4;
/// Lengths in a group.
pub(super) const GROUP: usize = 32;

/// Bits of a remainder that are compared at once.
pub(super) const CHUNK: usize = 56;

/// What all codes of one length have in common.
pub(super) struct Class {
    /// Bits of a code that its bucket stands for.
    pub(super) quotient: usize,
    /// The first bucket.
    pub(super) bucket: usize,
    /// The first item.
    pub(super) item: usize,
    /// Where the first remainder begins, in bits.
    pub(super) bit: usize,
}

/// The hash structure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buckets<'t> {
    lengths: Words<'t>,
    groups: usize,
    seed: u64,
    blocks: &'t [[u8; BLOCK_BYTES]],
    runs: &'t [u8],
    remainders: &'t [u8],
}

impl<'t> Buckets<'t> {
    pub(super) fn of(table: &Table<'t>) -> Result<Self, Fault> {
        let lengths = Words::new(table.section(SectionKind::Lengths));
        let [groups, _, low, high] = if lengths.len() == 0 { [0; LENGTHS_HEAD] } else { lengths.array(0)? };
        Ok(Self {
            lengths,
            groups: to_usize(groups),
            seed: u64::from(low) | u64::from(high) << 32,
            blocks: table.section(SectionKind::Buckets).as_chunks().0,
            runs: table.section(SectionKind::Runs),
            remainders: table.section(SectionKind::Remainders),
        })
    }

    /// The number of the item with this code: `length` bits of `code`, zeros behind them.
    pub(super) fn find(&self, length: usize, code: &[u64]) -> Result<Option<usize>, Fault> {
        const NO_RUN: Fault = Fault("run out of bounds");
        let Some(class) = self.class(length)? else { return Ok(None) };
        let kept = length.checked_sub(class.quotient).ok_or(Fault("code shorter than its quotient"))?;
        let bucket = class.bucket.wrapping_add(bucket(code, kept, class.quotient, self.seed));
        let block = self.blocks.get(bucket / BLOCK).ok_or(Fault("bucket out of bounds"))?;
        let Some((first, before)) = run(block, bucket % BLOCK) else { return Ok(None) };
        let mut item = match before.checked_sub(1) {
            None => first,
            Some(rank) => select(self.runs, first, rank, BLOCK * MAX_RUN).ok_or(NO_RUN)?.wrapping_add(1),
        };
        for _ in 0..MAX_RUN {
            let at = item.wrapping_sub(class.item).wrapping_mul(kept).wrapping_add(class.bit);
            if self.holds(at, kept, code).ok_or(Fault("remainder out of bounds"))? {
                return Ok(Some(item));
            }
            if field(self.runs, item, 1).ok_or(NO_RUN)? == 1 {
                return Ok(None);
            }
            item = item.wrapping_add(1);
        }
        Err(Fault("run without an end"))
    }

    #[inline]
    fn class(&self, length: usize) -> Result<Option<Class>, Fault> {
        let group = length / GROUP;
        if group >= self.groups {
            return Ok(None);
        }
        let [present, before] = self.lengths.array(group.wrapping_mul(2).wrapping_add(LENGTHS_HEAD))?;
        let place = length % GROUP;
        if present >> place & 1 == 0 {
            return Ok(None);
        }
        let rank = low(u64::from(present), place).count_ones().wrapping_add(before);
        let start = to_usize(rank).wrapping_mul(4).wrapping_add(self.groups.wrapping_mul(2)).wrapping_add(LENGTHS_HEAD);
        let [quotient, bucket, item, bit] = self.lengths.array(start)?.map(to_usize);
        Ok(Some(Class { quotient, bucket, item, bit }))
    }

    /// Whether the remainder from bit `at` is the first `kept` bits of the code.
    #[inline]
    fn holds(&self, at: usize, kept: usize, code: &[u64]) -> Option<bool> {
        let mut done = 0_usize;
        while done < kept {
            let length = kept.wrapping_sub(done).min(CHUNK);
            if field(self.remainders, at.wrapping_add(done), length)? != extract(code, done, length) {
                return Some(false);
            }
            done = done.wrapping_add(length);
        }
        Some(true)
    }
}

/// The bucket, within its class, of a code of `kept` + `quotient` bits: the quotient, shifted by a hash of what is
/// kept. The bits kept and the bucket give the quotient back.
#[inline]
pub(super) fn bucket(code: &[u64], kept: usize, quotient: usize, seed: u64) -> usize {
    let word = |index: usize| code.get(index).copied().unwrap_or(0);
    let mut hash = seed;
    for index in 0..kept / 64 {
        hash = mix(hash ^ word(index));
    }
    hash = mix(hash ^ low(word(kept / 64), kept % 64));
    let hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    usize::try_from(low(hash ^ extract(code, kept, quotient), quotient)).unwrap_or(usize::MAX)
}

#[inline]
pub(super) const fn mix(word: u64) -> u64 {
    let product = word.wrapping_mul(0xd6e8_feb8_6659_fd93);
    product ^ product >> 32
}

/// Fewer than 64 bits of a code.
#[inline]
pub(super) fn extract(code: &[u64], at: usize, length: usize) -> u64 {
    let word = |index: usize| code.get(index).copied().unwrap_or(0);
    let (index, shift) = (at / 64, at % 64);
    // Shifted twice, since what is above a whole word is nothing.
    let above = (word(index.wrapping_add(1)) << 1) << (63_usize.wrapping_sub(shift) % 64);
    low(word(index) >> shift | above, length)
}

/// The first item of a block and how many of its runs come before that of a bucket; `None` where the bucket is empty.
#[inline]
fn run(block: &[u8; BLOCK_BYTES], place: usize) -> Option<(usize, u32)> {
    let &[Some(head), Some(tail)] = &[word(block, 0), word(block, 8)] else { return None };
    let at = place.wrapping_add(BLOCK_HEAD);
    let (here, before) = if at < 64 { (head, 0) } else { (tail, (head >> BLOCK_HEAD).count_ones()) };
    if here >> (at % 64) & 1 == 0 {
        return None;
    }
    let skipped = if at < 64 { BLOCK_HEAD } else { 0 };
    let runs = (low(here, at % 64) >> skipped).count_ones().wrapping_add(before);
    Some((to_usize(u32::try_from(low(head, BLOCK_HEAD)).unwrap_or(0)), runs))
}
