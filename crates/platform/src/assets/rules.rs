//! What `_headers`, `_redirects` and `run_worker_first` have in common: lines, and what is wrong with them.

use std::fmt;

/// The longest line, in characters.
const LONGEST_LINE: usize = 2000;

/// As many faults are told; who has more sees them when these are mended.
const TOLD: usize = 20;

/// Rules that cannot be. Shown, they are a line for each fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidRules(Vec<Fault>);

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where the rule stands.
    pub rules: Rules,
    /// Which line, the first being 1; for `run_worker_first`, which rule of the array.
    pub line: usize,
    /// Why it cannot be.
    pub why: String,
}

/// Where rules stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// `_headers`.
    Headers,
    /// `_redirects`.
    Redirects,
    /// `run_worker_first`.
    RunWorkerFirst,
}

impl InvalidRules {
    /// All that is wrong; never empty.
    pub fn faults(&self) -> &[Fault] {
        &self.0
    }

    /// What was compiled, if nothing was wrong.
    pub(super) fn unless_none<T>(compiled: T, faults: Vec<Fault>) -> Result<T, Self> {
        if faults.is_empty() { Ok(compiled) } else { Err(Self(faults)) }
    }
}

impl fmt::Display for InvalidRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut of = None;
        for Fault { rules, line, why } in self.0.iter().take(TOLD) {
            let (name, what) = match rules {
                Rules::Headers => ("_headers", "Line"),
                Rules::Redirects => ("_redirects", "Line"),
                Rules::RunWorkerFirst => ("run_worker_first", "Rule"),
            };
            if of != Some(*rules) {
                let line_break = if of.is_some() { "\n" } else { "" };
                write!(f, "{line_break}Invalid {name} configuration:")?;
                of = Some(*rules);
            }
            write!(f, "\n{what} {line}: {why}")?;
        }
        match self.0.len().saturating_sub(TOLD) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

/// The lines of a file that say something, with their numbers. Those that are too long are faults.
pub(super) fn lines<'t>(rules: Rules, text: &'t str, faults: &mut Vec<Fault>) -> Vec<(usize, &'t str)> {
    let mut lines = Vec::new();
    for (line, text) in (1..).zip(text.split('\n')) {
        let text = text.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}');
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if text.chars().count() > LONGEST_LINE {
            faults.push(Fault { rules, line, why: format!("a line has at most {LONGEST_LINE} characters") });
            continue;
        }
        lines.push((line, text));
    }
    lines
}

/// A text of a rule within a message.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(100).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
