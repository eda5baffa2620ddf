//! The labels of a host, from the right.

use super::bits::low;

/// The longest host: a DNS name has at most 253 octets, an IPv6 literal fewer.
pub(crate) const MAX_HOST: usize = 255;

const EACH: u64 = 0x0101_0101_0101_0101;

/// Hands out labels from the right. Where the dots are is found beforehand, eight bytes at a time.
pub(super) struct Labels<'h> {
    host: &'h [u8],
    /// Where the labels not yet handed out end; none where all were.
    end: Option<usize>,
    /// A bit for each byte that is a dot.
    dots: [u64; 4],
}

impl<'h> Labels<'h> {
    /// The labels of a host of at most [`MAX_HOST`] bytes.
    #[inline]
    pub(super) fn of(host: &'h [u8]) -> Self {
        let mut dots = [0; 4];
        let mut note = |at: usize, bits: u64| {
            if let Some(word) = dots.get_mut(at / 64) {
                *word |= bits << (at % 64);
            }
        };
        let (chunks, rest) = host.as_chunks();
        for (index, chunk) in chunks.iter().enumerate() {
            note(index.wrapping_mul(8), dots_of(*chunk));
        }
        let at = host.len().wrapping_sub(rest.len());
        match host.last_chunk() {
            // The last eight bytes again, without those seen before.
            Some(chunk) => note(at, dots_of(*chunk) >> (8_usize.wrapping_sub(rest.len()))),
            None => {
                for (place, &byte) in rest.iter().enumerate() {
                    note(place, u64::from(byte == b'.'));
                }
            }
        }
        Self { host, end: Some(host.len()), dots }
    }

    fn dot_before(&self, end: usize) -> Option<usize> {
        let mut index = end / 64;
        let mut dots = low(*self.dots.get(index)?, end % 64);
        while dots == 0 {
            index = index.checked_sub(1)?;
            dots = *self.dots.get(index)?;
        }
        Some(index.wrapping_mul(64).wrapping_add(usize::try_from(dots.ilog2()).unwrap_or(0)))
    }
}

impl<'h> Iterator for Labels<'h> {
    type Item = &'h [u8];

    #[inline]
    fn next(&mut self) -> Option<&'h [u8]> {
        let end = self.end?;
        self.end = self.dot_before(end);
        let start = self.end.map_or(0, |dot| dot.wrapping_add(1));
        self.host.get(start..end)
    }
}

/// A bit for each of eight bytes that is a dot.
#[inline]
fn dots_of(bytes: [u8; 8]) -> u64 {
    let zero_at_dots = u64::from_le_bytes(bytes) ^ (0x2e * EACH);
    let low_bits = 0x7f * EACH;
    // The high bit of a byte is set where the byte is not zero (Warren, *Hacker's Delight*, §6–1).
    let others = (zero_at_dots & low_bits).wrapping_add(low_bits) | zero_at_dots | low_bits;
    (!others >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_those_that_a_plain_split_gives() {
        let label = "abcdefghijklmnopqrstuvwxyz0123456789-_\u{ae}\u{2e2e}";
        for length in 0..=MAX_HOST {
            for step in [1, 2, 3, 7, 8, 9, 63, 64, 300] {
                let host: String = label.chars().cycle().take(length).collect();
                let mut host = host.into_bytes();
                host.truncate(length);
                host.iter_mut().step_by(step).for_each(|byte| *byte = b'.');
                let labels: Vec<_> = Labels::of(&host).collect();
                let expected: Vec<_> = host.rsplit(|&byte| byte == b'.').collect();
                assert_eq!(labels, expected, "{length} bytes, a dot at every {step}");
            }
        }
    }
}
