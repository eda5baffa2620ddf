//! What policies say of themselves.

use std::collections::BTreeMap;

use super::Setting;
use super::signature::given;
use crate::checked::{CheckedPolicy, Effect, Mode, Rule};

/// Whether two policies enforce the same requests under report mode.
pub(super) fn same_enforcement(old: &CheckedPolicy, new: &CheckedPolicy) -> bool {
    let key = |policy: &CheckedPolicy| format!("{:?}", enforcement(policy));
    key(old) == key(new)
}

/// Whose requests are enforced, with the facts that tags stand for.
fn enforcement(policy: &CheckedPolicy) -> Vec<String> {
    let entries = policy.enforce_for.iter().map(|entry| {
        let customers: Option<Vec<&str>> =
            entry.customers.as_ref().map(|globs| globs.iter().map(|glob| glob.0.text.as_str()).collect());
        let given = entry.tags.as_ref().map(|tags| given(tags, policy));
        format!("customers {customers:?} tags {:?} {given:?} percent {:?}", entry.tags, entry.percent)
    });
    entries.collect()
}

/// What two policies say otherwise of themselves.
pub(super) fn settings(old: &CheckedPolicy, new: &CheckedPolicy) -> Vec<Setting> {
    let identity = |policy: &CheckedPolicy| match &policy.identity {
        None => "none".to_owned(),
        Some(identity) => {
            let also = |key: &str, path: Option<&Vec<String>>| {
                path.map(|path| format!(", {key} = {}", path.join("."))).unwrap_or_default()
            };
            let (tags, vars) = (also("tags", identity.tags.as_ref()), also("vars", identity.vars.as_ref()));
            format!("customer = {}{tags}{vars}", identity.customer.join("."))
        }
    };
    let mode = |policy: &CheckedPolicy| match policy.mode {
        Mode::Enforce => "enforce".to_owned(),
        Mode::Report => "report".to_owned(),
    };
    let default = |policy: &CheckedPolicy| match policy.default {
        Effect::Allow => "allow".to_owned(),
        Effect::Deny => "deny".to_owned(),
    };
    let settings = [
        ("default", default(old), default(new)),
        ("identity", identity(old), identity(new)),
        ("mode", mode(old), mode(new)),
    ];
    let settings = settings.into_iter().map(|(key, old, new)| (key.to_owned(), old, new)).chain(reasons(old, new));
    settings.filter(|(_, old, new)| old != new).map(|(key, old, new)| Setting { key, old, new }).collect()
}

/// What rules of one id tell the tenants whom they refuse.
fn reasons(old: &CheckedPolicy, new: &CheckedPolicy) -> Vec<(String, String, String)> {
    let shown = |rule: &Rule| rule.reason.clone().unwrap_or_else(|| "none".to_owned());
    let old_rules: BTreeMap<&str, &Rule> = old.rules.iter().map(|rule| (rule.id.as_str(), rule)).collect();
    let both = new.rules.iter().filter_map(|rule| Some((*old_rules.get(rule.id.as_str())?, rule)));
    both.map(|(old, new)| (format!("reason of `{}`", new.id), shown(old), shown(new))).collect()
}
