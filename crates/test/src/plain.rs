//! Text that may hold input, shown as text.

use annotate_snippets::normalize_untrusted_str;

/// Text that may hold input as one line that a terminal takes for text: no controls, no change of direction.
pub fn plain(text: &str) -> String {
    without_c1(&normalize_untrusted_str(text)).replace('\n', " ")
}

/// Terminals read U+009B as the beginning of an escape sequence; `annotate-snippets` passes it on.
pub fn without_c1(text: &str) -> String {
    text.replace(|c| matches!(c, '\u{80}'..='\u{9f}'), "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_it_steers_a_terminal() {
        assert!(!plain("a\u{1b}[31mb\n\u{9b}31mc").contains(['\u{1b}', '\u{9b}', '\n']));
    }
}
