//! `format = "domains"`: one name a line, `#` begins a comment.

use super::{Kind, Line, cosmetic_among_names, excerpt, without_comment};

pub(super) fn line(line: &str) -> Line<'_> {
    if cosmetic_among_names(line) {
        return Line::Skippable(Kind::Cosmetic);
    }
    let entry = without_comment(line);
    if entry.is_empty() {
        return Line::Nothing;
    }
    if entry.starts_with('!') || entry.starts_with(';') {
        return Line::Unreadable(format!("`{}` is not a name", excerpt(entry)), "comments begin with `#`");
    }
    if entry.contains(char::is_whitespace) {
        let message = format!("`{}` is not one name", excerpt(entry));
        return Line::Unreadable(message, "a line holds one name; with an address before it, the format is `hosts`");
    }
    Line::Names(vec![entry])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_name_or_a_comment() {
        assert_eq!(line("a.example"), Line::Names(vec!["a.example"]));
        assert_eq!(line("a.example # why"), Line::Names(vec!["a.example"]));
        assert_eq!(line("# all"), Line::Nothing);
        assert_eq!(line(""), Line::Nothing);
        for unreadable in ["a.example b.example", "0.0.0.0 a.example", "! adblock", "; zone"] {
            assert!(matches!(line(unreadable), Line::Unreadable(..)), "{unreadable}");
        }
    }
}
