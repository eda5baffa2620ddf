//! `unused-list`, `unused-key`, `unused-customer`: what is declared and asked for by nothing.

use std::collections::BTreeSet;

use super::Context;
use crate::checked::Condition;
use crate::diagnostic::{Code, Diagnostic};

pub(super) fn check(context: &mut Context<'_>) {
    let policy = context.policy;
    let conditions = || policy.rules.iter().flat_map(|rule| std::iter::once(&rule.condition).chain(&rule.except));

    let lists: BTreeSet<usize> = conditions()
        .flat_map(|condition| condition.hosts.iter().flat_map(|hosts| hosts.lists.iter().copied()))
        .collect();
    for (index, list) in policy.lists.iter().enumerate() {
        if !lists.contains(&index) {
            let message = format!("no rule names the list `{}`", list.id);
            let finding = Diagnostic::error(Code::UnusedList, list.span, message);
            context.report(finding.help(format!("name it in a rule, `lists = [\"{}\"]`, or take it out", list.id)));
        }
    }

    let keys: BTreeSet<usize> =
        policy.rules.iter().filter_map(|rule| Some(rule.obligations.jwt.as_ref()?.key)).collect();
    for (index, key) in policy.keys.iter().enumerate() {
        if !keys.contains(&index) {
            let message = format!("no rule signs with the key `{}`", key.id);
            let finding = Diagnostic::error(Code::UnusedKey, key.span, message);
            context.report(finding.help("a key that is kept for its verifiers until old tokens have run out may stay"));
        }
    }

    let tags: BTreeSet<&str> = conditions()
        .flat_map(tags)
        .chain(policy.enforce_for.iter().flat_map(|entry| entry.tags.iter().flatten().map(String::as_str)))
        .collect();
    let vars: BTreeSet<&str> = policy.rules.iter().flat_map(|rule| rule.obligations.variables()).collect();
    for (name, customer) in &policy.customers {
        let is_asked_for = customer.tags.iter().any(|tag| tags.contains(tag.as_str()))
            || customer.vars.keys().any(|var| vars.contains(var.as_str()));
        if !is_asked_for {
            let message = format!("no rule asks for what the policy says of the customer `{name}`");
            let Some(span) = customer.span else { continue };
            let finding = Diagnostic::error(Code::UnusedCustomer, span, message);
            context.report(finding.help("rules ask by `tags`, and by `{vars.NAME}` in templates"));
        }
    }
}

fn tags(condition: &Condition) -> impl Iterator<Item = &str> {
    condition.tags.iter().flatten().map(String::as_str)
}
