//! The compiled table answers as the reference interpreter does: generated policies, and requests that nearly hit or nearly miss
//! their rules.

use tidegate_differential::generate::{self, Hints};
use tidegate_differential::{Compiled, Folder, Table, compare, smallest_case};

/// The bytes decide on a policy and its requests (see [`generate`]).
///
/// # Panics
/// Where the property does not hold; with a case for the corpus.
pub fn check(bytes: &[u8]) {
    let (policy, sketches) = generate::from_bytes(bytes);
    let folder = Folder::new().expect("a temporary folder");
    let compilation = folder.compile(&policy.text(), &policy.files()).expect("files in it");
    let Some(compiled) = Compiled::of(compilation) else { return };
    let hints = Hints::of(&compiled.policy);
    let mut table = Table::load(&compiled.table).expect("the table is what the compiler made");
    for request in sketches.iter().map(|sketch| sketch.request(&hints)) {
        if compare(&compiled, &mut table, &request, &|name| policy.secret(name)).is_err() {
            let case = smallest_case(&policy, &request).unwrap_or_else(|error| format!("{error:#}"));
            panic!("the engines differ:\n{case}");
        }
    }
}
