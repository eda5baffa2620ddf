//! Conditions: what `[[rule]]` and `except` say of a request (`docs/policy.md`, "What a rule matches").

use tidegate_compiler::checked::{CheckedPolicy, Condition, HostCondition, HostPattern, List, PathPattern};

use crate::glob;
use crate::identity::Tenant;
use crate::logic::Truth;
use crate::path::{Path, Reading};
use crate::request::CanonicalRequest;
use crate::url::Host;

/// What a condition is held against.
#[derive(Clone, Copy)]
pub(crate) struct Question<'q> {
    pub(crate) policy: &'q CheckedPolicy,
    pub(crate) request: &'q CanonicalRequest,
    pub(crate) tenant: &'q Tenant,
}

impl Question<'_> {
    /// Whether every dimension that the condition names matches. With `encoded_literal`, `%2F` and `%25` are taken as they
    /// stand.
    pub(crate) fn meets(self, condition: &Condition, encoded_literal: bool) -> Truth {
        let Self { policy, request, tenant } = self;
        let Condition { customers, tags, hosts, schemes, ports, methods, paths, headers, places: _ } = condition;
        let customer = || named(customers.as_ref(), |globs| tenant.is_called(globs).into());
        let tag = || named(tags.as_ref(), |tags| tenant.has_any_tag(tags).into());
        let host = || named(hosts.as_ref(), |hosts| covers_host(policy, hosts, &request.url.host));
        let scheme = || named(schemes.as_ref(), |schemes| schemes.contains(&request.url.scheme).into());
        let port = || named(ports.as_ref(), |ports| ports.contains(&request.url.port).into());
        let method = || named(methods.as_ref(), |methods| methods.contains(&request.method).into());
        let path = || named(paths.as_ref(), |paths| covers_path(paths, &request.path, encoded_literal));
        let header = || {
            Truth::all(headers.iter().map(|(name, globs)| {
                let value = request.header(name);
                value.is_some_and(|value| globs.iter().any(|glob| glob::any_run(&glob.0.text, value))).into()
            }))
        };
        // One after the other, until one is false: a regex is compiled whenever it is asked.
        let dimensions: [&dyn Fn() -> Truth; 8] = [&customer, &tag, &host, &scheme, &port, &method, &path, &header];
        Truth::all(dimensions.iter().map(|dimension| dimension()))
    }
}

/// A dimension that is not named matches.
fn named<T>(dimension: Option<T>, matches: impl Fn(T) -> Truth) -> Truth {
    dimension.map_or(Truth::True, matches)
}

/// The host dimension. A regex that is none after all leaves it unknown.
pub(crate) fn covers_host(policy: &CheckedPolicy, hosts: &HostCondition, host: &Host) -> Truth {
    let HostCondition { domains, exact, patterns, lists } = hosts;
    let listed = lists.iter().filter_map(|&list| policy.lists.get(list)).any(|list| is_listed(list, host));
    let named = exact.contains(&host.text) || domains.iter().any(|name| host.is_at_or_beneath(name)) || listed;
    let by_pattern = patterns.iter().map(|pattern| match pattern {
        HostPattern::Glob(glob) => glob::host(&glob.text, &host.text).into(),
        HostPattern::Regex(regex) => glob::regex(&regex.text, &host.text).map_or(Truth::Unknown, Truth::from),
    });
    Truth::any(std::iter::once(Truth::from(named)).chain(by_pattern))
}

/// A list's names mean themselves and everything beneath them, but those that say they mean only one of the two.
fn is_listed(list: &List, host: &Host) -> bool {
    list.names.iter().any(|name| host.is_at_or_beneath(name))
        || list.alone.contains(&host.text)
        || list.beneath.iter().any(|name| host.text != *name && host.is_at_or_beneath(name))
}

/// The path dimension: unknown on an ambiguous path, whatever the pattern.
fn covers_path(patterns: &[PathPattern], path: &Path, encoded_literal: bool) -> Truth {
    match path.reading {
        Reading::Certain => {}
        Reading::EncodedSlashOrPercent if encoded_literal => {}
        Reading::EncodedSlashOrPercent | Reading::Ambiguous => return Truth::Unknown,
    }
    Truth::any(patterns.iter().map(|pattern| match pattern {
        PathPattern::Glob(glob) => glob::path(&glob.text, &path.text).into(),
        PathPattern::Regex(regex) => glob::regex(&regex.text, &path.text).map_or(Truth::Unknown, Truth::from),
    }))
}
