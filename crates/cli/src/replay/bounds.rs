//! What a policy can come to where a request is not known in full.
//!
//! A decision record holds no headers, and other things only sometimes. Whatever these were, each rule that looks at them
//! either matched or did not. So a policy is bracketed between two others, which look at nothing that is unknown:
//!
//! ```text
//!                      allow rules that look at it    deny rules that look at it
//!   the strictest      never match                    match whatever it was
//!   the laxest         match whatever it was          never match
//! ```
//!
//! An exception takes requests out of its rule, so in an `except` the two change places. More deny rules and fewer allow rules
//! never make a decision milder; so the policy's own decision lies between those of the two. Where these agree,
//! it is theirs. Where they differ, nobody can tell from the record, and nobody should guess.
//!
//! Both are policies like any other: they are compiled, and the engine judges by their tables. There is no second matcher.

use tidegate_compiler::checked::{CheckedPolicy, Condition, Effect, Rule};

/// What is not known of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Unknown {
    /// Its headers, that of an upgrade aside.
    pub(crate) headers: bool,
    /// Its customer's tags, or whether the parameters held any.
    pub(crate) tags: bool,
    /// Scheme, port, whether it asked for a WebSocket, and whether its path has one reading.
    pub(crate) origin: bool,
}

/// One end of the bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Nothing that is unknown was as an allow rule would have it.
    Strictest,
    /// Everything that is unknown was as an allow rule would have it.
    Laxest,
}

/// The policy at one end.
pub(crate) fn bound(policy: &CheckedPolicy, unknown: Unknown, bound: Bound) -> CheckedPolicy {
    let rules = policy.rules.iter().filter_map(|rule| bounded_rule(rule, unknown, bound)).collect();
    let mut enforce_for = policy.enforce_for.clone();
    if unknown.tags && bound == Bound::Strictest {
        // Whoever may be among those with the tag is among them.
        for entry in &mut enforce_for {
            entry.tags = None;
        }
    }
    CheckedPolicy { rules, enforce_for, ..policy.clone() }
}

/// Whether a policy's decisions can depend on what is unknown.
pub(crate) fn depends(policy: &CheckedPolicy, unknown: Unknown) -> bool {
    // Every allow rule looks at the scheme, if only for https.
    unknown.origin || policy.rules.iter().any(|rule| conditions(rule).any(|condition| looks_at(condition, unknown)))
}

/// A rule's condition and its exceptions.
pub(crate) fn conditions(rule: &Rule) -> impl Iterator<Item = &Condition> {
    std::iter::once(&rule.condition).chain(&rule.except)
}

/// A rule that looks at nothing unknown; `None` for one that never matches.
fn bounded_rule(rule: &Rule, unknown: Unknown, bound: Bound) -> Option<Rule> {
    let matches_if_possible = match rule.effect {
        Effect::Allow => bound == Bound::Laxest,
        Effect::Deny => bound == Bound::Strictest,
    };
    // An allow rule that names no scheme wants https, and without `websocket` no upgrade.
    if rule.effect == Effect::Allow && unknown.origin && !matches_if_possible {
        return None;
    }
    // A doubtful path makes decisions stricter: the laxest take the path for what it is.
    let unknown = View { path: unknown.origin && bound == Bound::Strictest, unknown };
    let condition = unknown.condition(&rule.condition, matches_if_possible)?;
    let mut except = Vec::new();
    for exception in rule.except.iter().filter_map(|condition| unknown.condition(condition, !matches_if_possible)) {
        if is_empty(&exception) {
            // It applies to every request.
            return None;
        }
        except.push(exception);
    }
    Some(Rule { condition, except, ..rule.clone() })
}

/// What is unknown, and whether that goes for paths.
#[derive(Clone, Copy)]
struct View {
    unknown: Unknown,
    path: bool,
}

impl View {
    /// The condition without what is unknown, if that is to be taken for met; else, if it looks at any of it, none.
    fn condition(self, condition: &Condition, is_met: bool) -> Option<Condition> {
        let Self { unknown, path } = self;
        let knows_all = !looks_at(condition, unknown) && (condition.paths.is_none() || !path);
        if knows_all {
            return Some(condition.clone());
        }
        let mut known = condition.clone();
        if unknown.headers {
            known.headers.clear();
        }
        if unknown.tags {
            known.tags = None;
        }
        if unknown.origin {
            known.schemes = None;
            known.ports = None;
        }
        if path {
            known.paths = None;
        }
        is_met.then_some(known)
    }
}

/// Whether a condition names something of what is unknown, paths aside.
fn looks_at(condition: &Condition, unknown: Unknown) -> bool {
    (unknown.headers && !condition.headers.is_empty())
        || (unknown.tags && condition.tags.is_some())
        || (unknown.origin && (condition.schemes.is_some() || condition.ports.is_some()))
}

fn is_empty(condition: &Condition) -> bool {
    let Condition { customers, tags, hosts, schemes, ports, methods, paths, headers, places: _ } = condition;
    customers.is_none()
        && tags.is_none()
        && hosts.is_none()
        && schemes.is_none()
        && ports.is_none()
        && methods.is_none()
        && paths.is_none()
        && headers.is_empty()
}
