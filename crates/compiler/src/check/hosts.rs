//! `hosts`, `domains`, `host-regex`, `tenant-domains`: what operators write for hosts.

use std::net::{IpAddr, Ipv6Addr};

use tidegate_engine::canonical::{self, Host, HostKind, InvalidHost};

use crate::automaton::determinize;
use crate::checked::{HostPattern, Pattern};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Text;
use crate::universe::{Reach, host_reach};

/// What an entry of `hosts` stands for.
#[derive(Clone, Debug)]
pub(super) enum HostEntry {
    /// One host, canonical.
    Exact(String),
    /// A glob.
    Glob(HostPattern),
}

/// An entry of `hosts`.
pub(super) fn host(text: &Text, findings: &mut Vec<Diagnostic>) -> Option<HostEntry> {
    let entry = parse_host(text);
    entry.map_err(|finding| findings.push(finding)).ok()
}

/// An entry of `domains`: a name that stands for everything beneath it, too.
pub(super) fn domain(text: &Text, findings: &mut Vec<Diagnostic>) -> Option<String> {
    parse_domain(text).map_err(|finding| findings.push(finding)).ok()
}

/// An entry of `tenant-domains`: a name that stands for everything beneath it, and that no request need ever have.
pub(super) fn suffix(text: &Text, findings: &mut Vec<Diagnostic>) -> Option<String> {
    named_domain(text, "tenant-domains")
        .map(|host| host.as_str().to_owned())
        .map_err(|finding| findings.push(finding))
        .ok()
}

/// An entry of `host-regex`.
pub(super) fn regex(text: &Text, findings: &mut Vec<Diagnostic>) -> Option<HostPattern> {
    let written = &text.value;
    let pattern = super::regex(text, "hosts are matched in punycode", findings)?;
    let pattern = HostPattern::Regex(pattern);
    match meeting(text, &pattern) {
        Ok(()) => Some(pattern),
        Err(finding) if finding.code == Code::UnmatchablePattern && written.bytes().any(|b| b.is_ascii_uppercase()) => {
            findings.push(finding.help("hosts are matched in lower case"));
            None
        }
        Err(finding) => {
            findings.push(finding);
            None
        }
    }
}

fn parse_host(text: &Text) -> Result<HostEntry, Diagnostic> {
    let written = text.value.as_str();
    not_a_url(text)?;
    if !written.contains('*') {
        return Ok(HostEntry::Exact(canonical_host(text)?.as_str().to_owned()));
    }
    let glob = canonical_glob(text)?;
    let pattern = HostPattern::Glob(Pattern { text: glob, span: text.span });
    meeting(text, &pattern)?;
    Ok(HostEntry::Glob(pattern))
}

fn parse_domain(text: &Text) -> Result<String, Diagnostic> {
    let host = named_domain(text, "domains")?;
    // A single label is special, but what is beneath it need not be: `com`.
    let beneath = canonical::host(&format!("x.{}", host.as_str()));
    if host.is_special() && beneath.is_ok_and(|beneath| beneath.is_special()) {
        return Err(special_only(text));
    }
    Ok(host.as_str().to_owned())
}

/// A name that can have others beneath it.
fn named_domain(text: &Text, key: &str) -> Result<Host, Diagnostic> {
    let written = text.value.as_str();
    not_a_url(text)?;
    if written.contains('*') {
        let finding = Diagnostic::error(
            Code::InvalidPattern,
            text.span,
            format!("`{written}` is a glob where a plain name stands"),
        );
        let beneath = written.trim_start_matches(['*', '.']);
        return Err(if beneath.is_empty() || beneath.contains('*') {
            finding
        } else {
            finding.help(format!("`{key} = [\"{beneath}\"]` means `{beneath}` and everything beneath it"))
        }
        .help("where globs may stand is `hosts`"));
    }
    let host = canonical_host(text)?;
    if host.kind() != HostKind::Name {
        let finding = Diagnostic::error(
            Code::UnmatchablePattern,
            text.span,
            format!("`{written}` is an address, and nothing is beneath an address"),
        );
        return Err(finding.help(format!("an address stands in `hosts = [\"{}\"]`", host.as_str())));
    }
    Ok(host)
}

/// Finds what belongs into another key, and what no host holds.
fn not_a_url(text: &Text) -> Result<(), Diagnostic> {
    let written = text.value.as_str();
    let error = |message: String| Diagnostic::error(Code::InvalidPattern, text.span, message);
    if written.is_empty() {
        return Err(error("an empty host".to_owned()).help("leave it out, or write a name such as `api.example.com`"));
    }
    if let Some((scheme, rest)) = written.split_once("://") {
        let host = rest.split(['/', ':', '?', '#']).next().unwrap_or_default();
        let scheme = if matches!(scheme, "http" | "ws") { "http" } else { "https" };
        return Err(error(format!("`{written}` is a URL, not a host")).help(format!(
            "write the host alone, `{host}`; the scheme belongs in `schemes = [\"{scheme}\"]`, the path in `paths`"
        )));
    }
    if let Some((address, prefix)) = written.split_once('/') {
        if address.parse::<IpAddr>().is_ok() && prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error(format!("`{written}` is a range of addresses, which policies do not know"))
                .help("IP addresses are refused anyway, unless an allow rule's `hosts` names the very address"));
        }
        return Err(error(format!("`{written}` holds a path"))
            .help(format!("write the host alone, `{address}`; the path belongs in `paths = [\"/{prefix}\"]`")));
    }
    if written.contains('@') {
        return Err(error(format!("`{written}` holds a user name")).help("write the host alone, after the `@`"));
    }
    if written.parse::<Ipv6Addr>().is_ok() {
        return Err(
            error(format!("`{written}` is an IPv6 address without brackets")).help(format!("write `[{written}]`"))
        );
    }
    if written.starts_with('[') && written.ends_with(']') {
        return Ok(());
    }
    if let Some((host, port)) = written.rsplit_once(':') {
        let finding = error(format!("`{written}` holds a port"));
        let port = if port.is_empty() || port.contains(|c: char| !c.is_ascii_digit()) { "…" } else { port };
        return Err(finding.help(format!("write the host alone, `{host}`; the port belongs in `ports = [{port}]`")));
    }
    if let Some(special) = written.chars().find(|c| "?[]{}\\".contains(*c)) {
        return Err(error(format!("`{written}`: `{special}` is not part of a host, nor of our globs"))
            .help("globs have `*` (any run within a label) and `**` (one or more labels)")
            .help("what these cannot say, `host-regex` can"));
    }
    Ok(())
}

fn canonical_host(text: &Text) -> Result<Host, Diagnostic> {
    canonical::host(&text.value).map_err(|fault| invalid(text, fault))
}

fn invalid(text: &Text, fault: InvalidHost) -> Diagnostic {
    let written = &text.value;
    let finding = Diagnostic::error(Code::InvalidPattern, text.span, format!("`{written}` is not a host: {fault}"));
    match written.strip_prefix('.') {
        Some(name) if fault == InvalidHost::EmptyLabel && !name.starts_with(['.', '*']) => {
            finding.help(format!("`domains = [\"{name}\"]` means `{name}` and everything beneath it"))
        }
        _ => finding,
    }
}

/// A glob with its labels in canonical form.
fn canonical_glob(text: &Text) -> Result<String, Diagnostic> {
    let written = text.value.as_str();
    let error = |message: String| Diagnostic::error(Code::InvalidPattern, text.span, message);
    // The full stops that IDNA takes for dots (UTS #46).
    let labels: Vec<&str> = written.split(['.', '。', '．', '｡']).collect();
    let labels = match labels.as_slice() {
        [labels @ .., ""] if !labels.is_empty() => labels,
        labels => labels,
    };
    let mut canonical_labels = Vec::new();
    for &label in labels {
        if label.contains("**") && label != "**" {
            return Err(error(format!("`{written}`: `**` stands for whole labels only"))
                .help("within a label one `*` is any run of characters"));
        }
        if !label.contains('*') {
            // As part of a name, so that a number is not taken for an address.
            let part = canonical::host(&format!("{label}.x")).map_err(|fault| invalid(text, fault))?;
            canonical_labels.push(part.as_str().strip_suffix(".x").unwrap_or_default().to_owned());
            continue;
        }
        if !label.is_ascii() {
            return Err(error(format!("`{written}`: a label with a wildcard is ASCII"))
                .help("hosts are matched in punycode, where a part of a label has no spelling of its own"));
        }
        let label = label.to_ascii_lowercase();
        if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_*".contains(&byte)) {
            return Err(invalid(text, InvalidHost::Character));
        }
        if label.bytes().filter(|&byte| byte != b'*').count() > 63 {
            return Err(invalid(text, InvalidHost::LabelTooLong));
        }
        canonical_labels.push(label);
    }
    let glob = canonical_labels.join(".");
    if glob.bytes().filter(|&byte| byte != b'*').count() > 253 {
        return Err(invalid(text, InvalidHost::NameTooLong));
    }
    Ok(glob)
}

/// Errors unless the pattern meets a host that is not special.
fn meeting(text: &Text, pattern: &HostPattern) -> Result<(), Diagnostic> {
    if let HostPattern::Glob(glob) = pattern
        && is_ordinary(&plainest(&glob.text))
    {
        return Ok(());
    }
    let dfa = determinize(&[pattern.regex()]).map_err(|_| super::too_large(text))?;
    match host_reach(&dfa) {
        Reach::Nothing => {
            let message = format!("no host can be met by `{}`", text.value);
            Err(Diagnostic::error(Code::UnmatchablePattern, text.span, message)
                .help("hosts are matched as they are in URLs: lower case, punycode, without a port; IPv6 in brackets"))
        }
        Reach::SpecialHosts => Err(special_only(text)),
        Reach::Ordinary => Ok(()),
    }
}

/// A text that the glob meets: every wildcard takes a letter. There are thousands of globs, and few for which this is no host.
fn plainest(glob: &str) -> String {
    glob.replace("**", "a").replace('*', "a")
}

fn is_ordinary(host: &str) -> bool {
    canonical::host(host).is_ok_and(|canonical| canonical.as_str() == host && !canonical.is_special())
}

fn special_only(text: &Text) -> Diagnostic {
    let message = format!("`{}` can meet special hosts only", text.value);
    let finding = Diagnostic::error(Code::UnmatchablePattern, text.span, message);
    let finding = if text.value == "*" { finding.help("any host at all is `**`") } else { finding };
    finding
        .help("special are IP addresses, single labels, and what is under `localhost`, `local`, `internal`, `home.arpa`, `onion`")
        .help("they are refused anyway, unless an allow rule's `hosts` names the very host")
}
