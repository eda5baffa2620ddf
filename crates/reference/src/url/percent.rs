//! Percent-encoding (WHATWG URL §1.3, RFC 3986 §2.1).

/// WHATWG's *path percent-encode set*, ASCII part: the query set and `?`, `^`, `` ` ``, `{`, `}`.
pub(crate) const PATH_SET: &str = " \"#<>?^`{}";

/// WHATWG's *special-query percent-encode set*, ASCII part: space, `"`, `#`, `<`, `>` and `'`.
pub(crate) const SPECIAL_QUERY_SET: &str = " \"#<>'";

/// Percent-encodes the characters of a set, and the C0 control percent-encode set, which is part of every other: the
/// C0 controls and all after `~`. Escapes that are there already stay.
pub(crate) fn encode(text: &str, set: &str) -> String {
    let mut encoded = String::new();
    for c in text.chars() {
        if !(' '..='~').contains(&c) || set.contains(c) {
            let mut utf8 = [0; 4];
            for byte in c.encode_utf8(&mut utf8).bytes() {
                encoded.push_str(&escape(byte));
            }
        } else {
            encoded.push(c);
        }
    }
    encoded
}

/// A byte's escape, with upper-case digits.
pub(crate) fn escape(byte: u8) -> String {
    format!("%{byte:02X}")
}

/// A piece of a text that may hold escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A byte as it stands, a `%` without two hex digits behind it too.
    Byte(u8),
    /// `%` and two hex digits, and the byte for which they stand.
    Escape(u8),
}

/// Takes a text apart.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        match (first, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                pieces.push(Piece::Escape(digit(*high) << 4 | digit(*low)));
                rest = after;
            }
            _ => {
                pieces.push(Piece::Byte(*first));
                rest = after;
            }
        }
    }
    pieces
}

/// WHATWG's *percent-decode*: the bytes for which a text stands.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    let byte = |piece| match piece {
        Piece::Byte(byte) | Piece::Escape(byte) => byte,
    };
    pieces(text).into_iter().map(byte).collect()
}

fn digit(hex: u8) -> u8 {
    match hex {
        b'0'..=b'9' => hex - b'0',
        b'a'..=b'f' => hex - b'a' + 10,
        b'A'..=b'F' => hex - b'A' + 10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_percent_sign_with_two_hex_digits_is_an_escape() {
        use Piece::{Byte, Escape};
        assert_eq!(pieces("%41%zz%4"), [Escape(0x41), Byte(b'%'), Byte(b'z'), Byte(b'z'), Byte(b'%'), Byte(b'4')]);
        assert_eq!(pieces("%%41"), [Byte(b'%'), Escape(0x41)]);
        assert_eq!(pieces("%aF"), [Escape(0xAF)]);
        assert_eq!(decode("%C3%A9%"), "é%".as_bytes());
    }

    #[test]
    fn paths_and_queries_encode_what_the_standard_says() {
        let punctuation = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\x7f";
        assert_eq!(encode(punctuation, PATH_SET), "%20!%22%23$%&'()*+,-./:;%3C=%3E%3F@[\\]%5E_%60%7B|%7D~%7F");
        assert_eq!(encode(punctuation, SPECIAL_QUERY_SET), "%20!%22%23$%&%27()*+,-./:;%3C=%3E?@[\\]^_`{|}~%7F");
        assert_eq!(encode("\0\x1fé%é", PATH_SET), "%00%1F%C3%A9%%C3%A9");
    }
}
