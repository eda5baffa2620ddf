//! Secrets of the outbound Worker, from the command line or from a file in the form of wrangler's `.dev.vars`.
//!
//! ```text
//!   # a comment
//!   GEOCODER_KEY=abc123                     # up to the end of the line, or to ` #`
//!   export NAME = 'as it stands, # too'
//!   TIDEGATE_KEY_PLATFORM="-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n"
//! ```
//!
//! Quoted values may go over several lines. In double quotes `\n`, `\r`, `\t`, `\"` and `\\` are escapes; single quotes
//! and backticks have none. Nothing is put in for `$NAME`: a key may well hold a dollar sign.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tidegate_platform::worker::Secret;
use zeroize::Zeroizing;

use crate::files::{self, FileError, MIB};
use crate::outcome::Explained;

/// Secrets by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Secrets(BTreeMap<String, Secret>);

/// A file that holds no secrets, or not only.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line cannot be understood. What it holds is not for the screen.
    #[error("`{}` line {line}: {fault}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is the matter.
        fault: Fault,
    },
}

/// What is the matter with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// Something stands behind the closing quote.
    #[error("something stands behind the closing quote")]
    Behind,
    /// No `=`.
    #[error("there is no `=` in it")]
    NoEquals,
    /// The name is none.
    #[error("what stands before the `=` is no name: letters, digits and `_`, and no digit first")]
    NoName,
    /// The name was there before.
    #[error("the name was there before")]
    Twice,
    /// The quote is never closed.
    #[error("the quote that opens here is never closed")]
    Unclosed,
}

impl Explained for SecretsError {
    fn help(&self) -> Option<String> {
        match self {
            Self::File(error) => error.help(),
            Self::Line { .. } => Some("write `NAME=value` or `NAME=\"value\"`; `#` begins a comment".to_owned()),
        }
    }
}

impl Secrets {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, SecretsError> {
        let text = Zeroizing::new(files::read_text(path, MIB)?);
        parse(&text).map_err(|(line, fault)| SecretsError::Line { path: path.to_owned(), line, fault })
    }

    /// Adds one from `NAME=VALUE`, over that of the same name; the value is what it is.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), Fault> {
        let (name, value) = text.split_once('=').ok_or(Fault::NoEquals)?;
        if !is_name(name) {
            return Err(Fault::NoName);
        }
        self.0.insert(name.to_owned(), Secret::new(value.to_owned()));
        Ok(())
    }

    /// All, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0.iter().map(|(name, secret)| (name.as_str(), secret))
    }

    /// Whether there is one of this name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A value, for tests.
    #[cfg(test)]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Secret::expose)
    }
}

/// A name in a Worker's `env` that a policy can name, too.
fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn parse(text: &str) -> Result<Secrets, (usize, Fault)> {
    let mut secrets = BTreeMap::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let whole = rest;
    while !rest.is_empty() {
        let line_number = whole[..whole.len() - rest.len()].matches('\n').count() + 1;
        let (line, after) = split_line(rest);
        let statement = line.trim_start();
        if statement.is_empty() || statement.starts_with('#') {
            rest = after;
            continue;
        }
        let at = |fault| (line_number, fault);
        let equals = line.find('=').ok_or(at(Fault::NoEquals))?;
        let name = line[..equals].trim();
        let name = name.strip_prefix("export ").map_or(name, str::trim_start);
        if !is_name(name) {
            return Err(at(Fault::NoName));
        }
        let value = rest[equals + 1..].trim_start_matches([' ', '\t']);
        let quote = value.chars().next().filter(|first| matches!(first, '"' | '\'' | '`'));
        let value = if let Some(quote) = quote {
            let (inside, behind) = quoted(&value[1..], quote).ok_or(at(Fault::Unclosed))?;
            let (behind, after) = split_line(behind);
            if !matches!(behind.trim_start().chars().next(), None | Some('#')) {
                return Err(at(Fault::Behind));
            }
            rest = after;
            if quote == '"' { unescaped(inside) } else { inside.to_owned() }
        } else {
            rest = after;
            let (value, _) = split_line(value);
            let end = value.find(" #").or_else(|| value.starts_with('#').then_some(0)).unwrap_or(value.len());
            value[..end].trim_end().to_owned()
        };
        if secrets.insert(name.to_owned(), Secret::new(value)).is_some() {
            return Err(at(Fault::Twice));
        }
    }
    Ok(Secrets(secrets))
}

/// The first line without its end, and what comes after it.
fn split_line(text: &str) -> (&str, &str) {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    (line.strip_suffix('\r').unwrap_or(line), after)
}

/// What stands before the closing quote, which may be some lines further down, and what stands behind it.
fn quoted(text: &str, quote: char) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    let closing = text.char_indices().find_map(|(at, c)| {
        let closes = c == quote && !is_escaped;
        is_escaped = quote == '"' && c == '\\' && !is_escaped;
        closes.then_some(at)
    })?;
    Some((&text[..closing], &text[closing + 1..]))
}

/// The text that a double-quoted value stands for.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some(escaped @ ('"' | '\\')) => out.push(escaped),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let secrets = parse(text).unwrap();
        secrets.iter().map(|(name, secret)| (name.to_owned(), secret.expose().to_owned())).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn values_stand_plain_or_in_quotes() {
        let text = "\u{feff}# a comment\r\n\r\nA=plain # a comment\r\nexport B = 'as it $stands # too'\nC=`\"`\nD=\nE=#\nF=a#b";
        let expected = [
            pair("A", "plain"),
            pair("B", "as it $stands # too"),
            pair("C", "\""),
            pair("D", ""),
            pair("E", ""),
            pair("F", "a#b"),
        ];
        assert_eq!(pairs(text), expected);
    }

    #[test]
    fn a_quoted_value_may_go_over_several_lines() {
        let pem = "-----BEGIN PRIVATE KEY-----\nabc=\n-----END PRIVATE KEY-----\n";
        assert_eq!(pairs(&format!("A=\"{pem}\" # the key\nB='{pem}'\n")), [pair("A", pem), pair("B", pem)]);
        assert_eq!(pairs(&format!("A=\"{}\"", pem.replace('\n', "\\n"))), [pair("A", pem)]);
        assert_eq!(pairs(r#"A="a\"b\\n\$" "#), [pair("A", r#"a"b\n\$"#)]);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_and_its_value_is_not() {
        for (text, line, fault) in [
            ("A=1\nsecret", 2, Fault::NoEquals),
            ("A='x\ny'\n1B=secret", 3, Fault::NoName),
            ("=secret", 1, Fault::NoName),
            ("A B=secret", 1, Fault::NoName),
            ("A=1\nB='secret\n\n", 2, Fault::Unclosed),
            ("A='x' secret", 1, Fault::Behind),
            ("A=1\nA=secret", 2, Fault::Twice),
        ] {
            assert_eq!(parse(text), Err((line, fault)), "{text:?}");
            assert!(!fault.to_string().contains("secret"));
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secrets = parse("A=hush").unwrap();
        assert_eq!(format!("{secrets:?}"), r#"Secrets({"A": Secret})"#);
    }
}
