//! `paths` and `path-regex`.

use tidegate_engine::canonical::{self, MAX_URL, PathReading};

use crate::automaton::determinize;
use crate::checked::{PathPattern, Pattern};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Text;
use crate::universe::meets_a_path;

/// An entry of `paths`. With `encoded_literal`, `%2F` and `%25` are taken as they stand.
pub(super) fn glob(text: &Text, encoded_literal: bool, findings: &mut Vec<Diagnostic>) -> Option<PathPattern> {
    let canonical = canonical_glob(text, encoded_literal).map_err(|finding| findings.push(finding)).ok()?;
    let pattern = PathPattern::Glob(Pattern { text: canonical, span: text.span });
    if text.value.contains('*') && determinize(&[pattern.regex()]).is_err() {
        findings.push(super::too_large(text));
        return None;
    }
    Some(pattern)
}

/// An entry of `path-regex`.
pub(super) fn regex(text: &Text, encoded_literal: bool, findings: &mut Vec<Diagnostic>) -> Option<PathPattern> {
    let pattern = super::regex(text, "paths are matched percent-encoded", findings)?;
    let pattern = PathPattern::Regex(pattern);
    let Ok(dfa) = determinize(&[pattern.regex()]) else {
        findings.push(super::too_large(text));
        return None;
    };
    if meets_a_path(&dfa, encoded_literal) {
        return Some(pattern);
    }
    let finding =
        Diagnostic::error(Code::UnmatchablePattern, text.span, format!("no path can be met by `{}`", text.value));
    findings.push(if !encoded_literal && meets_a_path(&dfa, true) {
        finding.help(LITERAL_HELP)
    } else {
        finding.help("a regex holds for the whole path, which begins with `/` and ends before the query").help(
            "paths are matched with unreserved characters decoded, other escapes in upper case, dot segments resolved",
        )
    });
    None
}

const LITERAL_HELP: &str =
    "`encoded = \"literal\"` on an allow rule takes `%2F` and `%25` as they stand, outside `except`";

fn canonical_glob(text: &Text, encoded_literal: bool) -> Result<String, Diagnostic> {
    let written = text.value.as_str();
    let error = |message: String| Diagnostic::error(Code::InvalidPattern, text.span, message);
    if written.is_empty() {
        return Err(error("an empty path".to_owned()).help("any path at all is `/**`, that of the host alone is `/`"));
    }
    if !written.starts_with('/') {
        let finding = error(format!("`{written}` does not begin with `/`, as every path does"));
        return Err(match written.split_once("://").and_then(|(_, rest)| rest.split_once('/')) {
            Some((host, path)) => {
                finding.help(format!("write the path alone, `/{path}`; the host belongs in `hosts = [\"{host}\"]`"))
            }
            None => finding.help(format!("write `/{written}`, or `/**/{written}` for any place in a path")),
        });
    }
    if let Some(special) = written.chars().find(|c| "?[]{}\\#".contains(*c)) {
        let finding = error(format!("`{written}`: `{special}` is not part of a path, nor of our globs"));
        return Err(match special {
            '?' => finding.help("the query is forwarded, not judged: leave it out"),
            '\\' => finding.help("no wildcard needs an escape: `*` is the only one"),
            _ => finding.help(format!("for the character itself write `%{:02X}`", u32::from(special))),
        }
        .help("globs have `*` (any run within a segment) and `**` (any number of segments)"));
    }
    let (canonical, reading) = canonical::path_text(written);
    let mut segments = canonical.split('/').skip(1);
    if let Some(dots) = canonical.split('/').find(|&segment| segment == "." || segment == "..") {
        return Err(error(format!("`{written}` holds the dot segment `{dots}`"))
            .help("dot segments are resolved before a path is judged: write the path that is meant"));
    }
    if segments.any(|segment| segment.contains("**") && segment != "**") {
        return Err(error(format!("`{written}`: `**` stands for whole segments only"))
            .help("within a segment one `*` is any run of characters"));
    }
    let certain = match reading {
        PathReading::Plain => true,
        PathReading::EncodedSlashOrPercent => encoded_literal,
        PathReading::Ambiguous => false,
    };
    if !certain {
        let finding = error(format!("`{written}` can be read in more than one way, so no rule can be certain of it"));
        return Err(match reading {
            PathReading::EncodedSlashOrPercent => finding.help(LITERAL_HELP),
            _ => finding.help(doubt(&canonical)),
        });
    }
    if canonical.len() > MAX_URL {
        let message = format!("no URL is as long as this path of {} bytes", canonical.len());
        return Err(
            Diagnostic::error(Code::UnmatchablePattern, text.span, message).help("a URL is at most 16 KiB long")
        );
    }
    Ok(canonical)
}

/// What makes upstreams differ, and the way out.
fn doubt(canonical: &str) -> &'static str {
    if canonical.contains("//") {
        "some servers drop an empty segment: write one `/`"
    } else if canonical.contains("/.;") || canonical.contains("/..;") {
        "some servers take `..;` for a dot segment"
    } else if canonical.contains("%5C") {
        "some servers take a backslash for a slash"
    } else {
        "an escape is `%` and two hex digits, stands for UTF-8, and for no control character"
    }
}
