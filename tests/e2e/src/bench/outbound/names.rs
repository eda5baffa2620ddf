//! A list of so many names, made up the same each time, and the table of a policy that denies them.

use std::fs;

use anyhow::Result;
use tempfile::TempDir;
use tidegate_e2e::compile_file;

const SYLLABLES: [&str; 16] =
    ["ma", "shop", "re", "lo", "gin", "ta", "web", "ne", "ver", "i", "fy", "car", "do", "so", "pay", "ex"];
const ENDS: [&str; 8] = ["com", "com", "com", "net", "org", "xyz", "info", "pages.example"];

/// The name of this number.
pub(super) fn name(number: usize) -> String {
    let mut rest = number.wrapping_mul(0x9E37_79B1) & 0xFFFF_FFFF;
    let mut name = String::new();
    while rest > 0 {
        name.push_str(SYLLABLES[rest % 16]);
        rest /= 16;
    }
    format!("{name}{}.{}", number % 10, ENDS[number % ENDS.len()])
}

/// The policy that denies the first `names` of them and allows `shop.example`.
pub(super) fn table(names: usize) -> Result<Vec<u8>> {
    let folder = TempDir::with_prefix("tidegate-bench-")?;
    fs::write(folder.path().join("list.txt"), (0..names).map(|n| name(n) + "\n").collect::<String>())?;
    let policy = folder.path().join("policy.toml");
    fs::write(
        &policy,
        r#"
policy = 1
default = "deny"
identity = { customer = "customer_name" }
lists.bad = { file = "list.txt", format = "domains" }

[[rule]]
id = "listed"
effect = "deny"
lists = ["bad"]

[[rule]]
id = "shop"
effect = "allow"
domains = ["shop.example"]
"#,
    )?;
    compile_file(&policy)
}
