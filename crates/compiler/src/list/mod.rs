//! Domain lists: files that others keep, one name or a few on each line.
//!
//! Every format means "the name and everything beneath it". A reader takes one line and says what it is; anything
//! but an entry, a comment or known boilerplate is a finding, unless the policy names the line's kind in `skip`.

mod domains;
mod hosts;

use tidegate_engine::canonical;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};
use crate::syntax::ListFormat;

/// The longest line, in bytes. Longer ones are of no list.
const MAX_LINE: usize = 16 << 10;

/// Findings that are kept of one list: with so many the file is no list at all, and one may be made to fill memory.
const MAX_FINDINGS: usize = 1_000_000;

/// Kinds of line that a list may hold and that say nothing of domains; `skip` names those to pass over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A rule for hiding parts of pages, as content blockers write it: `example.com##.banner`.
    Cosmetic,
}

impl Kind {
    /// The kinds that files of a format may hold.
    pub(crate) const fn of(format: ListFormat) -> &'static [(&'static str, Self)] {
        match format {
            ListFormat::Adblock | ListFormat::Dnsmasq | ListFormat::Domains | ListFormat::Hosts | ListFormat::Rpz => {
                &[("cosmetic", Self::Cosmetic)]
            }
        }
    }
}

/// What a line of a list is.
#[derive(Debug, PartialEq, Eq)]
enum Line<'l> {
    /// A comment, a blank line, or boilerplate of the format.
    Nothing,
    /// Names, as written.
    Names(Vec<&'l str>),
    /// None of these: why, and the way out.
    Unreadable(String, &'static str),
}

/// What a list file holds.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Canonical names, sorted, without duplicates.
    pub(crate) names: Vec<String>,
    /// Lines that were passed over, by kind.
    pub(crate) skipped: Vec<(String, usize)>,
}

/// Formats that can be read.
pub(crate) fn is_readable(format: ListFormat) -> bool {
    matches!(format, ListFormat::Domains | ListFormat::Hosts)
}

/// Reads a list. Every line that cannot be read is a finding of its own.
pub(crate) fn read(
    format: ListFormat,
    skip: &[Kind],
    file: FileId,
    text: &str,
    findings: &mut Vec<Diagnostic>,
) -> Names {
    let read_line = match format {
        ListFormat::Hosts => hosts::line,
        _ => domains::line,
    };
    let mut names = Vec::new();
    let mut cosmetic = 0;
    let before = findings.len();
    for line in lines(text) {
        if findings.len() - before >= MAX_FINDINGS {
            break;
        }
        let span = |part: &str| {
            // The part is a piece of the text: its place is the distance between the two.
            let start = part.as_ptr() as usize - text.as_ptr() as usize;
            Span { file, start, end: start + part.len() }
        };
        if line.contains('\r') {
            // What follows it would pass for part of a comment here, and for a line of its own elsewhere.
            let message = format!("`{}` has a carriage return within, which some take for a line's end", excerpt(line));
            findings.push(unreadable(span(line), message, "end lines with a line feed"));
            continue;
        }
        if is_cosmetic(line) {
            if skip.contains(&Kind::Cosmetic) {
                cosmetic += 1;
                continue;
            }
            // Without a domain before it, the line is what the format calls a comment.
            if !line.starts_with('#') {
                let message = format!("`{}` is a cosmetic rule, which says nothing of domains", excerpt(line));
                findings.push(unreadable(span(line), message, "pass such lines over with `skip = [\"cosmetic\"]`"));
                continue;
            }
        }
        if line.len() > MAX_LINE && !line.starts_with('#') {
            let message = format!("a line of {} bytes, which is no line of a list", line.len());
            findings.push(unreadable(span(line), message, "a line holds a name, or an address and a few names"));
            continue;
        }
        match read_line(line) {
            Line::Nothing => {}
            Line::Names(written) => {
                for name in written {
                    match canonical::host(name) {
                        Ok(host) => names.push(host.as_str().to_owned()),
                        Err(fault) => {
                            let message = format!("`{}` is not a host: {fault}", excerpt(name));
                            findings.push(unreadable(span(name), message, name_help(name)));
                        }
                    }
                }
            }
            Line::Unreadable(message, help) => findings.push(unreadable(span(line), message, help)),
        }
    }
    names.sort_unstable();
    names.dedup();
    let skipped = skip.contains(&Kind::Cosmetic).then(|| ("cosmetic".to_owned(), cosmetic));
    Names { names, skipped: skipped.into_iter().collect() }
}

/// Lines without their ends, white space and a byte order mark.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.strip_prefix('\u{feff}').unwrap_or(text).lines().map(str::trim)
}

/// The line without a comment that ends it.
fn without_comment(line: &str) -> &str {
    line.split_once('#').map_or(line, |(before, _)| before).trim_end()
}

/// Element hiding and its kin: `##`, `#@#`, `#?#`, `#$#` after optional domains.
fn is_cosmetic(line: &str) -> bool {
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

fn unreadable(span: Span, message: String, help: &'static str) -> Diagnostic {
    let finding = Diagnostic::error(Code::ListLine, span, message);
    if help.is_empty() { finding } else { finding.help(help) }
}

fn name_help(name: &str) -> &'static str {
    if name.starts_with("||") {
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

    fn read_all(format: ListFormat, skip: &[Kind], text: &str) -> (Names, Vec<(usize, usize)>) {
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
    fn cosmetic_rules_are_passed_over_and_counted_where_the_policy_says_so() {
        let text = "a.example ##comment\nb.example##.banner\n##.ad\n## a heading\n#####\n";
        let (names, faults) = read_all(ListFormat::Domains, &[Kind::Cosmetic], text);
        assert_eq!((names.names.as_slice(), faults.len()), (["a.example".to_owned()].as_slice(), 0));
        assert_eq!(names.skipped, [("cosmetic".to_owned(), 2)]);
    }
}
