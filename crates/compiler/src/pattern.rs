//! The pattern grammars, as regexes.
//!
//! A checked pattern is canonical text; its meaning is the regex that these functions give, which holds for the whole
//! host, path, customer name or header value:
//!
//! ```text
//!   hosts   *    any run of characters within one label      [^.]*
//!           **   one or more labels                          [^.]+(?:\.[^.]+)*
//!   paths   *    any run of characters within one segment    [^/]*
//!           **   zero or more segments                       (?:/[^/]*)*
//!           **   at the end, one or more segments            (?:/[^/]*)+
//!   others  *    any run of characters                       .*
//! ```
//!
//! In paths a `**` takes the slash before it along, so `/a/**/b` covers `/a/b`, and `/a/**` covers `/a/` but not `/a`.

use globset::GlobBuilder;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;

use crate::checked::{AnyRunGlob, HostPattern, PathPattern};

impl HostPattern {
    /// The pattern as a regex over the whole canonical host.
    pub(crate) fn regex(&self) -> String {
        match self {
            Self::Glob(glob) => host_glob(&glob.text),
            Self::Regex(regex) => regex.text.clone(),
        }
    }
}

impl PathPattern {
    /// The pattern as a regex over the whole path, in the form that paths are matched in.
    pub(crate) fn regex(&self) -> String {
        match self {
            Self::Glob(glob) => path_glob(&glob.text),
            Self::Regex(regex) => regex.text.clone(),
        }
    }
}

impl AnyRunGlob {
    /// The pattern as a regex over the whole value.
    pub(crate) fn regex(&self) -> String {
        // globset knows `**` as a thing of its own; here it is two runs, which are one.
        let mut glob = String::new();
        for (index, literal) in self.0.text.split('*').enumerate() {
            if index > 0 && !glob.ends_with('*') {
                glob.push('*');
            }
            glob.push_str(&globset::escape(literal));
        }
        match GlobBuilder::new(&glob).literal_separator(false).backslash_escape(false).build() {
            Ok(glob) => format!("(?s){}", glob.regex()),
            Err(error) => unreachable!("`{glob}` is escaped: {error}"),
        }
    }
}

/// A domain and everything beneath it, as a regex.
pub(crate) fn domain_regex(name: &str) -> String {
    format!(r"(?:[^.]+\.)*{}", regex_syntax::escape(name))
}

/// A string that stands for itself, as a regex.
pub(crate) fn literal_regex(text: &str) -> String {
    regex_syntax::escape(text)
}

/// Parses a regex as it is written: ASCII classes, no Unicode tables, bytes. Each is parsed by itself, so that flags and comments
/// do not reach out of it. Never print a syntax tree to parse it again: `regex-syntax` prints that of `(?:a+)?` as `a+?`.
pub(crate) fn parse_regex(text: &str) -> Result<Hir, Box<regex_syntax::Error>> {
    ParserBuilder::new().unicode(false).utf8(false).build().parse(text).map_err(Box::new)
}

fn host_glob(glob: &str) -> String {
    let labels: Vec<String> = glob
        .split('.')
        .map(|label| if label == "**" { r"[^.]+(?:\.[^.]+)*".to_owned() } else { runs(label, "[^.]*") })
        .collect();
    labels.join(r"\.")
}

fn path_glob(glob: &str) -> String {
    let mut regex = String::new();
    let mut segments = glob.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match (segment, segments.peek()) {
            ("**", Some(_)) => regex.push_str("(?:/[^/]*)*"),
            ("**", None) => regex.push_str("(?:/[^/]*)+"),
            _ => {
                regex.push('/');
                regex.push_str(&runs(segment, "[^/]*"));
            }
        }
    }
    regex
}

/// Literal text with `run` for every `*`.
fn runs(text: &str, run: &str) -> String {
    text.split('*').map(regex_syntax::escape).collect::<Vec<_>>().join(run)
}

#[cfg(test)]
mod tests {
    use tidegate_table::Automaton;

    use super::*;
    use crate::automaton;
    use crate::checked::Pattern;
    use crate::source::{FileId, Span};

    fn pattern(text: &str) -> Pattern {
        Pattern { text: text.to_owned(), span: Span { file: FileId(0), start: 0, end: 0 } }
    }

    #[track_caller]
    fn assert_meets(regex: String, meets: &[&str], misses: &[&str]) {
        let bytes = automaton::compile(&[regex]).unwrap();
        let matches = |text: &str| Automaton::new(&bytes).accepts(text).unwrap();
        for text in meets {
            assert!(matches(text), "should meet `{text}`");
        }
        for text in misses {
            assert!(!matches(text), "should not meet `{text}`");
        }
    }

    #[track_caller]
    fn host(glob: &str, meets: &[&str], misses: &[&str]) {
        assert_meets(HostPattern::Glob(pattern(glob)).regex(), meets, misses);
    }

    #[track_caller]
    fn path(glob: &str, meets: &[&str], misses: &[&str]) {
        assert_meets(PathPattern::Glob(pattern(glob)).regex(), meets, misses);
    }

    #[track_caller]
    fn any_run(glob: &str, meets: &[&str], misses: &[&str]) {
        assert_meets(AnyRunGlob(pattern(glob)).regex(), meets, misses);
    }

    #[test]
    fn a_star_in_a_host_stays_within_its_label() {
        host("*.x.example", &["a.x.example", "a-b.x.example"], &["x.example", "a.b.x.example", "ax.example"]);
        host("api-*.x.example", &["api-.x.example", "api-1.x.example"], &["api.x.example", "api-1.b.x.example"]);
        host("a.*.example", &["a.b.example"], &["a.example", "a.b.c.example"]);
        host("a*b*c.example", &["abc.example", "a1b2c.example"], &["acb.example", "ab.c.example"]);
    }

    #[test]
    fn two_stars_in_a_host_take_one_or_more_labels() {
        host("**.x.example", &["a.x.example", "a.b.x.example"], &["x.example", "ax.example", ".x.example"]);
        host("a.**.example", &["a.b.example", "a.b.c.example"], &["a.example", "b.a.example"]);
        host("**", &["a", "a.b", "a.b.c", "[::1]"], &[]);
        host("**.*.example", &["a.b.example", "a.b.c.example"], &["a.example"]);
    }

    #[test]
    fn a_host_glob_sees_an_ipv4_address_as_four_labels_and_an_ipv6_address_as_one() {
        host("10.0.*.*", &["10.0.0.1"], &["10.0.1", "10.1.0.1"]);
        host("*", &["[::1]", "intranet"], &["10.0.0.1"]);
    }

    #[test]
    fn a_star_in_a_path_stays_within_its_segment() {
        path("/v1/*", &["/v1/", "/v1/a"], &["/v1", "/v1/a/", "/v1/a/b"]);
        path("/*/b", &["/a/b"], &["/b", "/a/c/b"]);
        path("/a*.json", &["/a.json", "/abc.json"], &["/a/b.json", "/a.jsonp"]);
    }

    #[test]
    fn two_stars_at_the_end_of_a_path_take_one_or_more_segments() {
        path("/a/**", &["/a/", "/a/b", "/a/b/", "/a/b/c"], &["/a", "/ab", "/b/a/"]);
        path("/**", &["/", "/a", "/a/", "/a/b"], &[]);
        path("/a/**/**", &["/a/", "/a/b/c"], &["/a"]);
    }

    #[test]
    fn two_stars_inside_a_path_take_zero_or_more_segments() {
        path("/a/**/b", &["/a/b", "/a/c/b", "/a/c/d/b"], &["/ab", "/a/b/", "/a", "/a/cb"]);
        path("/**/b", &["/b", "/a/b", "/a/c/b"], &["/ab", "b"]);
        path("/a/**/", &["/a/", "/a/b/"], &["/a", "/a/b"]);
    }

    #[test]
    fn a_path_without_wildcards_is_itself() {
        path("/a.b%C3%A9+(c)", &["/a.b%C3%A9+(c)"], &["/aXb%C3%A9+(c)", "/a.b%C3%A9+(c)/"]);
    }

    #[test]
    fn elsewhere_a_star_is_any_run_and_nothing_else_is_special() {
        any_run("beta-*", &["beta-", "beta-1", "beta-a/b.c"], &["beta", "abeta-1"]);
        any_run("*", &["", "a", "a/b", "é"], &[]);
        any_run("a**", &["a", "a/b"], &["b"]);
        any_run("**/a", &["x/a", "/a"], &["a"]);
        any_run(r"[a]{b}?\*é", &[r"[a]{b}?\é", r"[a]{b}?\xé"], &["abé", "a"]);
        any_run("a.c", &["a.c"], &["abc"]);
    }

    #[test]
    fn a_regex_holds_for_the_whole_string_whatever_flags_it_sets() {
        let regex = |text: &str| HostPattern::Regex(pattern(text)).regex();
        assert_meets(regex("a|b.c"), &["a", "b.c", "bxc"], &["ac", "a.c", "xb.c"]);
        assert_meets(regex("(?x) a b # c"), &["ab"], &["a b"]);
        assert_meets(regex("^a$"), &["a"], &["ba"]);
        assert_meets(regex(r"(?i)API\.\w+"), &["api.a_1"], &["api.", "apiXa"]);
    }

    #[test]
    fn a_regex_may_repeat_or_leave_out_what_repeats_within() {
        for (text, meets, misses) in [
            (r"(?:a+)?b", &["b", "ab", "aab"][..], &["a", "xb"][..]),
            (r"(?:a*)?b", &["b", "aab"], &["xb"]),
            (r"(?:a?)?b", &["b", "ab"], &["aab"]),
            (r"(?:a+?)?b", &["b", "aab"], &["xb"]),
            (r"(?:a{2})?b", &["b", "aab"], &["ab"]),
            (r"(?:(?:ab){2,3})?c", &["c", "ababc"], &["abc"]),
            (r"(?:a{2}){2}b", &["aaaab"], &["b", "aab"]),
            (r"(?:[0-9]{2})*b", &["b", "1234b"], &["1b"]),
        ] {
            assert_meets(HostPattern::Regex(pattern(text)).regex(), meets, misses);
            assert_meets(PathPattern::Regex(pattern(text)).regex(), meets, misses);
        }
    }
}
