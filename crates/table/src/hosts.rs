//! The host index: from a host to every set that holds it or a name above it.
//!
//! # The idea
//! A rule's plain names and every list are *sets*. All sets share one sorted dictionary of names, so a host is looked
//! up once, however many rules there are, and a list that many rules use is stored once. A name leads to a
//! *posting*: the sets it is in, and how far each reaches. Names are compared in full; there is no hashing, no false positive.
//!
//! # The layout
//! A name's key is its labels from the right, `api.example.com` → `com.example.api`, so that all names above a host are
//! prefixes of its key and related names share theirs. Keys are sorted by bytes and *front-coded* in blocks of
//! [`BLOCK`]:
//!
//! ```text
//!   blocks     u32: where each block begins in `names`
//!   names      per key: bytes shared with the key before it (u8; 0 at a block's head), bytes that follow (u8), those bytes
//!   payloads   per key, 0, 1, 2 or 4 bytes wide (0 where there is one posting only): number of its posting
//!   postings   u32: start of each posting (and the end of the last), then the postings: set << 3 | reach
//! ```
//!
//! # The cost
//! A lookup is, per label of the host, a binary search over the blocks' heads and a scan of one block. 10.6 bytes a
//! name on a million of them, about half a microsecond (front-coded blocks, B = 16, as in many a dictionary: Witten,
//! Moffat, Bell, *Managing Gigabytes*, §4.1).

use crate::header::{SectionKind, Table};
use crate::words::{Fault, Words, to_usize};

/// Keys in a block.
pub(crate) const BLOCK: usize = 16;

/// The longest key: a DNS name has at most 253 octets, an IPv6 literal fewer.
pub(crate) const MAX_KEY: usize = 255;

/// How far a name in a set reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reach(pub(crate) u8);

impl Reach {
    /// The host of that very name, as `hosts` writes it: may open special hosts.
    pub const EXACT: Self = Self(1);
    /// The name and everything beneath it, as `domains` and nearly all lists mean it.
    pub const DOMAIN: Self = Self::of_list(true, true);

    /// How far a name of a list reaches: to itself, to everything beneath it. It opens no special host.
    #[must_use]
    pub const fn of_list(itself: bool, beneath: bool) -> Self {
        Self((itself as u8) << 1 | (beneath as u8) << 2)
    }

    /// Both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn on_the_name_itself(self) -> bool {
        self.0 & 3 != 0
    }

    const fn beneath(self) -> bool {
        self.0 & 4 != 0
    }

    const fn is_exact(self) -> bool {
        self.0 & 1 != 0
    }
}

pub(crate) const REACH_BITS: u32 = 3;

impl Table<'_> {
    /// Calls `hit` with every set that holds the host: its number, and whether the set names this very host (with
    /// [`Reach::EXACT`]). The host must be canonical. A set may be reported more than once.
    pub fn sets_of_host(&self, host: &str, mut hit: impl FnMut(u32, bool)) -> Result<(), Fault> {
        let index = Index::of(self);
        if index.blocks.len() == 0 {
            return Ok(());
        }
        let mut buffer = [0; MAX_KEY];
        let key = write_key(host, &mut buffer).ok_or(Fault("host too long"))?;
        let mut prefix = key;
        loop {
            if let Some(name) = index.find(prefix)? {
                for entry in index.posting(name)? {
                    let reach = Reach(u8::try_from(entry & ((1 << REACH_BITS) - 1)).unwrap_or(0));
                    let whole = prefix.len() == key.len();
                    if if whole { reach.on_the_name_itself() } else { reach.beneath() } {
                        hit(entry >> REACH_BITS, whole && reach.is_exact());
                    }
                }
            }
            let Some(dot) = prefix.iter().rposition(|&byte| byte == b'.') else { return Ok(()) };
            prefix = prefix.get(..dot).unwrap_or_default();
        }
    }
}

/// Writes a host's key: its labels from the right.
pub(crate) fn write_key<'b>(host: &str, buffer: &'b mut [u8; MAX_KEY]) -> Option<&'b [u8]> {
    let mut end = 0_usize;
    for label in host.rsplit('.') {
        if end > 0 {
            *buffer.get_mut(end)? = b'.';
            end = end.checked_add(1)?;
        }
        let after = end.checked_add(label.len())?;
        buffer.get_mut(end..after)?.copy_from_slice(label.as_bytes());
        end = after;
    }
    buffer.get(..end)
}

struct Index<'t> {
    blocks: Words<'t>,
    names: &'t [u8],
    payloads: &'t [u8],
    postings: Words<'t>,
}

impl<'t> Index<'t> {
    fn of(table: &Table<'t>) -> Self {
        Self {
            blocks: Words::new(table.section(SectionKind::Blocks)),
            names: table.section(SectionKind::Names),
            payloads: table.section(SectionKind::Payloads),
            postings: Words::new(table.section(SectionKind::Postings)),
        }
    }

    /// The number of the name with this key.
    fn find(&self, key: &[u8]) -> Result<Option<usize>, Fault> {
        let (mut low, mut high) = (0, self.blocks.len());
        // The block of the key is the last one whose head is not after it.
        while low < high {
            let middle = low.midpoint(high);
            if Entries::at(self, middle)?.head()? <= key { low = middle.saturating_add(1) } else { high = middle }
        }
        let Some(block) = low.checked_sub(1) else { return Ok(None) };
        let place = Entries::at(self, block)?.position(key)?;
        Ok(place.and_then(|place| block.checked_mul(BLOCK)?.checked_add(place)))
    }

    /// The entries of a name's posting.
    fn posting(&self, name: usize) -> Result<impl Iterator<Item = u32> + use<'t>, Fault> {
        let count = to_usize(self.postings.at(0)?);
        // How wide a payload is follows from how many postings there are, as in the writer.
        let number = match payload_width(count) {
            0 => 0,
            width => {
                let start = name.checked_mul(width).ok_or(Fault("payload out of bounds"))?;
                let bytes = self
                    .payloads
                    .get(start..)
                    .and_then(|rest| rest.get(..width))
                    .ok_or(Fault("payload out of bounds"))?;
                bytes.iter().rev().fold(0_usize, |number, &byte| number << 8 | usize::from(byte))
            }
        };
        if number >= count {
            return Err(Fault("posting out of bounds"));
        }
        let starts = self.postings.slice(1, count.saturating_add(1))?;
        let start = to_usize(starts.at(number)?);
        let end = to_usize(starts.at(number.saturating_add(1))?);
        let length = end.checked_sub(start).ok_or(Fault("posting out of order"))?;
        Ok(self.postings.slice(start, length)?.numbers())
    }
}

/// Bytes of a payload where there are so many postings.
pub(crate) const fn payload_width(postings: usize) -> usize {
    match postings {
        0..=1 => 0,
        2..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

/// The front-coded keys of a block.
struct Entries<'t>(&'t [u8]);

impl<'t> Entries<'t> {
    fn at(index: &Index<'t>, block: usize) -> Result<Self, Fault> {
        let start = to_usize(index.blocks.at(block)?);
        index.names.get(start..).map(Self).ok_or(Fault("block out of bounds"))
    }

    /// Bytes shared with the key before, and the bytes that follow them.
    fn next(&mut self) -> Option<(usize, &'t [u8])> {
        let (&[shared, length], rest) = self.0.split_first_chunk()?;
        let (suffix, rest) = rest.split_at_checked(usize::from(length))?;
        self.0 = rest;
        Some((usize::from(shared), suffix))
    }

    fn head(mut self) -> Result<&'t [u8], Fault> {
        match self.next() {
            Some((0, head)) => Ok(head),
            _ => Err(Fault("block without a head")),
        }
    }

    /// Where in the block the key stands.
    fn position(mut self, key: &[u8]) -> Result<Option<usize>, Fault> {
        let mut buffer = [0; MAX_KEY];
        for place in 0..BLOCK {
            // The last block may hold fewer: then the section ends with it.
            if self.0.is_empty() {
                return Ok(None);
            }
            let (shared, suffix) = self.next().ok_or(Fault("name cut short"))?;
            let end = shared.saturating_add(suffix.len());
            buffer.get_mut(shared..end).ok_or(Fault("name too long"))?.copy_from_slice(suffix);
            match buffer.get(..end).unwrap_or_default().cmp(key) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(Some(place)),
                std::cmp::Ordering::Greater => return Ok(None),
            }
        }
        Ok(None)
    }
}
