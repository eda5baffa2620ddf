//! `never-matches`, `void-deny`: rules that no request can match.

use super::Context;
use crate::analysis::model::{self, Facts};
use crate::analysis::paths::Role;
use crate::analysis::strings::Search;
use crate::checked::Effect;
use crate::diagnostic::{Code, Diagnostic};

pub(super) fn check(context: &mut Context<'_>) {
    for index in 0..context.policy.rules.len() {
        let rule = context.rule(index);
        if rule.expires.is_some_and(|day| context.today >= i64::from(day)) {
            context.dead.insert(index); // `expired` says so
            continue;
        }
        let question = context.model.rules[index].matches.clone();
        if context.ask(Code::NeverMatches, index, &question) != Search::Nothing {
            continue;
        }
        context.dead.insert(index);
        let is_void = rule.effect == Effect::Deny && !rule.except.is_empty() && {
            let alone = model::condition(&mut context.space, &rule.condition, Role::Deny, Facts::of(context.policy));
            matches!(context.ask(Code::VoidDeny, index, &alone), Search::Found(_))
        };
        let finding = if is_void {
            let message = format!("`{}` denies nothing: its `except` takes out all that it matches", rule.id);
            Diagnostic::error(Code::VoidDeny, rule.span, message)
                .help("let `except` name less than the rule does, or take the rule out")
        } else {
            let message = format!("no request can match `{}`", rule.id);
            Diagnostic::error(Code::NeverMatches, rule.span, message).help(
                "its dimensions exclude each other, or its `except` takes out all of them: correct it or take it out",
            )
        };
        if context.looks_for(finding.code) {
            context.report(finding);
        }
    }
}
