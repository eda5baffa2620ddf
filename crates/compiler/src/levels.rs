//! Levels of lints: which findings are errors, which are warnings, and which are not looked for.
//!
//! A level is an order, and a later order stands over an earlier one: first the lint's own default, then what the policy says
//! in `[lints]`, then what the command line says, from left to right. An order for [`Lints::Warnings`] is for whatever
//! is a warning by then; so of `-D warnings -W expires-soon` all warnings are errors but one, which is what a CI job wants.
//!
//! Errors are no lints: nobody can lower them.

use std::str::FromStr;

use crate::diagnostic::{Code, Diagnostic, Level, Severity};
use crate::tree::did_you_mean;

/// What an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lints {
    /// One lint.
    One(Code),
    /// Every lint that is a warning when the order comes.
    Warnings,
}

/// A word that names no lint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownLint {
    /// It names a finding that always stops a policy.
    #[error("`{}` is no lint but an error: errors cannot be lowered", .0.as_str())]
    Error(Code),
    /// It names nothing.
    #[error("there is no lint `{written}`{}", similar.map(|code| format!(": did you mean `{code}`?")).unwrap_or_default())]
    Nothing {
        /// What was written.
        written: String,
        /// What may have been meant.
        similar: Option<&'static str>,
    },
}

impl FromStr for Lints {
    type Err = UnknownLint;

    /// The text of a lint's code, or `warnings`.
    fn from_str(written: &str) -> Result<Self, UnknownLint> {
        if written == Self::WARNINGS {
            return Ok(Self::Warnings);
        }
        match Code::parse(written) {
            Some(code) if code.is_lint() => Ok(Self::One(code)),
            Some(code) => Err(UnknownLint::Error(code)),
            None => {
                let known = Code::lints().map(Code::as_str).chain([Self::WARNINGS]);
                Err(UnknownLint::Nothing { written: written.to_owned(), similar: did_you_mean(written, known) })
            }
        }
    }
}

impl Lints {
    /// The word for [`Lints::Warnings`].
    const WARNINGS: &str = "warnings";
}

/// Orders for levels, each over those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels(Vec<(Lints, Level)>);

impl Levels {
    /// Adds an order.
    pub fn set(&mut self, lints: Lints, level: Level) {
        self.0.push((lints, level));
    }

    /// These orders, and `later` ones over them: a policy's, then the command line's.
    #[must_use]
    pub fn then(&self, later: &Self) -> Self {
        Self(self.0.iter().chain(&later.0).copied().collect())
    }

    /// The level of a lint. What is no lint is denied.
    pub fn of(&self, code: Code) -> Level {
        code.default_level().map_or(Level::Deny, |default| {
            self.0.iter().fold(default, |level, &(lints, ordered)| match lints {
                Lints::One(one) if one == code => ordered,
                Lints::Warnings if level == Level::Warn => ordered,
                _ => level,
            })
        })
    }

    /// Findings as these levels have them: those of allowed lints are dropped, those of others are warnings or errors.
    /// Findings that are no lints stay as they are.
    pub fn apply(&self, findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let leveled = |mut finding: Diagnostic| {
            if finding.code.is_lint() {
                finding.severity = match self.of(finding.code) {
                    Level::Allow => return None,
                    Level::Deny => Severity::Error,
                    Level::Warn => Severity::Warning,
                };
            }
            Some(finding)
        };
        findings.into_iter().filter_map(leveled).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, Span};

    fn levels(orders: &[(&str, Level)]) -> Levels {
        let mut levels = Levels::default();
        for (lints, level) in orders {
            levels.set(lints.parse().unwrap(), *level);
        }
        levels
    }

    #[test]
    fn a_later_order_stands_over_an_earlier_one_and_all_over_the_default() {
        assert_eq!(levels(&[]).of(Code::Expired), Level::Warn);
        assert_eq!(levels(&[]).of(Code::OverlappingSet), Level::Allow);
        let policy = levels(&[("expired", Level::Allow), ("overlapping-set", Level::Warn)]);
        assert_eq!(policy.of(Code::Expired), Level::Allow);
        let both = policy.then(&levels(&[("expired", Level::Deny)]));
        assert_eq!((both.of(Code::Expired), both.of(Code::OverlappingSet)), (Level::Deny, Level::Warn));
    }

    #[test]
    fn an_order_for_warnings_is_for_what_is_a_warning_when_it_comes() {
        let before = levels(&[("warnings", Level::Deny), ("expired", Level::Warn)]);
        assert_eq!((before.of(Code::Expired), before.of(Code::UnusedKey)), (Level::Warn, Level::Deny));
        let after = levels(&[("unused-key", Level::Allow), ("expired", Level::Warn), ("warnings", Level::Deny)]);
        assert_eq!((after.of(Code::Expired), after.of(Code::UnusedKey)), (Level::Deny, Level::Allow));
    }

    #[test]
    fn findings_are_dropped_lowered_and_raised_and_errors_are_left_alone() {
        let span = Span { file: FileId(0), start: 0, end: 0 };
        let finding = |code| Diagnostic::error(code, span, "").warning();
        let error = Diagnostic::error(Code::Conflict, span, "");
        let orders = levels(&[("expired", Level::Allow), ("unused-key", Level::Deny)]);
        let applied =
            orders.apply(vec![finding(Code::Expired), finding(Code::UnusedKey), finding(Code::VoidDeny), error]);
        let applied: Vec<_> = applied.iter().map(|finding| (finding.code, finding.severity)).collect();
        assert_eq!(
            applied,
            [
                (Code::UnusedKey, Severity::Error),
                (Code::VoidDeny, Severity::Warning),
                (Code::Conflict, Severity::Error)
            ]
        );
    }

    #[test]
    fn words_that_name_no_lint_are_told_from_errors() {
        let error = |written: &str| written.parse::<Lints>().unwrap_err().to_string();
        assert_eq!(error("conflict"), "`conflict` is no lint but an error: errors cannot be lowered");
        assert_eq!(error("shadowd-rule"), "there is no lint `shadowd-rule`: did you mean `shadowed-rule`?");
        assert_eq!(error("weather"), "there is no lint `weather`");
    }
}
