//! What every judgement is like, whoever judged whatever.

use tidegate_engine::hygiene::{fold, is_always_dropped, is_upgrade_header};
use tidegate_engine::{Decision, Effect, Forwarding, Header, Judgement, Reason, RuleRef};
use tidegate_table::Table;

/// A decision that does not contradict itself.
pub(crate) fn assert_decided(decision: &Decision<'_>) {
    assert_eq!(decision.fault.is_some(), decision.reason == Reason::EvaluationFault, "{decision:?}");
    assert!(decision.effect == Effect::Deny || decision.fault.is_none(), "a fault denies: {decision:?}");
}

/// A judgement that does not contradict itself: the rules that it names exist, in their order; only an allowed request
/// goes out; where a fault was found, the request is denied.
pub(crate) fn assert_well_formed(judgement: &Judgement<'_>, table: &Table<'_>) {
    let Judgement { effect, reason, rules, enforced, would_deny, would_allow, fault, forwarding } = judgement;
    let allows = *effect == Effect::Allow;
    assert_eq!(allows, forwarding.is_some(), "what is allowed goes out, and nothing else: {judgement:?}");
    assert!(!allows || matches!(reason, Reason::Rule | Reason::Default), "this reason denies: {judgement:?}");
    assert_eq!(fault.is_some(), *reason == Reason::EvaluationFault, "{judgement:?}");
    let names_rules = matches!(reason, Reason::Rule | Reason::CredentialUnavailable);
    assert_eq!(names_rules, !rules.is_empty(), "rules are named where they decided: {judgement:?}");
    match (effect, reason) {
        (Effect::Deny, _) => assert!(enforced, "a denial is enforced: {judgement:?}"),
        (Effect::Allow, Reason::Rule) => assert_eq!(*enforced, would_deny.is_empty(), "{judgement:?}"),
        (Effect::Allow, _) => assert!(!enforced || would_deny.is_empty(), "{judgement:?}"),
    }
    // Rules that could not meet their obligations are rules that allow.
    let decided = if *reason == Reason::CredentialUnavailable { Effect::Allow } else { *effect };
    assert_rules_exist(rules, decided, table);
    assert_rules_exist(would_deny, Effect::Deny, table);
    assert_rules_exist(would_allow, Effect::Allow, table);
}

/// What goes out is the platform's, or the tenant's without all that hygiene drops.
pub(crate) fn assert_headers(forwarding: &Forwarding, received: &[Header]) {
    let sent = forwarding.headers(received, Some("t0ken"));
    let own = forwarding.set.len() + usize::from(forwarding.jwt.is_some());
    let (theirs, ours) = sent.split_at(sent.len() - own);
    for (name, value) in ours {
        let folded = fold(name);
        assert!(!is_always_dropped(&folded) && !is_upgrade_header(&folded), "a rule sets `{name}`");
        assert!(
            value.bytes().all(|byte| byte.is_ascii() && !b"\r\n\0".contains(&byte)),
            "`{name}: {value:?}` goes out"
        );
        assert_eq!(sent.iter().filter(|(other, _)| fold(other) == folded).count(), 1, "`{name}` goes out once");
    }
    for header @ (name, value) in theirs {
        let folded = fold(name);
        assert!(received.contains(header), "`{name}: {value}` goes out and is nobody's");
        assert!(!is_always_dropped(&folded), "`{name}` goes out");
        assert!(forwarding.upgrade || !is_upgrade_header(&folded), "`{name}` goes out without an upgrade");
        assert!(!forwarding.remove.iter().any(|gone| fold(gone) == folded), "`{name}` is removed and goes out");
    }
}

/// Rules stand in file order, each once, with the ids that the table has for them.
fn assert_rules_exist(rules: &[RuleRef<'_>], effect: Effect, table: &Table<'_>) {
    assert!(rules.is_sorted_by(|a, b| a.index < b.index), "{rules:?}");
    for rule in rules {
        let known = table.rule(rule.index).unwrap_or_else(|fault| panic!("{rule:?} is named: {fault}"));
        assert_eq!(
            (known.id(), known.reason(), known.effect()),
            (Ok(rule.id), Ok(rule.reason), Ok(effect)),
            "{rule:?}"
        );
    }
}
