//! h020: an outbound Worker on an old compatibility date, or with flags that undo what newer ones brought.

use tidegate_compiler::source::{SourceMap, Span};

use super::super::config::Worker;
use super::super::deployment::Role;
use super::super::{Code, Deployment, Finding, Severity};

/// The first day on which all of [`UNDO`]'s counterparts are on by themselves.
const OLDEST: &str = "2025-09-01";

/// Flags that bring old behaviour back, and what that does. From workerd's `compatibility-date.capnp`.
const UNDO: [(&str, &str); 6] = [
    ("fetch_legacy_url", "`fetch` reads URLs in another way than they are judged"),
    ("fetch_treats_unknown_protocols_as_http", "`fetch` sends URLs of unknown schemes as http"),
    ("ignore_custom_ports", "requests leave for the default port, whatever port was judged"),
    ("no_upper_case_all_http_methods", "a method leaves in another spelling than it was judged in"),
    ("retain_authorization_on_cross_origin_redirect", "a redirect takes the `authorization` header to another origin"),
    ("url_original", "URLs are read in another way than they are judged"),
];

pub(super) fn check(deployment: &Deployment, _: &SourceMap, findings: &mut Vec<Finding>) {
    for worker in deployment.of(Role::Outbound) {
        let mut found = |span: Span, message: String, why: &str, help: &str| {
            findings.push(Finding {
                code: Code::OutboundCompatibility,
                severity: Severity::Error,
                span,
                message,
                why: why.to_owned(),
                help: help.to_owned(),
            });
        };
        if let Some((span, said)) = too_old(worker) {
            found(
                span,
                format!("the outbound Worker `{}` has {said}", worker.name),
                "before 2025-09-01 the runtime reads URLs, ports and redirects in ways of its own: what is judged may not be what \
                 goes out",
                "set `compatibility_date` to 2025-09-01 or later",
            );
        }
        for flag in &worker.compatibility_flags {
            if let Some((_, why)) = UNDO.iter().find(|(name, _)| *name == flag.value) {
                found(
                    flag.span,
                    format!("the outbound Worker `{}` has the flag `{}`", worker.name, flag.value),
                    why,
                    "remove the flag",
                );
            }
        }
    }
}

fn too_old(worker: &Worker) -> Option<(Span, String)> {
    match &worker.compatibility_date {
        None => Some((worker.place, "no compatibility date that can be read".to_owned())),
        Some(date) if !is_date(&date.value) => {
            Some((date.span, format!("the compatibility date `{}`, which is none", date.value)))
        }
        Some(date) if date.value.as_str() < OLDEST => {
            Some((date.span, format!("the compatibility date `{}`", date.value)))
        }
        Some(_) => None,
    }
}

/// `YYYY-MM-DD`, which compares as text.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() })
}
