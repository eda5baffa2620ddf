//! The reference: every key in a table of Markdown.

use std::fmt::{Result, Write as _};

use super::{Document, level, sentence};
use crate::diagnostic::Code;
use crate::syntax::keys;
use crate::tree::keys::{Key, Takes, Words};

/// Every key of these kinds of file, a table of them for each of their tables: Markdown.
pub fn reference(documents: &[Document]) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = write_reference(&mut text, documents);
    text
}

fn write_reference(out: &mut String, documents: &[Document]) -> Result {
    writeln!(out, "# Reference\n")?;
    writeln!(
        out,
        "Every key of every file, as `tidegate` reads it. What the words mean is told in [the policy language](policy.md)."
    )?;
    for document in documents {
        writeln!(out, "\n## {}\n\n{}", document.title, document.about)?;
        section(out, None, document.keys)?;
    }
    Ok(())
}

const HEAD: &str = "\n| key | takes | default | meaning |\n|---|---|---|---|";

fn section(out: &mut String, path: Option<&str>, keys: &[Key]) -> Result {
    if let Some(path) = path {
        writeln!(out, "\n### `{path}`")?;
    }
    writeln!(out, "{HEAD}")?;
    for key in keys {
        let default = match (key.required, key.default) {
            (true, _) => "required".to_owned(),
            (false, None) => "–".to_owned(),
            // A value is shown as one; words stay words.
            (false, Some(default)) if default.starts_with(['"', '{']) || default == "false" => format!("`{default}`"),
            (false, Some(default)) => default.to_owned(),
        };
        writeln!(out, "| `{}` | {} | {default} | {} |", key.name, words(&key.takes), sentence(key.meaning))?;
    }
    for key in keys {
        let (inner, shown) = match &key.takes {
            Takes::Named { ids, keys } => (*keys, format!("[{}.{}]", key.name, if *ids { "ID" } else { "NAME" })),
            Takes::Tables(keys) if path.is_none() => (*keys, format!("[[{}]]", key.name)),
            Takes::Levels => {
                lints(out)?;
                continue;
            }
            Takes::Nullable(Takes::Table(keys))
            | Takes::FalseOrTable(keys)
            | Takes::Table(keys)
            | Takes::Tables(keys) => (*keys, beneath(path, key.name)),
            Takes::WordOrTable(_, keys) => (*keys, format!("[{}]", key.name)),
            // The keys of `except`, the one `TableOrTables`, are those of the table that it is in.
            _ => continue,
        };
        section(out, Some(&shown), inner)?;
    }
    Ok(())
}

/// `[[rule]]` and `jwt` → `[[rule]] jwt`.
fn beneath(path: Option<&str>, key: &str) -> String {
    path.map_or_else(|| key.to_owned(), |path| format!("{path} {key}"))
}

fn lints(out: &mut String) -> Result {
    writeln!(out, "\n### `[lints]`\n{HEAD}")?;
    let takes = alternatives(&keys::LEVELS);
    for code in Code::lints() {
        let default = code.default_level().map(level).unwrap_or_default();
        let (name, meaning) = (code.as_str(), code.summary());
        writeln!(out, "| [`{name}`](diagnostics/{name}.md) | {takes} | `\"{default}\"` | {meaning} |")?;
    }
    Ok(())
}

fn words(takes: &Takes) -> String {
    match takes {
        Takes::Any => "anything".to_owned(),
        Takes::Boolean => "`true`, `false`".to_owned(),
        Takes::Choice(words) => alternatives(*words),
        Takes::Choices(words) => format!("array of {}", alternatives(*words)),
        Takes::Date => "day".to_owned(),
        Takes::FalseOrTable(_) => "table, or `false`".to_owned(),
        Takes::Id => "id: `a-z`, `0-9`, `-`".to_owned(),
        Takes::Instant => "day, or time in UTC".to_owned(),
        Takes::Integer(least, most) if least == most => format!("`{least}`"),
        Takes::Integer(least, most) => format!("integer, {least} to {most}"),
        Takes::Integers(least, most) => format!("array of integers, {least} to {most}"),
        Takes::Levels | Takes::Table(_) => "table".to_owned(),
        Takes::Named { ids: true, .. } => "tables by id".to_owned(),
        Takes::Named { ids: false, .. } => "tables by name".to_owned(),
        Takes::Nullable(takes) => format!("{}, or null", words(takes)),
        Takes::Number(least, most) => format!("number, {least} to {most}"),
        Takes::TableOrTables(_) => "table of conditions as here, or array of such".to_owned(),
        Takes::Tables(_) => "array of tables".to_owned(),
        Takes::Text => "string".to_owned(),
        Takes::TextOrTexts => "string, or array of strings".to_owned(),
        Takes::TextTable { .. } => "table of strings".to_owned(),
        Takes::Texts | Takes::TextsOrNone => "array of strings".to_owned(),
        Takes::TextsTable => "table of strings, or of arrays of strings".to_owned(),
        Takes::WordOrTable(word, _) => format!("table, or `\"{word}\"`"),
    }
}

fn alternatives(words: &dyn Words) -> String {
    words.words().iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ")
}
