//! Chooses the parents of a table and lays out their dictionary.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::huffman;
use crate::hosts::buckets::mix;
use crate::hosts::code::{Stop, Visitor, walk};
use crate::hosts::labels::Labels;
use crate::hosts::parents::{CODED, HAS_CHILDREN, IS_NAME, LENGTH_SHIFT, MAX_CODE, MAX_STEPS, NUMBER, Parents, slot};
use crate::write::{TooLarge, le_bytes, word};

/// Names beneath a parent from which it pays for its entry: some 24 bytes, against two or three bytes a name.
const WORTHWHILE: u32 = 12;
/// Parents, at most: their search stays in the nearest caches.
const MAX_PARENTS: usize = NUMBER as usize;

/// The dictionary for these names.
pub(super) fn dictionary(names: &[&str]) -> Result<Vec<u8>, TooLarge> {
    let mut counts: HashMap<u64, (u32, &str), BuildHasherDefault<Ready>> = HashMap::default();
    for name in names {
        // From the right, so that a hash goes on from the one before. The first label has nothing beneath it.
        let (mut hash, mut start) = (0_u64, name.len());
        for label in Labels::of(name.as_bytes()) {
            start -= label.len();
            if start == 0 {
                break;
            }
            hash = label.chunks(8).fold(mix(hash), |hash, part| {
                mix(hash ^ part.iter().fold(1, |word, &byte| word << 8 ^ u64::from(byte)))
            });
            counts.entry(hash).or_insert((0, &name[start..])).0 += 1;
            start -= 1;
        }
    }
    let mut chosen: Vec<(u32, &str)> = counts.into_values().filter(|&(count, _)| count >= WORTHWHILE).collect();
    // What is above another has at least as many names beneath it, and fewer labels: it comes first.
    chosen.sort_unstable_by_key(|&(count, name)| (std::cmp::Reverse(count), name.len(), name));
    chosen.truncate(MAX_PARENTS);
    if chosen.is_empty() {
        return Ok(Vec::new());
    }

    let mut layout = Layout::new((3 * chosen.len()).next_power_of_two().ilog2());
    let mut numbers = HashMap::from([("", 0_u32)]);
    for &(_, name) in &chosen {
        let (label, above) = name.split_once('.').unwrap_or((name, ""));
        // Two names with one hash would have been counted as one: then what is above this one may not have been chosen.
        if let Some(&above) = numbers.get(above)
            && let Some(number) = layout.push(label, above)?
        {
            numbers.insert(name, number);
        }
    }
    // How often each is the longest that a name has is counted by the very reader, over a dictionary in which each
    // may be a name.
    for entry in &mut layout.entries {
        entry[0] |= IS_NAME;
    }
    let uncoded = layout.section()?;
    let uncoded = Parents::new(&uncoded).map_err(|_| TooLarge)?;
    let mut counts = vec![0; layout.entries.len()];
    let mut is_name = vec![false; layout.entries.len()];
    for name in names {
        let mut longest = Longest { entry: Parents::ROOT, is_whole: false };
        let _ = walk(&uncoded, name, &mut longest);
        counts[longest.entry] += 1;
        is_name[longest.entry] |= longest.is_whole;
    }
    let lengths = huffman::lengths(&counts, MAX_CODE);
    let codes = huffman::codes(&lengths);
    for ((((entry, count), is_name), length), code) in
        layout.entries.iter_mut().zip(counts).zip(is_name).zip(lengths).zip(codes)
    {
        if !is_name {
            entry[0] &= !IS_NAME;
        }
        if count > 0 {
            entry[0] |= CODED | u32::from(length) << LENGTH_SHIFT | code;
        }
    }
    layout.section()
}

/// The longest parent of a name, and whether it is the name.
struct Longest {
    entry: usize,
    is_whole: bool,
}

impl Visitor for Longest {
    fn parent(&mut self, entry: usize) -> Result<(), Stop> {
        self.entry = entry;
        Ok(())
    }

    fn character(&mut self, _: u32, _: u8) -> Result<(), Stop> {
        Err(Stop::Unseen)
    }

    fn escaped(&mut self, _: u8) -> Result<(), Stop> {
        Err(Stop::Unseen)
    }

    fn name(&mut self, whole: bool) -> Result<(), Stop> {
        self.is_whole = whole;
        Ok(())
    }
}

struct Layout {
    slot_bits: u32,
    slots: Vec<u16>,
    entries: Vec<[u32; 3]>,
    text: Vec<u8>,
}

impl Layout {
    fn new(slot_bits: u32) -> Self {
        Self { slot_bits, slots: vec![0; 1 << slot_bits], entries: vec![[0, 0, u32::MAX]], text: Vec::new() }
    }

    /// The number of the new entry; `None` where all slots that a reader looks at are taken.
    fn push(&mut self, label: &str, above: u32) -> Result<Option<u32>, TooLarge> {
        let start = u32::try_from(self.text.len()).ok().filter(|&start| start < 1 << 24).ok_or(TooLarge)?;
        let length = u8::try_from(label.len()).map_err(|_| TooLarge)?;
        let number = u16::try_from(self.entries.len()).map_err(|_| TooLarge)?;
        let (first, tag) = slot(above as usize, label.as_bytes(), self.slot_bits);
        let count = self.slots.len();
        let Some(free) = (first..first + MAX_STEPS).map(|place| place % count).find(|&place| self.slots[place] == 0)
        else {
            return Ok(None);
        };
        self.slots[free] = number | tag;
        self.entries[above as usize][0] |= HAS_CHILDREN;
        self.entries.push([0, start | u32::from(length) << 24, above]);
        self.text.extend_from_slice(label.as_bytes());
        Ok(Some(number.into()))
    }

    fn section(&self) -> Result<Vec<u8>, TooLarge> {
        let head = le_bytes(&[word(self.entries.len())?, self.slot_bits]);
        let slots: Vec<u8> = self.slots.iter().flat_map(|slot| slot.to_le_bytes()).collect();
        Ok([head, slots, le_bytes(self.entries.as_flattened()), self.text.clone()].concat())
    }
}

/// Takes a hash for what it is.
#[derive(Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = mix(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
