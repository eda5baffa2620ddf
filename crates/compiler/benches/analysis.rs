//! What checking and comparing large policies takes: `cargo bench -p tidegate-compiler --bench analysis`.
//!
//! A policy of 1,000 rules and a list of a million names; another in which 20 rules and 20 names are different. Each of
//! the two steps includes reading and compiling, as `tidegate check` and `tidegate diff` do. The work is counted, too: it is
//! the same on every machine.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use tidegate_compiler::analysis::Budget;
use tidegate_compiler::analysis::diff::diff;
use tidegate_compiler::levels::Levels;
use tidegate_compiler::lint::lint;
use tidegate_compiler::{Compilation, compile};

const RULES: usize = 1_000;
const NAMES: usize = 1_000_000;
const CHANGED: usize = 20;
/// 2026-11-22
const NOW: i64 = 1_795_305_600;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = |first: usize| -> String {
        let mut text = String::with_capacity(NAMES * 26);
        for n in first..first + NAMES {
            writeln!(text, "host-{n}.sub{}.bad-{}.test", n % 7, n % 50_021).expect("memory");
        }
        text
    };
    for (name, list, change) in [("old", 0, false), ("new", CHANGED, true)] {
        fs::write(folder.path().join(format!("{name}.txt")), names(list)).expect("a list");
        fs::write(folder.path().join(format!("{name}.toml")), policy(name, change)).expect("a policy");
    }

    let begun = Instant::now();
    let old = compiled(&folder.path().join("old.toml"));
    let read = begun.elapsed();
    let output = old.output.as_ref().expect("a policy");
    let levels = Levels::default();
    let findings = lint(output, &old.sources, &levels, NOW, Budget::default(), &mut |_, _| {}).expect("a table");
    println!("check: {:.2?} ({read:.2?} to read and compile), {} findings", begun.elapsed(), findings.len());
    for finding in findings.iter().take(3) {
        println!("  {}: {}", finding.code.as_str(), finding.message);
    }

    let begun = Instant::now();
    let [old, new] = ["old", "new"].map(|name| compiled(&folder.path().join(format!("{name}.toml"))));
    let read = begun.elapsed();
    let [old, new] = [&old, &new].map(|compilation| compilation.output.as_ref().expect("a policy"));
    let found = diff(old, new, NOW, None, Budget::default(), &mut |_, _| {}).expect("tables");
    println!(
        "diff:  {:.2?} ({read:.2?} to read and compile both), {} regions, {} undecided, {} cut short",
        begun.elapsed(),
        found.changes.len(),
        found.undecided.len(),
        found.more.len()
    );
    black_box(found);
}

fn compiled(path: &Path) -> Compilation {
    let compilation = compile(path);
    assert!(compilation.output.is_some(), "{:#?}", compilation.diagnostics);
    compilation
}

/// Rules of every kind that operators write; every fiftieth is another one in the changed policy.
fn policy(name: &str, changed: bool) -> String {
    let mut text = format!(
        "policy = 1\n\n[identity]\ncustomer = \"customer_name\"\ntags = \"customer_tags\"\n\n\
         [lists.bad]\nfile = \"{name}.txt\"\nformat = \"domains\"\n\n"
    );
    for n in 0..RULES {
        let is_other = changed && n % (RULES / CHANGED) == 7;
        let body = match n % 10 {
            0 if n == 0 => "effect = \"deny\"\nlists = [\"bad\"]".to_owned(),
            0 => format!("effect = \"deny\"\ndomains = [\"evil-{n}.test\"]\nmethods = [\"POST\", \"PUT\"]"),
            1 => format!(
                "effect = \"deny\"\nhosts = [\"api-{}.partner.example\"]\npaths = [\"/v1/admin-{n}/**\"]",
                n + 1
            ),
            2..=4 => format!(
                "effect = \"allow\"\nhosts = [\"api-{n}.partner.example\"]\nmethods = [\"GET\", \"POST\"]\npaths = [\"/v1/**\"]"
            ),
            5 | 6 => format!(
                "effect = \"allow\"\nhosts = [\"*.region-{n}.example\"]\ntags = [\"plan-{}\"]\nset = {{ x-tenant = \"{{customer}}\" }}",
                n % 5
            ),
            7 => format!(
                "effect = \"allow\"\ndomains = [\"customer-{n}.example\"]\ncustomers = [\"c{n}-*\"]\nexcept = [{{ paths = [\"/internal/**\"] }}]{}",
                if is_other { "\nmethods = [\"GET\"]" } else { "" }
            ),
            8 => format!(
                "effect = \"allow\"\nhost-regex = '(eu|us)-[0-9]+\\.cluster-{n}\\.example'\npaths = [\"/data/*\"]"
            ),
            _ => format!(
                "effect = \"allow\"\nhosts = [\"svc-{n}.example\"]\nports = [443, 8443]\nheaders = {{ accept = \"application/*\" }}"
            ),
        };
        write!(text, "[[rule]]\nid = \"r{n}\"\n{body}\n\n").expect("memory");
    }
    text
}
