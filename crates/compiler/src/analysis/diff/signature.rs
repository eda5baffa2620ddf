//! Rules that two policies share: what a rule says as text, so that two with one signature decide alike and are named alike.

use std::collections::{BTreeMap, BTreeSet};

use crate::checked::{AnyRunGlob, CheckedPolicy, Condition, HostPattern, List, PathPattern, Rule};

/// For each rule of each policy, the one of the other policy that has the same id and says the same.
pub(super) fn partners(old: &CheckedPolicy, new: &CheckedPolicy) -> [Vec<Option<usize>>; 2] {
    let mut lists = Lists::default();
    let [old_signatures, new_signatures] = [old, new]
        .map(|policy| policy.rules.iter().map(|rule| signature(rule, policy, &mut lists)).collect::<Vec<_>>());
    let by_signature: BTreeMap<&str, usize> =
        new_signatures.iter().enumerate().map(|(index, signature)| (signature.as_str(), index)).collect();
    let old_partners: Vec<Option<usize>> =
        old_signatures.iter().map(|signature| by_signature.get(signature.as_str()).copied()).collect();
    let mut new_partners = vec![None; new_signatures.len()];
    for (old, new) in old_partners.iter().enumerate() {
        if let Some(new) = new {
            new_partners[*new] = Some(old);
        }
    }
    [old_partners, new_partners]
}

/// Lists of all policies that are compared, each counted once however often it was read.
#[derive(Default)]
struct Lists<'p> {
    known: Vec<&'p List>,
}

impl<'p> Lists<'p> {
    fn number(&mut self, list: &'p List) -> usize {
        let known = self.known.iter().position(|known| known.has_the_names_of(list));
        known.unwrap_or_else(|| {
            self.known.push(list);
            self.known.len() - 1
        })
    }
}

/// The signature of a rule.
fn signature<'p>(rule: &'p Rule, policy: &'p CheckedPolicy, lists: &mut Lists<'p>) -> String {
    let keys = rule.obligations.jwt.as_ref().map(|jwt| {
        let key = policy.keys.get(jwt.key);
        key.map(|key| (&key.id, key.alg, &key.secret, &key.kid, &key.issuer))
    });
    let except: Vec<String> = rule.except.iter().map(|except| condition(except, policy, lists)).collect();
    format!(
        "{} {:?} {:?} {:?} {} {:?} {} {} {:?} {keys:?}",
        rule.id,
        rule.effect,
        rule.mode,
        rule.expires,
        condition(&rule.condition, policy, lists),
        except,
        rule.websocket,
        rule.encoded_literal,
        rule.obligations,
    )
}

/// Customers to whom a policy gives one of some tags, and whether requests may bring them.
pub(super) fn given<'p>(tags: &[String], policy: &'p CheckedPolicy) -> (bool, BTreeSet<&'p str>) {
    let from_requests = policy.identity.as_ref().is_some_and(|identity| identity.tags.is_some());
    let given = policy.customers.iter().filter(|(_, customer)| tags.iter().any(|tag| customer.tags.contains(tag)));
    (from_requests, given.map(|(name, _)| name.as_str()).collect())
}

fn condition<'p>(condition: &'p Condition, policy: &'p CheckedPolicy, lists: &mut Lists<'p>) -> String {
    let globs = |globs: &'p [AnyRunGlob]| globs.iter().map(|glob| glob.0.text.as_str()).collect::<BTreeSet<_>>();
    let hosts = condition.hosts.as_ref().map(|hosts| {
        let patterns = hosts.patterns.iter().map(|pattern| match pattern {
            HostPattern::Glob(pattern) => (false, pattern.text.as_str()),
            HostPattern::Regex(pattern) => (true, pattern.text.as_str()),
        });
        let patterns: BTreeSet<_> = patterns.collect();
        let lists: BTreeSet<usize> =
            hosts.lists.iter().filter_map(|&list| policy.lists.get(list)).map(|list| lists.number(list)).collect();
        let names = |names: &'p [String]| names.iter().collect::<BTreeSet<_>>();
        (names(&hosts.domains), names(&hosts.exact), patterns, lists)
    });
    let paths = condition.paths.as_ref().map(|paths| {
        let paths = paths.iter().map(|path| match path {
            PathPattern::Glob(pattern) => (false, pattern.text.as_str()),
            PathPattern::Regex(pattern) => (true, pattern.text.as_str()),
        });
        paths.collect::<BTreeSet<_>>()
    });
    let sorted = |values: &'p [String]| values.iter().collect::<BTreeSet<_>>();
    let tags = condition.tags.as_deref().map(|tags| (sorted(tags), given(tags, policy)));
    let headers: BTreeSet<_> = condition.headers.iter().map(|(name, values)| (name, globs(values))).collect();
    format!(
        "{:?} {tags:?} {hosts:?} {:?} {:?} {:?} {paths:?} {headers:?}",
        condition.customers.as_deref().map(globs),
        condition.schemes.as_ref().map(|schemes| schemes.iter().collect::<BTreeSet<_>>()),
        condition.ports.as_ref().map(|ports| ports.iter().collect::<BTreeSet<_>>()),
        condition.methods.as_deref().map(sorted),
    )
}
