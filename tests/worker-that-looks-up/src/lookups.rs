//! What is measured, natively and in Wasm: the same function.

use tidegate_table::{Fault, Table};

/// Looks every host up. Says how many sets hold one.
pub(crate) fn hits(table: &Table<'_>, hosts: &[&str]) -> Result<u64, Fault> {
    let mut hits = 0;
    for host in hosts {
        table.sets_of_host(host, |_, _| hits += 1)?;
    }
    Ok(hits)
}
