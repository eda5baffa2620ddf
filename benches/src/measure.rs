//! How times are taken: contestants in turn, round by round (A B C A B C …), so that what else the machine does meets all of them.
//!
//! A round asks each of them a batch and divides the time by its length. What is told of a contestant is the median of the
//! rounds, with the least and the most of them. Time is what this thread had of a processor: what others had of it between is not
//! in it, what they did to the caches is.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// How long a batch should take.
const BATCH: Duration = Duration::from_millis(25);

/// A figure of several rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of what the rounds came to. Of none, zeros.
    pub(crate) fn of(mut rounds: Vec<f64>) -> Self {
        rounds.sort_unstable_by(f64::total_cmp);
        let at = |index: usize| rounds.get(index).copied().unwrap_or_default();
        let last = rounds.len().saturating_sub(1);
        let median = f64::midpoint(at(last / 2), at(rounds.len() / 2));
        Self { median, least: at(0), most: at(last) }
    }
}

/// Someone who is asked so many questions, from a place in the row of them on. Says how many were answered with yes.
pub(crate) type Asked<'a> = Box<dyn FnMut(std::ops::Range<usize>) -> usize + 'a>;

/// Nanoseconds a question of each contestant, who all have the same `questions` to answer.
pub(crate) fn in_turn(contestants: &mut [Asked<'_>], questions: usize, rounds: usize) -> Vec<Spread> {
    let batches: Vec<usize> = contestants.iter_mut().map(|contestant| batch(contestant, questions)).collect();
    let mut times = vec![Vec::with_capacity(rounds); contestants.len()];
    for round in 0..rounds {
        for ((contestant, &batch), times) in contestants.iter_mut().zip(&batches).zip(&mut times) {
            // Another part of the row each time, that slow ones do not live on the same few.
            let from = (round * batch) % (questions - batch + 1);
            let started = processor();
            std::hint::black_box(contestant(from..from + batch));
            times.push(nanoseconds(processor().saturating_sub(started)) / count(batch));
        }
    }
    times.into_iter().map(Spread::of).collect()
}

/// How many questions take about a batch's time. Asking for them warms the contestant up, too.
fn batch(contestant: &mut Asked<'_>, questions: usize) -> usize {
    let mut batch = 1;
    loop {
        let started = processor();
        std::hint::black_box(contestant(0..batch));
        let took = processor().saturating_sub(started);
        if batch == questions || took >= BATCH {
            return batch;
        }
        let factor = (BATCH.as_secs_f64() / took.as_secs_f64().max(1e-9)).clamp(1.5, 20.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "far below what either holds")]
        let larger = (count(batch) * factor).ceil() as usize;
        batch = larger.min(questions);
    }
}

/// Runs it so many times; milliseconds.
pub(crate) fn milliseconds(times: usize, mut run: impl FnMut()) -> Spread {
    let once = |()| {
        let started = processor();
        run();
        nanoseconds(processor().saturating_sub(started)) / 1e6
    };
    Spread::of(std::iter::repeat_n((), times).map(once).collect())
}

/// What this thread has had of the processors so far.
fn processor() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// A number of things, to compute with.
#[expect(clippy::cast_precision_loss, reason = "counts and sizes are far below 2^52")]
pub(crate) fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_of_rounds_is_between_the_two_in_the_middle() {
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 9.0]), Spread { median: 3.0, least: 1.0, most: 9.0 });
        assert_eq!(Spread::of(vec![3.0]), Spread { median: 3.0, least: 3.0, most: 3.0 });
    }

    #[test]
    fn every_contestant_is_asked_within_the_row_of_questions() {
        let mut most = 0;
        let asked: Asked<'_> = Box::new(|range: std::ops::Range<usize>| {
            most = most.max(range.end);
            range.len()
        });
        assert_eq!(in_turn(&mut [asked], 7, 3).len(), 1);
        assert!((1..=7).contains(&most), "{most}");
    }
}
