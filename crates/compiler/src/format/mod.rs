//! One layout for policies and their tests.
//!
//! # The style
//! - A blank line stands before each table and its comment. There are never two in succession, none at the ends of the file nor
//!   after a header.
//! - The `=` of keys in lines that follow each other stand in one column. A blank line or a comment ends such a block.
//! - Comments behind adjacent lines stand in one column, too; a line of over 60 characters has its own close by.
//! - An array is on one line, `["a", "b"]`, while that has at most 100 characters. A longer one has an item a line, indented by
//!   two spaces, each with its comma; so has one in which there are comments, or whose last item is followed by a comma: whoever
//!   puts it there wants one item a line.
//! - Inline tables are on one line, `{ key = "value" }`, unless there are comments in them.
//! - Nothing else changes: no order, no quotes, no words. Lines end the Unix way.
//!
//! # How
//! The parser of TOML that reads policies reports everything that it meets, comments and white space too, as events. Of these all but
//! white space and commas are kept, as a tree of lines and values, which is written anew. In the end the events of both texts are
//! compared: a text that says anything else than before is never given out.

mod layout;

use std::path::Path;

use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, parse_document};

use crate::diagnostic::Diagnostic;
use crate::source::SourceMap;
use crate::tree;

/// What formatting a file came to.
#[derive(Debug)]
pub struct Formatted {
    /// The file.
    pub sources: SourceMap,
    /// Why it is no TOML.
    pub diagnostics: Vec<Diagnostic>,
    /// The file in the one layout; `None` if it is no TOML.
    pub text: Option<String>,
}

/// Formats the text of a file. What is no TOML has no layout.
pub fn format(path: &Path, text: &str) -> Formatted {
    let mut sources = SourceMap::default();
    let file = sources.add(path, text.to_owned());
    let diagnostics = tree::syntax_findings(file, text);
    let text = diagnostics.is_empty().then(|| laid_out(text)).flatten();
    Formatted { sources, diagnostics, text }
}

/// The text in the one layout. `None` would be a fault of this module: it would have changed more than the layout.
fn laid_out(text: &str) -> Option<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let formatted = layout::write(&layout::read(text, &events(text)));
    (said(text) == said(&formatted)).then_some(formatted)
}

fn events(text: &str) -> Vec<Event> {
    let tokens: Vec<_> = Source::new(text).lex().collect();
    let mut events = Vec::new();
    // That it is TOML is known by now.
    parse_document(&tokens, &mut |event: Event| events.push(event), &mut ());
    events
}

/// All that a text says, without its layout.
fn said(text: &str) -> Vec<(EventKind, &str)> {
    let is_said =
        |event: &Event| !matches!(event.kind(), EventKind::Whitespace | EventKind::Newline | EventKind::ValueSep);
    events(text)
        .into_iter()
        .filter(is_said)
        .map(|event| (event.kind(), text.get(event.span().start()..event.span().end()).unwrap_or_default().trim_end()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Formats, and holds that formatting once more changes nothing.
    #[track_caller]
    fn formatted(text: &str) -> String {
        let once = laid_out(text).expect("it says the same");
        assert_eq!(laid_out(&once).as_deref(), Some(once.as_str()), "twice is once");
        once
    }

    #[test]
    fn keys_that_follow_each_other_are_aligned() {
        let text =
            "policy=1\ndefault   =\"deny\"\n# a comment ends the block\nextends= [ \"a.toml\" ]\n\nmode =\"report\"";
        let expected = "policy  = 1\ndefault = \"deny\"\n# a comment ends the block\nextends = [\"a.toml\"]\n\nmode = \"report\"\n";
        assert_eq!(formatted(text), expected);
    }

    #[test]
    fn a_blank_line_stands_before_each_table_and_its_comment() {
        let text = "\n\npolicy = 1\n# of the rule\n[[ rule ]]   # why\n\n\n  id = \"a\"\n[ rule . jwt ]\nkey = \"k\"\n\n\n\n# the end\n\n";
        let expected =
            "policy = 1\n\n# of the rule\n[[rule]] # why\nid = \"a\"\n\n[rule.jwt]\nkey = \"k\"\n\n# the end\n";
        assert_eq!(formatted(text), expected);
    }

    #[test]
    fn comments_behind_adjacent_lines_are_aligned_unless_a_line_is_long() {
        let long = format!("set = {{ x = \"{}\" }}", "x".repeat(60));
        let text = format!(
            "id = \"a\" # one\neffect = \"allow\"      #two\n{long} # three\nmode = \"report\"\nreason = \"\" # four\n"
        );
        let long = long.replace("set =", "set    =");
        let expected = format!(
            "id     = \"a\"     # one\neffect = \"allow\" #two\n{long} # three\nmode   = \"report\"\nreason = \"\" # four\n"
        );
        assert_eq!(formatted(&text), expected);
    }

    #[test]
    fn an_array_is_on_one_line_or_has_an_item_a_line() {
        assert_eq!(formatted("a = [\n 1,\n 2 ]"), "a = [1, 2]\n");
        assert_eq!(formatted("a = [1,2,]"), "a = [\n  1,\n  2,\n]\n");
        assert_eq!(formatted("a = [ ]\nb = [{},{a=1 , b= [ ]}]"), "a = []\nb = [{}, { a = 1, b = [] }]\n");
        let item = format!("\"{}\"", "x".repeat(44));
        assert_eq!(formatted(&format!("a = [{item},{item}]")), format!("a = [{item}, {item}]\n"));
        // One character more than a line has.
        assert_eq!(formatted(&format!("ab = [{item},{item}]")), format!("ab = [\n  {item},\n  {item},\n]\n"));
    }

    #[test]
    fn comments_in_arrays_and_tables_stay_with_their_items() {
        let text = "a = [ # first\n\"x\" # of x\n,\n\n\n# before y\n\"y\", [1, # deep\n2]\n] # last\n";
        let expected =
            "a = [\n  # first\n  \"x\", # of x\n\n  # before y\n  \"y\",\n  [\n    1, # deep\n    2,\n  ],\n] # last\n";
        assert_eq!(formatted(text), expected);
        assert_eq!(formatted("a = { b = 1, # why\n c = [2,], }"), "a = {\n  b = 1, # why\n  c = [\n    2,\n  ],\n}\n");
        assert_eq!(formatted("a = [\n# nothing\n]"), "a = [\n  # nothing\n]\n");
    }

    #[test]
    fn words_and_quotes_are_left_as_they_are() {
        let text = "'a b'.\"c\" . d = '''\nx  = 1\n# no comment\n'''\ne = 0x1F\nf = 2026-12-31 00:00:00Z\n";
        let expected =
            "'a b'.\"c\".d = '''\nx  = 1\n# no comment\n'''\ne           = 0x1F\nf           = 2026-12-31 00:00:00Z\n";
        assert_eq!(formatted(text), expected);
    }

    #[test]
    fn marks_of_other_systems_go() {
        assert_eq!(formatted("\u{feff}a = 1\r\n\r\n# b  \r\n[c]\r\n"), "a = 1\n\n# b\n[c]\n");
        assert_eq!(formatted(" \n\n"), "");
        assert_eq!(formatted(""), "");
    }

    #[test]
    fn files_of_any_size_and_depth_come_to_an_end() {
        let many: String = (0..100_000).map(|n| format!("a{n} = [1,2] # {n}\n")).collect::<Vec<_>>().concat();
        assert_eq!(formatted(&many).lines().count(), 100_000);
        let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(format(Path::new("a.toml"), &deep).text, None, "the parser refuses it");
    }

    #[test]
    fn what_is_no_toml_is_left_alone() {
        let formatted = format(Path::new("a.toml"), "a = \nb = 1\n");
        assert_eq!((formatted.text, formatted.diagnostics.len()), (None, 1));
        // Two keys of one name parse, and are no table.
        assert_eq!(format(Path::new("a.toml"), "a = 1\na = 2\n").text, None);
    }
}
