//! Where credentials may go: hosts that the operator, or somebody the operator deals with, has registered.
//!
//! A rule that sends a token or a secret must name its hosts, at or below a registrable domain, so that nobody gets the
//! credential by registering a name; and outside the domains where tenants live, so that none of them does.

use super::rules::{RuleAt, meets_http};
use crate::checked::{HostPattern, Pattern};
use crate::diagnostic::{Code, Diagnostic};
use crate::labels::is_at_or_below;
use crate::literal::fixed_part;
use crate::source::{Span, Text};

/// A suffix under which tenants have names of their own.
#[derive(Debug)]
pub(super) struct TenantDomain {
    /// Canonical.
    pub(super) name: String,
    pub(super) span: Span,
}

/// Checks one rule; nothing is asked of rules without a credential.
pub(super) fn check(at: &RuleAt<'_>, tenant_domains: &[TenantDomain], findings: &mut Vec<Diagnostic>) {
    let rule = &at.rule;
    if !rule.obligations.has_credential() {
        return;
    }
    let error = |span, message: String| {
        Diagnostic::error(Code::CredentialHost, span, message).label(rule.span, "this rule sends a credential")
    };
    let entry = &at.entry.condition;
    if let Some(lists) = &entry.lists {
        findings.push(
            error(lists.key, "a rule that sends a credential may not take its hosts from a list".to_owned())
                .help("others keep lists: name the hosts in `hosts` or `domains`, where every one is seen"),
        );
    }
    if let Some(regex) = &entry.host_regex {
        findings.push(
            error(regex.key, "a rule that sends a credential may not tell its hosts by a regex".to_owned())
                .help("name them in `hosts`, where globs are, or in `domains`"),
        );
    }
    // In a rule with a finding, the hosts may be what could not be read.
    let names_hosts =
        entry.lists.is_some() || entry.host_regex.is_some() || entry.domains.is_some() || entry.hosts.is_some();
    if at.sound && !names_hosts {
        let finding = Diagnostic::error(
            Code::CredentialHost,
            rule.span,
            format!("`{}` sends a credential and does not say to which hosts", rule.id),
        );
        findings.push(finding.help("name them in `hosts` or `domains`"));
    }
    if meets_http(&rule.condition) {
        let span = entry.schemes.as_ref().map_or(rule.span, |schemes| schemes.key);
        findings.push(
            error(span, "a credential does not go out in clear text over `http`".to_owned())
                .help("leave `schemes` out: an allow rule means https"),
        );
    }
    let Some(hosts) = &rule.condition.hosts else { return };
    let place = |texts: &Option<crate::tree::Texts>, canonical: &str| {
        let texts = texts.iter().flat_map(|texts| &texts.value);
        texts.clone().find(|text| names(text, canonical)).map_or(rule.span, |text| text.span)
    };
    let mut covered: Vec<(Covered<'_>, Span)> = Vec::new();
    covered.extend(hosts.domains.iter().map(|name| (Covered::Domain(name), place(&entry.domains, name))));
    covered.extend(hosts.exact.iter().map(|name| (Covered::Exact(name), place(&entry.hosts, name))));
    covered.extend(hosts.patterns.iter().filter_map(|pattern| match pattern {
        HostPattern::Glob(Pattern { text, span }) => Some((Covered::Glob(text), *span)),
        HostPattern::Regex(_) => None,
    }));
    for (hosts, span) in covered {
        let fixed = hosts.fixed_part();
        if !is_registered(fixed) {
            let message = format!("`{}` is not at or below a domain that somebody registers", hosts.text());
            let why = if fixed.is_empty() || is_address(fixed) {
                "a credential goes to names at or below a registrable domain only".to_owned()
            } else {
                format!("anybody can have a name under `{fixed}`, and would get the credential")
            };
            findings.push(
                error(span, message)
                    .help(why)
                    .help("name the domain of the one whom it is for, such as `api.example.com`"),
            );
        } else if !matches!(hosts, Covered::Exact(_)) && has_public_suffixes_beneath(fixed) {
            let message = format!("`{}` covers names that anybody can register", hosts.text());
            findings.push(
                error(span, message)
                    .help(format!("what is directly under `{fixed}` is a public suffix"))
                    .help("name the domain of the one whom it is for, such as `api.example.com`"),
            );
        }
        for tenants in tenant_domains.iter().filter(|tenants| hosts.overlaps(&tenants.name)) {
            let message = format!("`{}` and the tenants' domain `{}` overlap", hosts.text(), tenants.name);
            findings.push(
                error(span, message)
                    .label(tenants.span, "tenants live here")
                    .help("tenants would get the credential: name hosts outside `tenant-domains`"),
            );
        }
    }
}

/// Whether a text, as written, is the canonical name.
fn names(text: &Text, canonical: &str) -> bool {
    tidegate_engine::canonical::host(&text.value).is_ok_and(|host| host.as_str() == canonical)
}

/// Hosts that one entry covers.
#[derive(Clone, Copy, Debug)]
enum Covered<'r> {
    Domain(&'r str),
    Exact(&'r str),
    Glob(&'r str),
}

impl<'r> Covered<'r> {
    fn text(self) -> &'r str {
        let (Self::Domain(text) | Self::Exact(text) | Self::Glob(text)) = self;
        text
    }

    /// What every one of the hosts ends with: the whole name, or what follows the last label with a wildcard.
    fn fixed_part(self) -> &'r str {
        match self {
            Self::Domain(name) | Self::Exact(name) => name,
            Self::Glob(glob) => fixed_part(glob),
        }
    }

    /// Whether one of the hosts is a tenant's: the suffix itself or beneath it.
    fn overlaps(self, tenants: &str) -> bool {
        match self {
            Self::Exact(name) => is_at_or_below(name, tenants),
            Self::Domain(name) => is_at_or_below(name, tenants) || is_at_or_below(tenants, name),
            Self::Glob(glob) => {
                let mut labels = glob.rsplit('.');
                for tenant in tenants.rsplit('.') {
                    match labels.next() {
                        // It may take any number of labels, these among them.
                        Some("**") => return true,
                        Some(label) if label_matches(label, tenant) => {}
                        _ => return false,
                    }
                }
                true
            }
        }
    }
}

/// Whether a name is at or below a registrable domain, the private section of the public suffix list included.
fn is_registered(name: &str) -> bool {
    !is_address(name) && psl::domain(name.as_bytes()).is_some()
}

/// Whether a wildcard of the public suffix list (`*.kawasaki.jp`) gives away what is beneath a name that is itself no
/// public suffix. Suffixes of the list without a wildcard cannot be told from above.
fn has_public_suffixes_beneath(name: &str) -> bool {
    // No exception of the list (`!city.kawasaki.jp`) is called this.
    psl::domain(format!("any-name.{name}").as_bytes()).is_none()
}

fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok()
}

/// Whether a glob without `**` matches a label.
fn label_matches(glob: &str, label: &str) -> bool {
    let Some((first, rest)) = glob.split_once('*') else { return glob == label };
    let Some(mut label) = label.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some((_, after)) = label.split_once(piece) else { return false };
        label = after;
    }
    label.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_at_or_below_registrable_domains() {
        use Covered::{Domain, Exact, Glob};
        for good in [
            Domain("example.com"),
            Exact("api.example.co.uk"),
            Glob("*.example.com"),
            Glob("**.a.example.com"),
            Glob("api-*.example.com"),
            Glob("a.*.b.example.com"),
            Exact("acme.github.io"),
            Exact("api.billing.example"),
        ] {
            assert!(is_registered(good.fixed_part()), "{good:?}");
        }
        for wide in [
            Domain("com"),
            Domain("co.uk"),
            Domain("github.io"),
            Glob("*.com"),
            Glob("*.github.io"),
            Glob("api.*"),
            Glob("**"),
            Glob("example.c*"),
            Exact("10.0.0.1"),
            Exact("[::1]"),
            Exact("intranet"),
        ] {
            assert!(!is_registered(wide.fixed_part()), "{wide:?}");
        }
    }

    #[test]
    fn overlap_with_tenants_is_seen_in_both_directions() {
        use Covered::{Domain, Exact, Glob};
        let tenants = "apps.platform.com";
        for overlapping in [
            Exact("apps.platform.com"),
            Exact("x.apps.platform.com"),
            Domain("x.apps.platform.com"),
            Domain("platform.com"),
            Glob("*.platform.com"),
            Glob("**.platform.com"),
            Glob("a*s.platform.com"),
            Glob("*.apps.platform.com"),
        ] {
            assert!(overlapping.overlaps(tenants), "{overlapping:?}");
        }
        for apart in [
            Exact("platform.com"),
            Exact("xapps.platform.com"),
            Domain("other.com"),
            Domain("api.platform.com"),
            Glob("api-*.platform.com"),
            Glob("*.other.com"),
            Glob("*.api.platform.com"),
        ] {
            assert!(!apart.overlaps(tenants), "{apart:?}");
        }
    }
}
