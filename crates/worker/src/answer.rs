//! The upstream's answer, on its way to the tenant.
//!
//! Status, body and headers pass; the body as a stream that nobody reads here, still compressed if it came so. Out of the headers
//! go what the forwarding does not let through, and every secret that went into the request, as it stands or percent-encoded, in part or whole:
//! an upstream that echoes its request into a `location` or an error header shows no key. Bodies are not searched.

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
    pub(crate) fn new<'v>(values: impl IntoIterator<Item = &'v str>) -> Self {
        // White space at the ends does not arrive, so it does not come back.
        let values = values.into_iter().map(|value| value.trim_matches([' ', '\t']).to_owned());
        let mut values: Vec<_> = values.filter(|value| !value.is_empty()).collect();
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Self(values)
    }

    /// A text without them.
    pub(crate) fn clean(&self, text: String) -> String {
        self.0.iter().fold(text, |text, value| without(&text, value))
    }
}

/// The text with a blank wherever it says `value`.
fn without(text: &str, value: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars();
    loop {
        if let Some(after) = after(rest.as_str(), value) {
            clean.push_str(BLANK);
            rest = after.chars();
        } else if let Some(char) = rest.next() {
            clean.push(char);
        } else {
            return clean;
        }
    }
}

/// What follows `value` at the beginning of `text`, where each byte stands as it is or percent-encoded: encoders differ in
/// what they leave alone, and in the case of their digits.
fn after<'t>(text: &'t str, value: &str) -> Option<&'t str> {
    let mut rest = text.as_bytes();
    for &byte in value.as_bytes() {
        rest = match rest {
            [b'%', high, low, after @ ..] if escaped(*high, *low) == Some(u32::from(byte)) => after,
            [first, after @ ..] if *first == byte => after,
            _ => return None,
        };
    }
    text.get(text.len().checked_sub(rest.len())?..)
}

fn escaped(high: u8, low: u8) -> Option<u32> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    Some(digit(high)? << 4 | digit(low)?)
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
    #[cfg(feature = "deliberate-trap")]
    crate::trap::spring(&upstream.headers(), "after-the-answer");
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
        Blanked::new(values.iter().copied())
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
        for encoded in ["a%2Bb%2Fc%3D%3D", "a+b/c==", "a%2bb%2fc%3d%3d", "a+b%2Fc==", "%61%2Bb/c%3D="] {
            assert_eq!(blanked(&["a+b/c=="]).clean(format!("/?k={encoded}&l=é")), "/?k=***&l=é", "{encoded}");
        }
        assert_eq!(blanked(&["a%2Bé"]).clean("a%2Bé, a%252B%C3%A9, a%2B".into()), "***, ***, a%2B");
    }

    #[test]
    fn white_space_around_a_secret_hides_nothing() {
        assert_eq!(blanked(&[" s3cret\t"]).clean("key=s3cret".into()), "key=***");
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
