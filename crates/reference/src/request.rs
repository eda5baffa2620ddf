//! Requests, in the form in which they are judged (`docs/policy.md`, "What decides").

use crate::Request;
use crate::path::Path;
use crate::url::Url;

/// Names and values of all headers together, in bytes.
const MAX_HEADERS: usize = 128 * 1024;

/// A request that can be judged.
pub(crate) struct CanonicalRequest {
    /// Upper case.
    pub(crate) method: String,
    pub(crate) url: Url,
    pub(crate) path: Path,
    /// Names in lower case, values trimmed.
    pub(crate) headers: Vec<(String, String)>,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub(crate) now: i64,
}

impl CanonicalRequest {
    /// `None` for what is `invalid-request`.
    pub(crate) fn new(request: &Request<'_>) -> Option<Self> {
        let method = method(request.method)?;
        let url = Url::parse(request.url)?;
        let size: usize = request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > MAX_HEADERS {
            return None;
        }
        let headers =
            request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), trim(value).to_owned())).collect();
        Some(Self { method, path: Path::new(&url.path), url, headers, now: request.now })
    }

    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the request asks for a WebSocket: a token of `Upgrade` is `websocket`.
    pub(crate) fn is_upgrade(&self) -> bool {
        self.header("upgrade").is_some_and(|value| list(value).any(|token| token.eq_ignore_ascii_case("websocket")))
    }
}

/// A method is a token (RFC 9110 §9.1, §5.6.2), and not TRACE, which would show an upstream's headers to the tenant.
fn method(method: &str) -> Option<String> {
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    Some(method.to_ascii_uppercase()).filter(|method| is_token(method) && method != "TRACE")
}

/// The items of a comma-separated header value (RFC 9110 §5.6.1).
pub(crate) fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(trim)
}

/// Without the white space around it (RFC 9110 §5.6.3).
pub(crate) fn trim(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}
