//! The one canonicaliser: what a URL is before anybody judges it.
//!
//! Tenants choose how their URLs arrive: an old compatibility date leaves `http://2130706433/` and
//! `/public/%2e%2e/secret` as they were written. So every URL is parsed again by the WHATWG rules, the result is
//! judged, and that same result is forwarded. Two forms of the path exist:
//!
//! ```text
//!   as received   HTTPS://api.example.com.:443/v1/%7Euser/%c3%a9?q=1#top
//!   forwarded     https://api.example.com/v1/%7Euser/%c3%a9?q=1       WHATWG serialisation, `^` encoded
//!   matched                              /v1/~user/%C3%A9             RFC 3986 §6.2.2: unreserved decoded, hex upper-cased
//! ```
//!
//! Where upstreams may read one path in two ways, the path is *ambiguous*, and what a rule says about
//! paths is unknown rather than true or false (see [`PathReading`]).
//!
//! Patterns go through the same functions ([`host`], [`path_text`]), so that a rule and a request agree on spelling.
//! Parsing allocates; deciding on the result does not.

mod plain;

use std::borrow::Cow;
use std::fmt;

use url::{Host as UrlHost, Url};

/// The longest URL, as received and as forwarded, in bytes (the platform's own limit).
pub const MAX_URL: usize = 16 * 1024;

/// A request's URL in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    url: String,
    scheme: Scheme,
    host: Host,
    port: u16,
    path: String,
    /// Bits of [`PathDoubt`].
    doubts: u8,
}

/// The schemes a request can go out with; ws is http, wss is https.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`.
    Http,
    /// `https`.
    Https,
}

impl Scheme {
    /// The port that is meant where none is named.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A canonical host: lower case, punycode, no trailing dot; IPv6 in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    text: String,
    kind: HostKind,
}

/// What a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKind {
    /// An IPv4 address, in dotted decimal.
    Ipv4,
    /// An IPv6 address, in brackets (RFC 5952).
    Ipv6,
    /// A DNS name.
    Name,
}

/// Whether every upstream reads the path alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathReading {
    /// There is one reading.
    Plain,
    /// It holds `%2F` or `%25` and nothing else that is doubtful: one reading for rules with `encoded = "literal"`.
    EncodedSlashOrPercent,
    /// Upstreams may read it as another path.
    Ambiguous,
}

/// Why a path has more than one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathDoubt {
    /// An encoded backslash.
    Backslash,
    /// A control character, NUL among them.
    Control,
    /// A segment `.;…` or `..;…`, which some servers take for a dot segment.
    DotSegment,
    /// An empty segment that is not the last.
    EmptySegment,
    /// An encoded slash.
    Slash,
    /// An encoded percent sign.
    Percent,
    /// A `%` that no two hex digits follow.
    StrayPercent,
    /// Escapes that are not UTF-8.
    NotUtf8,
}

impl PathDoubt {
    /// Every doubt.
    pub const ALL: [Self; 8] = [
        Self::Backslash,
        Self::Control,
        Self::DotSegment,
        Self::EmptySegment,
        Self::Slash,
        Self::Percent,
        Self::StrayPercent,
        Self::NotUtf8,
    ];

    const fn bit(self) -> u8 {
        match self {
            Self::Backslash => 1,
            Self::Control => 2,
            Self::DotSegment => 4,
            Self::EmptySegment => 8,
            Self::Slash => 16,
            Self::Percent => 32,
            Self::StrayPercent => 64,
            Self::NotUtf8 => 128,
        }
    }
}

/// Why a URL is not one that can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidTarget {
    /// The host is not a name or address that this policy language knows.
    Host(InvalidHost),
    /// A scheme beyond http, https, ws, wss.
    Scheme,
    /// Over [`MAX_URL`].
    TooLong,
    /// Not a URL by the WHATWG rules.
    Unparsable,
}

/// Why a host is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidHost {
    /// A character outside `a-z 0-9 - _`.
    Character,
    /// An empty label, as in `a..b`.
    EmptyLabel,
    /// A label over 63 octets.
    LabelTooLong,
    /// A name over 253 octets.
    NameTooLong,
    /// Not a host by the WHATWG rules (a bad address, bad punycode, a forbidden code point).
    Unparsable,
}

impl Target {
    /// Brings a URL, as it was received, into canonical form.
    pub fn parse(received: &str) -> Result<Self, InvalidTarget> {
        if received.len() > MAX_URL {
            return Err(InvalidTarget::TooLong);
        }
        let mut url = Url::parse(received).map_err(|_| InvalidTarget::Unparsable)?;
        let scheme = match url.scheme() {
            "http" | "ws" => Scheme::Http,
            "https" | "wss" => Scheme::Https,
            _ => return Err(InvalidTarget::Scheme),
        };
        let host =
            Host::checked(url.host().ok_or(InvalidTarget::Unparsable)?.to_owned()).map_err(InvalidTarget::Host)?;

        let unparsable = |()| InvalidTarget::Unparsable;
        let plain = if scheme == Scheme::Http { "http" } else { "https" };
        // Setting it would write the URL anew, even where it is the same.
        if url.scheme() != plain {
            url.set_scheme(plain).map_err(unparsable)?;
        }
        url.set_username("").map_err(unparsable)?;
        url.set_password(None).map_err(unparsable)?;
        url.set_fragment(None);
        if url.host_str() != Some(host.as_str()) {
            url.set_host(Some(host.as_str())).map_err(|_| InvalidTarget::Unparsable)?;
        }
        if url.path().split('/').any(is_drive_letter) {
            // Behind one, the parser here drops dot segments: WHATWG has it so for `file` alone.
            url.set_path(&without_dot_segments(&received_path(received)));
        }
        if url.path().contains('^') {
            // WHATWG encodes it since 2024; the parser here does not yet.
            let encoded = url.path().replace('^', "%5E");
            url.set_path(&encoded);
        }
        if url.as_str().len() > MAX_URL {
            return Err(InvalidTarget::TooLong);
        }
        let (path, doubts) = matched_path(url.path());
        let port = url.port().unwrap_or(scheme.default_port());
        Ok(Self { port, path, doubts, scheme, host, url: url.into() })
    }

    /// The URL that is judged and forwarded.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// http or https.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, the scheme's own where the URL names none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path in the form that patterns are matched against; always begins with `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the path has one reading.
    pub fn path_reading(&self) -> PathReading {
        reading(self.doubts)
    }

    /// Why the path has more than one reading.
    pub fn path_doubts(&self) -> impl Iterator<Item = PathDoubt> {
        PathDoubt::ALL.into_iter().filter(|&doubt| self.doubts & doubt.bit() != 0)
    }
}

impl Host {
    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Name or address.
    pub fn kind(&self) -> HostKind {
        self.kind
    }

    /// Whether this is a host that only a rule that names it exactly may open: IP literals, single labels, and the
    /// suffixes that never leave a machine, a network or Tor (RFC 6761, RFC 6762, RFC 8375, RFC 7686, ICANN `internal`).
    pub fn is_special(&self) -> bool {
        const SUFFIXES: [&str; 5] = ["localhost", "local", "internal", "home.arpa", "onion"];
        self.kind != HostKind::Name
            || !self.text.contains('.')
            || SUFFIXES
                .iter()
                .any(|suffix| self.text.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    }

    fn checked(parsed: UrlHost) -> Result<Self, InvalidHost> {
        let (kind, mut text) = match parsed {
            UrlHost::Ipv4(address) => return Ok(Self { text: address.to_string(), kind: HostKind::Ipv4 }),
            host @ UrlHost::Ipv6(_) => return Ok(Self { text: host.to_string(), kind: HostKind::Ipv6 }),
            UrlHost::Domain(name) => (HostKind::Name, name),
        };
        if text.ends_with('.') {
            text.pop();
        }
        if text.len() > 253 {
            return Err(InvalidHost::NameTooLong);
        }
        for label in text.split('.') {
            if label.is_empty() {
                return Err(InvalidHost::EmptyLabel);
            }
            if label.len() > 63 {
                return Err(InvalidHost::LabelTooLong);
            }
            if !label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_')) {
                return Err(InvalidHost::Character);
            }
            // Stands for a label that begins with `xn--` itself (UTS #46 §4.1), which the parser here lets pass.
            if label.starts_with("xn--xn--") {
                return Err(InvalidHost::Unparsable);
            }
        }
        Ok(Self { text, kind })
    }
}

/// Brings a host that somebody wrote (in a policy, in a list) into the form that requests are judged in.
pub fn host(written: &str) -> Result<Host, InvalidHost> {
    match plain::name(written) {
        Some(name) => Ok(Host { text: name.into_owned(), kind: HostKind::Name }),
        None => parsed_host(written),
    }
}

/// The text of [`host`], without a copy where it stands there in that form.
pub fn host_text(written: &str) -> Result<Cow<'_, str>, InvalidHost> {
    match plain::name(written) {
        Some(name) => Ok(name),
        None => parsed_host(written).map(|host| Cow::Owned(host.text)),
    }
}

fn parsed_host(written: &str) -> Result<Host, InvalidHost> {
    Host::checked(UrlHost::parse(written).map_err(|_| InvalidHost::Unparsable)?)
}

/// Brings path text that somebody wrote in a pattern into the form that paths are matched in, and says how certain
/// its reading is. Dot segments are left as they are: a pattern that holds one is the caller's error to report.
pub fn path_text(written: &str) -> (String, PathReading) {
    let (matched, doubts) = matched_path(written);
    (matched, reading(doubts))
}

/// What a path with these doubts is.
const fn reading(doubts: u8) -> PathReading {
    if doubts == 0 {
        PathReading::Plain
    } else if doubts & !(PathDoubt::Slash.bit() | PathDoubt::Percent.bit()) == 0 {
        PathReading::EncodedSlashOrPercent
    } else {
        PathReading::Ambiguous
    }
}

/// `C:` or `c|` (WHATWG URL, "Windows drive letter").
fn is_drive_letter(segment: &str) -> bool {
    matches!(segment.as_bytes(), [letter, b':' | b'|'] if letter.is_ascii_alphabetic())
}

/// The path of a URL that is known to be one of http or https, as it was received.
fn received_path(received: &str) -> String {
    let url = received.trim_matches(|c| c <= ' ').replace(['\t', '\n', '\r'], "");
    let after_scheme = url.split_once(':').map_or("", |(_, rest)| rest);
    let authority_and_path = after_scheme.trim_start_matches(['/', '\\']).split(['?', '#']).next().unwrap_or_default();
    authority_and_path.split_once(['/', '\\']).map_or_else(String::new, |(_, path)| format!("/{path}"))
}

/// A path with its dot segments resolved (WHATWG URL, "path state").
fn without_dot_segments(path: &str) -> String {
    let mut resolved = Vec::new();
    let mut segments = path.split(['/', '\\']).skip(1).peekable();
    while let Some(segment) = segments.next() {
        let dots = segment.to_ascii_lowercase().replace("%2e", ".");
        if dots == ".." {
            resolved.pop();
        }
        if dots != "." && dots != ".." {
            resolved.push(segment);
        } else if segments.peek().is_none() {
            resolved.push("");
        }
    }
    format!("/{}", resolved.join("/"))
}

/// The matched form of a path, and what is doubtful about it.
fn matched_path(path: &str) -> (String, u8) {
    let mut doubts = 0;
    let mut doubt = |doubt: PathDoubt| doubts |= doubt.bit();
    let mut matched = String::with_capacity(path.len());
    // What an upstream sees after one round of decoding.
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            decoded.push(byte);
            if is_path_byte(byte) {
                matched.push(char::from(byte));
            } else {
                push_escape(&mut matched, byte);
            }
            continue;
        }
        let Some((byte, after)) = escaped_byte(after) else {
            doubt(PathDoubt::StrayPercent);
            decoded.push(b'%');
            matched.push('%');
            continue;
        };
        rest = after;
        decoded.push(byte);
        match byte {
            b'/' => doubt(PathDoubt::Slash),
            b'%' => doubt(PathDoubt::Percent),
            b'\\' => doubt(PathDoubt::Backslash),
            _ => {}
        }
        if is_unreserved(byte) { matched.push(char::from(byte)) } else { push_escape(&mut matched, byte) }
    }
    match std::str::from_utf8(&decoded) {
        Ok(text) if text.chars().any(char::is_control) => doubt(PathDoubt::Control),
        Ok(_) => {}
        Err(_) => doubt(PathDoubt::NotUtf8),
    }
    let mut segments = matched.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            doubt(PathDoubt::EmptySegment);
        }
        if segment.starts_with(".;") || segment.starts_with("..;") {
            doubt(PathDoubt::DotSegment);
        }
    }
    (matched, doubts)
}

/// The byte behind a `%`, and what follows its two digits.
fn escaped_byte(after_percent: &[u8]) -> Option<(u8, &[u8])> {
    let (&[high, low], rest) = after_percent.split_first_chunk::<2>()?;
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(high)? << 4 | digit(low)?, rest))
}

fn push_escape(text: &mut String, byte: u8) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or('0');
    text.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
}

/// RFC 3986 §2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What may stand in a path without an escape (RFC 3986 §3.3, `pchar` and `/`). WHATWG leaves a few more as they
/// are (`[ ] |`); for matching they are escaped, so that both spellings are one.
const fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@' | b'/'
        )
}

impl fmt::Display for PathDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backslash => "an encoded backslash",
            Self::Control => "a control character",
            Self::DotSegment => "a segment that begins with `.;` or `..;`, which some servers take for a dot segment",
            Self::EmptySegment => "an empty segment",
            Self::Slash => "an encoded slash",
            Self::Percent => "an encoded percent sign",
            Self::StrayPercent => "a `%` without two hex digits",
            Self::NotUtf8 => "escapes that are not UTF-8",
        })
    }
}

impl fmt::Display for InvalidTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Scheme => f.write_str("the scheme is not http, https, ws or wss"),
            Self::TooLong => f.write_str("the URL is over 16 KiB"),
            Self::Unparsable => f.write_str("not an absolute URL"),
        }
    }
}

impl fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Character => "the host has a character outside a-z, 0-9, `-` and `_`",
            Self::EmptyLabel => "the host has an empty label",
            Self::LabelTooLong => "the host has a label over 63 octets",
            Self::NameTooLong => "the host is over 253 octets",
            Self::Unparsable => "not a host name or address",
        })
    }
}

impl std::error::Error for InvalidTarget {}
impl std::error::Error for InvalidHost {}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that panics fails, as it should")]
mod tests {
    use super::*;

    fn url(received: &str) -> String {
        Target::parse(received).unwrap().url().to_owned()
    }

    fn path(received: &str) -> (String, PathReading) {
        let target = Target::parse(&format!("https://a.example{received}")).unwrap();
        (target.path().to_owned(), target.path_reading())
    }

    #[test]
    fn the_forwarded_url_has_no_userinfo_fragment_default_port_or_trailing_dot() {
        assert_eq!(url("HTTPS://user:pass@API.Example.com.:443/a?#f"), "https://api.example.com/a?");
        assert_eq!(url("wss://api.example.com"), "https://api.example.com/");
        assert_eq!(url("ws://api.example.com:80/"), "http://api.example.com/");
        assert_eq!(url("ws://api.example.com:443/"), "http://api.example.com:443/");
    }

    #[test]
    fn the_forwarded_path_is_the_whatwg_serialisation() {
        assert_eq!(url("https://a.example/b/%2e%2e/c%7e^[é"), "https://a.example/c%7e%5E[%C3%A9");
    }

    #[test]
    fn what_looks_like_a_drive_letter_is_a_segment_like_any_other() {
        assert_eq!(url("https://a.example/b/C:/../c"), "https://a.example/b/c");
        assert_eq!(url("https://a.example/b/c|/%2E./."), "https://a.example/b/");
        assert_eq!(url("https:a.example\\C:\t\\.\n.?C:/..#/C:/.. "), "https://a.example/?C:/..");
        assert_eq!(url("https://a.example/C:/./../../b/C:"), "https://a.example/b/C:");
        assert_eq!(url("https://a:/C:/../^é"), "https://a/%5E%C3%A9");
    }

    #[test]
    fn the_matched_path_has_one_spelling() {
        assert_eq!(path("/%7euser/%c3%a9/é[|]").0, "/~user/%C3%A9/%C3%A9%5B%7C%5D");
        assert_eq!(path("/a%21!").0, "/a%21!");
    }

    #[test]
    fn a_path_that_upstreams_may_read_in_two_ways_is_ambiguous() {
        for received in
            ["/a%5cb", "/a%00", "/%c2%80", "/a%", "/a%zz", "/%ff", "/a/.;x/b", "/a/..;/b", "/%2e%2e;/b", "//a", "/a//"]
        {
            assert_eq!(path(received).1, PathReading::Ambiguous, "{received}");
        }
        for received in ["/a%2fb", "/a%252e"] {
            assert_eq!(path(received).1, PathReading::EncodedSlashOrPercent, "{received}");
        }
        for received in ["/", "/a/", "/a/..%3Bb", "/é", "/a.;b", "/a?b=//"] {
            assert_eq!(path(received).1, PathReading::Plain, "{received}");
        }
    }

    #[test]
    fn every_doubt_about_a_path_is_named() {
        let doubts = |received: &str| {
            Target::parse(&format!("https://a.example{received}")).unwrap().path_doubts().collect::<Vec<_>>()
        };
        for (received, doubt) in [
            ("/a%5cb", PathDoubt::Backslash),
            ("/a%00", PathDoubt::Control),
            ("/%2e%2e;/b", PathDoubt::DotSegment),
            ("//a", PathDoubt::EmptySegment),
            ("/a%2fb", PathDoubt::Slash),
            ("/a%252e", PathDoubt::Percent),
            ("/a%%34%31", PathDoubt::StrayPercent),
            ("/%ff", PathDoubt::NotUtf8),
        ] {
            assert_eq!(doubts(received), [doubt], "{received}");
        }
        assert_eq!(doubts("/a%2f%5c"), [PathDoubt::Backslash, PathDoubt::Slash]);
        assert_eq!(doubts("/a%41"), []);
    }

    #[test]
    fn a_host_outside_the_language_is_refused_by_name_of_the_fault() {
        let fault = |received: &str| Target::parse(received).unwrap_err();
        assert_eq!(fault("https://a..b/"), InvalidTarget::Host(InvalidHost::EmptyLabel));
        assert_eq!(fault("https://./"), InvalidTarget::Host(InvalidHost::EmptyLabel));
        assert_eq!(fault("https://a!.b/"), InvalidTarget::Host(InvalidHost::Character));
        assert_eq!(fault(&format!("https://{}.b/", "a".repeat(64))), InvalidTarget::Host(InvalidHost::LabelTooLong));
        assert_eq!(fault(&format!("https://{}b/", "a.".repeat(127))), InvalidTarget::Host(InvalidHost::NameTooLong));
        assert_eq!(fault("ftp://a.b/"), InvalidTarget::Scheme);
        assert_eq!(fault("//a.b/"), InvalidTarget::Unparsable);
        assert_eq!(fault(&format!("https://a.b/{}", "x".repeat(MAX_URL))), InvalidTarget::TooLong);
        assert_eq!(fault(&format!("https://a.b/{}", "é".repeat(MAX_URL / 4))), InvalidTarget::TooLong);
    }

    #[test]
    fn special_hosts_are_known_whatever_they_are_called() {
        let special = |received: &str| Target::parse(received).unwrap().host().is_special();
        for received in [
            "http://2130706433/",
            "http://[::1]/",
            "http://intranet/",
            "http://localhost./",
            "http://a.localhost/",
            "http://a.local/",
            "http://metadata.google.internal/",
            "http://home.arpa/",
            "http://a.home.arpa/",
            "http://x.onion/",
        ] {
            assert!(special(received), "{received}");
        }
        for received in
            ["http://notlocal.example/", "http://mylocalhost.com/", "http://arpa.example/", "http://xhome.arpa/"]
        {
            assert!(!special(received), "{received}");
        }
    }
}
