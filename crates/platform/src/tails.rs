//! Who follows what Workers do: `wrangler tail`.
//!
//! A tail is of one script. While there is one, the runtime is told so with the script's code, and sends what each
//! invocation logged and threw, and how it ended; without one it sends nothing. An event that nobody takes in time is
//! lost, and whoever missed it is told so: a Worker never waits for those who watch it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::broadcast;
use uuid::Uuid;

use self::filter::Filter;
use crate::worker::ScriptKey;

pub mod filter;

/// A tail ends by itself after this long.
const LIFETIME: SignedDuration = SignedDuration::from_hours(6);
/// One that nobody connects to is forgotten after this long.
const UNCONNECTED: SignedDuration = SignedDuration::from_mins(5);
/// As many may follow one script.
pub const MOST: usize = 10;
/// As many connections may one tail have: a client may come back before its last one is known to be gone.
const MOST_CONNECTIONS: usize = 2;
/// As many events wait for a connection that is slow to take them.
const WAITING: usize = 256;

/// All tails. A handle: cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub struct Tails(Arc<Mutex<HashMap<String, Kept>>>);

#[derive(Debug)]
struct Kept {
    tail: Tail,
    filters: Arc<[Filter]>,
    events: broadcast::Sender<Arc<str>>,
}

/// A tail as the API describes it.
#[derive(Clone, Debug)]
pub struct Tail {
    /// 32 hexadecimal digits; whoever knows them may connect.
    pub id: String,
    /// The script that it follows.
    pub key: ScriptKey,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was made.
    created: Timestamp,
}

/// There are [`MOST`] already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("as many tails as can follow one Worker do already; end one of them")]
pub struct TooMany;

impl Tails {
    /// Makes one.
    pub fn add(&self, key: ScriptKey, filters: Vec<Filter>, now: Timestamp) -> Result<Tail, TooMany> {
        let mut tails = self.lock();
        tails.retain(|_, kept| !kept.is_over(now));
        if tails.values().filter(|kept| kept.tail.key == key).count() >= MOST {
            return Err(TooMany);
        }
        let id = Uuid::new_v4().simple().to_string();
        let expires_at = Timestamp::from_second((now + LIFETIME).as_second()).unwrap_or(now);
        let tail = Tail { id: id.clone(), key, expires_at, created: now };
        let kept = Kept { tail: tail.clone(), filters: filters.into(), events: broadcast::channel(WAITING).0 };
        tails.insert(id, kept);
        Ok(tail)
    }

    /// Those of a script.
    pub fn of(&self, key: &ScriptKey, now: Timestamp) -> Vec<Tail> {
        let mut tails = self.lock();
        tails.retain(|_, kept| !kept.is_over(now));
        let mut tails: Vec<_> =
            tails.values().map(|kept| &kept.tail).filter(|tail| tail.key == *key).cloned().collect();
        tails.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        tails
    }

    /// What a tail is told from now on, and when it ends; none if there is no such tail.
    pub fn connect(&self, id: &str, now: Timestamp) -> Option<(Tail, broadcast::Receiver<Arc<str>>)> {
        let mut tails = self.lock();
        tails.retain(|_, kept| !kept.is_over(now));
        let kept = tails.get(id).filter(|kept| kept.events.receiver_count() < MOST_CONNECTIONS)?;
        Some((kept.tail.clone(), kept.events.subscribe()))
    }

    /// Ends one; says whether there was one of that script. Who is connected to it is told nothing more.
    pub fn remove(&self, key: &ScriptKey, id: &str) -> bool {
        let mut tails = self.lock();
        let found = tails.get(id).is_some_and(|kept| kept.tail.key == *key);
        if found {
            tails.remove(id);
        }
        found
    }

    /// Whether anybody follows a script.
    pub fn follow(&self, key: &ScriptKey, now: Timestamp) -> bool {
        self.lock().values().filter(|kept| !kept.is_over(now)).any(|kept| kept.tail.key == *key)
    }

    /// Hands an event to those who follow its script and whose filters it passes.
    pub fn publish(&self, key: &ScriptKey, event: &Value) {
        let text: Arc<str> = event.to_string().into();
        for kept in self.lock().values().filter(|kept| kept.tail.key == *key) {
            if kept.filters.iter().all(|filter| filter.passes(event)) {
                // Nobody may be connected yet.
                let _ = kept.events.send(Arc::clone(&text));
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn is_over(&self, now: Timestamp) -> bool {
        let abandoned = self.events.receiver_count() == 0 && now.duration_since(self.tail.created) >= UNCONNECTED;
        abandoned || now >= self.tail.expires_at
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::names::ScriptName;
    use crate::worker::{NamespaceId, Scope};

    fn key(name: &str) -> ScriptKey {
        ScriptKey { scope: Scope::Namespace(NamespaceId(1)), name: ScriptName::parse(name).unwrap() }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn an_event_reaches_those_who_follow_its_script_and_whose_filters_it_passes() {
        let tails = Tails::default();
        let all = tails.add(key("a"), Vec::new(), at(0)).unwrap();
        let filters = filter::read(&json!([{ "outcome": ["exception"] }])).unwrap();
        let failures = tails.add(key("a"), filters, at(0)).unwrap();
        let other = tails.add(key("b"), Vec::new(), at(0)).unwrap();
        let connect = |tail: &Tail| tails.connect(&tail.id, at(0)).unwrap().1;
        let (mut all, mut failures, mut other) = (connect(&all), connect(&failures), connect(&other));
        tails.publish(&key("a"), &json!({ "outcome": "ok" }));
        tails.publish(&key("a"), &json!({ "outcome": "exception" }));
        assert_eq!(&*all.try_recv().unwrap(), r#"{"outcome":"ok"}"#);
        assert_eq!(&*all.try_recv().unwrap(), r#"{"outcome":"exception"}"#);
        assert_eq!(&*failures.try_recv().unwrap(), r#"{"outcome":"exception"}"#);
        assert!(failures.try_recv().is_err() && other.try_recv().is_err());
    }

    #[test]
    fn a_tail_ends_when_it_is_deleted_or_its_time_is_over_or_nobody_connects() {
        let tails = Tails::default();
        let deleted = tails.add(key("a"), Vec::new(), at(0)).unwrap();
        assert!(!tails.remove(&key("b"), &deleted.id), "it is another script's");
        assert!(tails.follow(&key("a"), at(0)));
        assert!(tails.remove(&key("a"), &deleted.id) && !tails.follow(&key("a"), at(0)));

        let unconnected = tails.add(key("a"), Vec::new(), at(0)).unwrap();
        let connected = tails.add(key("a"), Vec::new(), at(0)).unwrap();
        let (_, _events) = tails.connect(&connected.id, at(4)).unwrap();
        assert!(tails.connect(&unconnected.id, at(5)).is_none());
        let second = tails.connect(&connected.id, at(359)).unwrap();
        assert!(tails.connect(&connected.id, at(359)).is_none(), "two are enough");
        drop(second);
        assert!(tails.connect(&connected.id, at(360)).is_none());
    }

    #[test]
    fn no_more_than_ten_follow_one_script_until_one_ends() {
        let tails = Tails::default();
        let first = tails.add(key("a"), Vec::new(), at(0)).unwrap();
        for _ in 1..MOST {
            tails.add(key("a"), Vec::new(), at(0)).unwrap();
        }
        assert_eq!(tails.add(key("a"), Vec::new(), at(0)).unwrap_err(), TooMany);
        assert!(tails.add(key("b"), Vec::new(), at(0)).is_ok());
        assert!(tails.remove(&key("a"), &first.id));
        assert!(tails.add(key("a"), Vec::new(), at(0)).is_ok());
        assert_eq!(tails.of(&key("a"), at(0)).len(), MOST);
        assert!(!tails.follow(&key("a"), at(5)), "nobody connected");
    }
}
