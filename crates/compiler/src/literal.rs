//! What everything that a pattern meets begins or ends with.
//!
//! These are *necessary* conditions, and the pattern itself still has the last word. Who passes over what does not meet them is
//! right to do so, and wrong if they say too much: a deny rule that is filed under an ending which one of its hosts does not have
//! is not asked about that host. So where nothing is known nothing is said, and everybody asks here:
//!
//! ```text
//!   lower               endings      under which sets of the host index the rule index files a rule
//!                       prefix       under which beginnings of customers it does
//!   check::neighbours   fixed_part   which rules may share a host; the texts of globs alone, regexes share with all
//!                       prefix       which may share a customer or a path
//!   check::credentials  fixed_part   beneath which name all of a glob's hosts are, for somebody must have registered it
//!   analysis::hosts     fixed_part   near which names a pattern can meet hosts at all
//! ```

use regex_syntax::hir::literal::{ExtractKind, Extractor};

use crate::checked::HostPattern;
use crate::labels::common;
use crate::pattern::parse_regex;

/// What a host ends with, in whole labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    /// The host lies beneath this name.
    Beneath(String),
    /// The host is this name.
    Itself(String),
}

impl HostPattern {
    /// The endings that a host has one of if the pattern meets it; `None` where hosts may end anyhow.
    pub(crate) fn endings(&self) -> Option<Vec<Ending>> {
        match self {
            Self::Glob(glob) => match fixed_part(&glob.text) {
                "" => None,
                name if name == glob.text => Some(vec![Ending::Itself(name.to_owned())]),
                name => Some(vec![Ending::Beneath(name.to_owned())]),
            },
            Self::Regex(regex) => endings_of_regex(&regex.text),
        }
    }

    /// The name that every host is at or below if the pattern meets it; empty where hosts may end anyhow.
    pub(crate) fn fixed_part(&self) -> String {
        let endings = self.endings().unwrap_or_default();
        let names = endings.iter().map(|(Ending::Beneath(name) | Ending::Itself(name))| name.as_str());
        names.reduce(|a, b| common(a, b)).unwrap_or_default().to_owned()
    }
}

/// The name that every host is beneath if a glob meets it: the whole labels after its last wildcard. Of a name, itself.
pub(crate) fn fixed_part(glob: &str) -> &str {
    match glob.rsplit_once('*') {
        Some((_, after)) => after.split_once('.').map_or("", |(_, fixed)| fixed),
        None => glob,
    }
}

/// What everything begins with that a glob over customers, header values or paths meets: all before its first wildcard.
pub(crate) fn prefix(glob: &str) -> &str {
    glob.split_once('*').map_or(glob, |(prefix, _)| prefix)
}

fn endings_of_regex(regex: &str) -> Option<Vec<Ending>> {
    let hir = parse_regex(regex).ok()?;
    let suffixes = Extractor::new().kind(ExtractKind::Suffix).extract(&hir);
    let mut endings = Vec::new();
    for literal in suffixes.literals()? {
        let is_host_byte = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(byte);
        let is_ipv6_byte = |byte: &u8| b"[]:".contains(byte);
        let bytes = literal.as_bytes();
        if bytes.iter().any(is_ipv6_byte) {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.bytes().all(|byte| is_host_byte(&byte)));
        // What no host can end with no host has to be filed under.
        let Some(text) = text else { continue };
        if literal.is_exact() {
            endings.extend(is_name(text).then(|| Ending::Itself(text.to_owned())));
        } else {
            let (_, whole) = text.split_once('.')?;
            endings.extend(is_name(whole).then(|| Ending::Beneath(whole.to_owned())));
        }
    }
    endings.sort();
    endings.dedup();
    Some(endings)
}

/// Whether this is a run of labels that the host index can hold.
fn is_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(|label| (1..=63).contains(&label.len()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use proptest::test_runner::{RngSeed, TestRunner};
    use regex_syntax::hir::{Class, Hir, HirKind};
    use tidegate_engine::canonical;

    use super::*;
    use crate::automaton::{accepts, determinize};
    use crate::checked::{AnyRunGlob, PathPattern, Pattern};
    use crate::labels::is_at_or_below;
    use crate::source::{FileId, Span};

    fn pattern(text: &str) -> Pattern {
        Pattern { text: text.to_owned(), span: Span { file: FileId(0), start: 0, end: 0 } }
    }

    fn shown(endings: Option<Vec<Ending>>) -> String {
        let shown = |ending: &Ending| match ending {
            Ending::Beneath(name) => format!("*.{name}"),
            Ending::Itself(name) => name.clone(),
        };
        endings.map_or("any".to_owned(), |endings| endings.iter().map(shown).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_glob_over_hosts_ends_in_the_labels_after_its_last_wildcard() {
        let cases = [
            ("*.region-5.example", "*.region-5.example", "region-5.example"),
            ("**.x.example", "*.x.example", "x.example"),
            ("a.*.example", "*.example", "example"),
            ("a.b*c.example", "*.example", "example"),
            ("*.0.0.1", "*.0.0.1", "0.0.1"),
            ("*-suffix", "any", ""),
            ("10.0.*.*", "any", ""),
            ("**", "any", ""),
            // Whoever makes one without a wildcard means that name.
            ("a.example", "a.example", "a.example"),
        ];
        for (glob, endings, fixed) in cases {
            let pattern = HostPattern::Glob(pattern(glob));
            assert_eq!((shown(pattern.endings()).as_str(), pattern.fixed_part().as_str()), (endings, fixed), "{glob}");
            assert_eq!(fixed_part(glob), fixed, "{glob}");
        }
    }

    #[test]
    fn a_regex_over_hosts_ends_in_whole_labels_of_its_literal_suffixes() {
        let cases = [
            (r"[a-z]+\.corp\.example", "*.corp.example", "corp.example"),
            (r"shard-[0-9]{1,40}\.(eu|us)\.example", "*.eu.example *.us.example", "example"),
            (r"(api|www)\.example", "api.example www.example", "example"),
            (r"[a-z]+\.a\.example|b\.a\.example", "*.a.example b.a.example", "a.example"),
            (r"x(\.a\.example|\.xa\.example)", "x.a.example x.xa.example", "example"),
            (r"api\.example|10\.0\.0\.1", "10.0.0.1 api.example", ""),
            (r"a.*", "any", ""),
            (r"[a-z]+example", "any", ""),
            (r".*[.]x[0-9]+", "any", ""),
            (r"(?i)registry\.example", "*.example", "example"),
            // No canonical host has upper-case letters or empty labels.
            (r"[a-z]+\.EXAMPLE", "", ""),
            (r"[a-z]+\.a\.\.example", "", ""),
            (r"\[::1\]", "any", ""),
        ];
        for (regex, endings, fixed) in cases {
            let pattern = HostPattern::Regex(pattern(regex));
            assert_eq!((shown(pattern.endings()).as_str(), pattern.fixed_part().as_str()), (endings, fixed), "{regex}");
        }
    }

    #[test]
    fn whatever_a_glob_meets_begins_with_what_stands_before_its_first_wildcard() {
        for (glob, expected) in [("beta-*", "beta-"), ("a*b*", "a"), ("*", ""), ("*-prod", ""), ("acme", "acme")] {
            assert_eq!(prefix(glob), expected, "{glob}");
        }
    }

    fn host_glob() -> impl Strategy<Value = HostPattern> {
        let label = select(vec!["*", "**", "a", "api-*", "*-eu", "a*b*c", "x", "corp", "example", "1"]);
        vec(label, 1..5).prop_map(|labels| HostPattern::Glob(pattern(&labels.join("."))))
    }

    /// Regexes, and more of what a literal can be made of than their grammar is likely to yield.
    fn host_regex() -> impl Strategy<Value = HostPattern> {
        const LEAVES: [&str; 24] = [
            "",
            "a",
            "b",
            "-",
            "0",
            "api",
            "corp",
            "example",
            r"\.",
            r"\.",
            r"\.a",
            r"\.example",
            r"\.b\.example",
            ".",
            "[.]",
            "[a-z]",
            "[ab.]",
            "[0-9]{1,40}",
            "[a-j]{3}",
            r"(?:x\.){12}",
            "(?i:us)",
            r"\[::1\]",
            "^",
            r"\b",
        ];
        let leaf = select(LEAVES.to_vec()).prop_map(str::to_owned);
        let part = leaf.prop_recursive(3, 16, 4, |part| {
            prop_oneof![
                4 => vec(part.clone(), 1..5).prop_map(|parts| parts.concat()),
                2 => vec(part.clone(), 1..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
                1 => (part, select(vec!["?", "*", "+", "{2}"])).prop_map(|(part, times)| format!("(?:{part}){times}")),
            ]
        });
        let end = select(vec!["", "", "example", r"\.example", r"\.(?:eu|b\.us)\.example", "(?:x|$)"]);
        (part, end).prop_map(|(part, end)| HostPattern::Regex(pattern(&format!("{part}{end}"))))
    }

    /// A text that a regex meets if what it asserts of places holds; the choices say which.
    fn member(hir: &Hir, choices: &mut impl Iterator<Item = u8>) -> Vec<u8> {
        let mut choose = |count: usize| usize::from(choices.next().unwrap_or_default()) % count;
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Vec::new(),
            HirKind::Literal(literal) => literal.0.to_vec(),
            HirKind::Class(class) => {
                let class = match class {
                    Class::Bytes(class) => class.clone(),
                    // What `a|b` comes to.
                    Class::Unicode(class) => class.to_byte_class().unwrap(),
                };
                let bytes: Vec<u8> = class.iter().flat_map(|range| range.start()..=range.end()).collect();
                // Else there were hardly a host.
                let is_usual = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'.';
                let usual: Vec<u8> = bytes.iter().copied().filter(is_usual).collect();
                let bytes = if usual.is_empty() { bytes } else { usual };
                vec![bytes[choose(bytes.len())]]
            }
            HirKind::Repetition(repeated) => {
                let most = repeated.max.unwrap_or(u32::MAX).min(repeated.min + 3);
                let times = repeated.min as usize + choose((most - repeated.min) as usize + 1);
                (0..times).flat_map(|_| member(&repeated.sub, choices)).collect()
            }
            HirKind::Capture(capture) => member(&capture.sub, choices),
            HirKind::Concat(parts) => parts.iter().flat_map(|part| member(part, choices)).collect(),
            HirKind::Alternation(parts) => member(&parts[choose(parts.len())], choices),
        }
    }

    /// Texts that a regex meets.
    fn members(regex: &str, choices: &[[u8; 16]]) -> Vec<String> {
        let hir = parse_regex(regex).unwrap();
        let Ok(dfa) = determinize(&[regex.to_owned()]) else { return Vec::new() };
        let texts = choices.iter().map(|choices| String::from_utf8(member(&hir, &mut choices.iter().copied().cycle())));
        texts.filter_map(Result::ok).filter(|text| accepts(&dfa, text)).collect()
    }

    /// Generates patterns, and asks of texts that they meet; gives of how many something was said.
    #[track_caller]
    fn ask<P: std::fmt::Debug>(
        patterns: impl Strategy<Value = P>,
        regex: impl Fn(&P) -> String,
        says: impl Fn(&P, &str) -> Option<bool>,
    ) -> usize {
        let told = Cell::new(0);
        let config = ProptestConfig {
            cases: 500,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        };
        let result = TestRunner::new(config).run(&(patterns, vec(any::<[u8; 16]>(), 12)), |(pattern, choices)| {
            for text in members(&regex(&pattern), &choices) {
                let holds = says(&pattern, &text);
                prop_assert!(holds != Some(false), "{:?} meets `{}`", pattern, text);
                told.set(told.get() + usize::from(holds.is_some()));
            }
            Ok(())
        });
        result.unwrap_or_else(|failure| panic!("{failure}"));
        told.get()
    }

    #[test]
    fn every_host_that_a_pattern_meets_has_one_of_its_endings() {
        let has = |host: &str, ending: &Ending| match ending {
            Ending::Itself(name) => host == name,
            Ending::Beneath(name) => host != name && is_at_or_below(host, name),
        };
        let says = |pattern: &HostPattern, host: &str| {
            if !canonical::host(host).is_ok_and(|canonical| canonical.as_str() == host) {
                return None;
            }
            let is_fixed = is_at_or_below(host, &pattern.fixed_part());
            pattern.endings().map(|endings| is_fixed && endings.iter().any(|ending| has(host, ending)))
        };
        let of_globs = ask(host_glob(), HostPattern::regex, says);
        let of_regexes = ask(host_regex(), HostPattern::regex, says);
        // Else little was shown.
        assert!(of_globs > 1_000 && of_regexes > 1_000, "{of_globs} {of_regexes}");
    }

    #[test]
    fn everything_that_a_glob_over_customers_or_paths_meets_begins_with_its_prefix() {
        let piece = select(vec!["*", "**", "a", "b-", "/", ".", "é", "[", "x"]);
        let customers = vec(piece, 0..6).prop_map(|pieces| AnyRunGlob(pattern(&pieces.concat())));
        let segment = select(vec!["*", "**", "**", "a", "a*", "*.b", "", "v1", "%C3%A9", "("]);
        let path =
            vec(segment, 1..6).prop_map(|segments| PathPattern::Glob(pattern(&format!("/{}", segments.join("/")))));
        let begins =
            |glob: &Pattern, text: &str| (!prefix(&glob.text).is_empty()).then(|| text.starts_with(prefix(&glob.text)));
        let of_customers = ask(customers, AnyRunGlob::regex, |AnyRunGlob(glob), text| begins(glob, text));
        let of_paths = ask(path, PathPattern::regex, |(PathPattern::Glob(glob) | PathPattern::Regex(glob)), text| {
            begins(glob, text)
        });
        assert!(of_customers > 1_000 && of_paths > 1_000, "{of_customers} {of_paths}");
    }
}
