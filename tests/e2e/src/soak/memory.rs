//! Whether memory grows.
//!
//! Memory under load goes up and down as garbage is collected, and each sample is much like the one before it: a line fitted to
//! all of them would claim to be far more certain than it is. So the samples of the last half are averaged over
//! blocks, long enough for one to know little of the next, and the line is fitted to the averages.

use std::time::Duration;

/// How many blocks the last half is divided into.
const BLOCKS: usize = 20;

/// Standard errors by which a slope must differ from none before it is one.
const ERRORS: f64 = 3.0;

/// What a second was like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Since the start.
    pub(crate) at: Duration,
    /// What workerd held, in bytes.
    pub(crate) memory: u64,
    /// Requests judged so far.
    pub(crate) judged: u64,
}

/// A straight line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    /// KiB a minute.
    pub(crate) slope: f64,
    /// Of the slope.
    pub(crate) standard_error: f64,
    /// KiB at the start of the soak.
    pub(crate) intercept: f64,
}

impl Line {
    /// Fitted to the last half by least squares; `None` where there are too few samples.
    pub(crate) fn of_the_last_half(samples: &[Sample]) -> Option<Self> {
        let half = &samples[samples.len() / 2..];
        let length = half.len() / BLOCKS;
        (length > 0).then(|| Self::fitted(&half.chunks_exact(length).map(average).collect::<Vec<_>>()))
    }

    #[expect(clippy::cast_precision_loss, reason = "a few dozen points")]
    fn fitted(points: &[(f64, f64)]) -> Self {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (middle_x, middle_y) = (mean(|point| point.0), mean(|point| point.1));
        let spread: f64 = points.iter().map(|(x, _)| (x - middle_x).powi(2)).sum();
        let slope = points.iter().map(|(x, y)| (x - middle_x) * (y - middle_y)).sum::<f64>() / spread;
        let intercept = middle_y - slope * middle_x;
        let rest: f64 = points.iter().map(|(x, y)| (y - intercept - slope * x).powi(2)).sum();
        Self { slope, standard_error: (rest / (count - 2.0) / spread).sqrt(), intercept }
    }

    /// A slope that might as well be none, or is downward.
    pub(crate) fn is_within_noise(&self) -> bool {
        self.slope <= ERRORS * self.standard_error
    }

    /// The least growth in KiB a minute that would have been told from noise.
    pub(crate) fn least_visible(&self) -> f64 {
        ERRORS * self.standard_error
    }
}

/// Minutes and KiB.
#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
fn average(block: &[Sample]) -> (f64, f64) {
    let mean = |of: fn(&Sample) -> f64| block.iter().map(of).sum::<f64>() / block.len() as f64;
    (mean(|sample| sample.at.as_secs_f64() / 60.0), mean(|sample| sample.memory as f64 / 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten minutes: `growth` KiB a minute, garbage of up to 8 MiB that is collected every 40 seconds, and some more at random.
    fn samples(growth: u64, random: &mut fastrand::Rng) -> Vec<Sample> {
        (0..600)
            .map(|second| {
                let garbage = second % 40 * 200 + random.u64(..2_000);
                let memory = (100_000 + growth * second / 60 + garbage) * 1024;
                Sample { at: Duration::from_secs(second), memory, judged: second }
            })
            .collect()
    }

    #[test]
    fn a_line_is_what_was_drawn() {
        let points: Vec<_> = (0..10).map(|x| (f64::from(x), 3.0 + 2.0 * f64::from(x))).collect();
        let line = Line::fitted(&points);
        assert!((line.slope - 2.0).abs() < 1e-9 && (line.intercept - 3.0).abs() < 1e-9 && line.standard_error < 1e-9);
    }

    #[test]
    fn a_leak_is_told_from_garbage() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..200 {
            let line = Line::of_the_last_half(&samples(0, &mut random)).unwrap();
            assert!(line.is_within_noise(), "{line:?}");
            let line = Line::of_the_last_half(&samples(2 * 1024, &mut random)).unwrap();
            assert!(!line.is_within_noise(), "{line:?}");
        }
    }

    #[test]
    fn a_moment_is_too_short_for_a_line() {
        assert_eq!(Line::of_the_last_half(&samples(0, &mut fastrand::Rng::with_seed(1))[..30]), None);
    }
}
