//! The host index: from a host to every set that holds it or a name above it.
//!
//! # The idea
//! A rule's plain names and every list are *sets*. All sets share one index of names, so a host is looked up once,
//! however many rules there are, and a name that many sets hold is stored once. A name leads to a *posting*: the sets
//! it is in, and how far each reaches.
//!
//! The index is a hash table without hash loss. A name is first compressed, and so well that its *code* is little more
//! than what tells it from a million others; then the table stores of each code only what its place does not already
//! say. There are no fingerprints: what is found is the name, and what is not found is not in any set.
//!
//! # The three steps
//! **1. Code** ([`code`]). A host is read by labels from the right. The labels that a dictionary of this very table
//! knows ([`parents`]: `com`, `blogspot.com`) are one symbol. What follows is coded character by character, by Huffman
//! codes that depend on up to four characters before; contexts are hashed, and those that behave alike share codes.
//! Where the model has no code for a character, no name of the table goes on like that, and the search is over.
//!
//! ```text
//!   api.example.blogspot.com   →   [blogspot.com] e x a m p l e . a p i
//!                                  └─ ends the code of example.blogspot.com: one pass codes all names above
//! ```
//!
//! *Nothing marks the end of a name.* The length of a code is kept aside (step 2), and given the length, the bits can
//! be read back in only one way: so different names have different (length, bits). An end symbol would cost some 5
//! bits a name for what the length says anyway.
//!
//! **2. Quotient** ([`buckets`]). All codes of one length form a *class* of n codes with m = 2^k buckets, the least
//! power of two that is 2n or more. The last k bits of a code, the *quotient*, shifted by a hash of the bits before
//! them, the *remainder*, are the bucket. Only the remainder is stored: it and the bucket give the quotient back, so
//! equal remainders in one bucket are equal names (Cleary, *Compact Hash Tables Using Bidirectional Linear Probing*,
//! 1984).
//!
//! **3. Places.** One bit a bucket says whether it is empty; then the lookup is over, which is how most searches for
//! what is not there end, before they touch more than one line of the cache. The filter comes nearly for free. One bit
//! an item says whether it is the last of its bucket (its *run*). With the number of items before every 96 buckets,
//! counting ones finds the run (rank and select, as in Pandey, Bender, Johnson and Patro, *A General-Purpose Counting
//! Filter*, 2017). An item's number is dense, and leads to its remainder and its payload, both of fixed width.
//!
//! ```text
//!   model       order, bits of a context's number; u8 × contexts: cluster; u16 × 40 × clusters: codes      see `code`
//!   parents     the dictionary                                                                           see `parents`
//!   lengths     u32: groups of 32 lengths, 0, seed (2);
//!               (which lengths occur, classes before) × groups; (k, first bucket, first item, first bit) × classes
//!   buckets     16 bytes for 96 buckets: items before (u32), a bit each: occupied?
//!   runs        a bit an item: last of its bucket?
//!   remainders  bits: the first (length − k) bits of each code
//!   payloads    bits: the number of each item's posting, as wide as the number of postings asks for (none for one)
//!   postings    u32: how many; start of each, and the end of the last; then the postings: set << 3 | reach
//! ```
//!
//! # Where the bits go
//! A list of 1,000,000 names from public packages of block lists, 21.2 bytes each, in one set:
//!
//! ```text
//!   remainders  33.7 bits     of codes of 49.0 bits on average, less 15.4 of quotient
//!   model        2.3          262,144 contexts in 255 clusters
//!   buckets      3.6          2.7 buckets a name, 31 % of them occupied
//!   runs         1.0
//!   parents      0.2          some 890
//!   lengths      0.05
//!   together    40.7 bits     = 5.09 bytes
//! ```
//!
//! Fewer names get coarser models, down to six bits a character without any; the grades are in `build/model.rs`.
//!
//! # The cost of a lookup
//! One pass over the host, two loads a character that do not wait for each other; for each name above the host (and
//! not in the dictionary of parents) a class, one bucket, and where that is occupied, a run of 1.2 items on average.
//! Nothing is decoded, nothing allocated. Loops are bounded by the length of the host, [`buckets::MAX_RUN`] and the
//! lengths of sections, so that bytes that lie cost a [`Fault`] at worst. The builder takes a seed under which no run
//! is longer. The first one tried follows from all the names: whoever changes a name to make a run longer changes the seed.
//!
//! # What else there is, and why not
//! Measured, bytes a name on such lists:
//! - *Front-coded blocks* (10.6), and with Huffman codes (5.5 to 6.3): a block is decoded up to the name,
//!   microseconds.
//! - *Tries* (LOUDS 14, minimal automaton 11.4, recursive Patricia trie 6.3): a cache miss for each character or edge.
//! - *Fingerprints* (3.3 at 24 bits): not exact, so an allow rule could be passed by a name found offline.
//! - *Half as many buckets*: 0.10 less (4.99 together), but half of all buckets are occupied, and lookups take a tenth
//!   longer.
//! - *Blocks of 224 buckets*: 0.03 less, twice the counting.
//!
//! Reckoned from a model of this list: *codes that mark their end* cost 4.8 bits more; *the parent as a context* and
//! *five characters of history* make contexts so rare that the table grows; *512 clusters* gain less than a wider
//! number of each costs; *arithmetic codes* in place of Huffman's gain one bit and make each character wait for the
//! one before.

mod bits;
mod buckets;
#[cfg(feature = "write")]
pub(crate) mod build;
mod code;
mod labels;
mod parents;

use self::buckets::Buckets;
use self::code::{Model, code_names};
use self::labels::MAX_HOST;
use self::parents::Parents;
use crate::header::{SectionKind, Table};
use crate::words::{Fault, Words, to_usize};

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
    pub fn sets_of_host(&self, host: &str, hit: impl FnMut(u32, bool)) -> Result<(), Fault> {
        let index = self.hosts()?;
        if host.len() <= SHORT_HOST {
            index.sets_of_host(host, &mut [0; SHORT_CODE], hit)
        } else if host.len() <= MAX_HOST {
            index.sets_of_host(host, &mut [0; LONG_CODE], hit)
        } else {
            Err(Fault("host too long"))
        }
    }
}

/// Words for the code of any host: no table gives an octet more than 38 bits.
const LONG_CODE: usize = 160;
/// The longest host of which [`SHORT_CODE`] words hold any code. Nearly all hosts are shorter, and zeros cost time.
const SHORT_HOST: usize = 48;
const SHORT_CODE: usize = 32;

/// The host index of a table, its sections cut apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Index<'t> {
    model: Model<'t>,
    parents: Parents<'t>,
    buckets: Buckets<'t>,
    payloads: &'t [u8],
    postings: Words<'t>,
    /// How many sets there are.
    sets: usize,
}

impl<'t> Index<'t> {
    pub(crate) fn of(table: &Table<'t>) -> Result<Self, Fault> {
        Ok(Self {
            model: Model::new(table.section(SectionKind::Model))?,
            parents: Parents::new(table.section(SectionKind::Parents))?,
            buckets: Buckets::of(table)?,
            payloads: table.section(SectionKind::Payloads),
            postings: Words::new(table.section(SectionKind::Postings)),
            sets: to_usize(table.policy()?.set_count()?),
        })
    }

    fn sets_of_host(&self, host: &str, buffer: &mut [u64], mut hit: impl FnMut(u32, bool)) -> Result<(), Fault> {
        code_names(&self.model, &self.parents, host, buffer, |length, code, whole| {
            let Some(item) = self.buckets.find(length, code)? else { return Ok(()) };
            for entry in self.posting(item)? {
                let reach = Reach(u8::try_from(entry & ((1 << REACH_BITS) - 1)).unwrap_or(0));
                if if whole { reach.on_the_name_itself() } else { reach.beneath() } {
                    hit(entry >> REACH_BITS, whole && reach.is_exact());
                }
            }
            Ok(())
        })
    }

    /// The entries of a name's posting.
    fn posting(&self, item: usize) -> Result<impl Iterator<Item = u32> + use<'t>, Fault> {
        let count = to_usize(self.postings.at(0)?);
        // How wide a payload is follows from how many postings there are, as in the builder.
        let number = match payload_bits(count) {
            0 => 0,
            bits => bits::field(self.payloads, item.wrapping_mul(bits), bits).ok_or(Fault("payload out of bounds"))?,
        };
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        if number >= count {
            return Err(Fault("posting out of bounds"));
        }
        let starts = self.postings.slice(1, count.saturating_add(1))?;
        let start = to_usize(starts.at(number)?);
        let end = to_usize(starts.at(number.saturating_add(1))?);
        let length = end.checked_sub(start).ok_or(Fault("posting out of order"))?;
        if length > self.sets {
            return Err(Fault("posting longer than there are sets"));
        }
        Ok(self.postings.slice(start, length)?.numbers())
    }
}

/// Bits of a payload where there are so many postings.
pub(crate) fn payload_bits(postings: usize) -> usize {
    postings.checked_next_power_of_two().map_or(32, |count| usize::try_from(count.ilog2()).unwrap_or(32))
}

#[cfg(all(test, feature = "write"))]
mod tests;
