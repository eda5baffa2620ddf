//! Hygiene: what of the tenant's headers goes out (`docs/policy.md`, "Hygiene").
//!
//! Names compare *folded*: in lower case, and with `-` for `_`, because many upstreams cannot tell the two apart.

use tidegate_compiler::checked::{Effect, Rule};

use crate::condition::{Question, covers_host};
use crate::logic::Truth;
use crate::obligations::Obligations;
use crate::request::list;

/// Dropped always: framing and hop-by-hop headers (RFC 9110 §7.6.1, §10.1.1), and those that are the platform's own.
const ALWAYS: [&str; 9] =
    ["host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "content-length", "expect", "cdn-loop"];
const ALWAYS_PREFIXES: [&str; 2] = ["cf-", "tidegate-"];

/// Dropped unless a rule keeps them: they speak of where a request comes from, or turn it into another.
const UNLESS_KEPT: [&str; 9] = [
    "forwarded",
    "x-real-ip",
    "true-client-ip",
    "via",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];
const UNLESS_KEPT_PREFIXES: [&str; 2] = ["proxy-", "x-forwarded-"];

/// Dropped beside a credential unless a rule keeps them: the tenant's own credentials.
const BESIDE_CREDENTIALS: [&str; 2] = ["authorization", "cookie"];

/// The headers that go out, the token's aside: the tenant's that pass, then those that rules set; sorted by name.
pub(crate) fn headers_that_go_out(question: Question<'_>, obligations: &Obligations) -> Vec<(String, String)> {
    let request = question.request;
    let named_by_connection: Vec<String> = request.header("connection").into_iter().flat_map(list).map(fold).collect();
    let passes = |name: &str| {
        let name = fold(name);
        let dropped = if is_of_upgrade(&name) {
            // `Connection: Upgrade` names one of them, and must.
            !request.is_upgrade()
        } else {
            is_one_of(&name, &ALWAYS, &ALWAYS_PREFIXES) || named_by_connection.contains(&name)
        };
        let dropped_unless_kept = is_one_of(&name, &UNLESS_KEPT, &UNLESS_KEPT_PREFIXES)
            || (obligations.attaches_credential && BESIDE_CREDENTIALS.contains(&name.as_str()));
        let kept = obligations.keep.iter().any(|kept| fold(kept) == name);
        let removed = obligations.remove.iter().any(|removed| fold(removed) == name);
        let replaced = obligations.set.keys().any(|set| fold(set) == name)
            || obligations.token.as_ref().is_some_and(|token| fold(&token.header) == name);
        !dropped && (!dropped_unless_kept || kept) && !removed && !replaced && !is_reserved(&name, question)
    };
    let tenants = request.headers.iter().filter(|(name, _)| passes(name)).cloned();
    let set = obligations.set.iter().map(|(name, value)| (name.clone(), value.clone()));
    let mut headers: Vec<_> = tenants.chain(set).collect();
    headers.sort();
    headers
}

/// Whether the answer's `set-cookie` is kept from the tenant: it may be a session of the platform's.
pub(crate) fn hides_cookies(obligations: &Obligations) -> bool {
    obligations.attaches_credential && !obligations.keep.iter().any(|kept| fold(kept) == "set-cookie")
}

/// Whether a header is the platform's on this host: some allow rule sets it on a host dimension that covers this one. Whom,
/// where and when that rule allows is no matter, so that nobody can pose as the platform.
fn is_reserved(folded: &str, question: Question<'_>) -> bool {
    let sets = |rule: &Rule| {
        let set = rule.obligations.set.iter().map(|(name, _)| name);
        set.chain(rule.obligations.jwt.iter().map(|jwt| &jwt.header)).any(|name| fold(name) == folded)
    };
    // Rules in report mode count, too: switching one to it must not let tenants pose as the platform meanwhile.
    question.policy.rules.iter().any(|rule| {
        rule.effect == Effect::Allow
            && sets(rule)
            && rule
                .condition
                .hosts
                .as_ref()
                .is_none_or(|hosts| covers_host(question.policy, hosts, &question.request.url.host) != Truth::False)
    })
}

fn is_of_upgrade(folded: &str) -> bool {
    folded == "upgrade" || folded.starts_with("sec-websocket-")
}

fn is_one_of(folded: &str, names: &[&str], prefixes: &[&str]) -> bool {
    names.contains(&folded) || prefixes.iter().any(|prefix| folded.starts_with(prefix))
}

fn fold(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}
