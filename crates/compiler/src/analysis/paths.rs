//! Paths: whether some path is in several sets and in none of others.
//!
//! On a path that upstreams may read as another, a path pattern is *unknown*: an allow rule then does not match, a deny
//! rule does (DESIGN: three-valued logic). What a rule makes of that depends only on whose condition it is and on the kind
//! of path, so every condition becomes a plain set, kind by kind:
//!
//! ```text
//!   condition of …            plain path    with %2F or %25           ambiguous
//!   an allow rule             its patterns  none; literal: patterns   none
//!   an allow rule's except    its patterns  all                       all
//!   a deny rule               its patterns  all                       all
//!   a deny rule's except      its patterns  none                      none
//! ```

use std::collections::HashMap;
use std::rc::Rc;

use super::strings::{Search, Work, find, usual};
use crate::automaton::{Dfa, accepts, determinize};
use crate::checked::PathPattern;
use crate::universe::{PathKind, paths_of_kind};

/// Whose condition a set of paths belongs to: what is unknown counts differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// An allow rule; `literal` takes `%2F` and `%25` as they stand.
    Allow {
        /// `encoded = "literal"`.
        literal: bool,
    },
    /// An `except` of an allow rule.
    AllowExcept,
    /// A deny rule.
    Deny,
    /// An `except` of a deny rule.
    DenyExcept,
}

/// A path that can be read in one way only stands for itself; of those that cannot, one stands for all.
const AMBIGUOUS: &str = "/a%5Cb";
/// Paths that examples are made of where they can be.
const USUAL: [&str; 5] = ["/", "/a", "/v1/a", "/index.html", "/a%2Fb"];

/// The path sets that an analysis knows, by number.
#[derive(Default)]
pub(crate) struct Paths {
    sets: Vec<PathSet>,
    numbers: HashMap<(Vec<String>, Role), u32>,
    automata: HashMap<Vec<String>, Option<Rc<Dfa>>>,
    answers: HashMap<(Vec<u32>, Vec<u32>), Search<String>>,
    pub(crate) work: Work,
}

struct PathSet {
    role: Role,
    /// `None` where they are too large to be asked.
    patterns: Option<Rc<Dfa>>,
    literals: Vec<String>,
}

/// What a set is among the paths of one kind.
enum Part<'s> {
    All,
    None,
    Patterns(&'s PathSet),
}

impl PathSet {
    fn part(&self, kind: PathKind) -> Part<'_> {
        match (kind, self.role) {
            (PathKind::Plain, _) | (PathKind::Encoded, Role::Allow { literal: true }) => Part::Patterns(self),
            (_, Role::AllowExcept | Role::Deny) => Part::All,
            (_, Role::Allow { .. } | Role::DenyExcept) => Part::None,
        }
    }
}

impl Paths {
    /// The number of a condition's path dimension.
    pub(crate) fn add(&mut self, patterns: &[PathPattern], role: Role) -> u32 {
        let mut regexes: Vec<String> = patterns.iter().map(PathPattern::regex).collect();
        regexes.sort_unstable();
        regexes.dedup();
        let literals = patterns.iter().filter_map(|pattern| match pattern {
            PathPattern::Glob(glob) => Some(glob.text.replace("/**", "/a").replace('*', "a")),
            PathPattern::Regex(_) => None,
        });
        let literals = literals.collect();
        let automaton = self.automata.entry(regexes.clone()).or_insert_with(|| determinize(&regexes).ok().map(Rc::new));
        let patterns = automaton.clone();
        *self.numbers.entry((regexes, role)).or_insert_with(|| {
            self.sets.push(PathSet { role, patterns, literals });
            u32::try_from(self.sets.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// Whether a path is in a set.
    pub(crate) fn contains(&self, set: u32, path: &str) -> bool {
        match self.sets[set as usize].part(PathKind::of(path)) {
            Part::All => true,
            Part::None => false,
            Part::Patterns(set) => set.patterns.as_ref().is_some_and(|patterns| accepts(patterns, path)),
        }
    }

    /// A path that is in each of `by` and in none of `not`, a plain one if there is one.
    pub(crate) fn find(&mut self, by: &[u32], not: &[u32]) -> Search<String> {
        let key = (by.to_vec(), not.to_vec());
        if let Some(answer) = self.answers.get(&key) {
            return answer.clone();
        }
        let mut answer = Search::Nothing;
        for kind in [PathKind::Plain, PathKind::Encoded, PathKind::Ambiguous] {
            match self.find_of_kind(kind, by, not) {
                Search::Found(path) => {
                    answer = Search::Found(path);
                    break;
                }
                Search::TooLong => answer = Search::TooLong,
                Search::Nothing => {}
            }
        }
        self.answers.insert(key, answer.clone());
        answer
    }

    fn find_of_kind(&self, kind: PathKind, by: &[u32], not: &[u32]) -> Search<String> {
        let (mut automata, mut other_automata) = (Vec::new(), Vec::new());
        let mut examples: Vec<&str> = USUAL.to_vec();
        for &set in by {
            match self.sets[set as usize].part(kind) {
                Part::All => {}
                Part::None => return Search::Nothing,
                Part::Patterns(set) => {
                    let Some(patterns) = &set.patterns else { return Search::TooLong };
                    automata.push(patterns.as_ref());
                    examples.extend(set.literals.iter().map(String::as_str));
                }
            }
        }
        for &set in not {
            match self.sets[set as usize].part(kind) {
                Part::All => return Search::Nothing,
                Part::None => {}
                Part::Patterns(set) => match &set.patterns {
                    Some(patterns) => other_automata.push(patterns.as_ref()),
                    None => return Search::TooLong,
                },
            }
        }
        if kind == PathKind::Ambiguous {
            return Search::Found(AMBIGUOUS.to_owned());
        }
        let examples = examples.into_iter().filter(|path| PathKind::of(path) == kind);
        if let Some(path) = usual(examples, &automata, &other_automata) {
            return Search::Found(path.to_owned());
        }
        let (by_kind, not_kind) = paths_of_kind(kind);
        automata.push(by_kind);
        other_automata.extend(not_kind);
        find(&automata, &other_automata, &self.work, |path| PathKind::of(path) != kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checked::Pattern;
    use crate::source::{FileId, Span};

    fn globs(globs: &[&str]) -> Vec<PathPattern> {
        let span = Span { file: FileId(0), start: 0, end: 0 };
        globs.iter().map(|&text| PathPattern::Glob(Pattern { text: text.to_owned(), span })).collect()
    }

    #[test]
    fn an_ambiguous_path_is_in_what_a_deny_rule_names_and_in_nothing_that_an_allow_rule_does() {
        let mut paths = Paths::default();
        let allow = paths.add(&globs(&["/a/**"]), Role::Allow { literal: false });
        let deny = paths.add(&globs(&["/b/**"]), Role::Deny);
        for (path, allowed, denied) in [("/a/x", true, false), ("/b/x", false, true), ("/a%5Cb", false, true)] {
            assert_eq!((paths.contains(allow, path), paths.contains(deny, path)), (allowed, denied), "{path}");
        }
        assert_eq!(paths.find(&[allow, deny], &[]), Search::Nothing);
        assert_eq!(paths.find(&[deny], &[allow]), Search::Found("/b/a".to_owned()));
        let everything = paths.add(&globs(&["/**"]), Role::Allow { literal: false });
        assert_eq!(paths.find(&[], &[everything]), Search::Found("/a%2Fb".to_owned()));
    }

    #[test]
    fn encoded_slashes_are_literal_for_rules_that_say_so() {
        let mut paths = Paths::default();
        let literal = paths.add(&globs(&["/a%2Fb"]), Role::Allow { literal: true });
        assert_eq!(paths.find(&[literal], &[]), Search::Found("/a%2Fb".to_owned()));
        let deny = paths.add(&globs(&["/x"]), Role::Deny);
        assert_eq!(paths.find(&[literal], &[deny]), Search::Nothing);
    }

    #[test]
    fn what_one_pattern_holds_of_another_is_found_exactly() {
        let mut paths = Paths::default();
        let outer = paths.add(&globs(&["/v1/**"]), Role::Allow { literal: false });
        let inner = paths.add(&globs(&["/v1/admin/**"]), Role::Deny);
        assert_eq!(paths.find(&[outer], &[inner]), Search::Found("/v1/a".to_owned()));
        let deny = paths.add(&globs(&["/v1/**"]), Role::Deny);
        assert_eq!(paths.find(&[outer], &[deny]), Search::Nothing);
    }
}
