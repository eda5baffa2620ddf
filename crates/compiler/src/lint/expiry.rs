//! `expired`, `expires-soon`: rules that no longer match, and those that soon will not.

use super::Context;
use crate::diagnostic::{Code, Diagnostic};

/// Days before a rule's last that somebody is told.
const SOON: i64 = 14;

pub(super) fn check(context: &mut Context<'_>) {
    for rule in &context.policy.rules {
        let Some(day) = rule.expires.map(i64::from) else { continue };
        let days = day - context.today;
        let (code, message) = if days <= 0 {
            (Code::Expired, format!("`{}` has expired and matches nothing any more", rule.id))
        } else if days <= SOON {
            let days = if days == 1 { "a day".to_owned() } else { format!("{days} days") };
            (Code::ExpiresSoon, format!("`{}` expires in {days}", rule.id))
        } else {
            continue;
        };
        let finding = Diagnostic::error(code, rule.span, message);
        context.report(finding.help("give it a later day in `expires`, or take it out"));
    }
}
