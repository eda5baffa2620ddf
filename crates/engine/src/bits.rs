//! Sets of small numbers that cost nothing for the numbers that are not in them.
//!
//! One bit a number, and above every 64 words of them a word that says which are not empty. So clearing a set touches what was
//! put in, and going through it finds the next number after few steps, however large the numbers may be. That is what makes
//! the work of a decision, which holds a handful of ten thousand rules, a handful's.

use tidegate_table::Fault;

#[derive(Clone, Debug, Default)]
pub(crate) struct BitSet {
    /// Which of `words` have bits.
    summary: Box<[u64]>,
    words: Box<[u64]>,
    /// Words of the summary from here on are empty.
    end: usize,
}

impl BitSet {
    /// A set for numbers below `size`.
    pub(crate) fn with_room(size: u32) -> Self {
        let words = usize::try_from(size).unwrap_or(0).div_ceil(64);
        Self { summary: vec![0; words.div_ceil(64)].into(), words: vec![0; words].into(), end: 0 }
    }

    /// Numbers below this one have a place.
    pub(crate) fn room(&self) -> u32 {
        u32::try_from(self.words.len().saturating_mul(64)).unwrap_or(u32::MAX)
    }

    pub(crate) fn clear(&mut self) {
        for (group, summary) in self.summary.iter_mut().enumerate().take(self.end) {
            while *summary != 0 {
                let word = group.saturating_mul(64).saturating_add(lowest(*summary));
                if let Some(word) = self.words.get_mut(word) {
                    *word = 0;
                }
                *summary &= summary.wrapping_sub(1);
            }
        }
        self.end = 0;
    }

    /// Puts a number in. There is room for those that the table has; another one is a lie.
    pub(crate) fn insert(&mut self, number: u32) -> Result<(), Fault> {
        const FAULT: Fault = Fault("a number is larger than there are things");
        let (word, bit) = split(usize::try_from(number).map_err(|_| FAULT)?);
        *self.words.get_mut(word).ok_or(FAULT)? |= bit;
        let (group, bit) = split(word);
        *self.summary.get_mut(group).ok_or(FAULT)? |= bit;
        self.end = self.end.max(group.saturating_add(1));
        Ok(())
    }

    pub(crate) fn contains(&self, number: u32) -> bool {
        let (word, bit) = split(usize::try_from(number).unwrap_or(usize::MAX));
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// The first number from `from` on.
    pub(crate) fn next(&self, from: u32) -> Option<u32> {
        let (mut word, bit) = split(usize::try_from(from).ok()?);
        let mut bits = self.words.get(word)? & !bit.wrapping_sub(1);
        if bits == 0 {
            let (mut group, bit) = split(word.checked_add(1)?);
            let mut words = self.summary.get(group)? & !bit.wrapping_sub(1);
            while words == 0 {
                group = group.checked_add(1).filter(|&group| group < self.end)?;
                words = *self.summary.get(group)?;
            }
            word = group.checked_mul(64)?.checked_add(lowest(words))?;
            bits = *self.words.get(word)?;
        }
        u32::try_from(word.checked_mul(64)?.checked_add(lowest(bits))?).ok()
    }

    /// The numbers, the smallest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + use<'_> {
        let mut from = Some(0);
        std::iter::from_fn(move || {
            let number = self.next(from?);
            from = number.and_then(|number| number.checked_add(1));
            number
        })
    }
}

/// The word of a number, and its bit.
const fn split(number: usize) -> (usize, u64) {
    (number / 64, 1 << (number % 64))
}

/// The place of the lowest bit.
fn lowest(bits: u64) -> usize {
    usize::try_from(bits.trailing_zeros()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics fails, as it should")]

    use std::collections::BTreeSet;

    use super::BitSet;

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_after_it_was_cleared() {
        let mut set = BitSet::with_room(1_000_000);
        for numbers in [&[0, 1, 63, 64, 4095, 4096, 65_537, 999_999][..], &[700_000, 3], &[], &[64]] {
            let numbers: BTreeSet<u32> = numbers.iter().copied().collect();
            for &number in &numbers {
                set.insert(number).unwrap();
                set.insert(number).unwrap();
            }
            assert_eq!(set.iter().collect::<BTreeSet<_>>(), numbers);
            assert!(set.iter().is_sorted());
            assert_eq!(set.is_empty(), numbers.is_empty());
            assert!(numbers.iter().all(|&number| set.contains(number)));
            assert!(!set.contains(5) && !set.contains(u32::MAX));
            set.clear();
            assert_eq!(set.iter().next(), None);
            assert!(numbers.iter().all(|&number| !set.contains(number)));
        }
    }

    #[test]
    fn a_number_that_there_is_no_room_for_is_a_fault() {
        let mut set = BitSet::with_room(64);
        assert!(set.insert(63).is_ok());
        assert!(set.insert(64).is_err());
        assert!(set.insert(u32::MAX).is_err());
        assert!(BitSet::default().insert(0).is_err());
    }
}
