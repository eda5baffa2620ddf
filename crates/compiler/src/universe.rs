//! What requests can look like at all, as automata: a pattern that shares no string with these meets no request.

use std::sync::LazyLock;

use tidegate_engine::canonical::{self, PathReading};

use crate::automaton::{Dfa, determinize, meet};

/// How a path can be read (`tidegate_engine::canonical::PathReading`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathKind {
    /// In one way.
    Plain,
    /// Upstreams may take `%2F` or `%25` for what they stand for.
    Encoded,
    /// Upstreams may take it for another path.
    Ambiguous,
}

impl PathKind {
    /// The kind of a path in the form that paths are matched in.
    pub(crate) fn of(path: &str) -> Self {
        match canonical::path_text(path).1 {
            PathReading::Plain => Self::Plain,
            PathReading::EncodedSlashOrPercent => Self::Encoded,
            PathReading::Ambiguous => Self::Ambiguous,
        }
    }
}

/// What a pattern for hosts can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// No host that a request can have.
    Nothing,
    /// Hosts, but only such as need an allow rule that names them exactly.
    SpecialHosts,
    /// Hosts of the world.
    Ordinary,
}

/// Every canonical host, lengths aside.
static HOSTS: LazyLock<Dfa> = LazyLock::new(|| fixed(r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+|\[[0-9a-f:]+\]"));

/// Hosts that are special (`tidegate_engine::canonical::Host::is_special`), and names that end in a number, for those are
/// IPv4 addresses or no hosts.
static SPECIAL_HOSTS: LazyLock<Dfa> =
    LazyLock::new(|| fixed(r"[^.]*|(?:[^.]+\.)*(?:localhost|local|internal|home\.arpa|onion|[0-9]+|0x[0-9a-f]*)"));

/// Every path in the form that paths are matched in, but for some that can be read in two ways.
static PATHS: LazyLock<Dfa> = LazyLock::new(|| fixed(&format!("/{}*", path_character())));

/// Paths that hold `%2F` or `%25`.
static PATHS_WITH_ESCAPES: LazyLock<Dfa> = LazyLock::new(|| {
    let character = path_character();
    fixed(&format!("/{character}*%2[5F]{character}*"))
});

/// A character of a path, as a regex.
fn path_character() -> String {
    // Escapes of unreserved characters (RFC 3986 §2.3) are decoded before matching.
    let escapes: Vec<String> = (0..=u8::MAX)
        .filter(|byte| !byte.is_ascii_alphanumeric() && !b"-._~".contains(byte))
        .map(|byte| format!("%{byte:02X}"))
        .collect();
    format!(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|{})", escapes.join("|"))
}

/// Paths that upstreams may read as others, whatever a rule says about escapes. Not all: bad UTF-8 is left out.
static DOUBTFUL_PATHS: LazyLock<Dfa> =
    LazyLock::new(|| fixed(r".*(?://|/\.\.?;|%5C|%[01][0-9A-F]|%7F|%C2%[89][0-9A-F]).*|(?:.*/)?\.\.?(?:/.*)?"));

/// Paths that only rules with `encoded = "literal"` can be certain of.
static ENCODED_PATHS: LazyLock<Dfa> = LazyLock::new(|| fixed(".*%2[5F].*"));

/// Every canonical host.
pub(crate) fn all_hosts() -> &'static Dfa {
    &HOSTS
}

/// Hosts that are special, and names that end in a number, which are no hosts or addresses.
pub(crate) fn special_hosts() -> &'static Dfa {
    &SPECIAL_HOSTS
}

/// What a pattern for hosts can meet.
pub(crate) fn host_reach(pattern: &Dfa) -> Reach {
    if !meet(&[pattern, &HOSTS], &[]) {
        Reach::Nothing
    } else if !meet(&[pattern, &HOSTS], &[&SPECIAL_HOSTS]) {
        Reach::SpecialHosts
    } else {
        Reach::Ordinary
    }
}

/// Automata that a path of a kind is accepted by, and not accepted by. They let a few through that are of another kind.
pub(crate) fn paths_of_kind(kind: PathKind) -> (&'static Dfa, Vec<&'static Dfa>) {
    match kind {
        PathKind::Plain => (&PATHS, vec![&DOUBTFUL_PATHS, &ENCODED_PATHS]),
        PathKind::Encoded => (&PATHS_WITH_ESCAPES, vec![&DOUBTFUL_PATHS]),
        PathKind::Ambiguous => (&PATHS, Vec::new()),
    }
}

/// Whether a path exists that the pattern certainly meets.
pub(crate) fn meets_a_path(pattern: &Dfa, encoded_literal: bool) -> bool {
    if encoded_literal {
        meet(&[pattern, &PATHS], &[&DOUBTFUL_PATHS])
    } else {
        meet(&[pattern, &PATHS], &[&DOUBTFUL_PATHS, &ENCODED_PATHS])
    }
}

fn fixed(regex: &str) -> Dfa {
    match determinize(&[regex.to_owned()]) {
        Ok(dfa) => dfa,
        Err(_) => unreachable!("`{regex}` is small"),
    }
}

#[cfg(test)]
mod tests {
    use regex_automata::dfa::Automaton;
    use regex_automata::{Anchored, Input};
    use tidegate_engine::canonical::{self, PathReading, Target};

    use super::*;
    use crate::pattern::literal_regex;

    fn dfa(regex: &str) -> Dfa {
        determinize(&[regex.to_owned()]).unwrap()
    }

    fn accepts(dfa: &Dfa, text: &str) -> bool {
        dfa.try_search_fwd(&Input::new(text).anchored(Anchored::Yes)).unwrap().is_some()
    }

    #[test]
    fn hosts_are_ordinary_or_special_as_the_engine_says() {
        let hosts = [
            "a.example",
            "a_b.x-y.example",
            "com",
            "localhost",
            "a.localhost",
            "notlocalhost.example",
            "a.internal",
            "home.arpa",
            "x.home.arpa",
            "xhome.arpa",
            "in-addr.arpa",
            "x.onion",
            "10.0.0.1",
            "[::1]",
            "1.a",
            "x.local",
        ];
        for host in hosts {
            let special = canonical::host(host).unwrap().is_special();
            let reach = host_reach(&dfa(&literal_regex(host)));
            assert_eq!(reach, if special { Reach::SpecialHosts } else { Reach::Ordinary }, "{host}");
        }
        for none in ["API.example", "a..b", "a.example:443", "é.example", "a/b"] {
            assert_eq!(host_reach(&dfa(&literal_regex(none))), Reach::Nothing, "{none}");
        }
    }

    #[test]
    fn paths_are_met_where_they_are_spelled_as_paths_are_matched() {
        for (path, plain, literal) in [
            ("/a/b", true, true),
            ("/a%2Fb", false, true),
            ("/a%C3%A9", true, true),
            ("a", false, false),
            ("/%7Ea", false, false),
            ("/a%2fb", false, false),
            ("/a?b", false, false),
            ("/a/../b", false, false),
            ("/a/.well-known", true, true),
            ("/a//b", false, false),
            ("/a%5Cb", false, false),
        ] {
            let pattern = dfa(&literal_regex(path));
            assert_eq!(meets_a_path(&pattern, false), plain, "{path}");
            assert_eq!(meets_a_path(&pattern, true), literal, "{path}");
        }
    }

    /// If the canonicaliser gave a path that is not one here, a pattern for it would be refused, and two rules that meet
    /// in it would be taken to be apart.
    #[test]
    fn every_path_that_the_canonicaliser_gives_is_a_path_here() {
        let characters = (0..=0x2ff).filter_map(char::from_u32).map(String::from);
        let escapes = (0..=u8::MAX).map(|byte| format!("%{byte:02x}"));
        let spellings =
            ["", "/", "a/", "%C3%a9", "%e2%82%ac", "..%3B", ".%2e.", "%2f%25", "\u{10ffff}"].map(String::from);
        for piece in characters.chain(escapes).chain(spellings) {
            for received in [format!("https://a.example/{piece}"), format!("https://a.example/x{piece}y/z")] {
                let Ok(target) = Target::parse(&received) else { continue };
                let path = target.path();
                let doubtful = accepts(&DOUBTFUL_PATHS, path);
                match target.path_reading() {
                    PathReading::Plain => {
                        assert!(accepts(&PATHS, path) && !doubtful && !accepts(&ENCODED_PATHS, path), "{received}");
                    }
                    PathReading::EncodedSlashOrPercent => {
                        assert!(accepts(&PATHS, path) && !doubtful && accepts(&ENCODED_PATHS, path), "{received}");
                    }
                    PathReading::Ambiguous => {}
                }
            }
        }
    }

    #[test]
    fn every_host_that_the_canonicaliser_gives_is_a_host_here() {
        let characters = (0x21..=0x2ff).filter_map(char::from_u32).map(|c| format!("x{c}y.example"));
        let spellings = [
            "0x7f.1",
            "2130706433",
            "[::ffff:1.2.3.4]",
            "[2001:db8::1]",
            "EXAMPLE.com.",
            "a_b.c",
            "xn--mnchen-3ya.de",
            "com",
        ];
        let mut given = 0;
        for written in characters.chain(spellings.map(String::from)) {
            let Ok(host) = canonical::host(&written) else { continue };
            assert!(accepts(&HOSTS, host.as_str()), "{written}");
            assert_eq!(accepts(&SPECIAL_HOSTS, host.as_str()), host.is_special(), "{written}");
            given += 1;
        }
        assert!(given > 200, "{given}");
    }
}
