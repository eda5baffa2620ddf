//! Three-valued logic (Kleene's strong logic of indeterminacy).
//!
//! On an ambiguous path nobody can tell whether a pattern covers what the upstream will read: the path dimension is
//! *unknown*. What follows from that is not guessed but computed: a conjunction with something false is false whatever
//! the unknown turns out to be, a disjunction with something true is true, and the rest stays unknown.

/// True, false, or neither can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    /// False if any is false; else unknown if any is unknown; else true, of none at all, too.
    pub(crate) fn all(truths: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::True;
        for truth in truths {
            match truth {
                Self::True => {}
                Self::False => return Self::False,
                Self::Unknown => all = Self::Unknown,
            }
        }
        all
    }

    /// True if any is true; else unknown if any is unknown; else false, of none at all, too.
    pub(crate) fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        !Self::all(truths.into_iter().map(|truth| !truth))
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(known: bool) -> Self {
        if known { Self::True } else { Self::False }
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, False, True, Unknown};

    #[test]
    fn the_unknown_counts_only_where_the_rest_does_not_decide() {
        assert_eq!(Truth::all([True, Unknown]), Unknown);
        assert_eq!(Truth::all([Unknown, False]), False);
        assert_eq!(Truth::any([True, Unknown]), True);
        assert_eq!(Truth::any([Unknown, False]), Unknown);
        assert_eq!(!Unknown, Unknown);
    }

    #[test]
    fn nothing_is_all_true_and_none_true() {
        assert_eq!(Truth::all([]), True);
        assert_eq!(Truth::any([]), False);
    }
}
