//! [`Loaded`] files → [`CheckedPolicy`]: names are resolved, patterns parsed, lists read, rules compared.
//!
//! One module an area of the language; each holds the wording of its findings. Every value is checked, whatever is
//! wrong elsewhere. Only what compares whole rules ([`conflicts`]) passes over those that have a finding already: a
//! pattern that could not be read would count as one that meets anything.

mod conflicts;
mod credentials;
mod headers;
mod hosts;
mod identity;
mod keys;
mod lists;
mod neighbours;
mod paths;
mod rules;
mod templates;

use std::collections::{BTreeMap, HashMap, HashSet};

use credentials::TenantDomain;
use regex::bytes::RegexBuilder;

use crate::analysis::model::Facts;
use crate::automaton::MAX_NFA;
use crate::cache::Cache;
use crate::checked::{CheckedPolicy, Condition, Effect, Mode, Pattern};
use crate::claim::ClaimEntry;
use crate::diagnostic::{Code, Diagnostic};
use crate::load::Loaded;
use crate::pattern::parse_regex;
use crate::source::{SourceMap, Span, Text};
use crate::syntax::PolicyFile;
use crate::tree::did_you_mean;

/// What the files of a policy declare, by name.
#[derive(Default)]
struct Names<'f> {
    lists: Declared<'f>,
    keys: Declared<'f>,
    customers: Declared<'f>,
    rules: Declared<'f>,
    /// Worker secrets that hold signing keys, with the key and the place that says so.
    key_secrets: HashMap<&'f str, (&'f str, Span)>,
    /// Requests say whose they are.
    has_identity: bool,
    /// All the tags that there are; `None` where requests bring their own, or where a file is missing.
    tags: Option<HashSet<String>>,
}

/// Names of one kind, numbered in the order in which they were declared.
#[derive(Default)]
struct Declared<'f> {
    names: HashMap<&'f str, (usize, Span)>,
    /// A name that is not here is declared nowhere.
    is_complete: bool,
}

/// Checks a policy. What comes back is one only if nothing was found wrong.
///
/// Files that are not TOML are left out; the others are checked without what these would have declared.
pub(crate) fn check(
    loaded: &Loaded,
    cache: Option<&Cache>,
    sources: &mut SourceMap,
    findings: &mut Vec<Diagnostic>,
) -> Option<CheckedPolicy> {
    let nothing = PolicyFile::default();
    let root = &loaded.files.last()?.policy;
    let root = if root.is_toml { root } else { &nothing };
    let files = || loaded.files.iter().filter(|file| file.policy.is_toml);
    let mode = root.mode.unwrap_or(Mode::Enforce);
    let identity = identity::identity(root.identity.as_ref(), findings);

    let mut names = Names { has_identity: identity.is_some(), ..Names::default() };
    let (mut customers, mut lists, mut keys, mut tenant_domains) =
        (BTreeMap::new(), Vec::new(), Vec::new(), Vec::new());
    for file in files() {
        tenant_domains.extend(file.policy.tenant_domains.iter().filter_map(|text| {
            let name = hosts::suffix(text, findings)?;
            Some(TenantDomain { name, span: text.span })
        }));
        identity::customers(&file.policy.customers, &mut customers, &mut names, findings);
        keys::keys(&file.policy.keys, &mut keys, &mut names, findings);
        lists::lists(file, cache, &mut lists, &mut names, sources, findings);
    }

    names.lists.is_complete = loaded.is_complete;
    names.keys.is_complete = loaded.is_complete;
    let requests_have_none = identity.as_ref().is_some_and(|identity| identity.tags.is_none());
    names.tags = (requests_have_none && loaded.is_complete)
        .then(|| customers.values().flat_map(|customer| &customer.tags).cloned().collect());
    let enforce_for = identity::enforce_for(root.enforce_for.as_ref(), mode, &names, findings);
    let entries: Vec<_> = files().flat_map(|file| &file.policy.rules).collect();
    for id in entries.iter().filter_map(|entry| entry.id.as_ref()) {
        self::id(id, "rule", findings);
        names.rules.declare(id, "rule", findings);
    }
    let rules: Vec<_> = entries.into_iter().map(|entry| rules::rule(entry, &names, findings)).collect();
    for rule in &rules {
        credentials::check(rule, &tenant_domains, findings);
    }
    let facts = Facts {
        customers: &customers,
        lists: &lists,
        has_tags: identity.as_ref().is_some_and(|identity| identity.tags.is_some()),
    };
    conflicts::check(&rules, facts, identity.is_some(), findings);
    let audiences: Vec<_> = rules
        .iter()
        .filter_map(|at| {
            let jwt = at.rule.obligations.jwt.as_ref()?;
            let audience = at.entry.jwt.as_ref()?.value.audience.as_ref()?;
            Some((jwt.key, audience.value.as_str(), audience.span))
        })
        .collect();
    keys::one_audience(&keys, &audiences, findings);
    keys::unshared_secrets(&keys, findings);

    let mut tenant_domains: Vec<_> = tenant_domains.into_iter().map(|domain| domain.name).collect();
    tenant_domains.sort_unstable();
    tenant_domains.dedup();
    Some(CheckedPolicy {
        default: root.default.unwrap_or(Effect::Deny),
        mode,
        enforce_for,
        identity,
        tenant_domains,
        customers,
        lists,
        keys,
        rules: rules.into_iter().map(|at| at.rule).collect(),
        lints: root.lints.clone(),
    })
}

/// Checks the condition of a claim about a policy, and its exceptions.
pub(crate) fn claim(
    entry: &ClaimEntry,
    policy: &CheckedPolicy,
    findings: &mut Vec<Diagnostic>,
) -> (Condition, Vec<Condition>) {
    let lists = policy.lists.iter().enumerate().map(|(index, list)| (list.id.as_str(), (index, list.span)));
    let lists = Declared { names: lists.collect(), is_complete: true };
    let names = Names { lists, has_identity: policy.identity.is_some(), ..Names::default() };
    let condition = rules::condition(&entry.condition, &names, findings);
    let except = entry.except.iter().map(|except| rules::condition(except, &names, findings)).collect();
    (condition, except)
}

impl<'f> Declared<'f> {
    /// Adds a name; false, with a finding, if it is there already.
    fn declare(&mut self, name: &'f Text, what: &str, findings: &mut Vec<Diagnostic>) -> bool {
        let next = self.names.len();
        if let Some((_, first)) = self.names.get(name.value.as_str()) {
            let message = format!("there are two {what}s called `{}`", name.value);
            findings.push(
                Diagnostic::error(Code::DuplicateId, name.span, message)
                    .label(*first, "this one came first")
                    .help(format!("a {what}'s name is unique over a policy and all that it extends: rename one")),
            );
            return false;
        }
        self.names.insert(&name.value, (next, name.span));
        true
    }

    /// The number of a declared name.
    fn resolve(&self, name: &Text, what: &str, table: &str, findings: &mut Vec<Diagnostic>) -> Option<usize> {
        if let Some(&(index, _)) = self.names.get(name.value.as_str()) {
            return Some(index);
        }
        if !self.is_complete {
            return None;
        }
        let message = format!("there is no {what} called `{}`", name.value);
        let finding = Diagnostic::error(Code::UnknownName, name.span, message);
        let mut known: Vec<&str> = self.names.keys().copied().collect();
        known.sort_unstable();
        findings.push(match did_you_mean(&name.value, known) {
            Some(word) => finding.help(format!("did you mean `{word}`?")),
            None => finding.help(format!("declare it: `[{table}.{}]`", name.value)),
        });
        None
    }
}

/// An id is `[a-z0-9-]+`.
fn id(text: &Text, what: &str, findings: &mut Vec<Diagnostic>) {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.value.is_empty() && text.value.bytes().all(is_plain) {
        return;
    }
    let message = format!("`{}` is not an id for a {what}", text.value);
    let finding = Diagnostic::error(Code::InvalidValue, text.span, message);
    let plain: String = text
        .value
        .to_ascii_lowercase()
        .chars()
        .map(|c| if u8::try_from(c).is_ok_and(is_plain) { c } else { '-' })
        .collect();
    let plain = plain.trim_matches('-');
    findings.push(if plain.is_empty() {
        finding.help("ids are made of `a-z`, `0-9` and `-`")
    } else {
        finding.help(format!("ids are made of `a-z`, `0-9` and `-`: write `{plain}`"))
    });
}

/// A regex that an operator wrote: ASCII, and one that the crate whose language this is takes for a regex of bearable
/// size. Its parser alone then says what is broken, and where.
fn regex(text: &Text, why_ascii: &str, findings: &mut Vec<Diagnostic>) -> Option<Pattern> {
    let written = text.value.as_str();
    if !written.is_ascii() {
        let message = format!("the regex `{written}` is not ASCII");
        findings.push(Diagnostic::error(Code::InvalidPattern, text.span, message).help(why_ascii));
        return None;
    }
    if let Err(error) = parse_regex(written) {
        let (why, at) = match &*error {
            regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span().start.offset),
            regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span().start.offset),
            _ => ("it does not parse".to_owned(), 0),
        };
        let message = format!("the regex `{written}` is broken at character {}: {why}", at + 1);
        findings.push(Diagnostic::error(Code::InvalidPattern, text.span, message));
        return None;
    }
    if RegexBuilder::new(written).unicode(false).size_limit(MAX_NFA).build().is_err() {
        findings.push(too_large(text));
        return None;
    }
    Some(Pattern { text: text.value.clone(), span: text.span })
}

/// A pattern whose automaton is over the limit.
fn too_large(text: &Text) -> Diagnostic {
    let limit = crate::automaton::MAX_TABLE >> 20;
    let message = format!("`{}` needs an automaton of more than {limit} MiB", text.value);
    Diagnostic::error(Code::PatternTooLarge, text.span, message)
        .help("bound its repetitions tighter, or split it into several patterns")
}
