//! One decision record, as the outbound Worker writes it.
//!
//! Records hold neither query nor headers. Those that older Workers wrote say neither scheme, port nor tags.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::Value;
use tidegate_engine::canonical::{PathReading, Scheme};
use tidegate_engine::{Effect, Reason, Target};
use tidegate_test::instant::Seconds;

/// What was asked, and what was decided.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    /// When, if anybody noted it.
    pub(crate) at: Option<Seconds>,
    /// The digest of the policy that decided.
    pub(crate) policy: Option<String>,
    /// Who; `None` where nobody was named, or the policy did not ask.
    pub(crate) customer: Option<String>,
    /// Their tags; `None` where the policy did not ask, or nobody noted them.
    pub(crate) tags: Option<Vec<String>>,
    /// The method; `None` of a request that could not be read.
    pub(crate) method: Option<String>,
    /// Where to; `None` of a request that could not be read.
    pub(crate) place: Option<Place>,
    /// Whether it asked for a WebSocket.
    pub(crate) upgrade: bool,
    /// What happened.
    pub(crate) effect: Effect,
    /// Why.
    pub(crate) reason: Reason,
    /// The determining rule.
    pub(crate) rule: Option<String>,
    /// False where report mode let it through.
    pub(crate) enforced: bool,
    /// Deny rules that report mode waived.
    pub(crate) would_deny: Vec<String>,
}

/// Where a request went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Scheme and port, unless the Worker was too old to say.
    pub(crate) origin: Option<(Scheme, u16)>,
    /// The host, canonical.
    pub(crate) host: String,
    /// The path in the form that patterns are matched against.
    pub(crate) path: String,
    /// Whether the path has one reading.
    pub(crate) reading: PathReading,
    /// Whether only a rule that names it exactly may open the host.
    pub(crate) is_special: bool,
}

/// The members that count; others may come.
#[derive(Deserialize)]
struct Object {
    at: Option<i64>,
    policy: Option<String>,
    customer: Option<String>,
    tags: Option<Vec<String>>,
    method: Option<String>,
    scheme: Option<SchemeName>,
    host: Option<String>,
    port: Option<u16>,
    path: Option<String>,
    #[serde(default)]
    ambiguous: bool,
    #[serde(default)]
    upgrade: bool,
    #[serde(deserialize_with = "effect")]
    effect: Effect,
    #[serde(deserialize_with = "reason")]
    reason: Reason,
    rule: Option<String>,
    enforced: Option<bool>,
    #[serde(default)]
    would_deny: Vec<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SchemeName {
    Http,
    Https,
}

impl Record {
    /// Reads a record's object. `at` is when it was printed, if that is known and the record does not say.
    pub(crate) fn read(object: Value, at: Option<Seconds>) -> Result<Self, String> {
        let object: Object =
            serde_json::from_value(object).map_err(|error| format!("not a decision record: {error}"))?;
        let place = Place::read(&object)?;
        let is_judged =
            !matches!(object.reason, Reason::EvaluationFault | Reason::InvalidRequest | Reason::PolicyUnavailable);
        if is_judged && (place.is_none() || object.method.is_none()) {
            return Err("not a decision record: neither `method`, `host` nor `path` may be missing".to_owned());
        }
        Ok(Self {
            at: object.at.or(at),
            policy: object.policy,
            customer: object.customer,
            tags: object.tags,
            method: object.method,
            place,
            upgrade: object.upgrade,
            effect: object.effect,
            reason: object.reason,
            rule: object.rule,
            enforced: object.enforced.unwrap_or(true),
            would_deny: object.would_deny,
        })
    }
}

impl Place {
    fn read(object: &Object) -> Result<Option<Self>, String> {
        let (Some(host), Some(path)) = (&object.host, &object.path) else { return Ok(None) };
        let origin = match (object.scheme, object.port) {
            (Some(SchemeName::Http), Some(port)) => Some((Scheme::Http, port)),
            (Some(SchemeName::Https), Some(port)) => Some((Scheme::Https, port)),
            (None, None) => None,
            _ => return Err("not a decision record: `scheme` and `port` are there both or neither".to_owned()),
        };
        let mut place =
            Self { origin, host: host.clone(), path: path.clone(), reading: PathReading::Ambiguous, is_special: false };
        let foreign = || "not a decision record: `host` and `path` are not in canonical form".to_owned();
        let target = Target::parse(&place.as_recorded()).map_err(|_| foreign())?;
        // Written in two ways, a path of one reading could come out as one that nobody sent.
        if target.host().as_str() != host || (!object.ambiguous && target.path() != path) {
            return Err(foreign());
        }
        place.reading = if object.ambiguous { PathReading::Ambiguous } else { target.path_reading() };
        place.is_special = target.host().is_special();
        Ok(Some(place))
    }

    /// Where a request goes that is known in full.
    pub(crate) fn of(target: &Target) -> Self {
        Self {
            origin: Some((target.scheme(), target.port())),
            host: target.host().as_str().to_owned(),
            path: target.path().to_owned(),
            reading: target.path_reading(),
            is_special: target.host().is_special(),
        }
    }

    /// Scheme and port; https at its own port where they are not known.
    pub(crate) fn assumed_origin(&self) -> (Scheme, u16) {
        self.origin.unwrap_or((Scheme::Https, Scheme::Https.default_port()))
    }

    /// A URL that is judged as the one that was asked for.
    ///
    /// Of an ambiguous path no rule can be certain, whatever its text; and its text need not be ambiguous again when read a
    /// second time (`/%%321` is recorded as `/%21`). So one stands for all of them.
    pub(crate) fn url(&self) -> String {
        match self.reading {
            PathReading::Ambiguous => self.with_path("/%"),
            PathReading::Plain | PathReading::EncodedSlashOrPercent => self.as_recorded(),
        }
    }

    /// What was asked for, as people read it: without the port that goes without saying.
    pub(crate) fn as_recorded(&self) -> String {
        self.with_path(&self.path)
    }

    fn with_path(&self, path: &str) -> String {
        let (scheme, port) = self.assumed_origin();
        let name = match scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let host = &self.host;
        if port == scheme.default_port() {
            format!("{name}://{host}{path}")
        } else {
            format!("{name}://{host}:{port}{path}")
        }
    }
}

fn effect<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Effect, D::Error> {
    code(deserializer, &[Effect::Allow, Effect::Deny], Effect::as_str)
}

fn reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Reason, D::Error> {
    code(deserializer, &Reason::ALL, Reason::as_str)
}

/// One of a few words.
fn code<'de, D: Deserializer<'de>, T: Copy>(
    deserializer: D,
    known: &[T],
    text: impl Fn(T) -> &'static str,
) -> Result<T, D::Error> {
    let found = Cow::<str>::deserialize(deserializer)?;
    known
        .iter()
        .copied()
        .find(|known| text(*known) == found)
        .ok_or_else(|| D::Error::custom(format!("`{found}` is no word of decisions")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn recorded(url: &str) -> Value {
        let target = Target::parse(url).unwrap();
        let scheme = if target.scheme() == Scheme::Http { "http" } else { "https" };
        json!({"scheme": scheme, "host": target.host().as_str(), "port": target.port(), "path": target.path(),
            "ambiguous": target.path_reading() == PathReading::Ambiguous, "method": "GET", "effect": "deny",
            "reason": "default"})
    }

    #[test]
    fn what_is_judged_is_what_was_asked_for() {
        for url in [
            "https://a.example/v1/%7euser/%c3%a9/é[|]^?q",
            "http://[::1]:8080/a%2fb%25",
            "https://10.0.0.1/",
            "wss://a.example:444/C:/x",
            "https://a.example/%%321",
            "https://a.example/a//b/..;/%zz%00",
            "https://a.example/%2e%2e;/%61",
        ] {
            let target = Target::parse(url).unwrap();
            let place = Record::read(recorded(url), None).unwrap().place.unwrap();
            let again = Target::parse(&place.url()).unwrap();
            assert_eq!((again.scheme(), again.host(), again.port()), (target.scheme(), target.host(), target.port()));
            assert_eq!(again.path_reading(), target.path_reading(), "{url}");
            if target.path_reading() != PathReading::Ambiguous {
                assert_eq!(again.path(), target.path(), "{url}");
            }
        }
    }

    #[test]
    fn what_no_worker_of_ours_writes_is_refused() {
        for (name, value) in [
            ("host", json!("A.example")),
            ("host", json!("a.example\"]\n[[rule]]")),
            ("host", json!("a..example")),
            ("host", json!("a.example/x")),
            ("path", json!("no-slash")),
            ("path", json!("/a\nb")),
            ("path", json!("/a/../b")),
            ("path", json!("/%61")),
            ("path", json!("/a?q=s3cret")),
            ("path", json!(null)),
            ("port", json!(null)),
            ("scheme", json!("gopher")),
            ("effect", json!("perhaps")),
            ("reason", json!("whim")),
            ("method", json!(null)),
        ] {
            let mut record = recorded("https://a.example/v1");
            assert!(Record::read(record.clone(), None).is_ok());
            record[name] = value;
            assert!(Record::read(record.clone(), None).is_err(), "{record}");
        }
    }

    #[test]
    fn older_records_say_no_scheme() {
        let record = json!({"host": "a.example", "path": "/", "method": "GET", "effect": "allow", "reason": "rule"});
        let place = Record::read(record, None).unwrap().place.unwrap();
        assert_eq!((place.origin, place.url()), (None, "https://a.example/".to_owned()));
    }
}
