//! Paths, in the form in which patterns meet them (`docs/policy.md`, "Paths" and "Ambiguous paths").
//!
//! The form is an equal path by RFC 3986 §6.2.2: escapes of unreserved characters are decoded, the hex digits of the
//! others upper-cased. Three characters that RFC 3986 has in no path, but that WHATWG lets stand, are escaped: `[`, `]`, `|`.
//!
//! Servers read some paths in other ways than they are written: they decode an escape before they split at slashes, take
//! a backslash for a slash, drop empty segments or path parameters. Of such a path no rule can be certain.

use crate::url::percent::{self, Piece};

/// The path of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// The matching form.
    pub(crate) text: String,
    pub(crate) reading: Reading,
}

/// Whether all upstreams read a path alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// They do.
    Certain,
    /// They differ in what they make of `%2F` or `%25`, and of nothing else.
    EncodedSlashOrPercent,
    /// They differ.
    Ambiguous,
}

impl Path {
    /// Takes the path that is forwarded.
    pub(crate) fn new(forwarded: &str) -> Self {
        let text = matching_form(forwarded);
        let reading = reading(&text);
        Self { text, reading }
    }
}

fn matching_form(path: &str) -> String {
    let mut form = String::new();
    for piece in percent::pieces(path) {
        match piece {
            Piece::Escape(byte) if is_unreserved(byte) => form.push(byte.into()),
            Piece::Escape(byte) | Piece::Byte(byte @ (b'[' | b']' | b'|')) => form.push_str(&percent::escape(byte)),
            Piece::Byte(byte) => form.push(byte.into()),
        }
    }
    form
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn reading(form: &str) -> Reading {
    let pieces = percent::pieces(form);
    let escapes = |bytes: &[u8]| pieces.iter().any(|piece| bytes.iter().any(|&byte| *piece == Piece::Escape(byte)));

    let stray_percent = pieces.contains(&Piece::Byte(b'%'));
    let encoded_backslash = escapes(b"\\");
    // Control characters are Unicode's category Cc, NUL among them.
    let undecodable = match String::from_utf8(percent::decode(form)) {
        Ok(decoded) => decoded.chars().any(char::is_control),
        Err(_) => true,
    };
    let dot_segment_with_parameter =
        form.split('/').any(|segment| segment.starts_with(".;") || segment.starts_with("..;"));
    // Before the last there is an inner one; the first, which is empty always, stands before the path's own slash.
    let empty_inner_segment = form.contains("//");

    if stray_percent || encoded_backslash || undecodable || dot_segment_with_parameter || empty_inner_segment {
        Reading::Ambiguous
    } else if escapes(b"/%") {
        Reading::EncodedSlashOrPercent
    } else {
        Reading::Certain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_paths_have_one_form() {
        for (forwarded, form) in [
            ("/%7euser/%41%2d%5F%2E", "/~user/A-_."),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a[b]c|d", "/a%5Bb%5Dc%7Cd"),
            ("/%5b%5d%7c", "/%5B%5D%7C"),
            ("/%40@%21!%3b;", "/%40@%21!%3B;"),
            ("/%2f%25", "/%2F%25"),
            ("/100%", "/100%"),
            ("/%2541", "/%2541"),
        ] {
            assert_eq!(Path::new(forwarded).text, form, "{forwarded}");
        }
    }

    #[test]
    fn a_path_is_ambiguous_where_upstreams_may_read_another() {
        for path in [
            "/a%5Cb",
            "/a%5cb",
            "/a%00",
            "/a%0d%0a",
            "/a%7F",
            "/a%C2%85",
            "/a%",
            "/a%4",
            "/a%zz",
            "/a%ff",
            "/a%C3",
            "/a%C3/%A9",
            "/.;/x",
            "/..;x/y",
            "/%2e%2e;/x",
            "//",
            "//a",
            "/a//b",
            "/a//",
            "/a%2F%5C",
        ] {
            assert_eq!(Path::new(path).reading, Reading::Ambiguous, "{path}");
        }
        for path in ["/a%2Fb", "/a%2fb", "/a%25b", "/a%252Fb", "/..%2Fx"] {
            assert_eq!(Path::new(path).reading, Reading::EncodedSlashOrPercent, "{path}");
        }
        for path in
            ["/", "/a/", "/a/b", "/..%3B/x", "/...;/x", "/a;b", "/a..;/b", "/caf%C3%A9", "/%20", "/%3F%23", "/%5B|"]
        {
            assert_eq!(Path::new(path).reading, Reading::Certain, "{path}");
        }
    }
}
