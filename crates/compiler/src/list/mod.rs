//! Domain lists: files that others keep, a name or a few on each line.
//!
//! A reader takes one line and says what it is. Anything but an entry, a comment or known boilerplate of the format is a
//! finding, unless it is of a [`Kind`] that the policy names in `skip`; those are counted. A kind is passed over
//! only by its name, for what is passed over may matter: a blocklist without its exceptions denies more than its author
//! meant, one without its wildcards less, and under an allow rule it is the other way round.
//!
//! | format | an entry | reaches |
//! |---|---|---|
//! | `domains` | `x.example` | the name and everything beneath it |
//! | `hosts` | `0.0.0.0 x.example` | the same |
//! | `adblock` | `\|\|x.example^`, also with `$all` or `$important` | the same |
//! | `dnsmasq` | `address=/x.example/`, `local=/x.example/`, `server=/x.example/` | the same |
//! | `rpz` | `x.example CNAME .` | the name alone |
//! | `rpz` | `*.x.example CNAME .` | everything beneath it, not the name |

mod adblock;
mod dnsmasq;
mod domains;
mod hosts;
mod kind;
mod pieces;
mod rpz;

use tidegate_engine::canonical;

use crate::diagnostic::{Code, Diagnostic};
use crate::names::Names;
use crate::source::{FileId, Span};
use crate::syntax::ListFormat;

use pieces::Written;

pub(crate) use kind::Kind;

/// The longest line that holds an entry, in bytes. Longer ones are of no list.
const MAX_LINE: usize = 16 << 10;

/// Findings that are kept of one list: with so many the file is no list at all, and one may be made to fill memory.
const MAX_FINDINGS: usize = 1_000_000;

/// What a line of a list is.
#[derive(Debug, PartialEq, Eq)]
enum Line<'l> {
    /// A name that stands for itself alone, as written.
    Alone(&'l str),
    /// A name that stands for everything beneath it, and not for itself, as written.
    Beneath(&'l str),
    /// Names, each with everything beneath it, as written.
    Names(Vec<&'l str>),
    /// A comment, a blank line, or boilerplate of the format.
    Nothing,
    /// Something that `skip` can name.
    Skippable(Kind),
    /// None of these: why, and the way out.
    Unreadable(String, &'static str),
}

/// What a list file holds. Every name is canonical, and in one of the three only.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Names that stand for themselves and everything beneath them.
    pub(crate) names: Names,
    /// Names that stand for themselves alone.
    pub(crate) alone: Names,
    /// Names that stand for everything beneath them, and not for themselves.
    pub(crate) beneath: Names,
    /// Lines that were passed over, for each kind that the policy names in `skip`.
    pub(crate) skipped: Vec<(String, usize)>,
}

impl Contents {
    /// Whether the list meets no host.
    pub(crate) const fn is_empty(&self) -> bool {
        self.names.is_empty() && self.alone.is_empty() && self.beneath.is_empty()
    }

    /// Puts each name where it belongs: what stands for itself alone and for everything beneath it is an ordinary name.
    fn settle(&mut self) {
        let both: Names = self.alone.iter().filter(|name| self.beneath.contains(name)).collect();
        self.names = std::mem::take(&mut self.names).union(both);
        for part in [&mut self.alone, &mut self.beneath] {
            *part = part.iter().filter(|name| !self.names.contains(name)).collect();
        }
    }
}

/// Reads a list. Every line that cannot be read is a finding of its own.
pub(crate) fn read(
    format: ListFormat,
    skip: &[Kind],
    file: FileId,
    text: &str,
    findings: &mut Vec<Diagnostic>,
) -> Contents {
    let list = Written { format, skip, file, text };
    // What a line of a zone means depends on those before it.
    let at_once = if format == ListFormat::Rpz { 1 } else { pieces::at_once(text.len()) };
    let part = list.read_in_pieces(at_once);
    findings.extend(part.findings);
    let skipped = skip.iter().zip(part.skipped).map(|(kind, lines)| (kind.name().to_owned(), lines)).collect();
    let mut contents = Contents { names: part.names, alone: part.alone, beneath: part.beneath, skipped };
    contents.settle();
    contents
}

/// The first line of a list that brings in a canonical name: the place of the name on it.
pub(crate) fn find(format: ListFormat, file: FileId, text: &str, name: &str) -> Option<Span> {
    let mut reader = Reader::new(format);
    without_mark(text).lines().find_map(|line| {
        let written = match reader.read(line) {
            Line::Names(written) => written,
            Line::Alone(written) | Line::Beneath(written) => vec![written],
            Line::Nothing | Line::Skippable(_) | Line::Unreadable(..) => return None,
        };
        let found = written.into_iter().find(|written| canonical::host_text(written).is_ok_and(|host| host == name));
        found.map(|written| span(file, text, written))
    })
}

/// Reads the lines of one file, one after the other.
struct Reader {
    format: ListFormat,
    zone: rpz::Zone,
}

impl Reader {
    fn new(format: ListFormat) -> Self {
        Self { format, zone: rpz::Zone::default() }
    }

    fn read<'l>(&mut self, line: &'l str) -> Line<'l> {
        let trimmed = line.trim();
        if trimmed.contains('\r') {
            // What follows it would pass for part of a comment here, and for a line of its own elsewhere.
            let message =
                format!("`{}` has a carriage return within, which some take for a line's end", excerpt(trimmed));
            return Line::Unreadable(message, "end lines with a line feed");
        }
        let read = match self.format {
            ListFormat::Adblock => adblock::line(trimmed),
            ListFormat::Dnsmasq => dnsmasq::line(trimmed),
            ListFormat::Domains => domains::line(trimmed),
            ListFormat::Hosts => hosts::line(trimmed),
            // That a line begins with white space means something in zone files.
            ListFormat::Rpz => self.zone.line(line),
        };
        if trimmed.len() > MAX_LINE && !matches!(read, Line::Nothing | Line::Skippable(_)) {
            let message = format!("a line of {} bytes, which is no line of a list", trimmed.len());
            return Line::Unreadable(message, "a line holds a name, or an address and a few names");
        }
        read
    }
}

/// The text without a byte order mark.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The place of a part of a file's text: the distance between the two.
fn span(file: FileId, text: &str, part: &str) -> Span {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    Span { file, start, end: start + part.len() }
}

/// The line without a comment that ends it.
fn without_comment(line: &str) -> &str {
    line.split_once('#').map_or(line, |(before, _)| before).trim_end()
}

/// A rule of content blockers where a list of plain names stands: `##`, `#@#`, `#?#`, `#$#` after optional domains.
fn cosmetic_among_names(line: &str) -> bool {
    let Some((domains, after)) = line.split_once('#') else { return false };
    if domains.contains(char::is_whitespace) {
        return false; // a comment after an entry
    }
    // A line of number signs is how comments are framed.
    let marks = ["#", "@#", "?#", "$#", "%#"];
    marks.iter().any(|mark| {
        after.strip_prefix(mark).is_some_and(|selector| selector.starts_with(|c: char| !c.is_whitespace() && c != '#'))
    })
}

/// A cosmetic rule without a domain before it is what formats whose comments begin with `#` call a comment.
fn is_comment_too(format: ListFormat, kind: Kind, line: &str) -> bool {
    format != ListFormat::Adblock && kind == Kind::Cosmetic && line.trim_start().starts_with('#')
}

fn unreadable(span: Span, message: String, help: &'static str) -> Diagnostic {
    let finding = Diagnostic::error(Code::ListLine, span, message);
    if help.is_empty() { finding } else { finding.help(help) }
}

fn no_host(format: ListFormat, span: Span, written: &str, fault: canonical::InvalidHost) -> Diagnostic {
    let message = format!("`{}` is not a host: {fault}", excerpt(written));
    let finding = unreadable(span, message, name_help(format, written));
    // What looks like something else is a mistake rather than a name that never was.
    if finding.help.is_empty() { finding.help("pass such names over with `skip = [\"invalid\"]`") } else { finding }
}

fn name_help(format: ListFormat, name: &str) -> &'static str {
    if format == ListFormat::Rpz {
        ""
    } else if name.starts_with("||") {
        "this looks like an adblock list"
    } else if name.starts_with("*.") || name.starts_with('.') {
        "write the name alone: a list means everything beneath a name anyway"
    } else if name.contains('/') {
        "a list holds hosts, not URLs"
    } else {
        ""
    }
}

/// The beginning of what somebody wrote, short enough for a message.
fn excerpt(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut chars = text.chars();
    let mut start: String = chars.by_ref().take(LONGEST).collect();
    if chars.next().is_some() {
        start.push('…');
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(format: ListFormat, skip: &[Kind], text: &str) -> (Contents, Vec<(usize, usize)>) {
        let mut findings = Vec::new();
        let names = read(format, skip, FileId(0), text, &mut findings);
        assert!(findings.iter().all(|finding| finding.code == Code::ListLine));
        (names, findings.iter().map(|finding| (finding.span.start, finding.span.end)).collect())
    }

    #[test]
    fn names_are_canonical_sorted_and_without_duplicates() {
        let text = "\u{feff}B.example\r\n\r\n# comment\r\na.example. # why\r\nmünchen.example\r\nb.EXAMPLE\r\n";
        let (names, faults) = read_all(ListFormat::Domains, &[], text);
        assert_eq!(names.names, ["a.example", "b.example", "xn--mnchen-3ya.example"]);
        assert_eq!(faults, []);
    }

    #[test]
    fn every_line_that_cannot_be_read_is_found_at_its_place() {
        let (names, faults) = read_all(ListFormat::Domains, &[], "good.example\n  a..b\nx y\n||c.example^\n");
        assert_eq!(names.names, ["good.example"]);
        assert_eq!(faults, [(15, 19), (20, 23), (24, 36)]);
    }

    #[test]
    fn no_name_hides_in_a_comment_behind_a_carriage_return() {
        for text in ["# title\ra.example\n", "a.example # why\rb.example\n", "a.example##.ad\rb.example\n"] {
            let (names, faults) = read_all(ListFormat::Domains, &[Kind::Cosmetic], text);
            assert_eq!((names.names.len(), faults), (0, vec![(0, text.len() - 1)]), "{text:?}");
        }
    }

    #[test]
    fn names_that_no_host_can_have_are_passed_over_where_the_policy_says_so() {
        let text = "0.0.0.0 a..b good.example xn--api-hn0a.c\n0.0.0.0 d.example\n";
        let (contents, faults) = read_all(ListFormat::Hosts, &[Kind::Invalid], text);
        assert_eq!(contents.names, ["d.example", "good.example"]);
        assert_eq!((faults, contents.skipped), (vec![], vec![("invalid".to_owned(), 1)]));
        assert_eq!(read_all(ListFormat::Hosts, &[], text).1, [(8, 12), (26, 40)]);
    }

    #[test]
    fn a_zone_tells_a_name_from_what_is_beneath_it() {
        let text = "b.x CNAME .\n*.b.x CNAME .\na.x CNAME .\na.x CNAME *.\n*.c.x CNAME .\nb.x A 0.0.0.0\n";
        let (Contents { names, alone, beneath, .. }, faults) = read_all(ListFormat::Rpz, &[], text);
        assert_eq!(names, ["b.x"]);
        assert_eq!(alone, ["a.x"]);
        assert_eq!(beneath, ["c.x"]);
        assert_eq!(faults, []);
    }

    #[test]
    fn the_place_of_a_name_is_that_of_its_first_line() {
        let text = "! list\n||b.example^\n||A.Example^$all\n||a.example^\n";
        let place = find(ListFormat::Adblock, FileId(0), text, "a.example").expect("it is there");
        assert_eq!(&text[place.start..place.end], "A.Example");
        assert_eq!(find(ListFormat::Adblock, FileId(0), text, "c.example"), None);
    }

    #[test]
    fn cosmetic_rules_are_passed_over_and_counted_where_the_policy_says_so() {
        let text = "a.example ##comment\nb.example##.banner\n##.ad\n## a heading\n#####\n";
        let (names, faults) = read_all(ListFormat::Domains, &[Kind::Cosmetic], text);
        assert_eq!(names.names, ["a.example"]);
        assert_eq!(faults.len(), 0);
        assert_eq!(names.skipped, [("cosmetic".to_owned(), 2)]);
    }
}
