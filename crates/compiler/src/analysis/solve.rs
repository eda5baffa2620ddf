//! Looking for a request that is in a set, led by examples.
//!
//! A request of what is left of the space is asked which part of the question it does not meet; that part is then met in
//! one of the ways that there are, each of which leaves less of the space. Parts that examples meet by themselves cost
//! nothing. Where no way is left, there is no such request: proved.

use super::formula::{Formula, Literal};
use super::request::Point;
use super::space::{Region, Space};
use super::strings::Search;

/// How much work an answer may cost.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Regions looked at for one question.
    pub regions: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { regions: 50_000 }
    }
}

/// Looks for a request that is in a set.
pub(crate) fn solve(space: &mut Space<'_>, question: &Formula, budget: Budget) -> Search<Point> {
    let mut left = budget.regions;
    search(space, &Region::default(), vec![question.clone()], &mut left)
}

fn search(space: &mut Space<'_>, region: &Region, mut open: Vec<Formula>, left: &mut u64) -> Search<Point> {
    let mut region = region.clone();
    let mut moved = true;
    let mut point = None;
    loop {
        if moved {
            if *left == 0 {
                return Search::TooLong;
            }
            *left -= 1;
            point = match space.point(&region) {
                Search::Found(found) => Some(found),
                Search::Nothing => return Search::Nothing,
                Search::TooLong => None,
            };
        }
        moved = false;
        // Where no example is at hand, every part that is open counts as not met.
        let is_met = |part: &Formula| {
            point.as_ref().is_some_and(|point| part.holds(&mut |predicate| space.holds(predicate, point)))
        };
        let unmet: Vec<usize> = (0..open.len()).filter(|&index| !is_met(&open[index])).collect();
        // What leaves no choice comes first, then what leaves little.
        let Some(&next) = unmet.iter().min_by_key(|&&index| ways(&open[index])) else {
            return point.map_or(Search::TooLong, Search::Found);
        };
        match open.swap_remove(next) {
            Formula::All(parts) => open.extend(parts.iter().cloned()),
            Formula::Is(literal) => {
                let Some(narrower) = narrowed(&region, literal) else { return Search::Nothing };
                region = narrower;
                moved = true;
            }
            Formula::Any(parts) => {
                let mut answer = Search::Nothing;
                for part in parts.iter() {
                    let mut open = open.clone();
                    open.push(part.clone());
                    match search(space, &region, open, left) {
                        found @ Search::Found(_) => return found,
                        Search::TooLong => answer = Search::TooLong,
                        Search::Nothing => {}
                    }
                    if *left == 0 {
                        return Search::TooLong;
                    }
                }
                return answer;
            }
        }
    }
}

fn narrowed(region: &Region, literal: Literal) -> Option<Region> {
    region.with(literal)
}

fn ways(part: &Formula) -> usize {
    match part {
        Formula::All(_) | Formula::Is(_) => 0,
        Formula::Any(parts) => parts.len(),
    }
}
