//! Which of a dimension's patterns make its automaton explode.
//!
//! Alternatives that are small by themselves may multiply: an automaton has to know of each at once how far it has come. To say
//! "these fifty patterns are too large" helps nobody, so a few are looked for that are too large already, without the others:
//!
//! ```text
//!   1. those that are too large alone, if there are any; else
//!   2. the shortest beginning of the list that is too large ends with a culprit; with it in front, the shortest beginning of
//!      the rest that is too large ends with the next; and so on, until the culprits alone are too large.
//! ```
//!
//! Each step is a binary search (U. Junker, *Preferred Explanations and Relaxations for Over-Constrained Problems*, AAAI
//! 2004). What is found depends on the patterns and their order alone; automata that are built on the way are bounded in number ([`MAX_BUILT`]) and size.

use crate::automaton::{MAX_TABLE, compile};
use crate::checked::Pattern;
use crate::diagnostic::{Code, Diagnostic};

/// Automata that are built in each of the two steps. A search that comes to this end says which patterns take part, if not all
/// of them; of patterns that are too large alone those behind the first so many are not looked for.
const MAX_BUILT: usize = 64;
/// Culprits that a finding names in its message.
const MAX_NAMED: usize = 5;

/// Patterns that are too large.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Explosion {
    /// Their places, in order.
    culprits: Vec<usize>,
    /// Each of them is too large alone.
    alone: bool,
    /// The size in bytes of the automaton of all the others, if that one can be built.
    others: Option<usize>,
}

impl Explosion {
    /// Finds them among regexes that are too large together.
    pub(crate) fn of(regexes: &[String]) -> Self {
        let size = |places: &[usize]| {
            let regexes: Vec<String> = places.iter().map(|&place| regexes[place].clone()).collect();
            compile(&regexes).ok().map(|automaton| automaton.len())
        };
        let alone: Vec<usize> = (0..regexes.len().min(MAX_BUILT)).filter(|&place| size(&[place]).is_none()).collect();
        let mut culprits =
            if alone.is_empty() { together(regexes.len(), |places| size(places).is_some()) } else { alone.clone() };
        let is_alone = !alone.is_empty() || culprits.len() == 1;
        culprits.sort_unstable();
        let others: Vec<usize> = (0..regexes.len()).filter(|place| !culprits.contains(place)).collect();
        Self { others: if others.is_empty() { None } else { size(&others) }, culprits, alone: is_alone }
    }

    /// What is told of it; these are the patterns whose regexes it was found in.
    pub(crate) fn finding(&self, patterns: &[&Pattern]) -> Diagnostic {
        let culprits: Vec<&Pattern> = self.culprits.iter().map(|&place| patterns[place]).collect();
        let [first, ..] = culprits[..] else { unreachable!("no patterns at all need no automaton") };
        let mut named: Vec<String> =
            culprits.iter().take(MAX_NAMED).map(|pattern| format!("`{}`", pattern.text)).collect();
        if culprits.len() > MAX_NAMED {
            named.push(format!("{} more", culprits.len() - MAX_NAMED));
        }
        let named = match named.split_last() {
            Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
            _ => named.concat(),
        };
        let needs = match (culprits.len(), self.alone) {
            (1, _) => "needs",
            (_, true) => "each need",
            (_, false) => "together need",
        };
        let message = format!("{named} {needs} an automaton of more than {} MiB", MAX_TABLE >> 20);
        let mut finding = Diagnostic::error(Code::PatternTooLarge, first.span, message);
        for other in culprits.iter().skip(1).take(MAX_NAMED - 1) {
            finding = finding.label(other.span, "this one multiplies it");
        }
        if let Some(size) = self.others {
            let count = patterns.len() - culprits.len();
            let others =
                if count == 1 { "the other pattern needs".to_owned() } else { format!("the {count} others need") };
            finding = finding.help(format!("{others} {size} bytes"));
        }
        finding.help(if self.alone {
            "bound its repetitions tighter, or split it into several patterns"
        } else {
            "give some of them to a rule of their own, or use fewer wildcards in one pattern"
        })
    }
}

/// Of so many things that do not fit together a few that do not.
fn together(count: usize, mut fits: impl FnMut(&[usize]) -> bool) -> Vec<usize> {
    let mut built = 0;
    let mut culprits = Vec::new();
    // What is left of the list does not fit with the culprits.
    let mut left = count;
    while left > 0 {
        let (mut low, mut high) = (0, left);
        while low + 1 < high {
            if built == MAX_BUILT {
                return (0..left).chain(culprits).collect();
            }
            built += 1;
            let middle = low.midpoint(high);
            let places: Vec<usize> = (0..middle).chain(culprits.iter().copied()).collect();
            if fits(&places) { low = middle } else { high = middle }
        }
        culprits.push(high - 1);
        left = high - 1;
        built += 1;
        if !fits(&culprits) {
            break;
        }
    }
    culprits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_few_are_found_that_do_not_fit_together() {
        // 3, 7 and 20 do not fit together; nor does everything that holds them.
        let fits = |places: &[usize]| ![3, 7, 20].iter().all(|place| places.contains(place));
        let mut found = together(40, fits);
        found.sort_unstable();
        assert_eq!(found, [3, 7, 20]);
        assert_eq!(together(2, |places| places.len() < 2), [1, 0]);
    }

    #[test]
    fn a_search_that_takes_too_long_names_all_that_are_left() {
        // Nothing less than everything is too much.
        let mut found = together(1000, |places| places.len() < 1000);
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), 1000);
    }

    #[test]
    fn patterns_that_are_too_large_alone_are_named_before_all_others() {
        let large = "[ab]*a[ab]{40}".to_owned();
        let explosion = Explosion::of(&["a".to_owned(), large.clone(), "b".to_owned(), large]);
        assert_eq!(explosion.culprits, [1, 3]);
        assert!(explosion.alone && explosion.others.is_some());
    }

    #[test]
    fn a_pattern_that_is_too_large_alone_is_found_behind_many_that_are_not() {
        let mut regexes: Vec<String> = (0..2 * MAX_BUILT).map(|number| format!("a{number}")).collect();
        regexes.push("[ab]*a[ab]{40}".to_owned());
        let explosion = Explosion::of(&regexes);
        assert_eq!(explosion.culprits, [2 * MAX_BUILT]);
        assert!(explosion.alone && explosion.others.is_some());
    }
}
