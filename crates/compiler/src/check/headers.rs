//! Header names, in conditions and in obligations.

use tidegate_engine::hygiene::{fold, is_always_dropped, is_upgrade_header};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Text;

/// A header's name, lower case.
pub(super) fn name(text: &Text, findings: &mut Vec<Diagnostic>) -> Option<String> {
    if is_token(&text.value) {
        return Some(text.value.to_ascii_lowercase());
    }
    let finding =
        Diagnostic::error(Code::HeaderNotAllowed, text.span, format!("`{}` is not the name of a header", text.value));
    findings.push(match text.value.split_once(':') {
        Some((name, _)) if is_token(name) => finding.help(format!("write the name alone: `{name}`")),
        _ => finding.help("a name is made of letters, digits and `!#$%&'*+-.^_`|~` (RFC 9110 §5.1)"),
    });
    None
}

/// The name of a header that a rule sets, removes or keeps, which some may not be.
pub(super) fn touchable(text: &Text, key: &str, findings: &mut Vec<Diagnostic>) -> Option<String> {
    let name = name(text, findings)?;
    let folded = fold(&name);
    if is_always_dropped(&folded) || is_upgrade_header(&folded) {
        let message = format!("`{key}` may not name `{name}`: it never passes, whatever a rule says");
        let finding = Diagnostic::error(Code::HeaderNotAllowed, text.span, message);
        findings.push(if folded.starts_with("tidegate-") || folded.starts_with("cf-") {
            finding.help("choose a name of your own, such as `x-platform-customer`")
        } else if is_upgrade_header(&folded) {
            finding.help("`websocket = true` lets upgrades through, with the headers that they need")
        } else {
            finding.help("it belongs to one connection, and the runtime writes its own")
        });
        return None;
    }
    Some(name)
}

/// A token of RFC 9110 §5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
