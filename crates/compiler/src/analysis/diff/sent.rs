//! What rules have done to the requests that they allow, as it is compared.

use std::collections::BTreeSet;

use tidegate_engine::hygiene::fold;

use crate::checked::{CheckedPolicy, Jwt, Rule, Template, TemplatePart};

/// One thing that a rule has done to a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Lower case.
    pub(super) header: String,
    what: String,
}

/// Everything that a rule has done to the requests that it allows.
pub(super) fn entries(rule: &Rule, policy: &CheckedPolicy) -> Vec<Entry> {
    let obligations = &rule.obligations;
    let entry = |header: &str, what: String| Entry { header: header.to_owned(), what };
    let mut entries: Vec<Entry> = obligations.remove.iter().map(|header| entry(header, "removed".to_owned())).collect();
    entries.extend(obligations.keep.iter().map(|header| entry(header, "kept".to_owned())));
    entries.extend(obligations.set.iter().map(|(header, value)| entry(header, format!("set to `{}`", text(value)))));
    entries.extend(obligations.jwt.iter().map(|jwt| entry(&jwt.header, token(jwt, policy))));
    entries
}

/// Headers of which nothing that the tenant sends gets through, `-` and `_` alike.
pub(super) fn sets(rule: &Rule) -> impl Iterator<Item = String> {
    let obligations = &rule.obligations;
    let set = obligations.set.iter().map(|(header, _)| header);
    set.chain(obligations.jwt.iter().map(|jwt| &jwt.header)).map(|header| fold(header))
}

/// A template as it was written.
pub fn text(template: &Template) -> String {
    let part = |part: &TemplatePart| match part {
        TemplatePart::Customer => "{customer}".to_owned(),
        TemplatePart::Literal(text) => text.replace('{', "{{").replace('}', "}}"),
        TemplatePart::Secret(name) => format!("{{secret.{name}}}"),
        TemplatePart::Var(name) => format!("{{vars.{name}}}"),
    };
    template.0.iter().map(part).collect()
}

fn token(jwt: &Jwt, policy: &CheckedPolicy) -> String {
    let scheme = if jwt.scheme.is_empty() { String::new() } else { format!("{} ", jwt.scheme) };
    let mut parts = vec![format!("{scheme}token for `{}`", jwt.audience), format!("{} s", jwt.ttl)];
    if let Some(key) = policy.keys.get(jwt.key) {
        let issuer = key.issuer.as_ref().map(|issuer| format!(", issuer `{issuer}`")).unwrap_or_default();
        parts.push(format!("key `{}` ({:?}, kid `{}`, secret `{}`{issuer})", key.id, key.alg, key.kid, key.secret));
    }
    parts.extend(jwt.claims.iter().map(|(name, value)| format!("{name} = `{}`", text(value))));
    parts.join(", ")
}

/// What is no longer done, and what is done now, a line each.
pub(super) fn details(old: &BTreeSet<Entry>, new: &BTreeSet<Entry>) -> Vec<String> {
    let gone = old.difference(new).map(|entry| format!("no longer: `{}` {}", entry.header, entry.what));
    let come = new.difference(old).map(|entry| format!("now: `{}` {}", entry.header, entry.what));
    gone.chain(come).collect()
}
