//! A proposal as TOML.
//!
//! Hosts, paths, methods, customers and tags were chosen by tenants, rules by whoever wrote the log. They come into the file in
//! two places only, and through two functions: strings ([`quoted`]) and comments ([`Page::comment`]). Neither lets a character
//! through that could end what it stands in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tidegate_compiler::checked::{CheckedPolicy, Identity};
use tidegate_test::instant;
use tidegate_test::plain::plain;

use super::evidence::{Evidence, LeftOut, Scope, Seen};
use super::hosts::{self, Proposal, registrable_domain};
use super::paths::{Methods, PathPattern};

/// Customers that a comment names.
const SHOWN_CUSTOMERS: usize = 8;

/// Requests that a comment shows.
const SHOWN_SAMPLES: usize = 3;

/// Hosts that a comment names.
const SHOWN_HOSTS: usize = 8;

/// Characters of a comment's line.
const LONGEST_COMMENT: usize = 200;

/// A file of rules.
#[derive(Debug)]
pub(crate) struct Suggestion {
    /// The file.
    pub(crate) toml: String,
    /// How many rules it proposes.
    pub(crate) rules: usize,
}

/// Writes rules for what was denied. `log` is its name; `current` the policy that they will join, if that is known.
pub(crate) fn suggestion(
    mut evidence: Evidence,
    log: &str,
    current: Option<&CheckedPolicy>,
    fold_at_least: usize,
) -> Suggestion {
    let sites = std::mem::take(&mut evidence.sites);
    let special = std::mem::take(&mut evidence.special);
    let mut page = Page::default();
    page.head(&evidence, log, current);

    let mut ids: BTreeSet<String> =
        current.iter().flat_map(|policy| &policy.rules).map(|rule| rule.id.clone()).collect();
    let mut domain = String::new();
    let mut rules = 0;
    for proposal in hosts::fold(sites, fold_at_least) {
        let own = registrable_domain(&proposal.site.host);
        if own != domain {
            own.clone_into(&mut domain);
            page.heading(&domain);
        }
        rules += page.proposal(&proposal, &evidence, &mut ids, Comment::No);
    }

    if !special.is_empty() || !evidence.by_rule.is_empty() || !evidence.left_out.is_empty() {
        page.heading("not proposed");
    }
    if !special.is_empty() {
        page.line();
        page.comment(
            "Addresses and names that never leave a machine or a network. A rule that names one exactly opens it to",
        );
        page.comment("tenants' code: take the `#` away only if that is meant.");
        // Nothing is folded: wildcards do not open them.
        for proposal in hosts::fold(special, usize::MAX) {
            page.proposal(&proposal, &evidence, &mut ids, Comment::Yes);
        }
    }
    for (rule, seen) in &evidence.by_rule {
        page.line();
        page.comment(&format!("denied by `{rule}`, not proposed: {}", requests(seen)));
        page.samples(seen, None);
    }
    for (why, count) in &evidence.left_out {
        page.line();
        page.comment(&format!("{count} left out: {}", why.words()));
    }
    Suggestion { toml: page.text, rules }
}

/// Whether what is written counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comment {
    No,
    Yes,
}

#[derive(Debug, Default)]
struct Page {
    text: String,
}

impl Page {
    fn head(&mut self, evidence: &Evidence, log: &str, current: Option<&CheckedPolicy>) {
        self.comment(&format!("Proposed by `tidegate suggest` from {log}: {}.", requests(&evidence.seen)));
        self.comment("Tenants chose these hosts and paths. Read every rule before you keep it.");
        self.comment("");
        self.comment("Take the rules over into your policy, or name this file in its `extends`; then `tidegate replay` says what");
        self.comment("they change.");
        if evidence.without_scheme > 0 {
            self.comment("");
            self.comment(&format!(
                "{} records say neither scheme nor port, for an older Worker wrote them: they are taken for https.",
                evidence.without_scheme
            ));
        }
        self.line();
        self.text.push_str("policy = 1\n");
        self.identity(evidence, current);
    }

    /// Whose requests are: what these rules need, and a policy that extends this file says itself.
    fn identity(&mut self, evidence: &Evidence, current: Option<&CheckedPolicy>) {
        let default = Identity { customer: vec!["customer_name".to_owned()], tags: None, vars: None };
        let identity = match current {
            Some(policy) => policy.identity.as_ref(),
            None if evidence.of_nobody > 0 => None,
            None => Some(&default),
        };
        let needed = identity.map(|identity| Identity {
            tags: identity.tags.clone().filter(|_| evidence.scope == Scope::Tags),
            vars: None,
            ..identity.clone()
        });
        if needed.as_ref() == Some(&default) {
            return;
        }
        self.line();
        self.comment("Not in a file that another extends: take this away there.");
        match needed {
            None => self.text.push_str("identity = \"none\"\n"),
            Some(Identity { customer, tags, .. }) => {
                self.text.push_str("[identity]\n");
                self.entry("customer", &quoted(&customer.join(".")), Comment::No);
                if let Some(tags) = tags {
                    self.entry("tags", &quoted(&tags.join(".")), Comment::No);
                }
            }
        }
    }

    /// Rules for one host: one for each set of methods. Returns how many.
    fn proposal(
        &mut self,
        proposal: &Proposal,
        evidence: &Evidence,
        ids: &mut BTreeSet<String>,
        comment: Comment,
    ) -> usize {
        let Proposal { site, denials, folded } = proposal;
        let (patterns, folds) = denials.paths.patterns();
        let mut by_methods = BTreeMap::<Methods, Vec<PathPattern>>::new();
        for pattern in patterns {
            by_methods.entry(pattern.methods).or_default().push(pattern);
        }
        let rules = by_methods.len();
        for (number, (methods, patterns)) in by_methods.into_iter().enumerate() {
            self.line();
            let of_rule: u64 = patterns.iter().map(|pattern| pattern.count).sum();
            let asked = requests(&denials.seen);
            self.comment(&if of_rule == denials.seen.count { asked } else { format!("{of_rule} of {asked}") });
            let names = evidence.names(methods);
            self.samples(&denials.seen, Some(&names));
            if number == 0 {
                self.folds(folded, &folds);
            }
            self.text.push_str(comment.mark());
            self.text.push_str("[[rule]]\n");
            self.entry("id", &quoted(&id(&site.host, ids)), comment);
            self.entry("effect", "\"allow\"", comment);
            self.scope(proposal, evidence, comment);
            self.entry("hosts", &array([&site.host]), comment);
            if site.is_http {
                self.entry("schemes", "[\"http\"]", comment);
            }
            if site.port != if site.is_http { 80 } else { 443 } {
                self.entry("ports", &format!("[{}]", site.port), comment);
            }
            self.entry("methods", &array(names), comment);
            self.entry("paths", &array(patterns.iter().map(|pattern| &pattern.text)), comment);
            if site.encoded {
                self.entry("encoded", "\"literal\"", comment);
            }
            if site.upgrade {
                self.entry("websocket", "true", comment);
            }
        }
        rules
    }

    /// Whom the rule is for, if not everybody.
    fn scope(&mut self, proposal: &Proposal, evidence: &Evidence, comment: Comment) {
        let denials = &proposal.denials;
        match evidence.scope {
            Scope::Everybody => {}
            Scope::Customers => {
                if denials.seen.customers.len() < evidence.customers.len() {
                    self.entry("customers", &array(denials.seen.customers.keys()), comment);
                }
            }
            Scope::Tags => {
                let common = denials.tags.iter().flatten();
                let of_all = |tag: &&String| evidence.tags_of_all.as_ref().is_some_and(|all| all.contains(*tag));
                match common.clone().find(|tag| !of_all(tag) && !tag.is_empty()) {
                    Some(tag) => self.entry("tags", &array([tag]), comment),
                    None => self.comment("no tag tells those who asked from the others"),
                }
            }
        }
    }

    fn samples(&mut self, seen: &Seen, methods: Option<&[&str]>) {
        let is_shown =
            |method: &str| methods.is_none_or(|names| names.iter().any(|name| name.eq_ignore_ascii_case(method)));
        for (method, url) in seen.samples.iter().filter(|(method, _)| is_shown(method)).take(SHOWN_SAMPLES) {
            self.comment(&format!("  {method} {url}"));
        }
    }

    fn folds(&mut self, hosts: &[String], paths: &[String]) {
        if let Some(first) = hosts.first() {
            let others: Vec<_> = hosts.iter().take(SHOWN_HOSTS).map(String::as_str).collect();
            let parent = first.split_once('.').map_or("", |(_, parent)| parent);
            let more = if hosts.len() > SHOWN_HOSTS { ", …" } else { "" };
            self.comment(&format!("folded into `*.{parent}`: {} hosts: {}{more}", hosts.len(), others.join(", ")));
        }
        for fold in paths {
            self.comment(&format!("folded into {fold}"));
        }
    }

    fn heading(&mut self, text: &str) {
        self.line();
        self.comment(&format!("──── {text} ────"));
    }

    fn entry(&mut self, key: &str, value: &str, comment: Comment) {
        // An array may be broken over lines.
        for line in format!("{key:<9} = {value}").lines() {
            let _ = writeln!(self.text, "{}{line}", comment.mark());
        }
    }

    /// One line that says something and means nothing, whatever it holds.
    fn comment(&mut self, text: &str) {
        // Some editors break lines where TOML does not.
        let text = plain(text).replace(['\u{2028}', '\u{2029}'], " ");
        let mut line = format!("# {text}");
        if let Some((end, _)) = line.char_indices().nth(LONGEST_COMMENT) {
            line.truncate(end);
            line.push('…');
        }
        self.text.push_str(line.trim_end());
        self.line();
    }

    fn line(&mut self) {
        self.text.push('\n');
    }
}

impl Comment {
    const fn mark(self) -> &'static str {
        match self {
            Self::No => "",
            Self::Yes => "# ",
        }
    }
}

impl LeftOut {
    /// Why, as people read it.
    const fn words(self) -> &'static str {
        match self {
            Self::AmbiguousPath => {
                "upstreams may read their paths in two ways, and a rule with `paths` never allows such"
            }
            Self::Customer => "no rule can name who asked: a name with `*`, none at all, or one too many",
            Self::Method => "no rule can name their methods, or the log holds too many of them",
            Self::Reason => {
                "they were refused for what no rule changes, such as `invalid-request` or `unknown-customer`"
            }
            Self::TooManyHosts => "there are too many hosts to tell apart",
        }
    }
}

/// `12 requests of acme (10) and globex (2), 2026-11-22T00:55:40Z to 2026-11-23T00:00:00Z`.
fn requests(seen: &Seen) -> String {
    let mut text = format!("{} request{}", seen.count, if seen.count == 1 { "" } else { "s" });
    let mut customers: Vec<_> = seen.customers.iter().collect();
    customers.sort_by(|(a, first), (b, second)| (second, a).cmp(&(first, b)));
    let named: Vec<_> =
        customers.iter().take(SHOWN_CUSTOMERS).map(|(name, count)| format!("{name} ({count})")).collect();
    if !named.is_empty() {
        let _ = write!(text, " of {}", named.join(", "));
        let more = customers.len().saturating_sub(SHOWN_CUSTOMERS);
        if more > 0 || seen.of_others > 0 {
            let _ = write!(text, " and others");
        }
    }
    if let (Some(first), Some(last)) = (seen.first, seen.last) {
        let _ = write!(text, ", {}", instant::text(first));
        if last != first {
            let _ = write!(text, " to {}", instant::text(last));
        }
    }
    text
}

/// An id after a host, like no other.
fn id(host: &str, ids: &mut BTreeSet<String>) -> String {
    let name: String = host
        .replace("*.", "any-")
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .take(80)
        .collect();
    let name = name.trim_matches('-');
    let name = if name.is_empty() { "host" } else { name };
    let mut id = name.to_owned();
    for number in 2_u32.. {
        if ids.insert(id.clone()) {
            break;
        }
        id = format!("{name}-{number}");
    }
    id
}

fn array<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<_> = texts.into_iter().map(|text| quoted(text.as_ref())).collect();
    let one_line = format!("[{}]", texts.join(", "));
    if one_line.len() <= 100 { one_line } else { format!("[\n  {},\n]", texts.join(",\n  ")) }
}

/// A basic string (TOML 1.0) that looks like what it is: letters that resemble others, and those that change the direction
/// of what stands beside them, are escaped with all that is not ASCII.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            c if u32::from(c) <= 0xffff => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_cannot_be_left() {
        for text in
            ["a\"b", "a\\", "a\n[[rule]]", "\u{0}\u{7f}\u{85}\u{202e}\u{feff}", "zoë 漢字", "\u{1f600}", "'''\"\"\""]
        {
            let document = format!("x = {}", quoted(text));
            assert!(document.chars().all(|c| matches!(c, ' '..='~')), "{document}");
            let table: toml::Table = document.parse().unwrap();
            assert_eq!(table["x"].as_str(), Some(text));
        }
    }

    #[test]
    fn a_comment_cannot_be_left() {
        for text in
            ["a\n[[rule]]\nid = \"x\"", "a\r\nx = 1", "a\u{85}x = 1\u{2028}y = 1", "\u{0}\u{1b}[31m", &"é".repeat(500)]
        {
            let mut page = Page::default();
            page.comment(text);
            assert_eq!(page.text.lines().count(), 1, "{:?}", page.text);
            assert!(page.text.parse::<toml::Table>().unwrap().is_empty(), "{:?}", page.text);
        }
    }

    #[test]
    fn ids_are_of_their_hosts_and_like_no_other() {
        let mut ids = BTreeSet::from(["api-example-com".to_owned()]);
        let mut next = |host: &str| id(host, &mut ids);
        assert_eq!(next("api.example.com"), "api-example-com-2");
        assert_eq!(next("api.example.com"), "api-example-com-3");
        assert_eq!(next("*.x_y.example"), "any-x-y-example");
        assert_eq!(next("[::1]"), "1");
        assert_eq!(next("[::]"), "host");
    }
}
