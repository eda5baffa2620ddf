//! What a tenant's own runtime makes of a question before anybody judges it: some it does not send, some it reads otherwise.

use tidegate_differential::Request;
use tidegate_e2e::Outcome;

/// A compatibility date, which the tenant chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Date {
    /// URLs are resolved by the WHATWG rules before they are sent.
    New,
    /// Much is sent as it was written, and much else is refused.
    Old,
}

/// URLs that a runtime with an old date reads as others: what is judged, and leaves, is what it read.
const READ_OTHERWISE: [(&str, &str); 2] = [
    // A backslash ends no host.
    (r"https://a.example\@b.test", "https://b.test/"),
    // A tab within an escape is a character of the path.
    ("https://api.example/%2\te%2e/x", "https://api.example/%2%09e%2e/x"),
];

impl Date {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::New => "2026-01-01",
            Self::Old => "2024-01-01",
        }
    }

    /// The URL that the runtime reads in what the tenant wrote.
    pub(crate) fn read(self, url: &str) -> &str {
        let other = READ_OTHERWISE.iter().find(|(written, _)| self == Self::Old && *written == url);
        other.map_or(url, |(_, read)| read)
    }

    /// Why the runtime sends no such request, although it might be allowed; `None` if there is no good reason.
    pub(crate) fn excuse(self, request: &Request, outcome: &Outcome) -> Option<&'static str> {
        const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
        let scheme = request.url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        let is_token =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_graphic() && !br#"(),/:;<=>?@[\]{}""#.contains(&byte));
        let error = outcome.error.as_deref()?.strip_prefix("TypeError: ")?;
        if error.starts_with("Invalid HTTP method string") {
            let unusual = !METHODS.contains(&request.method.to_ascii_uppercase().as_str());
            unusual.then_some("`fetch` knows the methods of a list")
        } else if error.starts_with("Fetch API cannot load") {
            match (self, scheme.as_deref()) {
                (_, Some("ws" | "wss")) => Some("`fetch` takes http and https; sockets come by `Upgrade`"),
                (Self::Old, _) => Some("with an old date `fetch` reads fewer URLs"),
                _ => None,
            }
        } else if error.starts_with("Invalid header name") {
            let unusual = request.headers.iter().any(|(name, _)| name.is_empty() || !is_token(name));
            unusual.then_some("`Headers` takes tokens for names")
        } else if error.starts_with("Invalid header value") {
            let unusual = request.headers.iter().any(|(_, value)| value.contains(['\0', '\r', '\n']));
            unusual.then_some("`Headers` takes no line breaks in values")
        } else {
            None
        }
    }
}

/// Whether a request came to nothing in the tenant already: `fetch` threw, or answered by itself.
pub(crate) fn is_unsent(request: &Request, outcome: &Outcome) -> bool {
    outcome.error.is_some() || request.url.starts_with("data:")
}
