//! `format = "hosts"`: an address and one or more names a line, as in `/etc/hosts`; `#` begins a comment.
//!
//! What the address is does not matter: lists write `0.0.0.0`, `127.0.0.1`, `::` or one of their own.

use std::net::IpAddr;

use super::{Kind, Line, cosmetic_among_names, excerpt, without_comment};

pub(super) fn line(line: &str) -> Line<'_> {
    if cosmetic_among_names(line) {
        return Line::Skippable(Kind::Cosmetic);
    }
    let entry = without_comment(line);
    let mut words = entry.split_whitespace();
    let Some(address) = words.next() else { return Line::Nothing };
    // A zone tells interfaces apart (RFC 4007 §11): `fe80::1%lo0`.
    let (bare, _zone) = address.split_once('%').unwrap_or((address, ""));
    if bare.parse::<IpAddr>().is_err() {
        let message = format!("`{}` does not begin with an address", excerpt(entry));
        return Line::Unreadable(message, "where a line holds a name alone, the format is `domains`");
    }
    let mut names = words.peekable();
    if names.peek().is_none() {
        return Line::Unreadable(format!("`{}` names no host", excerpt(entry)), "put a name after the address");
    }
    let names: Vec<&str> = names.filter(|name| !is_boilerplate(name)).collect();
    if names.is_empty() { Line::Nothing } else { Line::Names(names) }
}

/// Names that a machine's own hosts file has. What begins as one of them and has labels more is somebody's host.
fn is_boilerplate(name: &str) -> bool {
    const NAMES: [&str; 5] = ["localhost", "localhost.localdomain", "local", "broadcasthost", "0.0.0.0"];
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || (name.starts_with("ip6-") && !name.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_address_and_names() {
        assert_eq!(line("0.0.0.0 a.example"), Line::Names(vec!["a.example"]));
        assert_eq!(line("::1\ta.example  b.example # why"), Line::Names(vec!["a.example", "b.example"]));
        assert_eq!(line("192.0.2.7 localhost a.example"), Line::Names(vec!["a.example"]));
        assert_eq!(line("0.0.0.0 ip6-a.example"), Line::Names(vec!["ip6-a.example"]));
    }

    #[test]
    fn what_every_hosts_file_begins_with_is_no_entry() {
        for boilerplate in [
            "127.0.0.1 localhost",
            "127.0.0.1 localhost.localdomain",
            "255.255.255.255 broadcasthost",
            "::1 ip6-localhost ip6-loopback",
            "fe80::1%lo0 localhost",
            "127.0.0.1 local",
            "0.0.0.0 0.0.0.0",
            "# Title: hosts",
            "",
        ] {
            assert_eq!(line(boilerplate), Line::Nothing, "{boilerplate}");
        }
    }

    #[test]
    fn anything_else_cannot_be_read() {
        for unreadable in ["a.example", "0.0.0.0", "0.0.0 a.example", "||a.example^", "0.0.0.0 # nothing"] {
            assert!(matches!(line(unreadable), Line::Unreadable(..)), "{unreadable}");
        }
    }
}
