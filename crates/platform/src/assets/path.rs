//! Paths: as a URL writes them, and as files are called.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What JavaScript's `encodeURIComponent` leaves as it is, besides letters and digits.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The file that a URL's path asks for: each segment percent-decoded unless it cannot be, and no two slashes in a row, so
/// that no path that comes of it is taken for another host.
pub(super) fn decode(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            push(&mut decoded, "/");
        }
        push(&mut decoded, &decode_segment(segment));
    }
    decoded
}

/// How a URL writes the path of a file: the one form in which it is served.
pub(super) fn encode(path: &str) -> String {
    let segments = path.split('/').map(|segment| utf8_percent_encode(segment, COMPONENT).to_string());
    segments.collect::<Vec<_>>().join("/")
}

fn decode_segment(segment: &str) -> Cow<'_, str> {
    // A `%` that begins no escape is an error to JavaScript, and a percent sign to the library.
    let mut rest = segment;
    while let Some((_, after)) = rest.split_once('%') {
        if !after.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return segment.into();
        }
        rest = after;
    }
    percent_decode_str(segment).decode_utf8().unwrap_or(segment.into())
}

fn push(path: &mut String, text: &str) {
    for character in text.chars() {
        if character != '/' || !path.ends_with('/') {
            path.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_one_form_in_which_it_is_served() {
        let cases = [
            ("/", "/", "/"),
            ("/a/b.html", "/a/b.html", "/a/b.html"),
            ("/a%20b", "/a b", "/a%20b"),
            ("/%c3%bc", "/ü", "/%C3%BC"),
            ("/[x]", "/[x]", "/%5Bx%5D"),
            ("/%5Bx%5D", "/[x]", "/%5Bx%5D"),
            ("/%255Bx", "/%5Bx", "/%255Bx"),
            ("/@a:b,c;d=e+f$g&h", "/@a:b,c;d=e+f$g&h", "/%40a%3Ab%2Cc%3Bd%3De%2Bf%24g%26h"),
            ("/-_.!~*'()", "/-_.!~*'()", "/-_.!~*'()"),
            // Neither an escape nor UTF-8: as it came, and so the percent sign is part of the name.
            ("/%zz", "/%zz", "/%25zz"),
            ("/100%", "/100%", "/100%25"),
            ("/%ff", "/%ff", "/%25ff"),
            ("/%ff/%20", "/%ff/ ", "/%25ff/%20"),
            // Slashes that somebody hid are slashes, and never two.
            ("/a%2Fb", "/a/b", "/a/b"),
            ("//a///b//", "/a/b/", "/a/b/"),
            ("/%2F%2Fevil.example", "/evil.example", "/evil.example"),
            ("/%2F/%2F/x", "/x", "/x"),
            ("/%5Cevil.example", "/\\evil.example", "/%5Cevil.example"),
            ("/a/..%2Fb", "/a/../b", "/a/../b"),
            ("/a%00b", "/a\0b", "/a%00b"),
        ];
        for (path, decoded, encoded) in cases {
            assert_eq!(decode(path), decoded, "{path}");
            assert_eq!(encode(&decode(path)), encoded, "{path}");
        }
    }
}
