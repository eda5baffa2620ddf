//! Hosts: WHATWG's host parser (<https://url.spec.whatwg.org/#concept-host-parser>) and the names that the policy
//! language takes.

use std::fmt::Write as _;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::percent;

/// Longest label and longest name in octets (RFC 1035 §2.3.4), a trailing dot aside.
const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 253;

/// What is special beneath one of these, besides everything of a single label.
const SPECIAL_SUFFIXES: [&str; 5] = ["localhost", "local", "internal", "home.arpa", "onion"];

/// The host of a URL, in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// A name in lower case and punycode, without trailing dot; an IPv4 address; an IPv6 address in brackets.
    pub(crate) text: String,
    is_address: bool,
}

impl Host {
    /// The host parser, for special schemes.
    pub(crate) fn parse(input: &str) -> Option<Self> {
        if let Some(inside) = input.strip_prefix('[') {
            let address = parse_ipv6(inside.strip_suffix(']')?)?;
            return Some(Self { text: format!("[{}]", write_ipv6(address)), is_address: true });
        }
        // "UTF-8 decode without BOM": bytes that are not UTF-8 become U+FFFD, which no name has.
        let domain = percent::decode(input);
        let domain = String::from_utf8_lossy(&domain);
        let ascii = domain_to_ascii(&domain)?;
        if ends_in_a_number(&ascii) {
            let [a, b, c, d] = parse_ipv4(&ascii)?.to_be_bytes();
            return Some(Self { text: format!("{a}.{b}.{c}.{d}"), is_address: true });
        }
        let name = ascii.strip_suffix('.').unwrap_or(&ascii);
        is_name(name).then(|| Self { text: name.to_owned(), is_address: false })
    }

    /// Whether only a rule that names it exactly may open the host (`docs/policy.md`, "What decides").
    pub(crate) fn is_special(&self) -> bool {
        self.is_address
            || !self.text.contains('.')
            || SPECIAL_SUFFIXES.iter().any(|suffix| is_at_or_beneath(&self.text, suffix))
    }

    /// Whether the host is `domain` or beneath it. What is asked is the text, of an address too.
    pub(crate) fn is_at_or_beneath(&self, domain: &str) -> bool {
        is_at_or_beneath(&self.text, domain)
    }
}

fn is_at_or_beneath(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// WHATWG's *domain to ASCII* with *beStrict* false: UTS #46 with `CheckHyphens` false, `CheckBidi` true, `CheckJoiners` true,
/// `UseSTD3ASCIIRules` false, `Transitional_Processing` false, `VerifyDnsLength` false.
///
/// The standard goes on to refuse *forbidden domain code points*. Those are all outside of what [`is_name`] takes, and
/// none is part of a number.
fn domain_to_ascii(domain: &str) -> Option<String> {
    let ascii =
        Uts46::new().to_ascii(domain.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Ignore).ok()?;
    Some(ascii.into_owned()).filter(|ascii| !ascii.is_empty())
}

/// A name that the policy language takes: labels of `a-z`, `0-9`, `-` and `_`, none empty, none too long.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| !label.is_empty() && label.len() <= MAX_LABEL && label.bytes().all(is_plain);
    // UTS #46 §4.1: what a label stands for does not begin with `xn--`. The crate `idna` does not hold this.
    name.len() <= MAX_NAME && name.split('.').all(|label| is_label(label) && !label.starts_with("xn--xn--"))
}

/// The *ends-in-a-number checker*.
fn ends_in_a_number(domain: &str) -> bool {
    let parts = domain.strip_suffix('.').unwrap_or(domain);
    let last = parts.rsplit('.').next().unwrap_or_default();
    (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit())) || parse_ipv4_number(last).is_some()
}

/// The *IPv4 parser*: one to four numbers, of which the last fills all bytes that are left.
fn parse_ipv4(domain: &str) -> Option<u32> {
    let parts = domain.strip_suffix('.').unwrap_or(domain);
    let numbers: Vec<u64> = parts.split('.').map(parse_ipv4_number).collect::<Option<_>>()?;
    let (last, firsts) = numbers.split_last()?;
    if firsts.len() > 3 || firsts.iter().any(|&number| number > 255) {
        return None;
    }
    let bytes_left = 4 - firsts.len();
    if *last >= 1 << (8 * bytes_left) {
        return None;
    }
    let address = firsts.iter().fold(0, |address, number| address << 8 | number) << (8 * bytes_left) | last;
    u32::try_from(address).ok()
}

/// The *IPv4 number parser*: decimal, octal after `0`, hexadecimal after `0x`, where nothing after that is zero. What is
/// larger than any address is as large as can be.
fn parse_ipv4_number(text: &str) -> Option<u64> {
    let (digits, radix) = if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        (digits, 16)
    } else if let Some(digits) = text.strip_prefix('0') {
        (digits, 8)
    } else if text.is_empty() {
        return None;
    } else {
        (text, 10)
    };
    digits.chars().try_fold(0_u64, |number, c| {
        let digit = c.to_digit(radix)?;
        Some(number.saturating_mul(radix.into()).saturating_add(digit.into()))
    })
}

/// The *IPv6 parser*: eight pieces of one to four hex digits; once, `::` stands for one or more of zero; an IPv4 address may
/// stand for the last two.
fn parse_ipv6(text: &str) -> Option<[u16; 8]> {
    let mut address = [0; 8];
    if let Some((head, tail)) = text.split_once("::") {
        let (head, tail) = (ipv6_pieces(head, false)?, ipv6_pieces(tail, true)?);
        if head.len() + tail.len() > 7 {
            return None;
        }
        address.iter_mut().zip(&head).for_each(|(place, piece)| *place = *piece);
        address.iter_mut().rev().zip(tail.iter().rev()).for_each(|(place, piece)| *place = *piece);
        Some(address)
    } else {
        ipv6_pieces(text, true)?.try_into().ok()
    }
}

/// Pieces with a colon between, or nothing at all.
fn ipv6_pieces(text: &str, at_the_end: bool) -> Option<Vec<u16>> {
    let mut pieces = Vec::new();
    if text.is_empty() {
        return Some(pieces);
    }
    let mut texts = text.split(':').peekable();
    while let Some(piece) = texts.next() {
        if piece.contains('.') {
            if !at_the_end || texts.peek().is_some() {
                return None;
            }
            let [a, b, c, d] = dotted_decimal(piece)?;
            pieces.extend([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]);
        } else {
            if !(1..=4).contains(&piece.len()) || !piece.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return None;
            }
            pieces.push(u16::from_str_radix(piece, 16).ok()?);
        }
    }
    Some(pieces)
}

/// Four decimal numbers without leading zeros: an IPv4 address within an IPv6 one has no other spelling.
fn dotted_decimal(text: &str) -> Option<[u8; 4]> {
    let number = |text: &str| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        if is_plain { text.parse().ok() } else { None }
    };
    text.split('.').map(number).collect::<Option<Vec<u8>>>()?.try_into().ok()
}

/// The *IPv6 serializer*: the first longest run of two or more pieces that are zero is written `::`.
fn write_ipv6(address: [u16; 8]) -> String {
    let (mut compress, mut length) = (0, 1);
    for start in 0..address.len() {
        let zeros = address.iter().skip(start).take_while(|&&piece| piece == 0).count();
        if zeros > length {
            (compress, length) = (start, zeros);
        }
    }
    let mut text = String::new();
    let mut place = 0;
    while let Some(piece) = address.get(place) {
        if place == compress && length > 1 {
            text.push_str("::");
            place += length;
        } else {
            if !text.is_empty() && !text.ends_with(':') {
                text.push(':');
            }
            let _ = write!(text, "{piece:x}");
            place += 1;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn text(input: &str) -> Option<String> {
        Host::parse(input).map(|host| host.text)
    }

    #[test]
    fn a_name_is_lower_case_punycode_without_its_trailing_dot() {
        for (input, expected) in [
            ("API.Example.COM", "api.example.com"),
            ("api.example.com.", "api.example.com"),
            ("%61pi%2eexample", "api.example"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("B%C3%9CCHER.example", "xn--bcher-kva.example"),
            ("stra\u{df}e.example", "xn--strae-oqa.example"),
            ("a\u{3002}example", "a.example"),
            ("e\u{ad}vil.test", "evil.test"),
            ("\u{feff}evil.test", "evil.test"),
            ("_dmarc.example", "_dmarc.example"),
            ("r3---sn.example", "r3---sn.example"),
            ("-a-.example", "-a-.example"),
            ("1.2.3.4.example", "1.2.3.4.example"),
        ] {
            assert_eq!(text(input).as_deref(), Some(expected), "{input:?}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for input in [
            "",
            ".",
            "..",
            ".a.example",
            "a..example",
            "a.example..",
            "\u{ad}",
            "a b.example",
            "a%00.example",
            "a%2fb.example",
            "a%25.example",
            "a%.example",
            "a*.example",
            "a~.example",
            "a!.example",
            "a,b.example",
            "%ff.example",
            "\u{fffd}.example",
            "xn--a.example",
            "xn--evil-.example",
            "a\u{200d}b.example",
            "\u{2100}.example",
            "[a.example",
            "a.example]",
            "[a.example]",
            "[127.0.0.1]",
        ] {
            assert_eq!(text(input), None, "{input:?}");
        }
    }

    #[test]
    fn labels_have_up_to_63_octets_and_names_up_to_253() {
        let label = "a".repeat(63);
        assert!(text(&format!("{label}.example")).is_some());
        assert!(text(&format!("{label}a.example")).is_none());
        let name = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(name.len(), 253);
        assert!(text(&name).is_some());
        assert!(text(&format!("{name}.")).is_some());
        assert!(text(&format!("{name}a")).is_none());
    }

    #[test]
    fn what_ends_in_a_number_is_an_ipv4_address_or_nothing() {
        for (input, expected) in [
            ("127.0.0.1", Some("127.0.0.1")),
            ("127.0.0.1.", Some("127.0.0.1")),
            ("2130706433", Some("127.0.0.1")),
            ("0x7f.1", Some("127.0.0.1")),
            ("0X7F.0.0000.00000001", Some("127.0.0.1")),
            ("0177.0.1", Some("127.0.0.1")),
            ("1.2.65535", Some("1.2.255.255")),
            ("0x", Some("0.0.0.0")),
            ("0x.0x.0", Some("0.0.0.0")),
            ("4294967295", Some("255.255.255.255")),
            ("\u{ff11}\u{ff12}\u{ff17}.0.0.1", Some("127.0.0.1")),
            ("%31%32%37.0.0.1", Some("127.0.0.1")),
            ("4294967296", None),
            ("0x100000000000000000000000000000000", None),
            ("1.2.65536", None),
            ("256.1.1.1", None),
            ("1.256.1.1", None),
            ("1.2.3.4.5", None),
            ("1..2", None),
            ("1.2.3.08", None),
            ("09", None),
            ("a.1", None),
            ("a.0x1f", None),
            ("a.0xg", Some("a.0xg")),
            ("a.1b", Some("a.1b")),
            ("1.2.3.4..", None),
        ] {
            assert_eq!(text(input).as_deref(), expected, "{input:?}");
        }
    }

    #[test]
    fn an_ipv6_address_is_written_short() {
        for (input, expected) in [
            ("[::]", "[::]"),
            ("[::1]", "[::1]"),
            ("[1::]", "[1::]"),
            ("[0:0:0:0:0:0:0:1]", "[::1]"),
            ("[2001:DB8:0:0:1:0:0:1]", "[2001:db8::1:0:0:1]"),
            ("[1:0:0:2:0:0:0:3]", "[1:0:0:2::3]"),
            ("[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7:0]"),
            ("[::2:3:4:5:6:7:8]", "[0:2:3:4:5:6:7:8]"),
            ("[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
            ("[1:2:3:4:5:6:1.2.3.4]", "[1:2:3:4:5:6:102:304]"),
        ] {
            assert_eq!(text(input).as_deref(), Some(expected), "{input}");
        }
    }

    #[test]
    fn what_is_no_ipv6_address_is_refused_where_the_standard_library_refuses_it_too() {
        for inside in [
            "",
            ":",
            ":::",
            "1",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4::5:6:7:8",
            "1::2::3",
            ":1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:",
            "::1:",
            "12345::",
            "g::",
            "::1%25eth0",
            "::1.2.3",
            "::1.2.3.4.5",
            "::1.2.3.4:5",
            "1.2.3.4::",
            "::01.2.3.4",
            "::256.2.3.4",
            "::1.2.3.",
            "1:2:3:4:5:6:7:1.2.3.4",
            "::+1",
            " ::1",
        ] {
            assert_eq!(text(&format!("[{inside}]")), None, "{inside}");
            assert!(inside.parse::<Ipv6Addr>().is_err(), "{inside}");
        }
    }

    #[test]
    fn special_are_addresses_single_labels_and_what_names_no_public_host() {
        for special in [
            "1.2.3.4",
            "[::1]",
            "com",
            "localhost",
            "a.localhost",
            "a.b.local",
            "x.internal",
            "home.arpa",
            "a.onion",
            "a.home.arpa",
        ] {
            assert!(Host::parse(special).unwrap().is_special(), "{special}");
        }
        for ordinary in
            ["a.example", "notlocalhost.example", "xlocal.example", "in-addr.arpa", "xhome.arpa", "local.example"]
        {
            assert!(!Host::parse(ordinary).unwrap().is_special(), "{ordinary}");
        }
    }
}
