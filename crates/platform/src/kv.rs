//! What may be in a KV namespace, whoever writes there: a client of the API or a Worker.

use serde_json::Value;

use crate::clock;

/// The longest key, in bytes.
const LONGEST_KEY: usize = 512;
/// The largest value.
pub(crate) const LARGEST_VALUE: usize = 25 << 20;
/// The largest metadata, as JSON.
const LARGEST_METADATA: usize = 1024;
/// The soonest that a value may expire, in seconds.
const SHORTEST_TTL: i64 = 60;

/// What cannot be written. The texts are Cloudflare's where they are known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KvError {
    /// A key.
    #[error("{0}")]
    Key(String),
    /// A value.
    #[error("{0}")]
    Value(String),
    /// Metadata.
    #[error("{0}")]
    Metadata(String),
    /// A time at which a value is to expire.
    #[error("{0}")]
    Expiration(String),
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    clock::now().as_second()
}

/// Refuses what is no key.
pub(crate) fn check_key(key: &str) -> Result<(), KvError> {
    if key.len() > LONGEST_KEY {
        let why = format!("UTF-8 encoded length of {} exceeds key length limit of {LONGEST_KEY}.", key.len());
        return Err(KvError::Key(why));
    }
    if matches!(key, "" | "." | "..") {
        return Err(KvError::Key(format!("key name must not be empty, `.` or `..`, and is `{key}`")));
    }
    Ok(())
}

/// Refuses what is too long, in bytes.
pub(crate) fn check_value(length: usize) -> Result<(), KvError> {
    if length <= LARGEST_VALUE {
        return Ok(());
    }
    Err(KvError::Value(format!("Value length of {length} exceeds limit of {LARGEST_VALUE}.")))
}

/// Refuses what is too long as JSON.
pub(crate) fn check_metadata(metadata: &Value) -> Result<(), KvError> {
    let length = metadata.to_string().len();
    if length <= LARGEST_METADATA {
        return Ok(());
    }
    Err(KvError::Metadata(format!("Metadata length of {length} exceeds limit of {LARGEST_METADATA}.")))
}

/// When a value expires: `expiration_ttl` goes before `expiration`.
pub(crate) fn expiration(at: Option<i64>, ttl: Option<i64>, now: i64) -> Result<Option<i64>, KvError> {
    match (at, ttl) {
        (_, Some(ttl)) if ttl < SHORTEST_TTL => Err(KvError::Expiration(format!(
            "Invalid expiration_ttl of {ttl}. Expiration TTL must be at least {SHORTEST_TTL}."
        ))),
        (_, Some(ttl)) => Ok(Some(now.saturating_add(ttl))),
        (Some(at), None) if at < now.saturating_add(SHORTEST_TTL) => Err(KvError::Expiration(format!(
            "Invalid expiration of {at}. Please specify integer greater than the current number of seconds since the UNIX \
             epoch, by at least {SHORTEST_TTL}."
        ))),
        (at, None) => Ok(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_expire_a_minute_from_now_at_the_soonest() {
        assert_eq!(expiration(None, None, 1000), Ok(None));
        assert_eq!(expiration(Some(1060), None, 1000), Ok(Some(1060)));
        assert_eq!(expiration(None, Some(60), 1000), Ok(Some(1060)));
        assert_eq!(expiration(Some(5000), Some(100), 1000), Ok(Some(1100)), "a TTL goes before a time");
        assert_eq!(expiration(None, Some(i64::MAX), 1000), Ok(Some(i64::MAX)));
        for (at, ttl) in [(Some(1059), None), (Some(-1), None), (None, Some(59)), (None, Some(-1))] {
            assert!(matches!(expiration(at, ttl, 1000), Err(KvError::Expiration(_))), "{at:?} {ttl:?}");
        }
    }

    #[test]
    fn keys_are_bounded_and_no_path() {
        for bad in ["", ".", "..", &"é".repeat(257)] {
            assert!(matches!(check_key(bad), Err(KvError::Key(_))), "{bad}");
        }
        for good in ["a/b", "../a", "é", &"k".repeat(512)] {
            assert_eq!(check_key(good), Ok(()), "{good}");
        }
    }
}
