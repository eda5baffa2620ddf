//! The upstream's answer, on its way to the tenant.
//!
//! Status, body and headers pass; the body as a stream that nobody reads here, still compressed if it came so. Out of the headers
//! go what the forwarding does not let through, and every secret that went into the request, as it stands or percent-encoded:
//! an upstream that echoes its request into a `location` or an error header shows no key. Bodies are not searched.

use std::fmt::Write as _;

use tidegate_engine::{Forwarding, Header};
use wasm_bindgen::JsValue;
use web_sys::{Response, ResponseInit};

use crate::js;

/// What stands in an answer's headers where a secret stood.
const BLANK: &str = "***";

/// Values that must not come back. They are searched longest first, so that one inside another leaves no rest.
pub(crate) struct Blanked(Vec<String>);

impl Blanked {
    /// The values that went out with a request.
    pub(crate) fn new(values: impl IntoIterator<Item = String>) -> Self {
        let both = |value: String| [percent_encoded(&value), value];
        let mut values: Vec<_> = values.into_iter().flat_map(both).filter(|value| !value.is_empty()).collect();
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Self(values)
    }

    /// A text without them.
    pub(crate) fn clean(&self, text: String) -> String {
        self.0.iter().fold(text, |text, value| if text.contains(value) { text.replace(value, BLANK) } else { text })
    }
}

/// As a value stands in a URL: all but RFC 3986's unreserved characters escaped.
fn percent_encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The headers that the tenant sees.
fn headers(upstream: Vec<Header>, forwarding: &Forwarding, blanked: &Blanked) -> Vec<Header> {
    upstream
        .into_iter()
        .filter(|(name, _)| forwarding.answer_passes(name))
        .map(|(name, value)| (name, blanked.clean(value)))
        .collect()
}

/// The answer that the tenant gets.
pub(crate) fn answer(upstream: &Response, forwarding: &Forwarding, blanked: &Blanked) -> Result<Response, String> {
    let thrown = |error: JsValue| js::failed("the answer cannot be passed on", &error);
    let status = upstream.status();
    let init = ResponseInit::new();
    init.set_status(status);
    init.set_status_text(&blanked.clean(upstream.status_text()));
    init.set_headers_headers(&js::write_headers(&headers(
        js::read_headers(&upstream.headers())?,
        forwarding,
        blanked,
    ))?);
    if let Some(socket) = js::web_socket(upstream) {
        js::set_web_socket(&init, &socket).map_err(thrown)?;
    }
    // Statuses that have no body (WHATWG Fetch, "null body status"): a `Response` of them must not be given one.
    let body = if matches!(status, 101 | 204 | 205 | 304) { None } else { upstream.body() };
    Response::new_with_opt_readable_stream_and_init(body.as_ref(), &init).map_err(thrown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blanked(values: &[&str]) -> Blanked {
        Blanked::new(values.iter().map(|value| (*value).to_owned()))
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<Header> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn secrets_are_blanked_wherever_they_stand() {
        let upstream = pairs(&[
            ("location", "https://a.example/?key=s3cret&again=s3cret"),
            ("x-echo", "Bearer a.b.c"),
            ("etag", "e"),
        ]);
        assert_eq!(
            headers(upstream, &Forwarding::default(), &blanked(&["s3cret", "a.b.c"])),
            pairs(&[("location", "https://a.example/?key=***&again=***"), ("x-echo", "Bearer ***"), ("etag", "e")])
        );
    }

    #[test]
    fn a_secret_within_another_leaves_no_rest() {
        assert_eq!(blanked(&["key", "key-and-more"]).clean("key-and-more".into()), "***");
    }

    #[test]
    fn a_secret_in_a_url_is_blanked_too() {
        assert_eq!(blanked(&["a+b/c=="]).clean("/?k=a%2Bb%2Fc%3D%3D&l=a+b/c==".into()), "/?k=***&l=***");
    }

    #[test]
    fn an_empty_secret_blanks_nothing() {
        assert_eq!(blanked(&[""]).clean("etag".into()), "etag");
    }

    #[test]
    fn each_set_cookie_stays_a_header_of_its_own() {
        let upstream = pairs(&[("set-cookie", "a=1"), ("set-cookie", "b=2")]);
        assert_eq!(headers(upstream.clone(), &Forwarding::default(), &blanked(&[])), upstream);
    }

    #[test]
    fn an_upstream_cannot_speak_as_tidegate() {
        let upstream = pairs(&[("tidegate-decision", "forged"), ("x-a", "b")]);
        assert_eq!(headers(upstream, &Forwarding::default(), &blanked(&[])), pairs(&[("x-a", "b")]));
    }
}
