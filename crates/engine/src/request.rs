//! What is judged.

use crate::canonical::{InvalidTarget, Target};

/// A header as it was received: name in any case, value untrimmed. Several of one name are joined as `Headers` does.
pub type Header = (String, String);

/// A variable's name and value.
pub type Var = (String, String);

/// Names and values of a request's headers together, in bytes (the platform's own limit).
pub(crate) const MAX_HEADERS: usize = 128 * 1024;

/// A request, borrowed from whoever holds it.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'r> {
    /// The method, in any case.
    pub method: &'r str,
    /// The canonical URL, or why there is none.
    pub target: Result<&'r Target, InvalidTarget>,
    /// The headers before anything was done to them.
    pub headers: &'r [Header],
    /// The customer that the outbound parameters name; `None` where they name none or it is not a string.
    pub customer: Option<&'r str>,
    /// The customer's tags from the outbound parameters; `None` where they are absent or malformed.
    pub tags: Option<&'r [String]>,
    /// The customer's variables from the outbound parameters, by name; empty where they are absent, `None` where they are malformed.
    pub vars: Option<&'r [Var]>,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub now: i64,
}

/// Reads tags given as one comma-separated string: trimmed, empty items dropped, so that `""` says none.
pub fn parse_tag_list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}
