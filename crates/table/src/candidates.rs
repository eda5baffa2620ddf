//! The rule index: from a request to the rules that can match it.
//!
//! # The idea
//! Whoever has ten thousand rules has them for customers, tags and hosts, and a request has one customer, a few tags and one
//! host. So each rule is *filed* under all the keys of one of its dimensions, the *anchor*:
//!
//! ```text
//!   dimension   keys
//!   host        sets of the host index: those that the rule names, and that of its patterns' literal ends
//!   customer    names; of globs the literal text before the first `*`
//!   tag         tags
//! ```
//!
//! A pattern of hosts that ends in whole literal labels (`*.region-5.example`) is filed by these: the host index has
//! a set that holds everything beneath `region-5.example`, and no rule means it by that. It only says that the automaton is worth
//! a search. A rule of whose dimensions none can be filed (it names methods only, or `*-prod`) is a candidate for every request.
//!
//! The anchor is the dimension whose most frequent key is shared by the fewest rules: ten thousand rules on one host that
//! each name a customer are filed by customer. Where each dimension alone is shared by many (a hundred customers, each with
//! rules for a hundred hosts), a rule is filed under *pairs* of keys, of two dimensions. A decision looks at the rules that are filed
//! under the keys of its request, in file order, and at no others.
//!
//! # Why nothing is missed
//! A rule that is filed under keys of a dimension, of which the request has none, is *certainly false*, so that neither an allow
//! rule nor a deny rule matches:
//! - Host, customer and tag dimensions are true or false, never unknown; a conjunction with a false part is false, whatever the
//!   others are and whatever `except` says.
//! - An exact name or a tag is met only by the request that has it, and so has the key. A host is in a set exactly if
//!   the host index reports it.
//! - What a glob over customers matches begins with the text before its first `*`. What an automaton over hosts accepts
//!   lies in the set that the compiler gives with it; an automaton without one is not filed.
//!
//! # Reserved headers
//! Which headers the platform speaks with on a host depends on the host dimension of allow rules alone, whatever else they
//! ask for. They are filed by the same sets: each header once a set, or once for each automaton that has the last word there.
//!
//! # What remains linear
//! Rules that share all their keys with each other: a request that has these keys looks at all of them. And reserved headers
//! of patterns that share one literal ending (`t1-*.apps.example`, `t2-*.apps.example`, …): a host with that ending asks one
//! automaton after the other until one accepts, or none does, though each rule names a customer of its own. The header is read
//! once, and an automaton takes no longer than the host.
//!
//! # The layout
//! Words, wherever a posting is spoken of its place among them, or `u32::MAX` where there is none.
//!
//! ```text
//!   0     posting of what any request may match
//!   1     number of prefixes p
//!   2…    text, parent, posting of each prefix        p × 4, sorted by text
//!   …     posting of each set of the host index
//!   …     the postings, those of customers and tags among them; each:
//!           numbers of rules r, of reserved headers h, of pairs q
//!           the rules, in file order                  r
//!           text and automaton of each header         h × 3
//!           second key and posting of each pair       q × 2, sorted by key
//! ```
//!
//! The second key of a pair is the number of a customer, a tag or a prefix, told apart by the two topmost bits. The first one
//! is a set of hosts, or else a tag.
//!
//! All prefixes of a name are found from one binary search: they are the last prefix that is not after the name, its parent (the
//! longest other one that it begins with), and so on, as far as the name begins with them.

use crate::header::{SectionKind, Table};
use crate::record::Record;
use crate::words::{Fault, NONE, Numbers, Words, to_usize};

/// Words before the prefixes.
pub(crate) const HEAD_WORDS: usize = 2;
/// Words of a prefix.
pub(crate) const PREFIX_WORDS: usize = 4;
/// Words before a posting's rules.
pub(crate) const POSTING_WORDS: usize = 3;
/// Words of a reserved header.
pub(crate) const RESERVED_WORDS: usize = 3;
/// Words of a pair.
pub(crate) const PAIR_WORDS: usize = 2;

/// What is filed under one key.
#[derive(Clone, Copy, Debug)]
pub struct Posting<'t> {
    rules: Words<'t>,
    reserved: Record<'t>,
    pairs: Words<'t>,
}

/// The second key of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The number of a customer.
    Customer(u32),
    /// The number of what a customer's name begins with.
    Prefix(u32),
    /// The number of a tag.
    Tag(u32),
}

impl Key {
    pub(crate) const fn word(self) -> u32 {
        match self {
            Self::Customer(number) => number,
            Self::Tag(number) => 1 << 30 | number,
            Self::Prefix(number) => 2 << 30 | number,
        }
    }
}

/// A header that only the platform speaks with.
#[derive(Clone, Copy, Debug)]
pub struct Reserved<'t>(Record<'t>);

impl<'t> Reserved<'t> {
    /// Lower-case name.
    pub fn header(&self) -> Result<&'t str, Fault> {
        self.0.text(0)
    }

    /// Where the name stands: equal names stand at one place. Says so without reading it.
    pub fn place(&self) -> Result<[u32; 2], Fault> {
        self.0.words.array(0)
    }

    /// The automaton that has to accept the host; `None` where it need not be asked.
    pub fn automaton(&self) -> Result<Option<u32>, Fault> {
        self.0.index(2)
    }
}

impl<'t> Table<'t> {
    /// What is filed for every request.
    pub fn posting_of_all(&self) -> Result<Posting<'_>, Fault> {
        self.posting(self.candidates().at(0)?)
    }

    /// What is filed under a set of the host index.
    pub fn posting_of_set(&self, set: u32) -> Result<Option<Posting<'_>>, Fault> {
        let prefixes = to_usize(self.candidates().at(1)?);
        let at = prefixes.checked_mul(PREFIX_WORDS).and_then(|words| words.checked_add(HEAD_WORDS));
        let at = at.and_then(|at| at.checked_add(to_usize(set))).ok_or(Fault("no such set"))?;
        self.optional_posting(self.candidates().at(at)?)
    }

    /// The longest literal beginning of a glob that a customer's name begins with.
    pub fn prefix_of(&self, customer: &str) -> Result<Option<u32>, Fault> {
        let customer = customer.as_bytes();
        let (mut low, mut high) = (0, self.candidates().at(1)?);
        while low < high {
            let middle = low.midpoint(high);
            if self.prefix(middle)?.bytes(0)? <= customer { low = middle.saturating_add(1) } else { high = middle }
        }
        let mut last = low.checked_sub(1);
        while let Some(prefix) = last
            && !customer.starts_with(self.prefix(prefix)?.bytes(0)?)
        {
            last = self.prefix_above(prefix)?;
        }
        Ok(last)
    }

    /// The longest other one that a literal beginning begins with.
    pub fn prefix_above(&self, prefix: u32) -> Result<Option<u32>, Fault> {
        match self.prefix(prefix)?.index(2)? {
            Some(parent) if parent >= prefix => Err(Fault("prefixes out of order")),
            parent => Ok(parent),
        }
    }

    /// What is filed under a literal beginning of globs.
    pub fn posting_of_prefix(&self, prefix: u32) -> Result<Option<Posting<'_>>, Fault> {
        self.optional_posting(self.prefix(prefix)?.word(3)?)
    }

    /// How much can be filed altogether, in words.
    pub fn postings_room(&self) -> usize {
        self.candidates().len()
    }

    pub(crate) fn optional_posting(&self, place: u32) -> Result<Option<Posting<'_>>, Fault> {
        if place == NONE { Ok(None) } else { self.posting(place).map(Some) }
    }

    fn posting(&self, place: u32) -> Result<Posting<'_>, Fault> {
        let words = self.candidates();
        let mut next = to_usize(place);
        let mut take = |count: usize| {
            let run = words.slice(next, count);
            next = next.saturating_add(count);
            run
        };
        let head = take(POSTING_WORDS)?;
        let count = |at: usize, size: usize| Ok(to_usize(head.at(at)?).saturating_mul(size));
        Ok(Posting {
            rules: take(count(0, 1)?)?,
            reserved: Record { words: take(count(1, RESERVED_WORDS)?)?, table: self },
            pairs: take(count(2, PAIR_WORDS)?)?,
        })
    }

    fn prefix(&self, prefix: u32) -> Result<Record<'_>, Fault> {
        let start = to_usize(prefix).checked_mul(PREFIX_WORDS).and_then(|at| at.checked_add(HEAD_WORDS));
        let words = self.candidates().slice(start.ok_or(Fault("no such prefix"))?, PREFIX_WORDS)?;
        Ok(Record { words, table: self })
    }

    fn candidates(&self) -> Words<'t> {
        Words::new(self.section(SectionKind::Candidates))
    }
}

impl<'t> Posting<'t> {
    /// The rules, in file order.
    pub fn rules(&self) -> Numbers<'t> {
        self.rules.numbers()
    }

    /// Whether something is filed under pairs.
    pub fn has_pairs(&self) -> bool {
        self.pairs.len() > 0
    }

    /// What is filed under the pair of this posting's key and a second one.
    pub fn with(&self, key: Key) -> Result<Option<Posting<'t>>, Fault> {
        let wanted = key.word();
        let (mut low, mut high) = (0, self.pairs.len() / PAIR_WORDS);
        while low < high {
            let middle = low.midpoint(high);
            let at = middle.saturating_mul(PAIR_WORDS);
            match self.pairs.at(at)?.cmp(&wanted) {
                std::cmp::Ordering::Less => low = middle.saturating_add(1),
                std::cmp::Ordering::Equal => {
                    return self.reserved.table.posting(self.pairs.at(at.saturating_add(1))?).map(Some);
                }
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    /// The headers, those of one name behind each other.
    pub fn reserved(&self) -> impl Iterator<Item = Result<Reserved<'t>, Fault>> + use<'t> {
        self.reserved.parts(RESERVED_WORDS).map(|part| part.map(Reserved))
    }
}
