//! What the Worker did with a request, in the form in which all engines are compared.
//!
//! A Worker in a chain is asked for no answer. Its answer is put together from what three onlookers saw:
//!
//! ```text
//!   the log        the decision record           effect, reason, rules, enforced, would_deny, would_allow
//!   the tenant     a refusal, or an answer       detail; whether `set-cookie` came through
//!   the upstream   what arrived, or nothing did  URL, method, every header, the token, cache, upgrade
//! ```
//!
//! On the way it is held that they agree with each other: what was allowed arrived, what was refused did not, the refusal
//! says what the record says. Headers that the runtime writes of its own accord are known by name (`is_the_runtimes`) and taken
//! away; whatever else arrives is part of the answer, so that one header too many is a difference.
//!
//! Few things cannot be seen: which of the headers the rules set and which they remove, and the key's id in the policy.
//! They are taken over from the answer that is expected; their effect, the headers that arrive and the signature, is not.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tidegate_compiler::checked::{Algorithm, Effect};
use tidegate_reference::{Answer, Forwarded, Reason};

use crate::jwt::Token;
use crate::{Captured, Outcome};

/// The value of `set-cookie` in the upstream's answer: whoever wants to know whether it passes lets the upstream send it.
pub const COOKIE: &str = "from=upstream";

/// Headers that workerd writes for an upgrade.
const HANDSHAKE: [&str; 4] = ["connection", "sec-websocket-extensions", "sec-websocket-key", "sec-websocket-version"];

/// Headers that workerd writes for `cache: "no-store"`, with this value.
const NO_STORE: [&str; 2] = ["cache-control", "pragma"];
const NO_CACHE: &str = "no-cache";

/// What became of one request.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'o> {
    /// What the tenant saw, if it saw anything: its own `fetch` follows redirects, and it may have hung up.
    pub outcome: Option<&'o Outcome>,
    /// The decision record.
    pub record: &'o Value,
    /// What arrived upstream.
    pub arrived: Option<&'o Captured>,
}

impl Observed<'_> {
    /// The Worker's answer. `expected` says where to look, `verify` what a token says whose signature holds.
    pub fn answer(&self, expected: &Answer, verify: &mut dyn FnMut(&str) -> Result<Token>) -> Result<Answer> {
        let effect = match self.record["effect"].as_str() {
            Some("allow") => Effect::Allow,
            Some("deny") => Effect::Deny,
            _ => bail!("no effect in the record {}", self.record),
        };
        let ids = |name: &str| -> Result<Vec<String>> {
            serde_json::from_value(self.record[name].clone()).with_context(|| format!("`{name}` in {}", self.record))
        };
        let (detail, url, forwarded) = match (effect, self.arrived) {
            (Effect::Allow, Some(arrived)) => {
                (None, Some(arrived.url()), Some(self.forwarded(arrived, expected, verify)?))
            }
            (Effect::Deny, None) => (self.refusal(expected)?, self.judged_url(expected)?, None),
            // A tenant that hung up may have been faster than the request.
            (Effect::Allow, None) if self.outcome.is_none() => {
                (None, self.judged_url(expected)?, expected.forwarded.clone())
            }
            (Effect::Allow, None) => bail!("it was allowed and did not arrive; the tenant saw {:?}", self.outcome),
            (Effect::Deny, Some(arrived)) => bail!("it was refused and arrived: {arrived:?}"),
        };
        let rules = ids("rules")?;
        ensure!(self.record["rule"] == json!(rules.first()), "`rule` is not the first of `rules` in {}", self.record);
        Ok(Answer {
            effect,
            reason: reason(&self.record["reason"])?,
            rules,
            detail,
            url,
            enforced: self.record["enforced"].as_bool().context("no `enforced` in the record")?,
            would_deny: ids("would_deny")?,
            would_allow: ids("would_allow")?,
            forwarded,
        })
    }

    /// Holds the refusal to the record, and gives what it says to its reader.
    fn refusal(&self, expected: &Answer) -> Result<Option<String>> {
        let record = self.record;
        let Some(outcome) = self.outcome else { return Ok(expected.detail.clone()) };
        ensure!(outcome.status == Some(403), "a refusal has the status 403: {outcome:?}");
        let headers = [
            ("content-type", &json!("application/problem+json")),
            ("cache-control", &json!("no-store")),
            ("tidegate-decision", &record["decision"]),
            ("tidegate-reason", &record["reason"]),
        ];
        for (name, value) in headers {
            ensure!(outcome.header(name) == value.as_str(), "`{name}` of the refusal is not {value}: {outcome:?}");
        }
        if outcome.body.is_empty() && record["method"] == "HEAD" {
            // There is nothing to be seen of it.
            return Ok(expected.detail.clone());
        }
        let problem = outcome.problem().context("the refusal is no JSON")?;
        let body = json!({
            "type": "about:blank", "title": "Forbidden", "status": 403, "reason": record["reason"],
            "rule": record["rule"], "detail": problem["detail"], "decision": record["decision"],
        });
        ensure!(problem == body, "the refusal is not what the record says: {problem} and {record}");
        Ok(problem["detail"].as_str().map(str::to_owned))
    }

    /// The URL that was judged where none went out: the record knows host and path, the path as it is matched.
    fn judged_url(&self, expected: &Answer) -> Result<Option<String>> {
        let (host, path) = (self.record["host"].as_str(), self.record["path"].as_str());
        let Some(url) = &expected.url else { return Ok(None) };
        let (_, rest) = url.split_once("://").context("a URL without a scheme")?;
        let (authority, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let expected_path = rest.split('?').next().unwrap_or_default();
        let known_host = host.is_some_and(|host| {
            authority.strip_prefix(host).is_some_and(|port| port.is_empty() || port.starts_with(':'))
        });
        let known_path = path.is_some_and(|path| decoded(path) == decoded(expected_path));
        ensure!(known_host && known_path, "not {url} was judged, but {}", self.record);
        Ok(Some(url.clone()))
    }

    fn forwarded(
        &self,
        arrived: &Captured,
        expected: &Answer,
        verify: &mut dyn FnMut(&str) -> Result<Token>,
    ) -> Result<Forwarded> {
        let thrown = self.outcome.and_then(|outcome| outcome.error.as_ref());
        ensure!(thrown.is_none(), "it arrived, and the tenant saw {thrown:?}");
        let expected = expected.forwarded.as_ref().context("it arrived, and was not to")?;
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &arrived.headers {
            let joined = headers.remove(name).map_or_else(|| value.clone(), |known| format!("{known}, {value}"));
            headers.insert(name.clone(), joined);
        }
        let upgrade = headers.get("upgrade").is_some_and(|protocols| is_websocket(protocols));
        let token = match &expected.token {
            Some(token) => headers.remove(&token.header).map(|value| read(&value, token, verify)).transpose()?,
            None => None,
        };
        let is_expected = |name: &str| expected.headers.iter().any(|(known, _)| known == name);
        // Where the tenant says both by itself, nobody can tell.
        let unsaid: Vec<_> = NO_STORE.into_iter().filter(|name| !is_expected(name)).collect();
        let said =
            !unsaid.is_empty() && unsaid.iter().all(|name| headers.get(*name).is_some_and(|value| value == NO_CACHE));
        if said {
            headers.retain(|name, _| !unsaid.contains(&name.as_str()));
        }
        let no_store = if unsaid.is_empty() { expected.no_store } else { said };
        headers.retain(|name, value| is_expected(name) || !is_the_runtimes(name, value, arrived, upgrade));
        Ok(Forwarded {
            method: arrived.method.clone(),
            headers: headers.into_iter().collect(),
            set: expected.set.clone(),
            remove: expected.remove.clone(),
            token,
            no_store,
            upgrade,
            hides_cookies: self
                .outcome
                .map_or(expected.hides_cookies, |outcome| outcome.header("set-cookie") != Some(COOKIE)),
        })
    }
}

/// Whether workerd writes this header by itself where nobody says otherwise.
fn is_the_runtimes(name: &str, value: &str, arrived: &Captured, upgrade: bool) -> bool {
    let has_body = arrived.length > 0 || !["GET", "HEAD"].contains(&arrived.method.as_str());
    match name {
        "accept-encoding" | "host" => true,
        "content-length" => has_body && value == arrived.length.to_string(),
        "transfer-encoding" => has_body && value == "chunked",
        _ => upgrade && HANDSHAKE.contains(&name),
    }
}

/// Reads a token out of its header.
fn read(
    header: &str,
    expected: &tidegate_reference::Token,
    verify: &mut dyn FnMut(&str) -> Result<Token>,
) -> Result<tidegate_reference::Token> {
    let (scheme, token) = header.rsplit_once(' ').unwrap_or(("", header));
    let Token { header, claims } = verify(token)?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut claims: BTreeMap<String, Value> = serde_json::from_value(claims)?;
    let mut time = |name: &str| claims.remove(name).and_then(|time| time.as_u64()).context("no time in the token");
    let lifetime = time("exp")?.checked_sub(time("iat")?).context("the token expires before it is issued")?;
    Ok(tidegate_reference::Token {
        key: expected.key.clone(),
        kid: text(&header["kid"]).context("no `kid` in the token")?,
        alg: match header["alg"].as_str() {
            Some("EdDSA") => Algorithm::EdDsa,
            Some("ES256") => Algorithm::Es256,
            Some("HS256") => Algorithm::Hs256,
            _ => bail!("no known algorithm in the token's header {header}"),
        },
        header: expected.header.clone(),
        scheme: scheme.to_owned(),
        ttl: u32::try_from(lifetime)?,
        claims: claims
            .iter()
            .map(|(name, value)| Ok((name.clone(), text(value).with_context(|| format!("claim `{name}`"))?)))
            .collect::<Result<_>>()?,
    })
}

fn reason(code: &Value) -> Result<Reason> {
    const ALL: [Reason; 8] = [
        Reason::CredentialUnavailable,
        Reason::Default,
        Reason::EvaluationFault,
        Reason::InvalidRequest,
        Reason::PolicyUnavailable,
        Reason::Rule,
        Reason::SpecialHost,
        Reason::UnknownCustomer,
    ];
    ALL.into_iter().find(|reason| code == reason.as_str()).with_context(|| format!("no known reason: {code}"))
}

fn is_websocket(protocols: &str) -> bool {
    protocols.split(',').any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

/// A path's octets, whatever is escaped in it.
fn decoded(path: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (mut octets, mut rest) = (Vec::new(), path.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let escaped = digit(after.first()).zip(digit(after.get(1))).filter(|_| *first == b'%');
        let octet = escaped.and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
        octets.push(octet.unwrap_or(*first));
        rest = if octet.is_some() { &after[2..] } else { after };
    }
    octets
}
