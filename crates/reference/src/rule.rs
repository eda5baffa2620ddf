//! Rules: a condition, its exceptions, and what is meant where nothing is said (`docs/policy.md`, "What a rule matches").

use tidegate_compiler::checked::{Effect, Rule, Scheme};

use crate::condition::Question;
use crate::logic::Truth;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Whether a rule matches: an allow rule if that is certain, a deny rule unless the contrary is.
pub(crate) fn matches(rule: &Rule, question: Question<'_>) -> bool {
    let truth = truth(rule, question);
    match rule.effect {
        Effect::Allow => truth == Truth::True,
        Effect::Deny => truth != Truth::False,
    }
}

fn truth(rule: &Rule, question: Question<'_>) -> Truth {
    let named = || question.meets(&rule.condition, rule.encoded_literal);
    let assumed = || Truth::from(has_not_expired(rule, question) && meets_what_goes_without_saying(rule, question));
    // `encoded = "literal"` is not for exceptions.
    let excepted = || Truth::any(rule.except.iter().map(|except| question.meets(except, false)));
    let parts: [&dyn Fn() -> Truth; 3] = [&assumed, &named, &|| !excepted()];
    Truth::all(parts.iter().map(|part| part()))
}

/// From the day on which it expires, 00:00 UTC, a rule no longer matches.
fn has_not_expired(rule: &Rule, question: Question<'_>) -> bool {
    rule.expires.is_none_or(|day| question.request.now < i64::from(day) * DAY)
}

/// What an allow rule does not name is https, at the scheme's own port, and no WebSocket. A deny rule means any.
fn meets_what_goes_without_saying(rule: &Rule, question: Question<'_>) -> bool {
    if rule.effect == Effect::Deny {
        return true;
    }
    let request = question.request;
    let scheme = rule.condition.schemes.is_some() || request.url.scheme == Scheme::Https;
    let port = rule.condition.ports.is_some() || request.url.has_default_port();
    let upgrade = rule.websocket || !request.is_upgrade();
    scheme && port && upgrade
}

/// Whether the rule's `hosts` hold this very name, without a wildcard.
pub(crate) fn names_exactly(rule: &Rule, host: &str) -> bool {
    rule.condition.hosts.as_ref().is_some_and(|hosts| hosts.exact.iter().any(|name| name == host))
}
