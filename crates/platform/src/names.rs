//! Names that come from outside, in types that cannot hold a bad one.

use std::fmt;

/// The longest name of a script or a namespace, in bytes: it must fit a DNS label.
pub const LONGEST_NAME: usize = 63;

/// The name of a script: `a-z 0-9 - _`, at most [`LONGEST_NAME`] bytes, and no `-` first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScriptName(String);

/// The name of a dispatch namespace: as that of a script.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamespaceName(String);

/// A name that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It has no characters.
    #[error("a name must not be empty")]
    Empty,
    /// It is longer than [`LONGEST_NAME`].
    #[error("a name has at most {LONGEST_NAME} characters")]
    TooLong,
    /// It holds something else than letters, digits, `-` and `_`.
    #[error("a name holds lower-case letters, digits, `-` and `_` alone, and begins with none of `-`")]
    Character,
}

impl ScriptName {
    /// Reads a name as it stands in a decoded path segment.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        checked(text).map(Self)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl NamespaceName {
    /// Reads a name as it stands in a decoded path segment.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        checked(text).map(Self)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScriptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NamespaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn checked(text: &str) -> Result<String, NameError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    match text.len() {
        0 => Err(NameError::Empty),
        1..=LONGEST_NAME if text.bytes().all(plain) && !text.starts_with('-') => Ok(text.to_owned()),
        1..=LONGEST_NAME => Err(NameError::Character),
        _ => Err(NameError::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_path_segment_are_refused() {
        for bad in ["a/b", "a\\b", "..", "a%2fb", "a\0", "A", "-a", "a b", "é"] {
            assert_eq!(ScriptName::parse(bad), Err(NameError::Character), "{bad:?}");
        }
        assert_eq!(NamespaceName::parse(""), Err(NameError::Empty));
        assert_eq!(NamespaceName::parse(&"a".repeat(64)), Err(NameError::TooLong));
        assert!(ScriptName::parse("this-is_my_script-01").is_ok());
    }
}
