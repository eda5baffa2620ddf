//! `[[rule]]`: one rule at a time.

use std::collections::HashSet;

use tidegate_engine::hygiene::fold;

use super::hosts::HostEntry;
use super::{Names, headers, hosts, identity, keys, paths, templates};
use crate::alternatives::{Key, Places};
use crate::checked::{
    AnyRunGlob, Condition, Effect, HostCondition, Mode, Obligations, PathPattern, Pattern, Rule, Scheme, Template,
    TemplatePart,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Text};
use crate::syntax::{ConditionEntry, RuleEntry};
use crate::tree::Texts;

/// A checked rule with what later checks need of its source.
#[derive(Debug)]
pub(super) struct RuleAt<'f> {
    pub(super) rule: Rule,
    pub(super) entry: &'f RuleEntry,
    /// Nothing is wrong with the rule itself, so that it can be compared with others.
    pub(super) sound: bool,
}

/// What the values of a rule are checked against.
pub(super) struct Scope<'s, 'f> {
    pub(super) names: &'s Names<'f>,
    pub(super) findings: &'s mut Vec<Diagnostic>,
}

/// Checks one rule.
pub(super) fn rule<'f>(entry: &'f RuleEntry, names: &Names<'f>, findings: &mut Vec<Diagnostic>) -> RuleAt<'f> {
    let before = findings.len();
    let mut scope = Scope { names, findings };
    let condition = scope.condition(&entry.condition, entry.encoded_literal);
    let except = entry.except.iter().map(|except| scope.condition(except, false)).collect();
    let obligations = scope.obligations(entry);
    let rule = Rule {
        id: entry.id.as_ref().map(|id| id.value.clone()).unwrap_or_default(),
        effect: entry.effect.unwrap_or(Effect::Deny),
        mode: entry.mode.unwrap_or(Mode::Enforce),
        expires: entry.expires,
        condition,
        except,
        reason: entry.reason.as_ref().map(|reason| reason.value.clone()),
        websocket: entry.websocket,
        encoded_literal: entry.encoded_literal,
        obligations,
        span: entry.id.as_ref().map_or(entry.span, |id| id.span),
    };
    RuleAt { rule, entry, sound: entry.sound && findings.len() == before }
}

impl Scope<'_, '_> {
    /// A template whose values the request and the Worker can give.
    pub(super) fn template(&mut self, text: &Text) -> Option<Template> {
        let template = templates::parse(text).map_err(|finding| self.findings.push(finding)).ok()?;
        for part in &template.0 {
            match part {
                TemplatePart::Customer if !self.names.has_identity => {
                    self.findings.push(identity::needs_identity(text.span, "`{customer}`"));
                }
                TemplatePart::Var(name) if !self.names.has_identity => {
                    self.findings.push(identity::needs_identity(text.span, &format!("`{{vars.{name}}}`")));
                }
                TemplatePart::Secret(name) => {
                    if let Some(&(key, span)) = self.names.key_secrets.get(name.as_str()) {
                        let message = format!("`{{secret.{name}}}` would send the signing key `{key}` to an upstream");
                        self.findings.push(
                            Diagnostic::error(Code::KeySecret, text.span, message)
                                .label(span, "the secret holds a signing key")
                                .help("use a secret of its own; a token signed with the key is `jwt`"),
                        );
                    }
                }
                _ => {}
            }
        }
        Some(template)
    }

    fn condition(&mut self, entry: &ConditionEntry, encoded_literal: bool) -> Condition {
        for (texts, key) in [(&entry.customers, "`customers`"), (&entry.tags, "`tags`")] {
            if let Some(texts) = texts
                && !self.names.has_identity
            {
                self.findings.push(identity::needs_identity(texts.key, key));
            }
        }
        let mut places = Places::default();
        let tags = entry.tags.as_ref().map(|texts| identity::tags_of_requests(texts, self.names, self.findings));
        for text in entry.tags.iter().flat_map(|texts| &texts.value) {
            places.note(Key::Tags, &text.value, text.span);
        }
        for scheme in entry.schemes.iter().flat_map(|schemes| &schemes.value) {
            places.note(Key::Schemes, scheme.value.as_str(), scheme.span);
        }
        for port in entry.ports.iter().flatten() {
            places.note(Key::Ports, &port.value.to_string(), port.span);
        }
        Condition {
            customers: entry.customers.as_ref().map(|texts| identity::customer_globs(texts, self.findings)),
            tags,
            hosts: self.hosts(entry, &mut places),
            schemes: entry.schemes.as_ref().map(|schemes| distinct(schemes.value.iter().map(|scheme| scheme.value))),
            ports: entry.ports.as_ref().map(|ports| distinct(ports.iter().map(|port| port.value))),
            methods: entry.methods.as_ref().map(|texts| self.methods(texts, &mut places)),
            paths: self.paths(entry, encoded_literal),
            headers: self.headers(&entry.headers),
            places,
        }
    }

    fn hosts(&mut self, entry: &ConditionEntry, places: &mut Places) -> Option<HostCondition> {
        let texts = |texts: &Option<Texts>| texts.iter().flat_map(|texts| texts.value.clone()).collect::<Vec<_>>();
        if [&entry.domains, &entry.hosts, &entry.host_regex, &entry.lists].iter().all(|texts| texts.is_none()) {
            return None;
        }
        let mut hosts = HostCondition::default();
        for text in texts(&entry.domains) {
            if let Some(name) = hosts::domain(&text, self.findings) {
                places.note(Key::Domains, &name, text.span);
                hosts.domains.push(name);
            }
        }
        for text in texts(&entry.hosts) {
            match hosts::host(&text, self.findings) {
                Some(HostEntry::Exact(name)) => {
                    places.note(Key::Hosts, &name, text.span);
                    hosts.exact.push(name);
                }
                Some(HostEntry::Glob(glob)) => hosts.patterns.push(glob),
                None => {}
            }
        }
        for text in texts(&entry.host_regex) {
            hosts.patterns.extend(hosts::regex(&text, self.findings));
        }
        for text in texts(&entry.lists) {
            places.note(Key::Lists, &text.value, text.span);
            hosts.lists.extend(self.names.lists.resolve(&text, "list", "lists", self.findings));
        }
        hosts.domains = distinct(hosts.domains);
        hosts.exact = distinct(hosts.exact);
        hosts.lists = distinct(hosts.lists);
        Some(hosts)
    }

    fn methods(&mut self, texts: &Texts, places: &mut Places) -> Vec<String> {
        let mut methods = Vec::new();
        for text in &texts.value {
            let method = text.value.to_ascii_uppercase();
            if method.contains('*') {
                let finding = Diagnostic::error(Code::InvalidValue, text.span, "`methods` takes no globs");
                self.findings.push(finding.help("leave `methods` out for any method"));
            } else if !headers::is_token(&method) {
                let message = format!("`{}` is not a method", text.value);
                let finding = Diagnostic::error(Code::InvalidValue, text.span, message);
                self.findings.push(finding.help("write a method such as `GET`"));
            } else if method == "TRACE" {
                let finding = Diagnostic::error(
                    Code::UnmatchablePattern,
                    text.span,
                    "no request with `TRACE` gets as far as a rule: it would show an upstream's headers to the tenant",
                );
                self.findings.push(finding.help("leave it out"));
            } else {
                places.note(Key::Methods, &method, text.span);
                methods.push(method);
            }
        }
        distinct(methods)
    }

    fn paths(&mut self, entry: &ConditionEntry, encoded_literal: bool) -> Option<Vec<PathPattern>> {
        if entry.paths.is_none() && entry.path_regex.is_none() {
            return None;
        }
        let mut patterns = Vec::new();
        for text in entry.paths.iter().flat_map(|texts| &texts.value) {
            patterns.extend(paths::glob(text, encoded_literal, self.findings));
        }
        for text in entry.path_regex.iter().flat_map(|texts| &texts.value) {
            patterns.extend(paths::regex(text, encoded_literal, self.findings));
        }
        Some(patterns)
    }

    fn headers(&mut self, entries: &[(Text, Texts)]) -> Vec<(String, Vec<AnyRunGlob>)> {
        let mut seen = HashSet::new();
        let mut conditions = Vec::new();
        for (name, values) in entries {
            let Some(lower) = headers::name(name, self.findings) else { continue };
            if !seen.insert(lower.clone()) {
                self.findings.push(twice(name, &lower));
            }
            let globs = values.value.iter().filter_map(|text| self.header_glob(text)).collect();
            conditions.push((lower, globs));
        }
        conditions
    }

    fn header_glob(&mut self, text: &Text) -> Option<AnyRunGlob> {
        let value = text.value.as_str();
        let why = if value.contains(['\r', '\n', '\0']) {
            "a header's value has no line break"
        } else if value.trim_matches([' ', '\t']) != value {
            "white space around a header's value is taken off before rules see it"
        } else {
            return Some(AnyRunGlob(Pattern { text: text.value.clone(), span: text.span }));
        };
        let message = format!("no header's value can be met by `{value}`");
        self.findings.push(Diagnostic::error(Code::UnmatchablePattern, text.span, message).help(why));
        None
    }

    fn obligations(&mut self, entry: &RuleEntry) -> Obligations {
        if entry.effect == Some(Effect::Deny) {
            return Obligations::default(); // reported as misplaced
        }
        let mut names = |texts: &[Text], key: &str| {
            distinct(texts.iter().filter_map(|text| headers::touchable(text, key, self.findings)))
        };
        let remove = names(&entry.remove, "remove");
        let keep = names(&entry.keep, "keep");
        let mut seen = HashSet::new();
        let mut set = Vec::new();
        for (name, value) in &entry.set {
            let lower = headers::touchable(name, "set", self.findings);
            if let Some(lower) = &lower
                && !seen.insert(fold(lower))
            {
                self.findings.push(twice(name, lower));
            }
            if value.value.contains(['\r', '\n', '\0']) || !value.value.is_ascii() {
                let message = "a header that is set has ASCII text without line breaks for its value";
                self.findings.push(Diagnostic::error(Code::InvalidValue, value.span, message));
            } else if value.value.trim_matches([' ', '\t']) != value.value {
                let message = "a header's value begins and ends without white space: HTTP takes it off";
                self.findings.push(Diagnostic::error(Code::InvalidValue, value.span, message));
            }
            let template = self.template(value);
            set.extend(lower.zip(template));
        }
        Obligations { remove, keep, set, jwt: entry.jwt.as_ref().and_then(|jwt| keys::jwt(jwt, self)) }
    }
}

/// Whether a rule's scheme dimension lets plain http through.
pub(super) fn meets_http(condition: &Condition) -> bool {
    condition.schemes.as_ref().is_some_and(|schemes| schemes.contains(&Scheme::Http))
}

/// A header that stands twice in one table, in two spellings.
fn twice(name: &Text, lower: &str) -> Diagnostic {
    Diagnostic::error(Code::DuplicateId, name.span, format!("`{lower}` stands here a second time"))
        .help("names of headers compare without regard to case, and those that rules set with `-` and `_` alike")
}

/// The values without repetitions, in the order of their first places.
fn distinct<T: Clone + Eq + std::hash::Hash>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    values.into_iter().filter(|value| seen.insert(value.clone())).collect()
}

/// The place of a header in a rule, for findings that concern it.
pub(super) fn place_of(texts: &[Text], folded: &str) -> Option<Span> {
    texts.iter().find(|text| fold(&text.value) == folded).map(|text| text.span)
}
