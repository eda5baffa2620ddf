//! `overlapping-set`: two rules that set one header for one request, to the same value.

use std::collections::BTreeMap;

use super::Context;
use crate::analysis::strings::Search;
use crate::checked::Effect;
use crate::diagnostic::{Code, Diagnostic};

pub(super) fn check(context: &mut Context<'_>) {
    if !context.looks_for(Code::OverlappingSet) {
        return;
    }
    let mut by_header = BTreeMap::<&str, Vec<usize>>::new();
    for (index, rule) in context.policy.rules.iter().enumerate() {
        if rule.effect == Effect::Allow && context.model.rules[index].decides {
            for (header, _) in &rule.obligations.set {
                by_header.entry(header).or_default().push(index);
            }
        }
    }
    for (header, rules) in by_header {
        for (at, &later) in rules.iter().enumerate() {
            for &earlier in &rules[..at] {
                let [a, b] = [earlier, later].map(|index| context.model.rules[index].matches.clone());
                let Search::Found(point) = context.ask(Code::OverlappingSet, later, &a.and(b)) else { continue };
                let witness = context.witness(&point);
                let [earlier, later] = [earlier, later].map(|index| context.rule(index));
                let message = format!("`{}` and `{}` set `{header}` for one request", earlier.id, later.id);
                context.report(
                    Diagnostic::error(Code::OverlappingSet, later.span, message)
                        .label(earlier.span, format!("`{}` sets it, too", earlier.id))
                        .help(format!("such a request is {witness}"))
                        .help("the values are the same today; set it in one rule, so that they stay so"),
                );
                break;
            }
        }
    }
}
