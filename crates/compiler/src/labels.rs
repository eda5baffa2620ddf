//! Names as runs of labels: which is above which.
//!
//! The empty name is above all others, and beneath none.

/// `a.b.c`, `b.c`, `c`: a name and those above it, but for the empty one.
pub(crate) fn at_and_above(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, above)| above))
}

/// Whether a name is another, or beneath it.
pub(crate) fn is_at_or_below(name: &str, above: &str) -> bool {
    above.is_empty() || name.strip_suffix(above).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The lowest name that two are at or below.
pub(crate) fn common<'n>(a: &'n str, b: &str) -> &'n str {
    at_and_above(a).find(|above| is_at_or_below(b, above)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_by_whole_labels() {
        for (name, above, expected) in [
            ("a.x.example", "a.x.example", true),
            ("a.x.example", "x.example", true),
            ("a.x.example", "example", true),
            ("a.x.example", "", true),
            ("", "", true),
            ("ax.example", "x.example", false),
            ("x.example", "a.x.example", false),
            ("example.", "example", false),
            ("", "example", false),
        ] {
            assert_eq!(is_at_or_below(name, above), expected, "{name} and {above}");
            let is_above = above.is_empty() || at_and_above(name).any(|other| other == above);
            assert_eq!(is_above, expected, "{name} and {above}");
        }
    }

    #[test]
    fn two_names_have_whole_labels_in_common() {
        for (a, b, expected) in [
            ("a.x.example", "b.x.example", "x.example"),
            ("a.example", "xa.example", "example"),
            ("x.example", "example", "example"),
            ("a.example", "a.example", "a.example"),
            ("a.example", "b.test", ""),
            ("a.example", "", ""),
        ] {
            assert_eq!((common(a, b), common(b, a)), (expected, expected), "{a} and {b}");
        }
    }
}
