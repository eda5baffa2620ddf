//! The alternatives of a rule's dimensions, one by one: where each is written, and whether it meets a value.
//!
//! A table knows of a dimension only whether it is met: its alternatives have become one automaton and some sets. Who wants to
//! know *which* of them was met (a report on tests that meet some and never others), or what would have been met (an
//! explanation), asks here. No request is decided by what this module says.
//!
//! Each alternative is matched by an automaton of its own, built from the same regexes as the dimension's.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex_automata::dfa::Automaton as _;
use regex_automata::{Anchored, Input};

use crate::automaton::{Dfa, determinize};
use crate::checked::{AnyRunGlob, CheckedPolicy, Condition, HostPattern, List, PathPattern, Scheme};
use crate::labels::is_at_or_below;
use crate::source::Span;

/// The keys under which alternatives stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `customers`.
    Customers,
    /// `tags`.
    Tags,
    /// `domains`.
    Domains,
    /// `hosts`.
    Hosts,
    /// `host-regex`.
    HostRegex,
    /// `lists`: a list is one alternative.
    Lists,
    /// `schemes`.
    Schemes,
    /// `ports`.
    Ports,
    /// `methods`.
    Methods,
    /// `paths`.
    Paths,
    /// `path-regex`.
    PathRegex,
    /// `headers`.
    Headers,
}

impl Key {
    /// As it is written in a policy.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Tags => "tags",
            Self::Domains => "domains",
            Self::Hosts => "hosts",
            Self::HostRegex => "host-regex",
            Self::Lists => "lists",
            Self::Schemes => "schemes",
            Self::Ports => "ports",
            Self::Methods => "methods",
            Self::Paths => "paths",
            Self::PathRegex => "path-regex",
            Self::Headers => "headers",
        }
    }
}

/// Where the plain values of a condition are written; patterns know their own places.
#[derive(Clone, Debug, Default)]
pub struct Places(BTreeMap<(Key, String), Span>);

impl Places {
    /// Notes where a value is written, in its canonical form. The first place counts.
    pub(crate) fn note(&mut self, key: Key, value: &str, span: Span) {
        self.0.entry((key, value.to_owned())).or_insert(span);
    }

    /// Where a value is written.
    pub(crate) fn of(&self, key: Key, value: &str) -> Option<Span> {
        self.0.get(&(key, value.to_owned())).copied()
    }
}

/// One of the values of a dimension, any of which meets it.
#[derive(Debug)]
pub struct Alternative<'p> {
    /// The key that it stands under.
    pub key: Key,
    /// The header that it is a condition on, lower case, where the key is `headers`.
    pub header: Option<&'p str>,
    /// Its canonical text; of a list its id.
    pub text: String,
    /// Where it is written.
    pub span: Option<Span>,
    matcher: Matcher<'p>,
}

/// The values of a request, in the form in which rules see them.
#[derive(Clone, Copy, Debug)]
pub struct Values<'r> {
    /// The customer.
    pub customer: Option<&'r str>,
    /// The customer's tags, those of the policy included.
    pub tags: &'r [&'r str],
    /// The canonical host.
    pub host: &'r str,
    /// http or https.
    pub scheme: Scheme,
    /// The port.
    pub port: u16,
    /// The method, in any case.
    pub method: &'r str,
    /// The matched path.
    pub path: &'r str,
    /// The headers, each name once.
    pub headers: &'r [(String, String)],
}

#[derive(Debug)]
enum Matcher<'p> {
    /// The name and everything beneath it.
    Domain(&'p str),
    List(&'p List),
    Literal(&'p str),
    /// A method, which compares without regard to case.
    Method(&'p str),
    Pattern {
        regex: String,
        dfa: OnceLock<Option<Box<Dfa>>>,
    },
    Port(u16),
    Scheme(Scheme),
}

/// Every alternative of a condition, dimension by dimension, in the order in which they are written.
pub fn of<'p>(condition: &'p Condition, policy: &'p CheckedPolicy) -> Vec<Alternative<'p>> {
    let mut all = Vec::new();
    let places = &condition.places;
    let mut add = |key, header, text: &str, span: Option<Span>, matcher| {
        let span = span.or_else(|| places.of(key, text));
        all.push(Alternative { key, header, text: text.to_owned(), span, matcher });
    };
    for glob in condition.customers.iter().flatten() {
        add(Key::Customers, None, &glob.0.text, Some(glob.0.span), Matcher::glob(glob));
    }
    for tag in condition.tags.iter().flatten() {
        add(Key::Tags, None, tag, None, Matcher::Literal(tag));
    }
    if let Some(hosts) = &condition.hosts {
        for name in &hosts.domains {
            add(Key::Domains, None, name, None, Matcher::Domain(name));
        }
        for name in &hosts.exact {
            add(Key::Hosts, None, name, None, Matcher::Literal(name));
        }
        for host in &hosts.patterns {
            let (key, pattern) = match host {
                HostPattern::Glob(pattern) => (Key::Hosts, pattern),
                HostPattern::Regex(pattern) => (Key::HostRegex, pattern),
            };
            add(key, None, &pattern.text, Some(pattern.span), Matcher::pattern(host.regex()));
        }
        for list in hosts.lists.iter().filter_map(|&list| policy.lists.get(list)) {
            add(Key::Lists, None, &list.id, None, Matcher::List(list));
        }
    }
    for scheme in condition.schemes.iter().flatten() {
        add(Key::Schemes, None, scheme.as_str(), None, Matcher::Scheme(*scheme));
    }
    for port in condition.ports.iter().flatten() {
        add(Key::Ports, None, &port.to_string(), None, Matcher::Port(*port));
    }
    for method in condition.methods.iter().flatten() {
        add(Key::Methods, None, method, None, Matcher::Method(method));
    }
    for path in condition.paths.iter().flatten() {
        let (key, pattern) = match path {
            PathPattern::Glob(pattern) => (Key::Paths, pattern),
            PathPattern::Regex(pattern) => (Key::PathRegex, pattern),
        };
        add(key, None, &pattern.text, Some(pattern.span), Matcher::pattern(path.regex()));
    }
    for (name, globs) in &condition.headers {
        for glob in globs {
            add(Key::Headers, Some(name), &glob.0.text, Some(glob.0.span), Matcher::glob(glob));
        }
    }
    all
}

impl Alternative<'_> {
    /// Whether a request's value is one that this alternative meets. On a path with more than one reading this is what it would
    /// say to the one that is written.
    pub fn meets(&self, values: &Values<'_>) -> bool {
        match self.key {
            Key::Customers => values.customer.is_some_and(|name| self.matcher.meets(name)),
            Key::Tags => values.tags.iter().any(|tag| self.matcher.meets(tag)),
            Key::Domains | Key::Hosts | Key::HostRegex | Key::Lists => self.matcher.meets(values.host),
            Key::Schemes => matches!(self.matcher, Matcher::Scheme(scheme) if scheme == values.scheme),
            Key::Ports => matches!(self.matcher, Matcher::Port(port) if port == values.port),
            Key::Methods => self.matcher.meets(values.method),
            Key::Paths | Key::PathRegex => self.matcher.meets(values.path),
            Key::Headers => {
                let own =
                    |(name, _): &&(String, String)| self.header.is_some_and(|header| header.eq_ignore_ascii_case(name));
                let value = values.headers.iter().find(own).map(|(_, value)| value.trim_matches(WHITE_SPACE));
                value.is_some_and(|value| self.matcher.meets(value))
            }
        }
    }
}

/// What HTTP allows around a header's value.
const WHITE_SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

impl<'p> Matcher<'p> {
    fn glob(glob: &'p AnyRunGlob) -> Self {
        glob.literal().map_or_else(|| Self::pattern(glob.regex()), Matcher::Literal)
    }

    fn pattern(regex: String) -> Self {
        Self::Pattern { regex, dfa: OnceLock::new() }
    }

    fn meets(&self, text: &str) -> bool {
        match self {
            Self::Domain(name) => is_at_or_below(text, name),
            Self::List(list) => list.entry_for(text).is_some(),
            Self::Literal(own) => *own == text,
            Self::Method(own) => own.eq_ignore_ascii_case(text),
            Self::Pattern { regex, dfa } => {
                // The policy compiled, so this pattern is no larger than one may be.
                let dfa = dfa.get_or_init(|| determinize(std::slice::from_ref(regex)).ok().map(Box::new));
                let input = Input::new(text).anchored(Anchored::Yes);
                dfa.as_ref().is_some_and(|dfa| matches!(dfa.try_search_fwd(&input), Ok(Some(_))))
            }
            Self::Port(_) | Self::Scheme(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
policy = 1
[identity]
customer = "customer_name"
tags = "customer_tags"
[lists.bad]
file = "bad.txt"
format = "domains"
[[rule]]
id = "all"
effect = "deny"
customers = ["acme", "beta-*"]
tags = ["paid"]
domains = ["Example.com"]
hosts = ["a.example", "*.b.example"]
host-regex = 'c[0-9]\.example'
lists = ["bad"]
schemes = ["http"]
ports = [0x50]
methods = ["get"]
paths = ["/v1/**"]
path-regex = '/v[23]'
headers = { X-Env = ["prod-*", "test"] }
"#;

    /// `key text line`, for every alternative of the policy that a request with these values meets.
    fn met(values: &Values<'_>) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bad.txt"), "worse.example\nbad.example\n").unwrap();
        let path = folder.path().join("policy.toml");
        std::fs::write(&path, POLICY).unwrap();
        let compilation = crate::compile(&path);
        let policy = compilation.output.unwrap_or_else(|| panic!("{:#?}", compilation.diagnostics)).policy;
        let sources = compilation.sources;
        of(&policy.rules[0].condition, &policy)
            .iter()
            .filter(|alternative| alternative.meets(values))
            .map(|Alternative { key, text, span, .. }| {
                let span = span.expect("a place");
                let written = &sources.file(span.file).text[span.start..span.end];
                format!("{} {text} {written}", key.as_str())
            })
            .collect()
    }

    const NOTHING: Values<'static> = Values {
        customer: None,
        tags: &[],
        host: "nowhere.example",
        scheme: Scheme::Https,
        port: 443,
        method: "PUT",
        path: "/",
        headers: &[],
    };

    #[test]
    fn every_alternative_meets_what_it_says_and_knows_where_it_is_written() {
        assert_eq!(met(&NOTHING), [""; 0]);
        let all = Values {
            customer: Some("beta-1"),
            tags: &["free", "paid"],
            scheme: Scheme::Http,
            port: 80,
            method: "Get",
            path: "/v1/x",
            headers: &[("x-env".to_owned(), " prod-1 ".to_owned())],
            ..NOTHING
        };
        assert_eq!(
            met(&all),
            [
                "customers beta-* \"beta-*\"",
                "tags paid \"paid\"",
                "schemes http \"http\"",
                "ports 80 0x50",
                "methods GET \"get\"",
                "paths /v1/** \"/v1/**\"",
                "headers prod-* \"prod-*\"",
            ]
        );
        assert_eq!(met(&Values { path: "/v2", ..NOTHING }), ["path-regex /v[23] '/v[23]'"]);
    }

    #[test]
    fn names_of_hosts_reach_as_far_as_their_key_says() {
        let met = |host| met(&Values { host, ..NOTHING });
        let domain = "domains example.com \"Example.com\"";
        assert_eq!(met("example.com"), [domain]);
        assert_eq!(met("x.y.example.com"), [domain]);
        assert_eq!(met("notexample.com"), [""; 0]);
        assert_eq!(met("a.example"), ["hosts a.example \"a.example\""]);
        assert_eq!(met("x.a.example"), [""; 0]);
        assert_eq!(met("x.b.example"), ["hosts *.b.example \"*.b.example\""]);
        assert_eq!(met("c1.example"), ["host-regex c[0-9]\\.example 'c[0-9]\\.example'"]);
        assert_eq!(met("x.bad.example"), ["lists bad \"bad\""]);
    }
}
