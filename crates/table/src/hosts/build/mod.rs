//! The builder of the host index. Same names, same bytes.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    reason = "runs in the compiler, never in the Worker, over lengths of what is in memory; `word` refuses what does not fit"
)]

mod huffman;
mod model;
mod parents;

use std::collections::HashMap;

use super::bits::{BitWriter, low};
use super::buckets::{BLOCK, BLOCK_HEAD, CHUNK, GROUP, LENGTHS_HEAD, MAX_RUN, bucket, extract, mix};
use super::code::{Model, code_names};
use super::labels::MAX_HOST;
use super::parents::Parents;
use super::{LONG_CODE, REACH_BITS, Reach, SHORT_CODE, SHORT_HOST, payload_bits};
use crate::write::{TooLarge, le_bytes, word};

/// Seeds that are tried. One is enough but once in a million tables, and the first follows from the names, so that
/// nobody can write a
/// list for it.
const SEEDS: u64 = 64;

/// A name of a set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// The name.
    pub(crate) name: &'a str,
    /// The set.
    pub(crate) set: u32,
    /// How far the name reaches.
    pub(crate) reach: Reach,
}

/// The sections of the host index, all empty where there is no name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct HostIndex {
    pub(crate) model: Vec<u8>,
    pub(crate) parents: Vec<u8>,
    pub(crate) lengths: Vec<u8>,
    pub(crate) buckets: Vec<u8>,
    pub(crate) runs: Vec<u8>,
    pub(crate) remainders: Vec<u8>,
    pub(crate) payloads: Vec<u8>,
    pub(crate) postings: Vec<u8>,
}

impl HostIndex {
    pub(crate) fn build(entries: &[Entry<'_>]) -> Result<Self, TooLarge> {
        if entries.is_empty() {
            return Ok(Self::default());
        }
        let names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
        if names.iter().any(|name| name.len() > MAX_HOST) {
            return Err(TooLarge);
        }
        let parents = parents::dictionary(&names)?;
        let model = model::model(&names, &Parents::new(&parents).map_err(|_| TooLarge)?);
        let mut codes = Codes::of(&names, &model, &parents)?;
        drop(names);
        let (numbers, postings) = codes.number(entries)?;
        let layout = Layout::of(&codes, &numbers, payload_width(&postings))?;
        Ok(Self { model, parents, postings, ..layout })
    }
}

/// Bits of a payload, from the postings as they are written.
fn payload_width(postings: &[u8]) -> usize {
    postings.first_chunk().map_or(0, |count| payload_bits(u32::from_le_bytes(*count) as usize))
}

/// A code: its length in bits, its first 64, where its words begin, and of which entry it is.
#[derive(Clone, Copy)]
struct Place {
    length: u32,
    first: u64,
    start: u32,
    entry: u32,
}

/// The codes of names.
struct Codes {
    words: Vec<u64>,
    places: Vec<Place>,
}

impl Codes {
    fn of(names: &[&str], model: &[u8], parents: &[u8]) -> Result<Self, TooLarge> {
        let model = Model::new(model).map_err(|_| TooLarge)?;
        let parents = Parents::new(parents).map_err(|_| TooLarge)?;
        let mut codes = Self { words: Vec::with_capacity(names.len()), places: Vec::with_capacity(names.len()) };
        let (mut short, mut long) = ([0; SHORT_CODE], [0; LONG_CODE]);
        for (entry, name) in (0..).zip(names) {
            let mut code = None;
            // The very coder that reads hosts, so that both say the same.
            let buffer = if name.len() <= SHORT_HOST { &mut short[..] } else { &mut long[..] };
            buffer.fill(0);
            code_names(&model, &parents, name, buffer, |length, words, whole| {
                if whole {
                    code = Some((length, words.first().copied().unwrap_or(0)));
                    codes.words.extend_from_slice(&words[..length.div_ceil(64)]);
                }
                Ok(())
            })
            .map_err(|_| TooLarge)?;
            let (length, first) = code.ok_or(TooLarge)?;
            let start = word(codes.words.len() - length.div_ceil(64))?;
            codes.places.push(Place { length: word(length)?, first, start, entry });
        }
        Ok(codes)
    }

    fn is_same(&self, a: &Place, b: &Place) -> bool {
        (a.length, a.first) == (b.length, b.first) && (a.length <= 64 || self.words(a) == self.words(b))
    }

    fn words(&self, place: &Place) -> &[u64] {
        let start = place.start as usize;
        &self.words[start..start + (place.length as usize).div_ceil(64)]
    }

    /// Sorts the codes, leaves each name once, and gives the number of each name's posting, and the postings.
    fn number(&mut self, entries: &[Entry<'_>]) -> Result<(Vec<u32>, Vec<u8>), TooLarge> {
        let mut places = std::mem::take(&mut self.places);
        places.sort_unstable_by(|a, b| {
            (a.length, a.first).cmp(&(b.length, b.first)).then_with(|| match a.length {
                0..=64 => std::cmp::Ordering::Equal,
                _ => self.words(a).cmp(self.words(b)),
            })
        });
        let mut numbers = Vec::with_capacity(places.len());
        let mut known: HashMap<Vec<u32>, u32> = HashMap::new();
        let mut distinct: Vec<Vec<u32>> = Vec::new();
        let (mut posting, mut last) = (Vec::new(), 0_u32);
        for group in places.chunk_by(|a, b| self.is_same(a, b)) {
            posting.clear();
            posting.extend(group.iter().map(|place| {
                let entry = &entries[place.entry as usize];
                entry.set << REACH_BITS | u32::from(entry.reach.0)
            }));
            posting.sort_unstable();
            // One entry a set: the union of its reaches.
            posting.dedup_by(|later, kept| {
                let same = *later >> REACH_BITS == *kept >> REACH_BITS;
                if same {
                    *kept |= *later;
                }
                same
            });
            // Neighbours mostly have the same.
            if distinct.get(last as usize) != Some(&posting) {
                last = match known.get(&posting) {
                    Some(&number) => number,
                    None => word(distinct.len())?,
                };
                if last as usize == distinct.len() {
                    known.insert(posting.clone(), last);
                    distinct.push(posting.clone());
                }
            }
            numbers.push(last);
        }
        places.dedup_by(|later, kept| self.is_same(later, kept));
        self.places = places;

        let mut start = 2 + distinct.len();
        let mut postings = vec![word(distinct.len())?];
        for posting in &distinct {
            postings.push(word(start)?);
            start += posting.len();
        }
        postings.push(word(start)?);
        postings.extend(distinct.concat());
        Ok((numbers, le_bytes(&postings)))
    }

    /// What the first seed follows from: all codes, in order.
    fn seed(&self) -> u64 {
        self.places.iter().fold(0, |seed, place| mix(seed ^ place.first ^ u64::from(place.length)))
    }
}

/// Lays out sorted codes.
#[derive(Default)]
struct Layout {
    blocks: Vec<[u64; 2]>,
    bucket: usize,
    runs: BitWriter,
    remainders: BitWriter,
    payloads: BitWriter,
}

impl Layout {
    fn of(codes: &Codes, numbers: &[u32], payload: usize) -> Result<HostIndex, TooLarge> {
        let first = codes.seed();
        (0..SEEDS)
            .find_map(|attempt| Self::with_seed(codes, numbers, payload, first.wrapping_add(attempt)).transpose())
            .unwrap_or(Err(TooLarge))
    }

    /// `None` where a run would be too long.
    fn with_seed(codes: &Codes, numbers: &[u32], payload: usize, seed: u64) -> Result<Option<HostIndex>, TooLarge> {
        let mut layout = Self::default();
        let longest = codes.places.last().map_or(0, |place| place.length as usize);
        let mut groups = vec![[0_u32; 2]; longest / GROUP + 1];
        let mut classes = Vec::new();
        let mut item = 0;
        let mut order: Vec<(usize, usize)> = Vec::new();
        for class in codes.places.chunk_by(|a, b| a.length == b.length) {
            let length = class[0].length as usize;
            // At most every second bucket is occupied: a bit a name more, and half the searches that read on.
            let buckets = (class.len() * 2).next_power_of_two();
            let quotient = (buckets.ilog2() as usize).min(length);
            let buckets = 1 << quotient;
            groups[length / GROUP][0] |= 1 << (length % GROUP);
            classes.extend([word(quotient)?, word(layout.bucket)?, word(item)?, word(layout.remainders.len())?]);
            order.clear();
            order.extend(
                (item..)
                    .zip(class)
                    .map(|(item, place)| (bucket(codes.words(place), length - quotient, quotient, seed), item)),
            );
            order.sort_unstable();
            for run in order.chunk_by(|a, b| a.0 == b.0) {
                if run.len() > MAX_RUN {
                    return Ok(None);
                }
                layout.occupy(layout.bucket + run[0].0)?;
                for (left, &(_, place)) in (0..run.len()).rev().zip(run) {
                    layout.push(codes.words(&codes.places[place]), length - quotient, left == 0);
                    layout.payloads.push(numbers[place].into(), payload);
                }
            }
            layout.bucket += buckets;
            item += class.len();
        }
        layout.reach(layout.bucket)?;
        word(layout.remainders.len())?;
        let mut before = 0;
        for group in &mut groups {
            group[1] = before;
            before += group[0].count_ones();
        }
        let mut lengths = vec![word(groups.len())?, 0, seed as u32, (seed >> 32) as u32];
        debug_assert_eq!(lengths.len(), LENGTHS_HEAD);
        lengths.extend(groups.as_flattened());
        lengths.extend(classes);
        Ok(Some(HostIndex {
            lengths: le_bytes(&lengths),
            buckets: layout.blocks.as_flattened().iter().flat_map(|word| word.to_le_bytes()).collect(),
            runs: layout.runs.finish(),
            remainders: layout.remainders.finish(),
            payloads: layout.payloads.finish(),
            ..HostIndex::default()
        }))
    }

    /// Begins the blocks up to that of a bucket.
    fn reach(&mut self, bucket: usize) -> Result<(), TooLarge> {
        while self.blocks.len() <= bucket / BLOCK {
            self.blocks.push([word(self.runs.len())?.into(), 0]);
        }
        Ok(())
    }

    fn occupy(&mut self, bucket: usize) -> Result<(), TooLarge> {
        self.reach(bucket)?;
        let at = bucket % BLOCK + BLOCK_HEAD;
        self.blocks[bucket / BLOCK][at / 64] |= 1 << (at % 64);
        Ok(())
    }

    fn push(&mut self, code: &[u64], kept: usize, is_last: bool) {
        self.runs.push(is_last.into(), 1);
        let mut done = 0;
        while done < kept {
            let length = (kept - done).min(CHUNK);
            self.remainders.push(low(extract(code, done, length), length), length);
            done += length;
        }
    }
}
