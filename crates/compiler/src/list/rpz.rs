//! `format = "rpz"`: response policy zones, DNS zone files whose records say what a resolver answers.
//!
//! A record's owner is its *trigger*, relative to the zone: `x.example` is the name alone, `*.x.example` everything beneath
//! it. The action is what the record holds: `CNAME .` (no such name), `CNAME *.` (no data), `CNAME rpz-drop.` and an
//! address of the zone's own block; `rpz-passthru.` takes a name out of a wider trigger (draft-vixie-dnsop-dns-rpz, §3 and §4).
//!
//! Zone files have state (RFC 1035 §5.1). Here that is the zone's name alone, which an absolute owner ends with:
//! `$ORIGIN`, or a SOA record with an absolute owner, says it before the first entry. A record without an owner of its own
//! is the zone's SOA or NS, or cannot be read. The numbers of a SOA record may take several lines.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Kind, Line, excerpt};

/// Record types whose data a resolver would answer with.
const ANSWERS: [&str; 10] = ["caa", "dname", "https", "mx", "naptr", "ns", "ptr", "srv", "svcb", "txt"];

/// What a trigger ends with that is not the name asked for.
const OTHER_TRIGGERS: [&str; 4] = ["rpz-client-ip", "rpz-ip", "rpz-nsdname", "rpz-nsip"];

/// A zone file that is being read.
#[derive(Debug, Default)]
pub(super) struct Zone {
    /// The zone's name, absolute and in lower case.
    origin: Option<String>,
    has_entries: bool,
}

impl Zone {
    /// One line, with the white space that it begins with.
    pub(super) fn line<'l>(&mut self, line: &'l str) -> Line<'l> {
        let record = without_comment(line);
        let mut words = record.split_whitespace().peekable();
        let Some(&first) = words.peek() else { return Line::Nothing };
        if first.starts_with('$') {
            return self.control(first, words.nth(1), line);
        }
        if record.split_whitespace().all(is_number_of_soa) {
            return Line::Nothing;
        }
        let owner = if record.starts_with(char::is_whitespace) { None } else { words.next() };
        while words.next_if(|word| word.eq_ignore_ascii_case("IN") || is_ttl(word)).is_some() {}
        let record_type = words.next().unwrap_or_default().to_ascii_lowercase();
        let data = words.next().unwrap_or_default();
        let is_of_zone = owner.is_none_or(|owner| owner == "@" || owner.ends_with('.'));
        match (record_type.as_str(), owner) {
            ("soa", _) => {
                if let Some(owner) = owner.filter(|owner| owner.ends_with('.')) {
                    return self.begin(owner, line);
                }
                Line::Nothing
            }
            ("ns", _) if is_of_zone => Line::Nothing,
            (_, None) => Line::Unreadable(
                format!("`{}` is a record without a name of its own", excerpt(line.trim())),
                "write the name at the beginning of each line",
            ),
            (_, Some(owner)) => {
                let read = match self.trigger(owner) {
                    Ok(trigger) => entry(trigger, &record_type, data, line),
                    Err(unreadable) => unreadable,
                };
                self.has_entries |= matches!(read, Line::Alone(_) | Line::Beneath(_) | Line::Skippable(_));
                read
            }
        }
    }

    /// `$TTL`, `$ORIGIN`.
    fn control<'l>(&mut self, directive: &str, value: Option<&str>, line: &'l str) -> Line<'l> {
        match (directive.to_ascii_uppercase().as_str(), value) {
            ("$TTL", Some(ttl)) if is_ttl(ttl) => Line::Nothing,
            ("$ORIGIN", Some(origin)) if origin.ends_with('.') => self.begin(origin, line),
            _ => Line::Unreadable(
                format!("`{}` cannot be followed here", excerpt(line.trim())),
                "a list is one file, whose `$ORIGIN` is the absolute name of its zone",
            ),
        }
    }

    /// The zone's name is told.
    fn begin<'l>(&mut self, origin: &str, line: &'l str) -> Line<'l> {
        let origin = origin.to_ascii_lowercase();
        if self.origin.as_ref() == Some(&origin) {
            return Line::Nothing;
        }
        if self.origin.is_some() || self.has_entries {
            let message = format!("`{}` names another zone within the file", excerpt(line.trim()));
            return Line::Unreadable(message, "name the zone once, before the first entry; a list is one zone");
        }
        self.origin = Some(origin);
        Line::Nothing
    }

    /// An owner relative to the zone.
    fn trigger<'l>(&self, owner: &'l str) -> Result<&'l str, Line<'l>> {
        let Some(absolute) = owner.strip_suffix('.') else { return Ok(owner) };
        let zone = self.origin.as_deref().and_then(|origin| origin.strip_suffix('.'));
        let relative = match zone {
            Some("") => Some(absolute),
            Some(zone) => absolute
                .len()
                .checked_sub(zone.len() + 1)
                .and_then(|end| absolute.split_at_checked(end))
                .filter(|(_, suffix)| suffix.strip_prefix('.').is_some_and(|suffix| suffix.eq_ignore_ascii_case(zone)))
                .map(|(relative, _)| relative),
            None => None,
        };
        relative.filter(|relative| !relative.is_empty()).ok_or_else(|| {
            let message = format!("`{}` is outside of the zone", excerpt(owner));
            let help = "without a dot at its end a name is one of the zone; or name the zone first, such as `$ORIGIN rpz.example.`";
            Line::Unreadable(message, help)
        })
    }
}

/// What a trigger with its action is.
fn entry<'l>(trigger: &'l str, record_type: &str, data: &str, line: &'l str) -> Line<'l> {
    let line = line.trim();
    let data = data.to_ascii_lowercase();
    let action = match record_type {
        "cname" => match data.as_str() {
            "." | "*." | "rpz-drop." => None,
            "" => return Line::Unreadable(format!("`{}` has no action", excerpt(line)), "what blocks is `CNAME .`"),
            // What blocks would pass for what answers otherwise.
            within if within.contains(['(', ')']) => {
                let message = format!("`{}` has parentheses around its action", excerpt(line));
                return Line::Unreadable(message, "write each record on one line, without them");
            }
            "rpz-passthru." => Some(Kind::Exception),
            // How a name was taken out before there was `rpz-passthru.`.
            itself if itself.strip_suffix('.').is_some_and(|data| data.eq_ignore_ascii_case(trigger)) => {
                Some(Kind::Exception)
            }
            "rpz-tcp-only." => Some(Kind::TcpOnly),
            _ => Some(Kind::Rewrite),
        },
        "a" if data.parse::<Ipv4Addr>().is_ok() => None,
        "aaaa" if data.parse::<Ipv6Addr>().is_ok() => None,
        answer if ANSWERS.contains(&answer) => Some(Kind::Rewrite),
        _ => {
            let message = format!("`{}` is not a record of a response policy zone", excerpt(line));
            return Line::Unreadable(message, "an entry is a name and `CNAME .`");
        }
    };
    let last = trigger.rsplit('.').next().unwrap_or_default();
    if action != Some(Kind::Exception) && OTHER_TRIGGERS.iter().any(|other| last.eq_ignore_ascii_case(other)) {
        return Line::Skippable(Kind::Trigger);
    }
    if let Some(kind) = action {
        return Line::Skippable(kind);
    }
    match trigger.strip_prefix("*.") {
        Some(name) => Line::Beneath(name),
        None if trigger == "*" || trigger == "@" => {
            let message = format!("`{}` is about names in general", excerpt(line));
            Line::Unreadable(message, "what is refused unless a rule allows it, `default = \"deny\"` says")
        }
        None => Line::Alone(trigger),
    }
}

/// The line without a comment: a `;` that is not within quotes.
fn without_comment(line: &str) -> &str {
    let mut is_quoted = false;
    let begins = line.find(|c| {
        is_quoted ^= c == '"';
        c == ';' && !is_quoted
    });
    begins.map_or(line, |at| &line[..at])
}

/// `3600`, `2h`, `1w2d`.
fn is_ttl(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.bytes().all(|byte| byte.is_ascii_digit() || b"smhdwSMHDW".contains(&byte))
}

/// What the lines of a SOA record hold that it is continued on.
fn is_number_of_soa(word: &str) -> bool {
    let number = word.trim_matches(['(', ')']);
    number.is_empty() || is_ttl(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line: &str) -> Line<'_> {
        Zone::default().line(line)
    }

    #[test]
    fn a_name_is_itself_alone_and_a_wildcard_is_what_is_beneath() {
        for record in [
            "x.example CNAME .",
            "x.example 60 IN CNAME . ; why",
            "x.example IN 1h cname *.",
            "x.example\tCNAME\trpz-drop.",
            "x.example A 0.0.0.0",
            "x.example AAAA ::",
        ] {
            assert_eq!(line(record), Line::Alone("x.example"), "{record}");
        }
        assert_eq!(line("*.x.example CNAME ."), Line::Beneath("x.example"));
    }

    #[test]
    fn what_every_zone_begins_with_is_no_entry() {
        for boilerplate in [
            "",
            "   ",
            "; a zone",
            "$TTL 2h",
            "$ORIGIN rpz.example.",
            "@ IN SOA localhost. root.localhost. (1 6h 1h 1w 2h)",
            "@ SOA . . (",
            "    2026112201 ; serial",
            "  1h 15m 30d 2h )",
            "2w)",
            ")",
            "  IN NS localhost.",
            "@ 3600 IN NS localhost.",
            "rpz.example. NS localhost.",
        ] {
            assert_eq!(line(boilerplate), Line::Nothing, "{boilerplate}");
        }
    }

    #[test]
    fn absolute_names_are_of_the_zone_that_was_named() {
        for begin in ["$ORIGIN rpz.example.", "RPZ.example. 60 IN SOA a. b. 1 2 3 4 5"] {
            let mut zone = Zone::default();
            assert_eq!(zone.line(begin), Line::Nothing);
            assert_eq!(zone.line("x.test.rpz.EXAMPLE. CNAME ."), Line::Alone("x.test"));
            assert_eq!(zone.line("*.x.test.rpz.example. CNAME ."), Line::Beneath("x.test"));
            assert_eq!(zone.line("y.test CNAME ."), Line::Alone("y.test"));
            for outside in ["x.test. CNAME .", "rpz.example. CNAME .", "x.notrpz.example. CNAME .", "$ORIGIN other."] {
                assert!(matches!(zone.line(outside), Line::Unreadable(..)), "{outside}");
            }
        }
        let mut root = Zone::default();
        root.line("$ORIGIN .");
        assert_eq!(root.line("x.test. CNAME ."), Line::Alone("x.test"));
        let mut late = Zone::default();
        late.line("x.test CNAME .");
        assert!(matches!(late.line("$ORIGIN rpz.example."), Line::Unreadable(..)));
    }

    #[test]
    fn what_blocks_no_name_is_of_a_kind() {
        for (record, kind) in [
            ("x.example CNAME rpz-passthru.", Kind::Exception),
            ("x.example CNAME X.example.", Kind::Exception),
            ("32.1.2.0.192.rpz-ip CNAME rpz-passthru.", Kind::Exception),
            ("x.example CNAME rpz-tcp-only.", Kind::TcpOnly),
            ("x.example CNAME walled.example.", Kind::Rewrite),
            ("x.example TXT \"a; b\"", Kind::Rewrite),
            ("32.1.2.0.192.rpz-ip CNAME .", Kind::Trigger),
            ("24.0.2.0.192.RPZ-client-ip CNAME rpz-drop.", Kind::Trigger),
            ("ns.x.example.rpz-nsdname A 192.0.2.1", Kind::Trigger),
            ("128.1.zz.db8.2001.rpz-nsip CNAME *.", Kind::Trigger),
        ] {
            assert_eq!(line(record), Line::Skippable(kind), "{record}");
        }
    }

    #[test]
    fn anything_else_cannot_be_read() {
        for unreadable in [
            "x.example",
            "x.example CNAME",
            "x.example CNAME ( . )",
            "x.example CNAME (.)",
            "x.example. CNAME .",
            "  CNAME .",
            "  A 0.0.0.0",
            "* CNAME .",
            "@ CNAME .",
            "x.example A nowhere",
            "x.example RRSIG CNAME",
            "$INCLUDE more.zone",
            "$GENERATE 1-9 x$ CNAME .",
            "$ORIGIN relative",
            "0.0.0.0 x.example",
            "||x.example^",
        ] {
            assert!(matches!(line(unreadable), Line::Unreadable(..)), "{unreadable}");
        }
    }
}
