//! Rate limits: so many calls of `limit()` with one key in each window of time.
//!
//! They are counted here, outside of workerd, so that a limit holds over all isolates and all processes. Windows are fixed:
//! the first begins when the platform starts. Counts are in memory alone. There is room for so many keys in each window
//! of a namespace; the keys beyond share one count, so that whoever invents keys runs into the limit and not past it.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Keys that are counted apart in one window.
const MOST_KEYS: usize = 10_000;

/// The counts of all namespaces. Cloning gives another handle.
#[derive(Clone)]
pub(super) struct RateLimits(Arc<Inner>);

struct Inner {
    begun: Instant,
    hasher: RandomState,
    windows: Mutex<HashMap<(String, u64), Window>>,
}

/// What is counted in one window of a namespace; keys are kept as hashes, however long they are.
#[derive(Default)]
struct Window {
    number: u64,
    counts: HashMap<u64, u64>,
    others: u64,
}

impl Default for RateLimits {
    fn default() -> Self {
        let begun = Instant::now();
        Self(Arc::new(Inner { begun, hasher: RandomState::new(), windows: Mutex::default() }))
    }
}

impl RateLimits {
    /// Counts a call, and says whether it is within the limit. `period` is in seconds.
    pub(super) fn count(&self, namespace: &str, key: &str, limit: u64, period: u64) -> bool {
        self.count_at(self.0.begun.elapsed(), namespace, key, limit, period)
    }

    fn count_at(&self, now: Duration, namespace: &str, key: &str, limit: u64, period: u64) -> bool {
        let period = period.max(1);
        let number = now.as_secs() / period;
        let mut windows = self.0.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if !windows.contains_key(&(namespace.to_owned(), period)) {
            // Namespaces that were not asked for since take no room.
            windows.retain(|(_, period), window| window.number >= now.as_secs() / period);
        }
        let window = windows.entry((namespace.to_owned(), period)).or_default();
        // Who got the lock late is counted in the window that has begun since.
        if window.number < number {
            *window = Window { number, ..Window::default() };
        }
        let key = self.0.hasher.hash_one(key);
        let full = window.counts.len() >= MOST_KEYS && !window.counts.contains_key(&key);
        let count = if full { &mut window.others } else { window.counts.entry(key).or_default() };
        if *count >= limit {
            return false;
        }
        *count += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    #[test]
    fn a_window_takes_as_many_as_the_limit_and_the_next_begins_anew() {
        let limits = RateLimits::default();
        let ask = |at: u64| limits.count_at(Duration::from_secs(at), "1", "k", 2, 10);
        assert_eq!([ask(100), ask(105), ask(109), ask(109)], [true, true, false, false]);
        assert_eq!([ask(110), ask(110), ask(111)], [true, true, false]);
    }

    #[test]
    fn keys_namespaces_and_periods_are_counted_apart_and_limits_are_not() {
        let limits = RateLimits::default();
        assert!(limits.count_at(NOW, "1", "a", 1, 10));
        assert!(!limits.count_at(NOW, "1", "a", 1, 10));
        assert!(limits.count_at(NOW, "1", "b", 1, 10));
        assert!(limits.count_at(NOW, "2", "a", 1, 10));
        assert!(limits.count_at(NOW, "1", "a", 1, 60));
        assert!(limits.count_at(NOW, "1", "a", 2, 10), "another binding of the namespace allows two");
        assert!(!limits.count_at(NOW, "1", "a", 0, 60));
    }

    #[test]
    fn invented_keys_share_a_count_and_take_no_more_room() {
        let limits = RateLimits::default();
        for key in 0..MOST_KEYS {
            assert!(limits.count_at(NOW, "1", &key.to_string(), 5, 60));
        }
        let invented = (0..100).filter(|key| limits.count_at(NOW, "1", &format!("invented {key}"), 5, 60)).count();
        assert_eq!(invented, 5);
        assert!(limits.count_at(NOW, "1", "7", 5, 60), "known keys have their own");
        assert!(limits.count_at(NOW, "2", "invented 99", 5, 60), "and so have other namespaces");
        for namespace in 0..1000 {
            limits.count_at(Duration::from_secs(10 * namespace), &format!("n{namespace}"), "k", 1, 10);
        }
        assert!(limits.0.windows.lock().unwrap().len() <= 2);
    }
}
