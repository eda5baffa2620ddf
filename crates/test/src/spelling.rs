//! What became of a URL on its way to the canonical form that is judged and forwarded.
//!
//! Nothing is decided here: the canonical form is the engine's, and what is said is where the received text differs from it.
//! A password is never shown.

use serde::Serialize;
use tidegate_engine::Target;
use tidegate_engine::canonical::{HostKind, Scheme};

/// A part of the URL that is judged in another form than it was received in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `scheme`, `userinfo`, `host`, `port`, `path`, `fragment` or `url`.
    pub part: &'static str,
    /// As received; null where it is not to be shown.
    pub received: Option<String>,
    /// As judged; null where it is dropped.
    pub judged: Option<String>,
    /// What was done.
    pub why: String,
}

/// Every change, in the order of a URL's parts.
pub fn changes(received: &str, target: &Target) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut change = |part, received: Option<&str>, judged: Option<&str>, why: &[&str]| {
        let why = why.join(", ");
        changes.push(Change { part, received: received.map(str::to_owned), judged: judged.map(str::to_owned), why });
    };
    let read = received.trim_matches(|c| c <= ' ').replace(['\t', '\n', '\r'], "");
    if read != received {
        change("url", None, None, &["white space and line breaks are taken out"]);
    }
    let parts = Parts::of(&read);
    let judged = Parts::of(target.url());

    if parts.scheme != judged.scheme {
        let lower = parts.scheme.to_ascii_lowercase();
        let mut why = Vec::new();
        why.extend((lower != parts.scheme).then_some("lower case"));
        why.extend((lower == "ws" || lower == "wss").then_some("a WebSocket is judged and forwarded as its handshake"));
        change("scheme", Some(parts.scheme), Some(judged.scheme), &why);
    }
    if parts.slashes != "//" {
        change("url", Some(parts.slashes), Some("//"), &["what stands between scheme and host is read as `//`"]);
    }
    if parts.userinfo.is_some() {
        change("userinfo", None, None, &["the user name and password are dropped"]);
    }
    let host = target.host();
    if parts.host != host.as_str() {
        change("host", Some(parts.host), Some(host.as_str()), &host_changes(parts.host, target));
    }
    if parts.port != judged.port {
        let own = match target.scheme() {
            Scheme::Http => "it is the default port of http",
            Scheme::Https => "it is the default port of https",
        };
        let why = match (parts.port, judged.port) {
            (Some(""), None) => "an empty port is none",
            (Some(_), None) => own,
            _ => "a number in plain digits",
        };
        change("port", parts.port, judged.port, &[why]);
    }
    if parts.path != judged.path {
        change("path", Some(parts.path), Some(judged.path), &path_changes(parts.path, judged.path));
    }
    if judged.path != target.path() {
        let why = "rules see escapes of plain characters decoded and the others in upper case";
        change("path", Some(judged.path), Some(target.path()), &[why]);
    }
    if parts.fragment {
        change("fragment", None, None, &["the fragment is dropped"]);
    }
    changes
}

fn host_changes(received: &str, target: &Target) -> Vec<&'static str> {
    let mut why = Vec::new();
    let dotless = received.strip_suffix(['.', '。', '．', '｡']).unwrap_or(received);
    match target.host().kind() {
        HostKind::Ipv4 => why.push("it is an IPv4 address"),
        HostKind::Ipv6 => why.push("an IPv6 address in its one short form"),
        HostKind::Name => {
            why.extend(dotless.contains(|c: char| c.is_ascii_uppercase()).then_some("lower case"));
            why.extend(received.contains('%').then_some("escapes decoded"));
            why.extend((!received.is_ascii()).then_some("Unicode as punycode"));
            why.extend((dotless != received).then_some("without the dot at its end"));
        }
    }
    if why.is_empty() {
        why.push("canonical form");
    }
    why
}

fn path_changes(received: &str, judged: &str) -> Vec<&'static str> {
    let mut why = Vec::new();
    let is_dots = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    why.extend(received.is_empty().then_some("an empty path is `/`"));
    why.extend(received.contains('\\').then_some("`\\` is read as `/`"));
    why.extend(received.split(['/', '\\']).any(is_dots).then_some("dot segments are resolved"));
    let escaped = |c: char| !c.is_ascii_graphic() || matches!(c, '"' | '<' | '>' | '^' | '`' | '{' | '}');
    why.extend(received.contains(escaped).then_some("characters that URLs do not hold are escaped"));
    if why.is_empty() && received != judged {
        why.push("as the WHATWG rules write it");
    }
    why
}

/// A URL of http or https cut where the WHATWG rules cut it.
struct Parts<'u> {
    scheme: &'u str,
    slashes: &'u str,
    userinfo: Option<&'u str>,
    host: &'u str,
    port: Option<&'u str>,
    path: &'u str,
    fragment: bool,
}

impl<'u> Parts<'u> {
    fn of(url: &'u str) -> Self {
        let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
        let (rest, fragment) = rest.split_once('#').map_or((rest, false), |(rest, _)| (rest, true));
        let after = rest.trim_start_matches(['/', '\\']);
        let slashes = &rest[..rest.len() - after.len()];
        let (authority, path) = after.split_at(after.find(['/', '\\', '?']).unwrap_or(after.len()));
        let path = path.split('?').next().unwrap_or_default();
        let (userinfo, place) =
            authority.rsplit_once('@').map_or((None, authority), |(user, place)| (Some(user), place));
        let behind_address = place.rfind(']').map_or(0, |end| end + 1);
        let colon = place[behind_address..].find(':').map(|at| behind_address + at);
        let (host, port) = colon.map_or((place, None), |at| (&place[..at], Some(&place[at + 1..])));
        Self { scheme, slashes, userinfo, host, port, path, fragment }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `part: received → judged (why)`, for each change.
    fn said(received: &str) -> Vec<String> {
        let target = Target::parse(received).expect("a URL that is judged");
        changes(received, &target)
            .into_iter()
            .map(|Change { part, received, judged, why }| {
                let shown = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
                format!("{part}: {} → {} ({why})", shown(received), shown(judged))
            })
            .collect()
    }

    #[test]
    fn a_canonical_url_has_no_changes() {
        for url in
            ["https://a.example/", "http://a.example:8080/a/b?c=d", "https://[::1]/", "https://a.example/%C3%A9?q=%2e"]
        {
            assert_eq!(said(url), [""; 0], "{url}");
        }
    }

    #[test]
    fn every_part_that_changes_is_named() {
        assert_eq!(
            said("WSS://me:s3cret@API.Bücher.Example.:443/a/../%7ex/%c3#top"),
            [
                "scheme: WSS → https (lower case, a WebSocket is judged and forwarded as its handshake)",
                "userinfo: - → - (the user name and password are dropped)",
                "host: API.Bücher.Example. → api.xn--bcher-kva.example (lower case, Unicode as punycode, without the dot at its end)",
                "port: 443 → - (it is the default port of https)",
                "path: /a/../%7ex/%c3 → /%7ex/%c3 (dot segments are resolved)",
                "path: /%7ex/%c3 → /~x/%C3 (rules see escapes of plain characters decoded and the others in upper case)",
                "fragment: - → - (the fragment is dropped)",
            ]
        );
        assert_eq!(
            said(" https:\\\\a.example:0444\\b c"),
            [
                "url: - → - (white space and line breaks are taken out)",
                "url: \\\\ → // (what stands between scheme and host is read as `//`)",
                "port: 0444 → 444 (a number in plain digits)",
                "path: \\b c → /b%20c (`\\` is read as `/`, characters that URLs do not hold are escaped)",
            ]
        );
        assert_eq!(
            said("http://2130706433:"),
            [
                "host: 2130706433 → 127.0.0.1 (it is an IPv4 address)",
                "port:  → - (an empty port is none)",
                "path:  → / (an empty path is `/`)",
            ]
        );
    }
}
