//! `mixed-script`: host names that mix scripts, as look-alikes do (UTS #39).

use unicode_security::MixedScript as _;

use super::Context;
use crate::alternatives::Key;
use crate::checked::{Condition, HostPattern};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

pub(super) fn check(context: &mut Context<'_>) {
    for rule in &context.policy.rules {
        for condition in std::iter::once(&rule.condition).chain(&rule.except) {
            for (name, span) in names(condition) {
                let (unicode, _) = idna::domain_to_unicode(name);
                let Some(mixed) = unicode.split('.').find(|label| !label.is_single_script()) else { continue };
                let message = format!("`{mixed}` in `{unicode}` mixes scripts, as look-alikes of other names do");
                let finding = Diagnostic::error(Code::MixedScript, span.unwrap_or(rule.span), message);
                context.report(finding.help(format!("if it is meant, write it as it is matched: `{name}`")));
            }
        }
    }
}

fn names(condition: &Condition) -> Vec<(&str, Option<Span>)> {
    let Some(hosts) = &condition.hosts else { return Vec::new() };
    let at = |key, name: &str| condition.places.of(key, name);
    let domains = hosts.domains.iter().map(|name| (name.as_str(), at(Key::Domains, name)));
    let exact = hosts.exact.iter().map(|name| (name.as_str(), at(Key::Hosts, name)));
    let globs = hosts.patterns.iter().filter_map(|pattern| match pattern {
        HostPattern::Glob(glob) => Some((glob.text.as_str(), Some(glob.span))),
        HostPattern::Regex(_) => None,
    });
    domains.chain(exact).chain(globs).filter(|(name, _)| name.contains("xn--")).collect()
}
