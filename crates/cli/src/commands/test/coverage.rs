//! What the cases tried of their policies: rules, and the alternatives of each.
//!
//! ```text
//!   coverage of policies/acme.toml: 3 of 4 rules decided (75 %), 9 of 11 alternatives met
//!     never matched     campaign at policies/acme.toml:49:13
//!     matched only      watched at policies/acme.toml:62:10
//!     never met         billing-api: methods `POST` at policies/acme.toml:41:21
//!     never met         no-bad-hosts, except #2: tags `staff` at policies/acme.toml:26:52
//! ```

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use tidegate_test::plain::plain;
use tidegate_test::{AlternativeCoverage, Coverage, FileReport, RuleCoverage};

use crate::cli::Format;
use crate::json;
use crate::outcome::Failure;
use crate::terminal::Terminal;

/// How many rules were decided by, of how many.
pub(super) struct Covered {
    decided: usize,
    rules: usize,
}

/// The coverage of a policy, for programs.
#[derive(Debug, Serialize)]
struct CoverageLine<'c> {
    coverage: &'c Coverage,
    decided: usize,
    percent: usize,
}

impl Covered {
    /// Whether the share of decided rules is at least so large. A policy without rules is covered.
    pub(super) fn reaches(&self, percent: u8) -> bool {
        self.decided * 100 >= usize::from(percent) * self.rules
    }

    /// Rounded down: 100 % is all.
    fn percent(&self) -> usize {
        (self.decided * 100).checked_div(self.rules).unwrap_or(100)
    }
}

impl fmt::Display for Covered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} rules decided ({} %)", self.decided, self.rules, self.percent())
    }
}

/// Shows the coverage of each policy by all the test files that ask it.
pub(super) fn show(reports: &[FileReport], format: Format, terminal: &mut Terminal) -> Result<Covered, Failure> {
    let mut by_policy = BTreeMap::<_, Coverage>::new();
    for coverage in reports.iter().filter_map(|report| report.coverage.as_ref()) {
        // One policy, however test files write its path.
        let path = coverage.policy.canonicalize().unwrap_or_else(|_| coverage.policy.clone());
        by_policy.entry(path).and_modify(|known| known.add(coverage)).or_insert_with(|| coverage.clone());
    }
    let mut all = Covered { decided: 0, rules: 0 };
    for coverage in by_policy.values() {
        let covered = Covered { decided: coverage.decided(), rules: coverage.rules.len() };
        match format {
            Format::Human => show_policy(coverage, &covered, terminal)?,
            Format::Json => {
                let (decided, percent) = (covered.decided, covered.percent());
                json::write_line(terminal.data(), &CoverageLine { coverage, decided, percent })?;
            }
        }
        all.decided += covered.decided;
        all.rules += covered.rules;
    }
    Ok(all)
}

fn show_policy(coverage: &Coverage, covered: &Covered, terminal: &mut Terminal) -> Result<(), Failure> {
    let (alternatives, met) = coverage.alternatives();
    let policy = coverage.policy.display();
    terminal.line(plain(&format!("coverage of {policy}: {covered}, {met} of {alternatives} alternatives met")))?;
    let mut line = |what: &str, text: String| terminal.line(plain(&format!("  {what:<16}{text}")));
    for RuleCoverage { id, place, decided, matched, alternatives, .. } in &coverage.rules {
        if *matched == 0 {
            line("never matched", format!("{id} at {place}"))?;
        } else if *decided == 0 {
            line("matched only", format!("{id} at {place}"))?;
        }
        // Of a rule that never matched, nothing was met.
        for alternative in alternatives.iter().filter(|alternative| *matched > 0 && !alternative.met) {
            let AlternativeCoverage { except, key, header, text, place, .. } = alternative;
            let of = except.map(|number| format!(", except #{number}")).unwrap_or_default();
            let header = header.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
            line("never met", format!("{id}{of}: {key}{header} `{text}` at {place}"))?;
        }
    }
    Ok(())
}
