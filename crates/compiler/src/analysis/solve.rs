//! Looking for a request that is in a set, led by examples.
//!
//! A request of what is left of the space is asked which part of the question it does not meet; that part is then met in
//! one of the ways that there are, each of which leaves less of the space. Parts that examples meet by themselves cost
//! nothing. Where no way is left, there is no such request: proved.

use std::collections::HashMap;

use super::formula::{Formula, Predicate};
use super::request::Point;
use super::space::{Region, Space};
use super::strings::Search;

/// How much work answers may cost. It is counted, so that the same question has the same answer on every machine.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Regions looked at for one question.
    pub question: u64,
    /// Regions looked at for all questions about a policy, or about two; then a question may cost a hundredth of what it
    /// might before.
    pub all: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { question: 20_000, all: 1_000_000 }
    }
}

/// Choices within choices before a search gives up: each takes room on the stack.
const DEEPEST: usize = 1_000;

/// Looks for a request that is in a set.
pub(crate) fn solve(space: &mut Space<'_>, question: &Formula, budget: Budget) -> Search<Point> {
    let done = space.work.done();
    let share = if done < budget.all { budget.question } else { budget.question / 100 };
    let mut search = Solver { end: done.saturating_add(share), space };
    search.search(&Region::default(), vec![question.clone()], 0)
}

struct Solver<'s, 'p> {
    space: &'s mut Space<'p>,
    /// Work that is done when time is up.
    end: u64,
}

impl Solver<'_, '_> {
    fn is_over(&self) -> bool {
        self.space.work.done() >= self.end
    }

    fn search(&mut self, region: &Region, mut open: Vec<Formula>, depth: usize) -> Search<Point> {
        if depth == DEEPEST {
            return Search::TooLong;
        }
        let mut region = region.clone();
        let mut here = Here::default();
        let mut moved = true;
        loop {
            if moved {
                if self.is_over() {
                    return Search::TooLong;
                }
                self.space.work.add(1);
                here = match self.space.point(&region) {
                    Search::Found(point) => Here { point: Some(point), known: HashMap::new() },
                    Search::Nothing => return Search::Nothing,
                    Search::TooLong => Here::default(),
                };
            }
            moved = false;
            let unmet: Vec<usize> = (0..open.len()).filter(|&index| !here.meets(&open[index], self.space)).collect();
            // What leaves no choice comes first, then what leaves little.
            let Some(&next) = unmet.iter().min_by_key(|&&index| ways(&open[index])) else {
                return here.point.map_or(Search::TooLong, Search::Found);
            };
            match open.swap_remove(next) {
                Formula::All(parts) => open.extend(parts.iter().cloned()),
                Formula::Is(literal) => {
                    let Some(narrower) = region.with(literal) else { return Search::Nothing };
                    region = narrower;
                    moved = true;
                }
                Formula::Any(parts) => return self.any(&region, &open, &parts, depth),
            }
        }
    }

    /// Tries one way after the other.
    fn any(&mut self, region: &Region, open: &[Formula], ways: &[Formula], depth: usize) -> Search<Point> {
        let mut answer = Search::Nothing;
        for way in ways {
            let mut open = open.to_vec();
            open.push(way.clone());
            match self.search(region, open, depth + 1) {
                found @ Search::Found(_) => return found,
                Search::TooLong => answer = Search::TooLong,
                Search::Nothing => {}
            }
            if self.is_over() {
                return Search::TooLong;
            }
        }
        answer
    }
}

/// A request of the region, and what is known of it.
#[derive(Default)]
struct Here {
    /// Where no example is at hand, every part that is open counts as not met.
    point: Option<Point>,
    known: HashMap<Predicate, bool>,
}

impl Here {
    fn meets(&mut self, part: &Formula, space: &Space<'_>) -> bool {
        let Self { point: Some(point), known } = self else { return false };
        part.holds(&mut |predicate| *known.entry(predicate).or_insert_with(|| space.holds(predicate, point)))
    }
}

fn ways(part: &Formula) -> usize {
    match part {
        Formula::All(_) | Formula::Is(_) => 0,
        Formula::Any(parts) => parts.len(),
    }
}
