//! Our own pages as plain text, for terminals.
//!
//! This is no reader of Markdown: it knows the headings and fenced blocks of `docs/diagnostics`, and a test holds that these pages
//! have nothing else that would need one.

/// A page as text: headings in capitals, blocks indented, each under the name of the file that it shows.
pub(crate) fn plain(page: &str) -> String {
    let mut in_block = false;
    let mut lines = Vec::new();
    for line in page.lines() {
        if let Some(info) = line.strip_prefix("```") {
            in_block = !in_block;
            lines.extend(title(info).map(|name| format!("    --- {name}")));
        } else if in_block && !line.is_empty() {
            lines.push(format!("    {line}"));
        } else if let Some(heading) = line.strip_prefix("## ") {
            lines.push(heading.to_uppercase());
        } else {
            lines.push(line.strip_prefix("# ").unwrap_or(line).to_owned());
        }
    }
    lines.join("\n")
}

/// The file that a block shows: `text title="list.txt"`.
fn title(info: &str) -> Option<&str> {
    info.split_once("title=\"")?.1.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_and_blocks_are_told_apart_without_their_signs() {
        let page = "# code\n\n## What\n\nA `word`.\n\n```text title=\"a.txt\"\n# one\n\ntwo\n```\n";
        assert_eq!(plain(page), "code\n\nWHAT\n\nA `word`.\n\n    --- a.txt\n    # one\n\n    two");
    }
}
