//! The head of an upstream's answer, on its way to the tenant.
//!
//! Status, body and headers pass; the body as a stream that nobody reads here, still compressed if it came so. Out of the headers
//! go what the forwarding does not let through, and every secret that went into the request, as it stands or percent-encoded, in part or whole:
//! an upstream that echoes its request into a `location` or an error header shows no key. Bodies are not searched.
//!
//! This is for answers to requests that carry a credential, and of these for the few that may show one: what is shorter than every
//! secret holds none. Of all others [`crate::exchange`] sees to the one thing that is dropped, what an upstream says under our own
//! name.
//!
//! What must not come back stays with the request in JavaScript until the answer comes, and nothing stays here: whichever instance
//! is alive by then can look through the answer.

use std::cell::OnceCell;

use serde::{Deserialize, Serialize};
use tidegate_engine::hygiene::answer_passes;
use tidegate_engine::{Forwarding, Header};
use wasm_bindgen::prelude::*;

use crate::exchange;

/// What stands in an answer's headers where a secret stood.
const BLANK: &str = "***";

/// What must not come back with an answer, as it waits in JavaScript: secrets, and, unless it says so, cookies.
#[derive(Serialize, Deserialize)]
pub(crate) struct Hidden(Blanked, bool);

impl Hidden {
    /// Of a request that carries a credential, and perhaps a token.
    pub(crate) fn new(forwarding: &Forwarding, token: Option<&str>) -> Self {
        let values = forwarding.secrets().map(String::as_str).chain(token);
        Self(Blanked::new(values), forwarding.passes_cookies())
    }
}

/// Tells JavaScript how answers are looked through, once for each instance.
pub(crate) fn answers_come_here() {
    type Look = Closure<dyn Fn(JsValue) -> JsValue>;
    thread_local! {
        static LOOK: OnceCell<Look> = const { OnceCell::new() };
    }
    LOOK.with(|look| {
        look.get_or_init(|| {
            // A `JsValue`, and not a text: that would be copied into an instance before anyone asks whether it is alive.
            let look = Look::new(|answer: JsValue| looked_through(&answer.as_string().unwrap_or_default()).into());
            exchange::look_through_by(&look);
            look
        });
    });
}

/// What the tenant sees of an answer, if that is something else. An empty text stands for a head that nobody may see: JavaScript
/// cannot read it, and the answer is lost.
fn looked_through(answer: &str) -> Option<String> {
    let Ok((hidden, head)) = serde_json::from_str::<(Hidden, Head)>(answer) else { return Some(String::new()) };
    #[cfg(feature = "deliberate-trap")]
    crate::trap::spring(&head.1, "after-the-answer");
    let shown = head.shown(&hidden)?;
    Some(serde_json::to_string(&shown).unwrap_or_default())
}

/// Values that must not come back. They are searched longest first, so that one inside another leaves no rest.
#[derive(Serialize, Deserialize)]
struct Blanked(Vec<String>);

impl Blanked {
    /// The values that went out with a request.
    fn new<'v>(values: impl IntoIterator<Item = &'v str>) -> Self {
        // White space at the ends does not arrive, so it does not come back.
        let values = values.into_iter().map(|value| value.trim_matches([' ', '\t']).to_owned());
        let mut values: Vec<_> = values.filter(|value| !value.is_empty()).collect();
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Self(values)
    }

    /// Whether one of them stands in a text.
    fn is_in(&self, text: &str) -> bool {
        let begins_with_one = |(at, _): (usize, char)| {
            text.get(at..).is_none_or(|rest| self.0.iter().any(|value| after(rest, value).is_some()))
        };
        !self.0.is_empty() && text.char_indices().any(begins_with_one)
    }

    /// A text without them.
    fn clean(&self, text: String) -> String {
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

/// Status text and headers of an answer, as they cross the border.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head(String, Vec<Header>);

impl Head {
    /// What the tenant sees of it, where that is something else: most answers show nothing that must be hidden.
    fn shown(&self, Hidden(values, with_cookies): &Hidden) -> Option<Self> {
        let Self(status_text, headers) = self;
        let passes = |name: &str| answer_passes(name, *with_cookies);
        if headers.iter().all(|(name, value)| passes(name) && !values.is_in(value)) && !values.is_in(status_text) {
            return None;
        }
        let headers = headers.iter().filter(|(name, _)| passes(name));
        let headers = headers.map(|(name, value)| (name.clone(), values.clean(value.clone()))).collect();
        Some(Self(values.clean(status_text.clone()), headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blanked(values: &[&str]) -> Blanked {
        Blanked::new(values.iter().copied())
    }

    fn head(pairs: &[(&str, &str)]) -> Head {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Head("OK".to_owned(), pairs.iter().map(pair).collect())
    }

    fn shown(upstream: &Head, secrets: &[&str]) -> Head {
        upstream.shown(&Hidden(blanked(secrets), true)).unwrap_or_else(|| upstream.clone())
    }

    #[test]
    fn secrets_are_blanked_wherever_they_stand() {
        let upstream = head(&[
            ("location", "https://a.example/?key=s3cret&again=s3cret"),
            ("x-echo", "Bearer a.b.c"),
            ("etag", "e"),
        ]);
        assert_eq!(
            shown(&upstream, &["s3cret", "a.b.c"]),
            head(&[("location", "https://a.example/?key=***&again=***"), ("x-echo", "Bearer ***"), ("etag", "e")])
        );
    }

    #[test]
    fn a_secret_in_a_status_text_is_blanked() {
        let upstream = Head("Bad key s3cret".to_owned(), Vec::new());
        assert_eq!(shown(&upstream, &["s3cret"]), Head("Bad key ***".to_owned(), Vec::new()));
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
    fn a_secret_is_found_wherever_it_is_blanked_and_nowhere_else() {
        for text in
            ["s3cret", "key=s3cret", "é s3cret é", "/?k=s3%63ret", "%733cret", "s3s3cret", "s3cre", "s3cre%7", ""]
        {
            let blanked = blanked(&["s3cret", "another"]);
            assert_eq!(blanked.is_in(text), blanked.clean(text.to_owned()) != text, "{text}");
        }
    }

    #[test]
    fn each_set_cookie_stays_a_header_of_its_own() {
        let upstream = head(&[("set-cookie", "a=1"), ("set-cookie", "b=2")]);
        assert_eq!(shown(&upstream, &[]), upstream);
    }

    #[test]
    fn an_answer_is_looked_through_by_what_javascript_kept_of_the_request() {
        let of = |answer: &str| looked_through(&format!(r#"[[["s3cret"],false],{answer}]"#));
        assert_eq!(of(r#"["OK",[["etag","e"]]]"#), None);
        assert_eq!(of(r#"["OK",[["etag","s3cret"],["set-cookie","a=1"]]]"#).unwrap(), r#"["OK",[["etag","***"]]]"#);
        for unreadable in [r#"["OK",[["etag",7]]]"#, r#"["OK"]"#, ""] {
            assert_eq!(of(unreadable).unwrap(), "", "{unreadable}");
        }
    }

    #[test]
    fn an_upstream_cannot_speak_as_tidegate() {
        let upstream = head(&[("tidegate-decision", "forged"), ("x-a", "b")]);
        assert_eq!(shown(&upstream, &[]), head(&[("x-a", "b")]));
    }
}
