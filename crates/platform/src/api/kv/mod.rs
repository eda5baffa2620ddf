//! KV: namespaces, and the values in them.

mod bulk;
mod namespaces;
mod values;

use jiff::Timestamp;
use serde_json::Value;

pub(super) use bulk::{delete as delete_many, get as get_many, put as put_many};
pub(super) use namespaces::{create, delete, get, list, rename};
pub(super) use values::{delete as delete_value, get as get_value, keys, metadata, put as put_value};

use super::error::{Fault, shown};
use super::upload::MIB;

/// The longest key, in bytes.
const LONGEST_KEY: usize = 512;
/// The largest value.
const LARGEST_VALUE: usize = 25 * MIB;
/// The largest metadata, as JSON.
const LARGEST_METADATA: usize = 1024;
/// The soonest that a value may expire, in seconds.
const SHORTEST_TTL: i64 = 60;

/// Seconds since 1970.
fn now() -> i64 {
    Timestamp::now().as_second()
}

fn check_key(key: &str) -> Result<(), Fault> {
    if key.len() > LONGEST_KEY {
        let why = format!("UTF-8 encoded length of {} exceeds key length limit of {LONGEST_KEY}.", key.len());
        return Err(Fault::KvKey(why));
    }
    if matches!(key, "" | "." | "..") {
        return Err(Fault::KvKey(format!("key name must not be empty, `.` or `..`, and is `{key}`")));
    }
    Ok(())
}

fn check_value(length: usize) -> Result<(), Fault> {
    if length <= LARGEST_VALUE {
        return Ok(());
    }
    Err(Fault::KvRequest(format!("Value length of {length} exceeds limit of {LARGEST_VALUE}.")))
}

fn check_metadata(metadata: &Value) -> Result<(), Fault> {
    let length = metadata.to_string().len();
    if length <= LARGEST_METADATA {
        return Ok(());
    }
    Err(Fault::KvMetadata(format!("Metadata length of {length} exceeds limit of {LARGEST_METADATA}.")))
}

/// When a value expires: `expiration_ttl` goes before `expiration`.
fn expiration(at: Option<i64>, ttl: Option<i64>, now: i64) -> Result<Option<i64>, Fault> {
    match (at, ttl) {
        (_, Some(ttl)) if ttl < SHORTEST_TTL => Err(Fault::KvExpiration(format!(
            "Invalid expiration_ttl of {ttl}. Expiration TTL must be at least {SHORTEST_TTL}."
        ))),
        (_, Some(ttl)) => Ok(Some(now.saturating_add(ttl))),
        (Some(at), None) if at < now.saturating_add(SHORTEST_TTL) => Err(Fault::KvExpiration(format!(
            "Invalid expiration of {at}. Please specify integer greater than the current number of seconds since the UNIX \
             epoch, by at least {SHORTEST_TTL}."
        ))),
        (at, None) => Ok(at),
    }
}

/// Reads a number of seconds of a query.
fn seconds(name: &str, text: Option<&str>) -> Result<Option<i64>, Fault> {
    text.map(|text| {
        text.parse().map_err(|_| Fault::KvExpiration(format!("Invalid {name} of `{}`: no integer.", shown(text))))
    })
    .transpose()
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
            assert!(matches!(expiration(at, ttl, 1000), Err(Fault::KvExpiration(_))), "{at:?} {ttl:?}");
        }
    }

    #[test]
    fn keys_are_bounded_and_no_path() {
        for bad in ["", ".", "..", &"é".repeat(257)] {
            assert!(matches!(check_key(bad), Err(Fault::KvKey(_))), "{bad}");
        }
        for good in ["a/b", "../a", "é", &"k".repeat(512)] {
            assert_eq!(check_key(good), Ok(()), "{good}");
        }
    }
}
