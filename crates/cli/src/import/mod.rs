//! Other products' rules, as a policy.
//!
//! What comes out is a text for people to go on with: it passes `tidegate check`, and says in comments what is different here and what
//! could not be carried over. Nothing is dropped in silence: what the importer does not know is a finding, and then nothing comes out.

pub(crate) mod smokescreen;
mod trial;

use std::collections::BTreeSet;

use tidegate_test::plain::plain;

/// A string in TOML.
fn quoted(text: &str) -> String {
    // What JSON escapes TOML's basic strings escape alike; DEL alone TOML wants escaped, too.
    serde_json::Value::String(text.to_owned()).to_string().replace('\u{7f}', "\\u007f")
}

/// An array of strings, over several lines where one would be long.
fn array<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item.as_ref())).collect();
    let line = format!("[{}]", items.join(", "));
    if line.len() <= 100 { line } else { format!("[\n  {},\n]", items.join(",\n  ")) }
}

/// A comment, broken into lines.
fn comment(text: &str) -> String {
    const WIDTH: usize = 118;
    let mut lines = vec!["#".to_owned()];
    for word in plain(text).split_whitespace() {
        let last = lines.len() - 1;
        if lines[last].len() > 1 && lines[last].len() + 1 + word.len() > WIDTH {
            lines.push(format!("# {word}"));
        } else {
            lines[last] = format!("{} {word}", lines[last]);
        }
    }
    lines.join("\n") + "\n"
}

/// An id of what somebody called otherwise, unlike all that were taken before.
fn id(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut id = String::new();
    for c in name.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            id.push(c);
        } else if !id.is_empty() && !id.ends_with('-') {
            id.push('-');
        }
    }
    let id = match id.trim_end_matches('-') {
        "" => "rule".to_owned(),
        id => id.to_owned(),
    };
    let mut free = id.clone();
    let mut n = 2_u32;
    while !taken.insert(free.clone()) {
        free = format!("{id}-{n}");
        n += 1;
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_made_of_any_name_and_are_never_the_same() {
        let mut taken = BTreeSet::new();
        let ids: Vec<_> =
            ["Web Hooks", "web-hooks", "ümlaut!", "***", "--"].iter().map(|name| id(name, &mut taken)).collect();
        assert_eq!(ids, ["web-hooks", "web-hooks-2", "mlaut", "rule", "rule-2"]);
    }

    #[test]
    fn comments_stay_comments() {
        let text = comment(&format!("a\nb\u{1b}[31m {}", "word ".repeat(100)));
        assert!(text.lines().all(|line| line.starts_with("# ") && line.len() <= 120), "{text}");
    }
}
