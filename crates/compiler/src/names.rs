//! Many names in little room: one text, and where each name ends in it.
//!
//! ```text
//!   text   a.exampleb.examplec.example
//!   ends            9        18       27
//! ```
//!
//! A list has up to a million names. As a `String` each they would cost 24 bytes and an allocation of their own beside their letters,
//! and would lie all over the memory; here a name costs four bytes, and comparing two lists is comparing two runs of bytes.

use std::fmt;
use std::ops::Index;

/// Names in the order of their bytes, each once.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Names {
    text: String,
    /// Where each name ends; the next begins there. Files of lists are far below 4 GiB.
    ends: Vec<u32>,
}

impl Names {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The names in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        (0..self.len()).map(|place| &self[place])
    }

    /// Whether a name is one of them.
    pub fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// The place of a name among them.
    pub fn position(&self, name: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self[middle].cmp(name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The text of all, and where each ends in it.
    pub(crate) fn as_parts(&self) -> (&str, &[u32]) {
        (&self.text, &self.ends)
    }

    /// Names of which the text and the ends are given; `None` where these are not names in order, each once.
    pub(crate) fn from_parts(text: String, ends: Vec<u32>) -> Option<Self> {
        let (mut start, mut before) = (0, None);
        for &end in &ends {
            let name = text.get(start..end as usize)?;
            if before.is_some_and(|before| before >= name) {
                return None;
            }
            (start, before) = (end as usize, Some(name));
        }
        (start == text.len()).then_some(Self { text, ends })
    }

    /// Those that are in one of two, or in both.
    pub(crate) fn union(self, other: Self) -> Self {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        let mut all = Self {
            text: String::with_capacity(self.text.len() + other.text.len()),
            ends: Vec::with_capacity(self.len() + other.len()),
        };
        let (mut ours, mut theirs) = (self.iter().peekable(), other.iter().peekable());
        while let (Some(&our), Some(&their)) = (ours.peek(), theirs.peek()) {
            all.push(our.min(their));
            if our <= their {
                ours.next();
            }
            if their <= our {
                theirs.next();
            }
        }
        ours.chain(theirs).for_each(|name| all.push(name));
        all
    }

    fn push(&mut self, name: &str) {
        self.text.push_str(name);
        self.ends.push(u32::try_from(self.text.len()).expect("names are those of files, of 64 MiB at most"));
    }
}

impl Index<usize> for Names {
    type Output = str;

    fn index(&self, place: usize) -> &str {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[place] as usize]
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<S: AsRef<str>> FromIterator<S> for Names {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut unsorted = Unsorted::default();
        names.into_iter().for_each(|name| unsorted.push(name.as_ref()));
        unsorted.sort()
    }
}

impl<const N: usize> PartialEq<[&str; N]> for Names {
    fn eq(&self, other: &[&str; N]) -> bool {
        self.iter().eq(other.iter().copied())
    }
}

/// Names as they come.
#[derive(Debug, Default)]
pub(crate) struct Unsorted {
    names: Names,
    /// Some name is not after the one before it.
    has_disorder: bool,
}

impl Unsorted {
    pub(crate) fn push(&mut self, name: &str) {
        self.has_disorder |= self.names.len().checked_sub(1).is_some_and(|last| self.names[last] >= *name);
        self.names.push(name);
    }

    /// Many lists are kept in order: those cost nothing here.
    pub(crate) fn sort(self) -> Names {
        let Self { names, has_disorder } = self;
        if !has_disorder {
            return names;
        }
        // The first letters tell most names apart, and lie beside each other; the names themselves do not.
        let mut order: Vec<(u64, u32)> = names.iter().map(first_letters).zip(0..).collect();
        order.sort_unstable_by(|(a_first, a), (b_first, b)| {
            a_first.cmp(b_first).then_with(|| names[*a as usize].cmp(&names[*b as usize]))
        });
        let mut sorted =
            Names { text: String::with_capacity(names.text.len()), ends: Vec::with_capacity(names.ends.len()) };
        let mut before = None;
        for name in order.iter().map(|&(_, place)| &names[place as usize]) {
            if before != Some(name) {
                sorted.push(name);
            }
            before = Some(name);
        }
        sorted
    }
}

/// The first eight bytes, as a number that sorts as they do.
fn first_letters(name: &str) -> u64 {
    let mut first = [0; 8];
    let length = name.len().min(first.len());
    first[..length].copy_from_slice(&name.as_bytes()[..length]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_by_their_bytes_and_each_is_there_once() {
        for written in [
            &[][..],
            &["a"],
            &["a", "b", "c"],
            &["c", "a", "b", "a"],
            &["same-beginning.b", "same-beginning.a", "same-beg", "same-beginning"],
            &["b", "b"],
            &["xn--b", "", "a-b", "a.b", "a", "é"],
        ] {
            let mut expected = written.to_vec();
            expected.sort_unstable();
            expected.dedup();
            let names: Names = written.iter().collect();
            assert_eq!(names.iter().collect::<Vec<_>>(), expected);
            assert_eq!(names.len(), expected.len());
            assert!(expected.iter().enumerate().all(|(place, name)| names.position(name) == Some(place)));
            assert!(!names.contains("not there"));
        }
    }

    #[test]
    fn a_union_has_the_names_of_both_once() {
        let names = |names: &[&str]| names.iter().collect::<Names>();
        for (a, b, both) in [
            (&["a", "c"][..], &["b"][..], &["a", "b", "c"][..]),
            (&["a", "b"], &["b", "c"], &["a", "b", "c"]),
            (&[], &["a"], &["a"]),
            (&["a"], &["a"], &["a"]),
            (&["b", "c"], &["a"], &["a", "b", "c"]),
        ] {
            assert_eq!(names(a).union(names(b)), names(both));
            assert_eq!(names(b).union(names(a)), names(both));
        }
    }
}
