//! Which headers never pass, whoever the tenant is and whatever the rules say.
//!
//! Names compare *folded*: lower case, `_` as `-`. CGI and its children make one variable of `x-api-key` and
//! `x_api_key`, so a header that the platform speaks with must be out of the tenant's reach under both.

/// A name in the form that names are compared in.
pub fn fold(name: &str) -> String {
    let mut folded = name.replace('_', "-");
    folded.make_ascii_lowercase();
    folded
}

/// Headers that no rule can set, remove or keep: framing, hop-by-hop and loop headers, and the platform's own.
/// Takes a folded name. Those of a WebSocket upgrade ([`is_upgrade_header`]) are apart: they pass where the upgrade does.
pub fn is_always_dropped(folded: &str) -> bool {
    matches!(
        folded,
        "host"
            | "connection"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "content-length"
            | "expect"
            | "cdn-loop"
    ) || folded.starts_with("cf-")
        || folded.starts_with("tidegate-")
}

/// Headers that belong to a WebSocket handshake (RFC 6455 §4.1). Takes a folded name.
pub fn is_upgrade_header(folded: &str) -> bool {
    folded == "upgrade" || folded.starts_with("sec-websocket-")
}

/// Headers that lie to an upstream about who asks, for what, or by which way; a rule's `keep` lets them through.
/// Takes a folded name.
pub fn is_dropped_unless_kept(folded: &str) -> bool {
    matches!(
        folded,
        "forwarded"
            | "x-real-ip"
            | "true-client-ip"
            | "via"
            | "x-original-url"
            | "x-rewrite-url"
            | "x-http-method"
            | "x-http-method-override"
            | "x-method-override"
    ) || folded.starts_with("proxy-")
        || folded.starts_with("x-forwarded-")
}

/// The tenant's own credentials: dropped, unless kept, where the platform attaches one. Takes a folded name.
pub fn is_own_credential(folded: &str) -> bool {
    matches!(folded, "authorization" | "cookie")
}

/// Whether a header of an upstream's answer may reach the tenant. `Set-Cookie` sets what the platform's credential earned.
pub fn answer_passes(name: &str, with_cookies: bool) -> bool {
    let name = fold(name);
    !(name.starts_with("tidegate-") || (name == "set-cookie" && !with_cookies))
}

/// Splits a list-valued header (RFC 9110 §5.6.1).
pub(crate) fn tokens(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(trim).filter(|token| !token.is_empty())
}

/// Without the white space that HTTP allows around a value.
pub(crate) fn trim(value: &str) -> &str {
    value.trim_matches([' ', '\t', '\r', '\n'])
}
