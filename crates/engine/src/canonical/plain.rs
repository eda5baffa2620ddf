//! Names that need no parser.
//!
//! Nearly every host that somebody writes is a plain name: letters, digits, `-`, `_` and dots, no punycode, no number at its
//! end. Of those the WHATWG host parser changes nothing but the case of letters, and a list has a million of them: here they are
//! told at a glance. Whatever is not certainly such a name is left to the parser, whose word also is the only one on what is
//! wrong. Both say the same; a test puts every short text over the characters that matter to both.

use std::borrow::Cow;

/// The canonical form of a plain name, without a copy where that is what is written; `None` of all that the parser must look at.
pub(super) fn name(written: &str) -> Option<Cow<'_, str>> {
    let name = written.strip_suffix('.').unwrap_or(written);
    if name.len() > 253 {
        return None;
    }
    let mut last = name.as_bytes();
    for label in name.as_bytes().split(|&byte| byte == b'.') {
        let has_its_length = (1..=63).contains(&label.len());
        let is_plain = label.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        let is_punycode = label.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"xn--"));
        if !has_its_length || !is_plain || is_punycode {
            return None;
        }
        last = label;
    }
    // A name that ends in a number is an IPv4 address, well written or not; `0x` and what follows is one, too.
    if last.first().is_none_or(u8::is_ascii_digit) {
        return None;
    }
    let has_upper = name.bytes().any(|byte| byte.is_ascii_uppercase());
    Some(if has_upper { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) })
}

#[cfg(test)]
mod tests {
    use super::super::{HostKind, host_text, parsed_host};

    /// What tells names from addresses, punycode, escapes and things that are no hosts.
    const PIECES: [&str; 25] = [
        "",
        "a",
        "A",
        "z9",
        "0",
        "7",
        "08",
        "0x",
        "0X1f",
        "x",
        "xn",
        "xn--",
        "XN--",
        "mnchen-3ya",
        "-",
        "--",
        "_",
        ".",
        "..",
        "%41",
        "é",
        "K",
        "ß",
        " ",
        "[",
    ];

    fn assert_alike(written: &str) -> bool {
        let parsed = parsed_host(written);
        assert_eq!(host_text(written).as_deref(), parsed.as_ref().map(super::super::Host::as_str), "{written:?}");
        let plain = super::name(written);
        assert!(plain.is_none() || parsed.is_ok_and(|host| host.kind() == HostKind::Name), "{written:?}");
        plain.is_some()
    }

    #[test]
    fn every_short_text_is_read_as_the_parser_reads_it() {
        let mut plain = 0;
        for [a, b, c] in PIECES.iter().flat_map(|a| PIECES.iter().flat_map(move |b| PIECES.map(|c| [*a, *b, c]))) {
            for written in [format!("{a}{b}{c}"), format!("{a}.{b}{c}"), format!("x{a}.{b}.{c}")] {
                plain += usize::from(assert_alike(&written));
            }
        }
        assert!(plain > 5_000, "{plain} of them need no parser");
    }

    #[test]
    fn every_character_of_the_first_planes_is_read_as_the_parser_reads_it() {
        for c in (0..=0x2fff).chain(0xff00..=0xffff).filter_map(char::from_u32) {
            for written in [format!("{c}"), format!("a{c}b.example"), format!("a.example{c}"), format!("a.{c}1")] {
                assert_alike(&written);
            }
        }
    }

    #[test]
    fn lengths_are_those_of_the_parser() {
        for length in [1, 62, 63, 64, 65] {
            let label = "a".repeat(length);
            for written in [label.clone(), format!("{label}."), format!("b.{label}.c"), format!("{label}..")] {
                assert_alike(&written);
            }
        }
        for length in 248..=256 {
            let name: String = "a.".repeat(200).chars().take(length - 1).chain(['b']).collect();
            assert_eq!(name.len(), length);
            assert_alike(&name);
            assert_alike(&format!("{name}."));
        }
    }
}
