//! `[keys]` and `jwt`.

use std::collections::HashMap;

use super::headers::{is_token, touchable};
use super::rules::Scope;
use super::{Names, templates};
use crate::checked::{Algorithm, Jwt, Key};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Text};
use crate::syntax::{JwtEntry, KeyEntry};
use crate::tree::Entry;

/// Claims that the Worker fills in itself, and those that would contradict them (RFC 7519 §4.1).
const REGISTERED_CLAIMS: [&str; 7] = ["aud", "exp", "iat", "iss", "jti", "nbf", "sub"];

/// `[keys]` of one file, added to those of the others.
pub(super) fn keys<'f>(
    entries: &'f [KeyEntry],
    keys: &mut Vec<Key>,
    names: &mut Names<'f>,
    findings: &mut Vec<Diagnostic>,
) {
    for entry in entries {
        super::id(&entry.id, "key", findings);
        if !names.keys.declare(&entry.id, "key", findings) {
            continue;
        }
        if let Some(secret) = &entry.secret {
            if !templates::is_name(&secret.value) {
                // What stands there is not shown: it may be the key itself.
                let message = format!("`secret` of the key `{}` is not the name of a Worker secret", entry.id.value);
                findings.push(Diagnostic::error(Code::InvalidValue, secret.span, message).help(
                    "a key is never in the policy: name the secret that holds it, in letters, digits, `_` and `-`",
                ));
            }
            names.key_secrets.entry(&secret.value).or_insert((&entry.id.value, secret.span));
        }
        for (text, what) in [(&entry.kid, "kid"), (&entry.issuer, "issuer")] {
            not_empty(text.as_ref(), what, findings);
        }
        let value = |text: &Option<Text>| text.as_ref().map(|text| text.value.clone());
        keys.push(Key {
            id: entry.id.value.clone(),
            // A gap was reported, and nobody will see what stands in for it.
            alg: entry.alg.unwrap_or(Algorithm::Es256),
            secret: value(&entry.secret).unwrap_or_default(),
            kid: value(&entry.kid).unwrap_or_default(),
            issuer: value(&entry.issuer),
            span: entry.id.span,
        });
    }
}

/// A rule's `jwt`.
pub(super) fn jwt(entry: &Entry<JwtEntry>, scope: &mut Scope<'_, '_>) -> Option<Jwt> {
    let JwtEntry { key, audience, ttl, header, scheme, claims } = &entry.value;
    if !scope.names.has_identity {
        scope.findings.push(super::identity::needs_identity(entry.key, "`jwt`"));
    }
    let key = key.as_ref().and_then(|key| scope.names.keys.resolve(key, "key", "keys", scope.findings));
    not_empty(audience.as_ref(), "audience", scope.findings);
    let ttl = ttl.as_ref().and_then(|text| {
        let seconds = parse_ttl(&text.value);
        if seconds.is_none() {
            let message = format!("`{}` is not a time from 60 seconds to 24 hours", text.value);
            scope.findings.push(
                Diagnostic::error(Code::InvalidValue, text.span, message)
                    .help("write a number and `s`, `m` or `h`: `90s`, `5m`, `24h`"),
            );
        }
        seconds
    });
    let header = match header {
        Some(header) => touchable(header, "jwt", scope.findings),
        None => Some("authorization".to_owned()),
    };
    if let Some(scheme) = scheme
        && !scheme.value.is_empty()
        && !is_token(&scheme.value)
    {
        let message = format!("`{}` is not an authentication scheme", scheme.value);
        scope.findings.push(
            Diagnostic::error(Code::InvalidValue, scheme.span, message)
                .help("write one word, such as `Bearer`; with `scheme = \"\"` the token stands alone"),
        );
    }
    let mut checked_claims = Vec::new();
    for (name, value) in claims {
        if REGISTERED_CLAIMS.contains(&name.value.as_str()) {
            let message = format!("`{}` is a registered claim, which `claims` may not name", name.value);
            let finding = Diagnostic::error(Code::InvalidValue, name.span, message);
            scope.findings.push(match name.value.as_str() {
                "aud" => finding.help("the audience is `audience`"),
                "exp" => finding.help("how long a token lives is `ttl`"),
                "iss" => finding.help("the issuer is the key's `issuer`"),
                "sub" => finding.help("the subject is the customer, always"),
                _ => finding.help("the Worker fills in what it can vouch for"),
            });
        }
        if let Some(template) = scope.template(value) {
            checked_claims.push((name.value.clone(), template));
        }
    }
    checked_claims.sort_by(|(a, _), (b, _)| a.cmp(b));
    Some(Jwt {
        key: key?,
        audience: audience.as_ref()?.value.clone(),
        ttl: ttl?,
        claims: checked_claims,
        header: header?,
        scheme: scheme.as_ref().map_or_else(|| "Bearer".to_owned(), |scheme| scheme.value.clone()),
    })
}

/// An HS256 key has one audience: whoever can verify a token can make one, for any audience that the key serves.
/// Takes every rule's key, audience and the latter's place.
pub(super) fn one_audience(keys: &[Key], uses: &[(usize, &str, Span)], findings: &mut Vec<Diagnostic>) {
    let mut first_use = HashMap::new();
    for &(key, audience, span) in uses {
        let Some(key) = keys.get(key).filter(|key| key.alg == Algorithm::Hs256) else { continue };
        let &mut (first, first_span) = first_use.entry(key.secret.as_str()).or_insert((audience, span));
        if first != audience {
            let message = format!("the HS256 key `{}` serves a second audience, `{audience}`", key.id);
            findings.push(
                Diagnostic::error(Code::SharedKey, span, message)
                    .label(first_span, format!("it serves `{first}` already"))
                    .help(
                        "who verifies an HS256 token can forge one: give each audience a key with a secret of its own",
                    )
                    .help("or sign with ES256 or EdDSA, where verifying takes the public half only"),
            );
        }
    }
}

/// The secret of an HS256 key is that key's alone: whoever verifies with it holds the other key, too.
pub(super) fn unshared_secrets(keys: &[Key], findings: &mut Vec<Diagnostic>) {
    for key in keys.iter().filter(|key| key.alg == Algorithm::Hs256 && !key.secret.is_empty()) {
        let Some(other) = keys.iter().find(|other| other.alg != key.alg && other.secret == key.secret) else {
            continue;
        };
        let message = format!("the HS256 key `{}` and the key `{}` are one secret", key.id, other.id);
        findings.push(
            Diagnostic::error(Code::SharedKey, key.span, message)
                .label(other.span, "the private half of a key pair")
                .help(
                    "who verifies HS256 tokens knows the secret, and could sign with the other key: give each its own",
                ),
        );
    }
}

/// `90s`, `5m`, `24h`, in seconds, if it is from a minute to a day.
fn parse_ttl(text: &str) -> Option<u32> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ttl = number.parse::<u32>().ok()?.checked_mul(seconds)?;
    (60..=86_400).contains(&ttl).then_some(ttl)
}

fn not_empty(text: Option<&Text>, what: &str, findings: &mut Vec<Diagnostic>) {
    if let Some(text) = text
        && text.value.is_empty()
    {
        findings.push(Diagnostic::error(Code::InvalidValue, text.span, format!("`{what}` is empty")));
    }
}

#[cfg(test)]
mod tests {
    use super::parse_ttl;

    #[test]
    fn a_token_lives_from_a_minute_to_a_day() {
        for (text, seconds) in [("60s", 60), ("1m", 60), ("90s", 90), ("5m", 300), ("24h", 86_400), ("086400s", 86_400)]
        {
            assert_eq!(parse_ttl(text), Some(seconds), "{text}");
        }
        for text in
            ["", "s", "5", "59s", "0m", "25h", "86401s", "1d", "-5m", "+5m", "5 m", "1h30m", "5M", "99999999999h", "5é"]
        {
            assert_eq!(parse_ttl(text), None, "{text}");
        }
    }
}
