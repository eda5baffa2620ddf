//! User Workers that are not run for a while, since they have ended workerd again and again.
//!
//! One Worker that never yields stops all others for three seconds, at each of its requests. A script that did so three
//! times within ten minutes rests for five: it is answered for with 503, and its code is not run. Deploying it anew ends
//! the rest at once. What comes after the rest is judged as before: if there are still three ends within the last ten
//! minutes, the next one begins another.
//!
//! An end of workerd is a script's *strike* only if that script was the only one of which an invocation was under way, by
//! the gate's books and by all that began since it last answered. Weaker evidence (the one that began last, the one that
//! was there each time) would let one tenant have another taken out of service: by hanging whenever that one is busy.
//! So where several tenants are busy all the time nobody rests, and the log still names who ran.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// As many strikes begin a rest.
const STRIKES: usize = 3;

/// Strikes are forgotten after this long.
const REMEMBERED: Duration = Duration::from_mins(10);

/// How long a script rests.
pub const REST: Duration = Duration::from_mins(5);

/// The books, shared by who writes (the supervisor) and who reads (the control plane).
#[derive(Clone, Debug, Default)]
pub(super) struct Quarantine(Arc<Mutex<HashMap<String, Record>>>);

/// What is known of one script.
#[derive(Debug, Default)]
struct Record {
    strikes: VecDeque<Instant>,
    until: Option<Instant>,
}

impl Quarantine {
    /// workerd hung, or died of what it ran: `running` are all scripts (their keys) that may have done it. Gives the one
    /// that rests from now on, if one does.
    pub(super) fn strike<'r>(&self, running: &'r [String], now: Instant) -> Option<&'r str> {
        let [script] = running else { return None };
        let mut books = self.books();
        books.retain(|_, record| record.is_of_interest(now));
        let record = books.entry(script.clone()).or_default();
        record.strikes.retain(|strike| now.saturating_duration_since(*strike) < REMEMBERED);
        record.strikes.push_back(now);
        if record.strikes.len() < STRIKES {
            return None;
        }
        record.until = Some(now + REST);
        Some(script)
    }

    /// How long a script is to rest still.
    pub(super) fn rest(&self, script: &str, now: Instant) -> Option<Duration> {
        let until = self.books().get(script)?.until?;
        until.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// All that rest.
    pub(super) fn resting(&self, now: Instant) -> Vec<String> {
        let rests = |record: &Record| record.until.is_some_and(|until| until > now);
        self.books().iter().filter(|(_, record)| rests(record)).map(|(script, _)| script.clone()).collect()
    }

    /// Forgets what is known of a script: it is another one now.
    pub(super) fn lift(&self, script: &str) {
        self.books().remove(script);
    }

    fn books(&self) -> MutexGuard<'_, HashMap<String, Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn is_of_interest(&self, now: Instant) -> bool {
        let recent = |strike: &Instant| now.saturating_duration_since(*strike) < REMEMBERED;
        self.until.is_some_and(|until| until > now) || self.strikes.iter().any(recent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn three_strikes_within_ten_minutes_begin_a_rest_of_five() {
        let (quarantine, begin, alone) = (Quarantine::default(), Instant::now(), names(&["3/loop"]));
        let minute = |minutes| begin + Duration::from_mins(minutes);
        assert_eq!(quarantine.strike(&alone, minute(0)), None);
        assert_eq!(quarantine.strike(&alone, minute(9)), None);
        assert_eq!(quarantine.strike(&alone, minute(11)), None, "the first is forgotten");
        assert_eq!(quarantine.rest("3/loop", minute(11)), None);
        assert_eq!(quarantine.strike(&alone, minute(12)), Some("3/loop"));
        assert_eq!(quarantine.rest("3/loop", minute(13)), Some(Duration::from_mins(4)));
        assert_eq!(quarantine.rest("3/other", minute(13)), None);
        assert_eq!(quarantine.resting(minute(13)), ["3/loop"]);
        assert_eq!(quarantine.rest("3/loop", minute(17)), None, "the rest is over");
        assert_eq!(quarantine.resting(minute(17)), [""; 0]);
        assert_eq!(
            quarantine.strike(&alone, minute(18)),
            Some("3/loop"),
            "and begins again with the third in ten minutes"
        );
    }

    #[test]
    fn nobody_rests_for_what_another_may_have_done() {
        let (quarantine, now) = (Quarantine::default(), Instant::now());
        for _ in 0..10 {
            assert_eq!(quarantine.strike(&names(&["3/busy", "3/loop"]), now), None);
            assert_eq!(quarantine.strike(&[], now), None);
        }
        assert_eq!(quarantine.rest("3/busy", now), None);
    }

    #[test]
    fn a_new_version_is_not_blamed_for_the_old_one() {
        let (quarantine, now, alone) = (Quarantine::default(), Instant::now(), names(&["3/loop"]));
        for _ in 0..STRIKES {
            quarantine.strike(&alone, now);
        }
        assert!(quarantine.rest("3/loop", now).is_some());
        quarantine.lift("3/loop");
        assert_eq!(quarantine.rest("3/loop", now), None);
        assert_eq!(quarantine.strike(&alone, now), None, "it has three strikes again");
    }
}
