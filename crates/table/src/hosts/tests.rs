#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that panics fails, as it should"
)]

use std::collections::BTreeSet;
use std::fmt::Write;

use super::bits::{BitWriter, field, select};
use super::buckets::{bucket, mix};
use super::build::{Entry, HostIndex};
use super::{MAX_HOST, Reach};
use crate::header::{SectionKind, Table};
use crate::words::Fault;
use crate::write::{TooLarge, seal, write};

/// The sections of the index.
const INDEX: [SectionKind; 8] = [
    SectionKind::Model,
    SectionKind::Parents,
    SectionKind::Lengths,
    SectionKind::Buckets,
    SectionKind::Runs,
    SectionKind::Remainders,
    SectionKind::Payloads,
    SectionKind::Postings,
];

/// Numbers that look drawn and are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = mix(self.0.wrapping_add(0x9e37_79b9_7f4a_7c15));
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn one_of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }
}

/// Names as lists have them: families beneath few parents, with common beginnings and ends.
fn families(count: usize) -> BTreeSet<String> {
    let mut numbers = Numbers(7);
    let mut names = BTreeSet::new();
    while names.len() < count {
        let mut name = String::new();
        for _ in 0..numbers.below(3) {
            name += numbers.one_of(&["www.", "cdn.", "a.", "track-", "x1."]);
        }
        name += numbers.one_of(&["free", "web", "mail", "shop", "0x", ""]);
        write!(name, "{:x}", numbers.below(count * 4)).unwrap();
        name += numbers.one_of(&["cam", "-online", "", "", "z"]);
        name += numbers.one_of(&[".com", ".com", ".net", ".co.uk", ".blogspot.com", ".pages.dev", ".xyz", ""]);
        names.insert(name);
    }
    names
}

/// What the parser of URLs may let through, and what it does not.
const STRANGE: [&str; 28] = [
    "",
    ".",
    "..",
    "...",
    "com",
    ".com",
    "com.",
    "..com",
    "a..com",
    "a...com",
    "[::1]",
    "[2001:db8::1]",
    "127.0.0.1",
    "0",
    "_dmarc.example",
    "A.example",
    "a b",
    "\0",
    "\0.\0",
    "é.example",
    "xn--9ca.example",
    "a!b",
    "%2e",
    "-",
    "_",
    "a-.b_",
    "'",
    "~~~",
];

fn index_of<'a>(names: impl IntoIterator<Item = &'a String>) -> HostIndex {
    let entries: Vec<_> = names.into_iter().map(|name| Entry { name, set: 0, reach: Reach::EXACT }).collect();
    HostIndex::build(&entries).unwrap()
}

/// The bytes of a table of these names.
fn table_of<'a>(names: impl IntoIterator<Item = &'a String>) -> Vec<u8> {
    let names: Vec<_> = names.into_iter().map(|name| (name.as_str(), Reach::EXACT)).collect();
    write(&crate::tests::with_sets(vec![names])).unwrap()
}

fn holds(table: &Table<'_>, host: &str) -> bool {
    let mut found = false;
    table.sets_of_host(host, |_, exact| found |= exact).unwrap();
    found
}

/// Names that differ from one in a character, more or less.
fn near(name: &str, numbers: &mut Numbers) -> Vec<String> {
    let at = numbers.below(name.chars().count() + 1);
    let other = numbers.one_of(&["a", "e", "0", ".", "-", "z"]);
    let (before, after): (String, String) = (name.chars().take(at).collect(), name.chars().skip(at).collect());
    let cut: String = after.chars().skip(1).collect();
    vec![format!("{before}{other}{cut}"), format!("{before}{other}{after}"), format!("{before}{cut}")]
}

#[test]
fn exactly_the_names_of_a_table_are_found_however_many_they_are() {
    // Every grade of the model, and none.
    for count in [1, 2, 15, 60, 700, 6_000, 110_000] {
        let names = families(count);
        let bytes = table_of(&names);
        let table = Table::from_bytes(&bytes).unwrap();
        let mut numbers = Numbers(1);
        for name in &names {
            assert!(holds(&table, name), "{name} of {count}");
        }
        for name in names.iter().step_by(1 + count / 5_000) {
            for other in near(name, &mut numbers) {
                assert_eq!(holds(&table, &other), names.contains(&other), "{other} for {name} of {count}");
            }
        }
        for host in STRANGE {
            assert_eq!(holds(&table, host), names.contains(host), "{host:?} of {count}");
        }
    }
}

#[test]
fn strange_hosts_are_told_apart_with_and_without_a_model() {
    for companions in [0, 1_000] {
        let others = families(companions);
        // Each strange name in turn is left out, so that each would be found if it were taken for another.
        for absent in STRANGE {
            let mut names = others.clone();
            names.extend(STRANGE.iter().filter(|&&name| name != absent).map(|&name| name.to_owned()));
            let bytes = table_of(&names);
            let table = Table::from_bytes(&bytes).unwrap();
            for host in STRANGE {
                assert_eq!(holds(&table, host), host != absent, "{host:?} without {absent:?}");
            }
        }
    }
}

#[test]
fn names_of_all_lengths_are_found() {
    for letter in ["a", "!", ".", "ab.", "é"] {
        let names: BTreeSet<String> = (0..=MAX_HOST / letter.len()).map(|times| letter.repeat(times)).collect();
        let bytes = table_of(&names);
        let table = Table::from_bytes(&bytes).unwrap();
        for name in &names {
            assert!(holds(&table, name), "{name}");
            if name.len() < MAX_HOST {
                let other = format!("{name}~");
                assert!(!holds(&table, &other), "{other}");
            }
        }
    }
}

#[test]
fn a_host_longer_than_any_is_refused_and_a_name_does_not_become_a_table() {
    let long = "a".repeat(MAX_HOST + 1);
    let bytes = table_of(&families(2));
    assert!(Table::from_bytes(&bytes).unwrap().sets_of_host(&long, |_, _| {}).is_err());
    let entry = Entry { name: &long, set: 0, reach: Reach::DOMAIN };
    assert_eq!(HostIndex::build(&[entry]).err(), Some(TooLarge));
}

#[test]
fn the_order_in_which_names_come_changes_no_byte() {
    let names = families(3_000);
    let forwards = index_of(&names);
    let backwards = index_of(names.iter().rev());
    assert!(forwards == backwards);
}

#[test]
fn an_index_of_many_names_takes_few_bytes_a_name() {
    let names = families(20_000);
    let bytes = table_of(&names);
    let table = Table::from_bytes(&bytes).unwrap();
    let size: usize = INDEX.iter().map(|&kind| table.section(kind).len()).sum();
    assert!(size < 4 * names.len(), "{size} bytes for {} names", names.len());
}

#[test]
fn codes_that_keep_the_same_bits_and_differ_are_in_different_buckets() {
    for (kept, quotient) in [(0, 10), (3, 10), (60, 10), (64, 10), (130, 10)] {
        let mut buckets = BTreeSet::new();
        for number in 0..1 << quotient {
            let mut code = [0xdead_beef_dead_beef_u64, 0x0123_4567_89ab_cdef, 1, 0];
            let mut writer = BitWriter::default();
            for bit in 0..kept {
                writer.push(code[bit / 64] >> (bit % 64) & 1, 1);
            }
            writer.push(number, quotient);
            let bytes = writer.finish();
            for (word, bytes) in code.iter_mut().zip(bytes.chunks(8).chain(std::iter::repeat(&[][..]))) {
                *word = bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
            }
            buckets.insert(bucket(&code, kept, quotient, 42));
        }
        assert_eq!(buckets, (0..1 << quotient).collect(), "{kept} bits kept");
    }
}

#[test]
fn bits_are_read_as_they_were_written_and_selected_as_counted() {
    let mut numbers = Numbers(3);
    let fields: Vec<(u64, usize)> = (0..500)
        .map(|_| {
            let length = numbers.below(57) + 1;
            let number = (numbers.below(1 << 31) as u64) << 28 ^ numbers.below(1 << 31) as u64;
            (number & ((1 << length) - 1), length)
        })
        .collect();
    let mut writer = BitWriter::default();
    for &(number, length) in &fields {
        writer.push(number, length);
    }
    let length = writer.len();
    let bytes = writer.finish();
    let mut at = 0;
    for (number, length) in fields {
        assert_eq!(field(&bytes, at, length), Some(number));
        at += length;
    }
    let ones: Vec<_> = (0..length).filter(|&at| field(&bytes, at, 1) == Some(1)).collect();
    for from in [0, 1, 7, 8, 63, 64, 1000] {
        let after = ones.iter().filter(|&&at| at >= from);
        for (rank, &at) in (0..).zip(after) {
            assert_eq!(select(&bytes, from, rank, length), Some(at), "{rank} from {from}");
        }
    }
    assert_eq!(select(&bytes, 0, u32::try_from(ones.len()).unwrap(), length), None);
    // A one that stands too far away is not looked for.
    let mut far = vec![0; 1000];
    far[500] = 1;
    assert_eq!([4000, 3000].map(|most| select(&far, 0, 0, most)), [Some(4000), None]);
    assert_eq!(field(&bytes, bytes.len() * 8, 1), None);
}

#[test]
fn a_host_index_that_lies_and_is_sealed_again_is_read_without_a_panic() {
    // Enough names for a model and parents.
    let names = families(300);
    let bytes = table_of(&names);
    let table = Table::from_bytes(&bytes).unwrap();
    let places: Vec<_> = INDEX
        .iter()
        .flat_map(|&kind| {
            let section = table.section(kind);
            let start = section.as_ptr().addr() - bytes.as_ptr().addr();
            start..start + section.len()
        })
        .collect();
    assert!([SectionKind::Model, SectionKind::Parents].iter().all(|&kind| !table.section(kind).is_empty()));
    let hosts: Vec<_> = names.iter().step_by(23).map(String::as_str).chain(STRANGE).collect();
    let mut faults = 0;
    for at in places {
        for lie in [0, 0xff, bytes[at] ^ 1, bytes[at] ^ 0x80] {
            let mut lying = bytes.clone();
            lying[at] = lie;
            seal(&mut lying);
            let table = Table::from_bytes(&lying).unwrap();
            faults += hosts.iter().filter(|host| table.sets_of_host(host, |_, _| {}).is_err()).count();
        }
    }
    assert!(faults > 1_000, "only {faults} lies were noticed: does this test read what it changes?");
}

#[test]
fn runs_without_an_end_are_found_out_wherever_they_begin() {
    let names = families(3_000);
    let mut bytes = table_of(&names);
    section_of(&mut bytes, SectionKind::Runs).fill(0);
    seal(&mut bytes);
    let table = Table::from_bytes(&bytes).unwrap();
    let mut faults = 0;
    for name in &names {
        let mut found = false;
        let searched = table.sets_of_host(name, |_, _| found = true);
        assert!(found || searched == Err(Fault("run out of bounds")) || searched == Err(Fault("run without an end")));
        faults += usize::from(searched.is_err());
    }
    assert!(faults > 1_000, "{faults}");
}

#[test]
fn a_posting_is_no_longer_than_there_are_sets() {
    let mut bytes = table_of(&BTreeSet::from(["a.example".to_owned()]));
    let search = |bytes: &[u8]| Table::from_bytes(bytes).unwrap().sets_of_host("a.example", |_, _| {});
    assert_eq!(search(&bytes), Ok(()));
    // How many postings there are, and where the first and only one begins.
    let postings = section_of(&mut bytes, SectionKind::Postings);
    assert_eq!(postings[..4], 1_u32.to_le_bytes());
    postings[4..8].fill(0);
    seal(&mut bytes);
    assert_eq!(search(&bytes), Err(Fault("posting longer than there are sets")));
}

/// The bytes of a section, to lie in.
fn section_of(bytes: &mut [u8], kind: SectionKind) -> &mut [u8] {
    let section = Table::from_bytes(bytes).unwrap().section(kind);
    let start = section.as_ptr().addr() - bytes.as_ptr().addr();
    let length = section.len();
    &mut bytes[start..start + length]
}
