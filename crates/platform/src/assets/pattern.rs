//! Patterns of `_headers` and `_redirects`: paths, or `https://` and a host and a path, with placeholders (`:name`, one
//! segment or a part of one) and one splat (`*`, anything).
//!
//! A pattern is a regular expression of an engine that takes linear time, whoever wrote the rule and whatever is asked
//! for. Most requests never reach it: the text before the first placeholder decides.

use regex::bytes::{Captures, Regex};
use url::Url;

/// The most placeholders of one pattern: each makes it slower to match.
const MOST_PLACEHOLDERS: usize = 32;

/// A pattern, compiled.
#[derive(Debug)]
pub(super) struct Pattern {
    /// Whether it names a host.
    absolute: bool,
    /// What every text that it matches begins with.
    prefix: String,
    regex: Regex,
}

/// What stood where a pattern has its placeholders; the splat's name is `splat`.
pub(super) struct Captured<'a>(Captures<'a>);

impl Pattern {
    /// Compiles a pattern that [`address`] has normalised.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        let absolute = host_of(text).is_some();
        let host_end = host_of(text).map_or(0, |host| "https://".len() + host.len());
        let mut regex = String::from("(?s-u)\\A");
        let mut prefix = None;
        let mut names: Vec<&str> = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['*', ':']) {
            let (literal, found) = rest.split_at(at);
            regex.push_str(&regex::escape(literal));
            let in_host = text.len() - found.len() < host_end;
            let (name, kind) = if found.starts_with('*') {
                ("splat", if in_host { "[^/]*" } else { ".*" })
            } else {
                (name_of(found), if in_host { "[^/.]+" } else { "[^/]+" })
            };
            if name.is_empty() {
                // A colon alone, as before a port.
                regex.push(':');
                rest = found.get(1..).unwrap_or_default();
                continue;
            }
            prefix.get_or_insert(text.len() - found.len());
            if names.contains(&name) {
                return Err(if name == "splat" {
                    format!(
                        "`{text}` has more than one wildcard; `*` is the placeholder `:splat`, so use others beside it"
                    )
                } else {
                    format!("`{text}` has the placeholder `:{name}` twice")
                });
            }
            if names.len() == MOST_PLACEHOLDERS {
                return Err(format!("a rule has at most {MOST_PLACEHOLDERS} placeholders"));
            }
            names.push(name);
            regex.extend(["(?P<", name, ">", kind, ")"]);
            rest = found.get(if found.starts_with('*') { 1 } else { 1 + name.len() }..).unwrap_or_default();
        }
        regex.push_str(&regex::escape(rest));
        regex.push_str("\\z");
        let regex = Regex::new(&regex).map_err(|_| format!("`{text}` is too large a pattern"))?;
        let prefix = text.get(..prefix.unwrap_or(text.len())).unwrap_or_default().to_owned();
        Ok(Self { absolute, prefix, regex })
    }

    /// Whether a text is a pattern, and not the one path that it says.
    pub(super) fn is_dynamic(text: &str) -> bool {
        text.contains('*') || text.split(':').skip(1).any(|after| after.starts_with(|c: char| c.is_ascii_alphabetic()))
    }

    /// Matches a request. Its scheme does not count: `https://` names a host, whether it is asked by TLS or not.
    pub(super) fn captures<'a>(&self, place: &'a Place) -> Option<Captured<'a>> {
        let text = if self.absolute { &place.absolute } else { place.path() };
        if !text.starts_with(&self.prefix) {
            return None;
        }
        self.regex.captures(text.as_bytes()).map(Captured)
    }
}

/// What patterns are matched against.
#[derive(Debug)]
pub(super) struct Place {
    /// `https://`, host without port, path.
    absolute: String,
    path_at: usize,
}

impl Place {
    pub(super) fn of(url: &Url) -> Self {
        let mut absolute = format!("https://{}", url.host_str().unwrap_or_default());
        let path_at = absolute.len();
        absolute.push_str(url.path());
        Self { absolute, path_at }
    }

    pub(super) fn path(&self) -> &str {
        self.absolute.get(self.path_at..).unwrap_or_default()
    }
}

impl Captured<'_> {
    /// A text with what was captured in place of its placeholders; those that the pattern does not have stay.
    pub(super) fn fill(&self, template: &str) -> String {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(at) = rest.find(':') {
            let (before, found) = rest.split_at(at);
            filled.push_str(before);
            let name = name_of(found);
            let value = self.0.name(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
            match value {
                Some(value) => filled.push_str(value),
                None => filled.push_str(found.get(..=name.len()).unwrap_or_default()),
            }
            rest = found.get(1 + name.len()..).unwrap_or_default();
        }
        filled.push_str(rest);
        filled
    }
}

/// A rule's path or URL in the form in which requests have theirs: percent-encoded, without `..`. Of the rest of a URL,
/// patterns have nothing, and targets their query and fragment.
pub(super) fn address(text: &str, whole: bool) -> Result<String, String> {
    let (host, path) = match host_of(text) {
        Some(host) => (host, text.get("https://".len() + host.len()..).unwrap_or_default()),
        None => ("", text),
    };
    if host.is_empty() && !path.starts_with('/') {
        return Err(format!("`{text}` must begin with `/`, or with `https://` and a host"));
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    let url =
        Url::parse(&format!("relative://{slash}{path}")).map_err(|error| format!("`{text}` is no URL: {error}"))?;
    let mut address = if host.is_empty() { String::new() } else { format!("https://{host}") };
    address.push_str(url.path());
    if whole {
        for (mark, part) in [('?', url.query()), ('#', url.fragment())] {
            if let Some(part) = part.filter(|part| !part.is_empty()) {
                address.push(mark);
                address.push_str(part);
            }
        }
    }
    Ok(address)
}

/// The host of a rule that names one, with its port.
pub(super) fn host_of(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("https://")?;
    let host = rest.split('/').next().unwrap_or_default();
    (!host.is_empty()).then_some(host)
}

/// The name of the placeholder that a text begins with; empty if it begins with none.
fn name_of(text: &str) -> &str {
    let name = text.strip_prefix(':').unwrap_or_default();
    if !name.starts_with(|character: char| character.is_ascii_alphabetic()) {
        return "";
    }
    let end = name.find(|character: char| !character.is_ascii_alphanumeric() && character != '_').unwrap_or(name.len());
    name.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(pattern: &str, url: &str, template: &str) -> Option<String> {
        let pattern = Pattern::compile(&address(pattern, false).unwrap()).unwrap();
        let place = Place::of(&Url::parse(url).unwrap());
        pattern.captures(&place).map(|captured| captured.fill(template))
    }

    #[test]
    fn patterns_match_whole_paths_and_say_what_stood_where() {
        let cases = [
            ("/a", "/a", "x", Some("x")),
            ("/a", "/a/", "x", None),
            ("/a", "/A", "x", None),
            ("/a.b", "/axb", "x", None),
            ("/a/*", "/a/", ":splat", Some("")),
            ("/a/*", "/a/b/c", ":splat", Some("b/c")),
            ("/a/*", "/a", ":splat", None),
            ("/*.jpg", "/x/y.jpg", ":splat", Some("x/y")),
            ("/*.jpg", "/x/y.png", ":splat", None),
            ("/*/end", "/a/end/b/end", ":splat", Some("a/end/b")),
            ("/:a", "/x", "[:a]", Some("[x]")),
            ("/:a", "/", ":a", None),
            ("/:a", "/x/y", ":a", None),
            ("/:a/:b", "/x/y", ":b/:a", Some("y/x")),
            ("/:a-:b", "/x-y-z", ":a|:b", Some("x-y|z")),
            ("/:year/:slug_1", "/2024/a.b", ":slug_1.:year", Some("a.b.2024")),
            ("/:a/*", "/x/y/z", ":a::splat", Some("x:y/z")),
            // One name begins another.
            ("/:a/:ab", "/1/2", ":ab:a:abc", Some("21:abc")),
            // What was captured is no template.
            ("/:a/:b", "/:b/:a", ":a,:b", Some(":b,:a")),
            ("/:a", "/x", ":b:", Some(":b:")),
            ("/1:30", "/1:30", "x", Some("x")),
            ("/ü x", "/ü x", "x", Some("x")),
            ("/a/../b", "/b", "x", Some("x")),
            ("/a?q#f", "/a?other", "x", Some("x")),
            ("/(a|b)+", "/(a|b)+", "x", Some("x")),
            ("/(a|b)+", "/a", "x", None),
        ];
        for (pattern, path, template, expected) in cases {
            let url = format!("http://host.example{path}");
            assert_eq!(filled(pattern, &url, template).as_deref(), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_with_a_host_is_of_that_host_whatever_the_scheme_and_port() {
        let cases = [
            ("https://a.example/x", "http://a.example/x", Some("")),
            ("https://a.example/x", "https://a.example:8787/x", Some("")),
            ("https://a.example/x", "http://b.example/x", None),
            ("https://a.example", "http://a.example/", Some("")),
            ("https://:sub.example/*", "http://a.example/x", Some("a")),
            // A placeholder of a host is one label, and a splat none of its path.
            ("https://:sub.example/*", "http://a.b.example/x", None),
            ("https://*.example/x", "http://evil.test/a.example/x", None),
            ("https://*.example/x", "http://a.b.example/x", Some("")),
        ];
        for (pattern, url, sub) in cases {
            let captured = filled(pattern, url, ":sub");
            let sub = sub.map(|sub| if sub.is_empty() { ":sub" } else { sub });
            assert_eq!(captured.as_deref(), sub, "{pattern} {url}");
        }
    }

    #[test]
    fn patterns_that_cannot_be_say_why() {
        let many = (0..33).fold(String::new(), |many, index| format!("{many}/:p{index}"));
        let cases = [
            ("/*/*", "more than one wildcard"),
            ("/*/:splat", "more than one wildcard"),
            ("/:a/:a", "`:a` twice"),
            (many.as_str(), "at most 32 placeholders"),
        ];
        for (pattern, why) in cases {
            let refused = Pattern::compile(pattern).unwrap_err();
            assert!(refused.contains(why), "{pattern}: {refused}");
        }
        assert!(address("a", false).unwrap_err().contains("must begin with `/`"));
        assert!(address("http://a.example/", false).is_err());
    }
}
