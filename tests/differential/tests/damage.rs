//! A table with one wrong bit is no policy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use tidegate_differential::{Compiled, Table};
use tidegate_table::SectionKind;

/// The example policy, as everybody reads it.
fn example() -> Result<String> {
    Ok(fs::read_to_string(folder().join("example.toml"))?)
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies"))
}

const LIST: &str = "lists/disposable-email-domains.txt";

fn assert_refused(table: &mut [u8], bits: impl IntoIterator<Item = usize>) -> Result<usize> {
    let mut tried = 0;
    for bit in bits {
        table[bit / 8] ^= 1 << (bit % 8);
        ensure!(Table::load(table).is_err(), "bit {bit} is flipped, and the table loads");
        table[bit / 8] ^= 1 << (bit % 8);
        tried += 1;
    }
    Table::load(table)?;
    Ok(tried)
}

#[test]
fn a_table_of_at_most_8_kib_with_every_section_is_refused_with_any_bit_flipped() -> Result<()> {
    // With so many names beneath one that the host index has a model and a parent.
    let mut list = fs::read_to_string(folder().join(LIST))?;
    for number in 0..30 {
        writeln!(list, "disposable-{number}.example")?;
    }
    let mut table = Compiled::new(&example()?, &BTreeMap::from([(LIST.to_owned(), list)]))?.table;
    assert!(table.len() <= 8 << 10, "{} bytes", table.len());
    let sections = tidegate_table::Table::from_bytes(&table)?;
    assert!(SectionKind::ALL.iter().all(|&kind| !sections.section(kind).is_empty()));
    let bits = 0..table.len() * 8;
    assert_eq!(assert_refused(&mut table, bits.clone())?, bits.len());
    Ok(())
}

#[test]
fn a_table_with_a_long_list_is_refused_with_any_of_100_000_sampled_bits_flipped() -> Result<()> {
    let mut list = String::new();
    for number in 0..10_000 {
        writeln!(list, "disposable-{number}.example")?;
    }
    let mut table = Compiled::new(&example()?, &BTreeMap::from([(LIST.to_owned(), list)]))?.table;
    // Steps of the golden section spread over the whole table and fall on no bit twice.
    let bits = table.len() * 8;
    let step = (1..bits).rev().skip(bits * 382 / 1000).find(|&step| gcd(step, bits) == 1).unwrap_or(1);
    let sample: BTreeSet<usize> = (0..100_000).map(|number| number * step % bits).collect();
    assert_eq!(assert_refused(&mut table, sample)?, 100_000);
    Ok(())
}

fn gcd(one: usize, other: usize) -> usize {
    if other == 0 { one } else { gcd(other, one % other) }
}
