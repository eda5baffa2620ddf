//! Ours: a policy with one rule on the list, as `tidegate compile` makes it.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use tidegate_engine::Policy;
use tidegate_table::Table;

use super::{Structure, gzipped};

/// A policy that denies what is on the list `names.txt` beside it.
pub(crate) const POLICY: &str = r#"policy = 1
default = "allow"
identity = "none"

[lists.names]
file = "names.txt"
format = "domains"

[[rule]]
id = "listed"
effect = "deny"
lists = ["names"]
"#;

/// Writes list and policy into a folder and compiles them.
pub(crate) fn structure(text: &str, folder: &Path) -> Result<Structure<'static>> {
    let folder = folder.join("tidegate");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(folder.join("names.txt"), text)?;
    fs::write(folder.join("policy.toml"), POLICY)?;
    let started = Instant::now();
    let compiled = tidegate_compiler::compile(&folder.join("policy.toml"));
    let build = started.elapsed().as_secs_f64();
    let Some(output) = compiled.output else { bail!("the list does not compile: {:?}", compiled.diagnostics) };
    // As in the Worker, the bytes live as long as the program.
    let bytes: &'static [u8] = output.table.leak();
    let table = Table::from_bytes(bytes).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let lookup = move |host: &str| {
        let mut listed = false;
        // A fault denies: to the list it is a hit.
        table.sets_of_host(host, |_, _| listed = true).is_err() || listed
    };
    Ok(Structure {
        name: "Tidegate",
        bytes: Some(bytes.len()),
        gzip: gzipped(bytes),
        in_place: true,
        build,
        start: Box::new(move || assert!(Policy::from_bytes(bytes).is_ok(), "what was compiled is a policy")),
        lookup: Box::new(lookup),
    })
}
