//! URLs, as the WHATWG standard parses them (<https://url.spec.whatwg.org/#concept-basic-url-parser>), and the narrower
//! rules that the policy language has of its own.
//!
//! Of the standard's state machine only what concerns http, https, ws and wss without a base URL is here. On that part the
//! machine never goes back, so that each of its states is a step of [`Url::parse`]:
//!
//! ```text
//!   https :  //  user:password@  api.example.com  :8443  /v1/x  ?q=1  #top
//!   scheme   │   authority       host             port   path   query fragment
//!            special authority slashes: any number of `/` and `\`, none too
//! ```
//!
//! The language then narrows what is taken: the scheme, the alphabet and lengths of names, the length of the whole. It drops
//! user name, password, fragment and a trailing dot of the host, and writes ws and wss as http and https.

mod host;
pub(crate) mod percent;

use tidegate_compiler::checked::Scheme;

pub(crate) use host::Host;

/// The longest URL in bytes, as received and as forwarded.
const MAX_URL: usize = 16 * 1024;

/// A URL that can be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host,
    /// The port, the scheme's own where none is written.
    pub(crate) port: u16,
    /// The path as it is forwarded; it begins with `/`.
    pub(crate) path: String,
    /// What stands after `?`; an empty query is one.
    pub(crate) query: Option<String>,
}

impl Url {
    /// Parses a URL; `None` for whatever is none that can be judged.
    pub(crate) fn parse(input: &str) -> Option<Self> {
        if input.len() > MAX_URL {
            return None;
        }
        // "Remove any leading and trailing C0 control or space from input. Remove all ASCII tab or newline from input."
        let input = input.trim_matches(|c: char| c <= ' ').replace(['\t', '\n', '\r'], "");
        let (scheme, rest) = scheme(&input)?;
        // Special authority slashes state, special authority ignore slashes state.
        let rest = rest.trim_start_matches(['/', '\\']);
        let (authority, rest) = split_before(rest, &['/', '\\', '?', '#']);
        let (host, port) = host_and_port(authority)?;
        let host = Host::parse(host)?;
        let port = self::port(port, scheme)?;
        let (path, rest) = split_before(rest, &['?', '#']);
        let path = self::path(path);
        let (query, _fragment) = split_before(rest, &['#']);
        // Query state.
        let query = query.strip_prefix('?').map(|query| percent::encode(query, percent::SPECIAL_QUERY_SET));
        let url = Self { scheme, host, port, path, query };
        (url.serialize().len() <= MAX_URL).then_some(url)
    }

    /// The URL that is shown and forwarded.
    pub(crate) fn serialize(&self) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let port = if self.has_default_port() { String::new() } else { format!(":{}", self.port) };
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{scheme}://{}{port}{}{query}", self.host.text, self.path)
    }

    /// Whether the port is the scheme's own.
    pub(crate) fn has_default_port(&self) -> bool {
        self.port == default_port(self.scheme)
    }
}

const fn default_port(scheme: Scheme) -> u16 {
    match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    }
}

/// Scheme start state, scheme state: the scheme in any case, and what stands after its colon.
fn scheme(input: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = input.split_once(':')?;
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => Some((Scheme::Http, rest)),
        "https" | "wss" => Some((Scheme::Https, rest)),
        _ => None,
    }
}

/// Authority state, host state: takes off user name and password, which end at the last `@`, and tells host from port.
fn host_and_port(authority: &str) -> Option<(&str, &str)> {
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_credentials, rest)| rest);
    let mut inside_brackets = false;
    for (at, c) in host_and_port.char_indices() {
        match c {
            '[' => inside_brackets = true,
            ']' => inside_brackets = false,
            ':' if !inside_brackets => {
                let (host, port) = host_and_port.split_at(at);
                return Some((host, &port[1..])).filter(|_| !host.is_empty());
            }
            _ => {}
        }
    }
    Some((host_and_port, "")).filter(|_| !host_and_port.is_empty())
}

/// Port state: nothing, or digits, of which there may be many.
fn port(digits: &str, scheme: Scheme) -> Option<u16> {
    if digits.is_empty() {
        return Some(default_port(scheme));
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.trim_start_matches('0');
    if number.is_empty() { Some(0) } else { number.parse().ok() }
}

/// Path start state, path state: dot segments resolved, the rest percent-encoded where it must be.
fn path(text: &str) -> String {
    let text = text.strip_prefix(['/', '\\']).unwrap_or(text);
    let mut path: Vec<String> = Vec::new();
    let mut segments = text.split(['/', '\\']).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
            ".." => {
                path.pop();
                if is_last {
                    path.push(String::new());
                }
            }
            "." => {
                if is_last {
                    path.push(String::new());
                }
            }
            _ => path.push(percent::encode(segment, percent::PATH_SET)),
        }
    }
    format!("/{}", path.join("/"))
}

/// What stands before the first of these characters, and the rest, which begins with it.
fn split_before<'t>(text: &'t str, stops: &[char]) -> (&'t str, &'t str) {
    text.split_at(text.find(stops).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(input: &str) -> Option<String> {
        Url::parse(input).map(|url| url.serialize())
    }

    #[test]
    fn whoever_can_be_reached_has_one_spelling() {
        for (input, expected) in [
            ("https://api.example", "https://api.example/"),
            ("  \u{1f}https://api.example/ \0", "https://api.example/"),
            ("ht\ntps://a\tpi.exam\rple:4\t43/", "https://api.example/"),
            ("HTTPS:api.example", "https://api.example/"),
            ("https:/api.example", "https://api.example/"),
            ("https:\\\\/api.example\\x", "https://api.example/x"),
            ("wss://api.example:443/x", "https://api.example/x"),
            ("ws://api.example:443/x", "http://api.example:443/x"),
            ("http://api.example:443/", "http://api.example:443/"),
            ("https://api.example:/", "https://api.example/"),
            ("https://api.example:0/", "https://api.example:0/"),
            ("https://api.example:000000008443", "https://api.example:8443/"),
            ("https://a:b@c@api.example#x?y", "https://api.example/"),
            ("https://api.example\\@evil.test/", "https://api.example/@evil.test/"),
            ("https://[@api.example/", "https://api.example/"),
            ("https://API.example./?", "https://api.example/?"),
            ("https://api.example?a'b\"c#d", "https://api.example/?a%27b%22c"),
            ("https://api.example/?#", "https://api.example/?"),
            ("https://api.example/a/./b/../c/.", "https://api.example/a/c/"),
            ("https://api.example/a/..", "https://api.example/"),
            ("https://api.example/../%2e%2E/.%2e/x%2e", "https://api.example/x%2e"),
            ("https://api.example//a//../b", "https://api.example//a/b"),
            ("https://api.example/..;/x", "https://api.example/..;/x"),
            ("https://api.example/^|[]{}é%", "https://api.example/%5E|[]%7B%7D%C3%A9%"),
            ("http://[2001:DB8::1]:80/", "http://[2001:db8::1]/"),
            ("http://[::1]:81/", "http://[::1]:81/"),
        ] {
            assert_eq!(canonical(input).as_deref(), Some(expected), "{input:?}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for input in [
            "",
            "api.example",
            "//api.example/",
            "/x",
            "ftp://api.example/",
            "file:///etc/passwd",
            "blob:https://api.example/x",
            "1https://api.example/",
            " https ://api.example/",
            "https://",
            "https:///",
            "https://?x",
            "https://user@/",
            "https://user@:443/",
            "https://:443/",
            "https://api.example:65536/",
            "https://api.example:4a/",
            "https://api.example:443:443/",
            "https://api.example:-1/",
            "https://api.example:\u{ff14}/",
            "https://[::1/",
            "https://[::1]x/",
            "https://[::1]:x/",
            "https://::1/",
        ] {
            assert_eq!(canonical(input), None, "{input:?}");
        }
    }

    #[test]
    fn a_url_is_at_most_16_kib_long_as_received_and_as_forwarded() {
        let of = |length: usize, filler: &str| {
            let start = "https://api.example/";
            format!("{start}{}", filler.repeat((length - start.len()) / filler.len()))
        };
        assert!(canonical(&of(16_384, "a")).is_some());
        assert!(canonical(&of(16_385, "a")).is_none());
        assert!(canonical(&of(16_384, "<")).is_none(), "forwarded, it is three times as long");
        assert!(canonical(&format!("{}#{}", of(16_000, "a"), "f".repeat(384))).is_none());
    }
}
