//! `shadowed-rule`, `allow-denied`: rules that make no difference.

use std::collections::BTreeSet;

use super::Context;
use crate::analysis::strings::Search;
use crate::checked::{Effect, Mode, Obligations};
use crate::diagnostic::{Code, Diagnostic};

/// Rules that a finding names.
const MAX_SHOWN: usize = 3;

pub(super) fn check(context: &mut Context<'_>) {
    let mut denied = BTreeSet::new();
    if context.looks_for(Code::AllowDenied) {
        denied = allow_denied(context);
    }
    if context.looks_for(Code::ShadowedRule) {
        shadowed(context, &denied);
    }
}

/// Allow rules of which deny rules leave nothing.
fn allow_denied(context: &mut Context<'_>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for index in of_effect(context, Effect::Allow) {
        let left = context.model.rules[index].matches.clone().and(context.model.no_deny());
        if context.ask(Code::AllowDenied, index, &left) != Search::Nothing {
            continue;
        }
        found.insert(index);
        let rule = context.rule(index);
        let message = match context.policy.mode {
            Mode::Enforce => format!("`{}` allows nothing: deny rules take all of it", rule.id),
            Mode::Report => {
                format!("`{}` allows nothing once denials are enforced: deny rules take all of it", rule.id)
            }
        };
        let finding = Diagnostic::error(Code::AllowDenied, rule.span, message)
            .help("deny wins, whatever the order: give the deny rule an `except`, or take this one out");
        let finding = if rule.obligations.set.is_empty() && rule.obligations.jwt.is_none() {
            finding
        } else {
            finding.help("without it the tenants' own headers of the names that it sets go through to its hosts")
        };
        let finding = with_neighbours(context, finding, index, Effect::Deny, "denies some of it");
        context.report(finding);
    }
    found
}

/// Rules without which all is the same. The last is told of first, so that of two that say the same one stays.
fn shadowed(context: &mut Context<'_>, denied: &BTreeSet<usize>) {
    let mut gone = BTreeSet::new();
    for effect in [Effect::Deny, Effect::Allow] {
        for index in of_effect(context, effect).into_iter().rev() {
            let rule = context.rule(index);
            if denied.contains(&index) || has_any(&rule.obligations) {
                continue;
            }
            let needed = context.model.needs(index, &gone);
            if context.ask(Code::ShadowedRule, index, &needed) != Search::Nothing {
                continue;
            }
            gone.insert(index);
            let message = format!("without `{}` every request would be decided and sent the same", rule.id);
            let finding = Diagnostic::error(Code::ShadowedRule, rule.span, message)
                .help("take it out, or correct what it matches");
            let finding = with_neighbours(context, finding, index, effect, "decides the same of some of it");
            context.report(finding);
        }
    }
}

fn of_effect(context: &Context<'_>, effect: Effect) -> Vec<usize> {
    context.model.deciding(effect).map(|(index, _)| index).filter(|index| !context.dead.contains(index)).collect()
}

fn has_any(obligations: &Obligations) -> bool {
    let Obligations { remove, keep, set, jwt } = obligations;
    !remove.is_empty() || !keep.is_empty() || !set.is_empty() || jwt.is_some()
}

/// Labels with the first rules of an effect that match some of the same requests.
fn with_neighbours(
    context: &mut Context<'_>,
    mut finding: Diagnostic,
    index: usize,
    effect: Effect,
    what: &str,
) -> Diagnostic {
    let mut shown = 0;
    for other in of_effect(context, effect) {
        if other == index || shown == MAX_SHOWN {
            continue;
        }
        let both = context.model.rules[index].matches.clone().and(context.model.rules[other].matches.clone());
        if let Search::Found(_) = crate::analysis::solve::solve(&mut context.space, &both, context.budget) {
            let other = context.rule(other);
            finding = finding.label(other.span, format!("`{}` {what}", other.id));
            shown += 1;
        }
    }
    finding
}
