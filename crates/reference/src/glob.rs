//! The three globs of the language (`docs/policy.md`, "Names" and "Paths"), and its regexes.
//!
//! All three globs are one idea on different material: a row of elements, each of which takes exactly one item or any
//! run of items. [`covers`] walks the row and keeps the set of places in the text that the elements so far can have
//! reached: at most elements × items steps, whatever the pattern.
//!
//! | glob | items | takes one | takes any run |
//! |---|---|---|---|
//! | customer, header value, single label, single segment | bytes | a byte | `*` |
//! | host | labels | a label's glob | `**`, with one label before it |
//! | path | segments | a segment's glob | `**`, with one segment before it if it stands at the end |

use regex::bytes::RegexBuilder;

/// One element of a glob.
enum Element<P> {
    /// Exactly one item, which the pattern must meet.
    One(P),
    /// Any run of items, an empty one too.
    Run,
}

/// Whether the elements, one after the other, take all the items.
fn covers<P, T>(elements: &[Element<P>], items: &[T], meets: impl Fn(&P, &T) -> bool) -> bool {
    // `reached[n]`: the elements so far can take exactly the first n items.
    let mut reached = vec![false; items.len() + 1];
    reached[0] = true;
    for element in elements {
        let mut next = vec![false; items.len() + 1];
        match element {
            Element::One(pattern) => {
                for (n, item) in items.iter().enumerate() {
                    next[n + 1] = reached[n] && meets(pattern, item);
                }
            }
            Element::Run => {
                let mut any = false;
                for (n, next) in next.iter_mut().enumerate() {
                    any |= reached[n];
                    *next = any;
                }
            }
        }
        reached = next;
    }
    reached[items.len()]
}

/// A glob in which `*` is any run of characters and nothing else is special: for customers and header values, and for
/// what stands within one label or segment.
pub(crate) fn any_run(glob: &str, text: &str) -> bool {
    // Bytes do for characters: in UTF-8 no character's bytes are found within another's.
    let elements: Vec<_> =
        glob.bytes().map(|byte| if byte == b'*' { Element::Run } else { Element::One(byte) }).collect();
    covers(&elements, text.as_bytes(), |a, b| a == b)
}

/// A glob over a host's labels. An IPv4 address is its text, four labels; an IPv6 one is a single label.
pub(crate) fn host(glob: &str, host: &str) -> bool {
    let mut elements = Vec::new();
    for label in glob.split('.') {
        if label == "**" {
            // One or more.
            elements.extend([Element::One("*"), Element::Run]);
        } else {
            elements.push(Element::One(label));
        }
    }
    let labels: Vec<&str> = host.split('.').collect();
    covers(&elements, &labels, |glob, label| any_run(glob, label))
}

/// A glob over a path's segments; both begin with `/`.
pub(crate) fn path(glob: &str, path: &str) -> bool {
    let mut elements = Vec::new();
    let mut globs = glob.split('/').skip(1).peekable();
    while let Some(segment) = globs.next() {
        if segment == "**" {
            // Zero or more, but at the end one or more: `/a/**` is not `/a`.
            if globs.peek().is_none() {
                elements.push(Element::One("*"));
            }
            elements.push(Element::Run);
        } else {
            elements.push(Element::One(segment));
        }
    }
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    covers(&elements, &segments, |glob, segment| any_run(glob, segment))
}

/// A regex, which is ASCII and holds for the whole text; `None` if it is none after all.
pub(crate) fn regex(pattern: &str, text: &str) -> Option<bool> {
    // In verbose mode a comment at the pattern's end would swallow the parenthesis; a line break ends the comment.
    let whole = [format!(r"\A(?:{pattern})\z"), format!("\\A(?:{pattern}\n)\\z")];
    whole
        .iter()
        .find_map(|whole| RegexBuilder::new(whole).unicode(false).size_limit(usize::MAX).build().ok())
        .map(|regex| regex.is_match(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run_an_empty_one_too() {
        for text in ["beta-", "beta-1", "beta-*", "beta-\n", "beta-é"] {
            assert!(any_run("beta-*", text), "{text}");
        }
        assert!(!any_run("beta-*", "beta"));
        assert!(!any_run("beta-*", "a beta-1"));
        assert!(any_run("*a*b*", "xxaxxbxx"));
        assert!(!any_run("*a*b*", "xxbxxaxx"));
        assert!(any_run("[a]?{b,c}\\", "[a]?{b,c}\\"));
        assert!(any_run("", ""));
        assert!(!any_run("", "a"));
    }

    #[test]
    fn many_stars_take_no_more_time_than_their_number() {
        let (glob, text) = ("*a".repeat(500), "a".repeat(5000));
        assert!(any_run(&glob, &text));
        assert!(!any_run(&format!("{glob}b"), &text));
        let (glob, deep) = ("/**/x".repeat(300), "/x".repeat(1500));
        assert!(path(&glob, &deep));
        assert!(!path(&format!("{glob}/y"), &deep));
    }

    #[test]
    fn in_hosts_a_star_stays_within_its_label_and_two_take_one_or_more() {
        for (glob, met, unmet) in [
            ("*.x.example", &["a.x.example"][..], &["x.example", "a.b.x.example", "a.x.example.b"][..]),
            ("**.x.example", &["a.x.example", "a.b.x.example"], &["x.example", "ax.example"]),
            ("a*z.example", &["az.example", "abcz.example"], &["a.z.example", "abc.example"]),
            ("a.**.example", &["a.b.example", "a.b.c.example"], &["a.example", "a.b"]),
            ("**", &["a", "a.b", "127.0.0.1", "[::1]"], &[]),
            ("*", &["a", "[::1]"], &["127.0.0.1"]),
            ("10.*.*.*", &["10.0.0.1"], &["10.0.1", "110.0.0.1"]),
        ] {
            for text in met {
                assert!(host(glob, text), "{glob} {text}");
            }
            for text in unmet {
                assert!(!host(glob, text), "{glob} {text}");
            }
        }
    }

    #[test]
    fn in_paths_two_stars_take_zero_or_more_segments_and_at_the_end_one_or_more() {
        for (glob, met, unmet) in [
            ("/a/**", &["/a/", "/a/b", "/a/b/", "/a/b/c"][..], &["/a", "/", "/ab", "/b/a/"][..]),
            ("/a/**/b", &["/a/b", "/a/x/b", "/a/x/y/b"], &["/a/", "/a/b/", "/ab"]),
            ("/**/b", &["/b", "/a/b"], &["/", "/ab", "/b/"]),
            ("/**", &["/", "/a", "/a/", "/a/b"], &[]),
            ("/a/**/", &["/a/", "/a/b/"], &["/a", "/a/b"]),
            ("/a/**/**", &["/a/", "/a/b"], &["/a"]),
            ("/v1/*", &["/v1/", "/v1/x"], &["/v1", "/v1/x/", "/v1/x/y"]),
            ("/v*/x", &["/v/x", "/v1/x"], &["/v1/y/x"]),
            ("/", &["/"], &["/a", "//"]),
            ("/a", &["/a"], &["/a/", "/A"]),
        ] {
            for text in met {
                assert!(path(glob, text), "{glob} {text}");
            }
            for text in unmet {
                assert!(!path(glob, text), "{glob} {text}");
            }
        }
    }

    #[test]
    fn a_regex_holds_for_the_whole_text() {
        assert_eq!(regex("a|ab", "ab"), Some(true));
        assert_eq!(regex("b", "ab"), Some(false));
        assert_eq!(regex("(?m)^b$", "a\nb"), Some(false));
        assert_eq!(regex("(?x) a # the first letter", "a"), Some(true));
        assert_eq!(regex("(?i)A", "a"), Some(true));
        assert_eq!(regex("a{2}", "aa"), Some(true));
        assert_eq!(regex("(", "("), None);
    }
}
