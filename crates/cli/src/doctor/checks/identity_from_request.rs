//! h055: a dispatch Worker that takes an outbound parameter from what the visitor sends.
//!
//! Code can be read in part only: the values in `outbound: { … }`, and what the names in them were last set to in the same file.
//! What is found is worth a look; that nothing is found proves nothing.

use tidegate_compiler::source::{SourceMap, Span};

use super::super::{Code, Deployment, Finding, Severity};

/// What a visitor writes.
const WRITTEN_BY_VISITORS: [&str; 5] = ["headers.get(", "headers[", "searchParams", ".json()", "cookie"];

/// A visitor's header that is trusted by the name of Cloudflare's own would still have to be one of these.
const WRITTEN_BY_CLOUDFLARE: [&str; 1] = ["cf-connecting-ip"];

/// No `outbound` object is longer.
const LONGEST: usize = 4096;

pub(super) fn check(deployment: &Deployment, sources: &SourceMap, findings: &mut Vec<Finding>) {
    for placed in &deployment.workers {
        let Some(file) = placed.code else { continue };
        for (start, end, from) in visitors_values(&sources.file(file).text) {
            findings.push(Finding {
                code: Code::IdentityFromRequest,
                severity: Severity::Warning,
                span: Span { file, start, end },
                message: format!(
                    "the dispatch Worker `{}` passes what the visitor sent (`{from}`)",
                    placed.worker.name
                ),
                why: "who calls a user Worker would say whose requests are judged, and in whose name tokens are signed"
                    .to_owned(),
                help: "take the customer from what you looked up: the host name, a route in KV, a verified session"
                    .to_owned(),
            });
        }
    }
}

/// Places of `outbound: { … }` with a visitor's value in them, and what that is.
fn visitors_values(code: &str) -> Vec<(usize, usize, &'static str)> {
    let mut found = Vec::new();
    for (at, word) in code.match_indices("outbound") {
        let after = &code[at + word.len()..];
        let Some(open) = after
            .find('{')
            .filter(|&open| after[..open].trim_matches([' ', '\t', '\n', '\r', ':', '=', '"', '\'']).is_empty())
        else {
            continue;
        };
        let start = at + word.len() + open;
        let Some(length) = braces(&code[start..]) else { continue };
        let object = &code[start..start + length];
        let direct = by_visitor(object);
        let through = || names(object).find_map(|name| by_visitor(set_to(&code[..at], name)?));
        if let Some(from) = direct.or_else(through) {
            found.push((at, start + length, from));
        }
    }
    found
}

/// The length of a text in braces.
fn braces(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate().take(LONGEST) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

fn by_visitor(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    if WRITTEN_BY_CLOUDFLARE.iter().any(|name| lower.contains(name)) {
        return None;
    }
    WRITTEN_BY_VISITORS.into_iter().find(|written| text.contains(written))
}

fn names(object: &str) -> impl Iterator<Item = &str> {
    object
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '$'))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$'))
}

/// What a name was last set to: the rest of that statement.
fn set_to<'c>(code: &'c str, name: &str) -> Option<&'c str> {
    let declared = ["const", "let", "var"]
        .into_iter()
        .filter_map(|word| code.rfind(&format!("{word} {name} ")).max(code.rfind(&format!("{word} {name}:"))));
    let at = declared.max()?;
    let rest = &code[at..];
    Some(rest.find(';').or_else(|| rest.find('\n')).map_or(rest, |end| &rest[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: &str) -> Vec<&'static str> {
        visitors_values(code).into_iter().map(|(_, _, from)| from).collect()
    }

    #[test]
    fn a_header_is_found_in_place_and_behind_a_name() {
        assert_eq!(
            found("get(s, {}, { outbound: { customer_name: request.headers.get('x-customer') } })"),
            ["headers.get("]
        );
        let named = "const customer = request.headers.get('x');\nget(s, {}, { outbound: { customer_name: customer } })";
        assert_eq!(found(named), ["headers.get("]);
        assert_eq!(found("const outbound = { customer_name: url.searchParams.get('c') };"), ["searchParams"]);
    }

    #[test]
    fn what_was_looked_up_is_nobodys_to_write() {
        assert_eq!(
            found(
                "const [customer] = new URL(request.url).hostname.split('.');\nget(s, {}, { outbound: { customer_name: customer } })"
            ),
            [""; 0]
        );
        assert_eq!(found("const outbound: Parameters = { customer_name: route.customer };"), [""; 0]);
    }

    #[test]
    fn code_that_breaks_off_is_read_to_its_end() {
        for code in ["outbound", "outbound: {", "outbound: { a: {", "outbound: é{ü"] {
            assert_eq!(found(code), [""; 0]);
        }
    }
}
