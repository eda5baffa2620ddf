//! Runs of bits in bytes: bit `i` is bit `i % 8` of byte `i / 8`.

/// Bytes behind the last bit, so that a reader may load eight at once.
#[cfg(feature = "write")]
pub(super) const PADDING: usize = 8;

/// The eight bytes from `byte`.
#[inline]
pub(super) fn word(bytes: &[u8], byte: usize) -> Option<u64> {
    bytes.get(byte..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

/// `length` bits (at most 57, since they may begin at any bit of the eight bytes loaded) from bit `at`.
#[inline]
pub(super) fn field(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    Some(low(word(bytes, at / 8)? >> (at % 8), length))
}

/// The low bits of a word, fewer than 64.
#[inline]
pub(super) const fn low(word: u64, length: usize) -> u64 {
    word & !(u64::MAX << (length % 64))
}

/// Where the bit stands that is set and has `rank` set ones before it, from bit `from` on; `None` if it is not among the `most`
/// bits from there, or a few more.
pub(super) fn select(bytes: &[u8], from: usize, rank: u32, most: usize) -> Option<usize> {
    let mut byte = from / 8;
    let mut ones = word(bytes, byte)? & (u64::MAX << (from % 8));
    let mut left = rank;
    for _ in 0..=most.div_ceil(64) {
        let count = ones.count_ones();
        if let Some(beyond) = left.checked_sub(count) {
            left = beyond;
            byte = byte.wrapping_add(8);
            ones = word(bytes, byte)?;
        } else {
            return byte.checked_mul(8)?.checked_add(select_in_word(ones, left));
        }
    }
    None
}

/// Where the one with `rank` ones below it stands. There must be so many.
///
/// Counts the ones up to each byte in the bytes of one word, as in Vigna, *Broadword Implementation of Rank/Select
/// Queries*, 2008.
#[inline]
fn select_in_word(ones: u64, rank: u32) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    let pairs = ones.wrapping_sub((ones >> 1) & (0x55 * EACH));
    let fours = (pairs & (0x33 * EACH)).wrapping_add((pairs >> 2) & (0x33 * EACH));
    let up_to = (fours.wrapping_add(fours >> 4) & (0x0f * EACH)).wrapping_mul(EACH);
    // The high bit stays in the bytes up to which there are no more than `rank` ones.
    let not_yet = (u64::from(rank).wrapping_mul(EACH) | HIGH).wrapping_sub(up_to) & HIGH;
    let shift = ((not_yet >> 7).wrapping_mul(EACH) >> 56).wrapping_mul(8);
    let shift = u32::try_from(shift).unwrap_or(0);
    let before = (up_to << 8).wrapping_shr(shift) & 0xff;
    let mut byte = ones.wrapping_shr(shift) & 0xff;
    for _ in before..rank.into() {
        byte &= byte.wrapping_sub(1);
    }
    usize::try_from(shift.wrapping_add(byte.trailing_zeros())).unwrap_or(0)
}

/// Collects bits.
#[cfg(feature = "write")]
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    pending: u64,
    filled: usize,
    length: usize,
}

#[cfg(feature = "write")]
#[expect(clippy::arithmetic_side_effects, reason = "runs in the compiler only, over lengths of what is in memory")]
impl BitWriter {
    /// Appends fewer than 64 bits.
    pub(super) fn push(&mut self, value: u64, length: usize) {
        debug_assert!(length < 64 && value == low(value, length), "{length} bits of {value:#x}");
        self.pending |= value << self.filled;
        self.length += length;
        self.filled += length;
        if self.filled >= 64 {
            self.bytes.extend_from_slice(&self.pending.to_le_bytes());
            self.filled -= 64;
            self.pending = value.checked_shr(u32::try_from(length - self.filled).unwrap_or(64)).unwrap_or(0);
        }
    }

    /// How many bits there are.
    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// The bytes, padded for [`word`]; none where there is no bit.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.length > 0 {
            self.bytes.extend_from_slice(&self.pending.to_le_bytes());
            self.bytes.truncate(self.length.div_ceil(8));
            self.bytes.resize(self.bytes.len() + PADDING, 0);
        }
        self.bytes
    }
}
