//! What a tenant gets instead of an answer (RFC 9457).
//!
//! ```json
//! {"type":"about:blank","title":"Forbidden","status":403,"reason":"rule","rule":"no-malware",
//!  "detail":"known malware host","decision":"5e0c1f3a-…"}
//! ```
//!
//! `reason` is a stable code, `rule` the rule that decided (or null), `detail` what its author has to say (or null), `decision` what the
//! operator finds in the log. An answer with a `tidegate-decision` header was made here: upstreams cannot forge
//! one, for what they send under `tidegate-*` is dropped.

use serde::Serialize;
use tidegate_engine::{Judgement, Refusal};
use web_sys::{Response, ResponseInit};

use crate::js;

/// An answer that this Worker makes itself.
#[derive(Debug, Serialize)]
pub(crate) struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    reason: &'static str,
    rule: Option<&'a str>,
    detail: Option<&'a str>,
    decision: &'a str,
}

impl<'a> Problem<'a> {
    /// The request was refused.
    pub(crate) fn refused(judgement: &Judgement<'a>, decision: &'a str) -> Self {
        let Refusal { title, status, reason, rule, detail } = judgement.refusal();
        Self { kind: "about:blank", title, status, reason, rule, detail, decision }
    }

    /// The request was allowed, went out, and no answer came. Not a refusal: the reason is none of a decision's.
    pub(crate) fn upstream_failed(decision: &'a str) -> Self {
        Self {
            kind: "about:blank",
            title: "Bad Gateway",
            status: 502,
            reason: "upstream-failed",
            rule: None,
            detail: Some("the request was allowed, but no usable answer came from the upstream"),
            decision,
        }
    }

    fn body(&self) -> String {
        // Numbers and texts only, so this cannot fail; were it to, the status alone says enough.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn headers(&self) -> [(String, String); 4] {
        [
            ("content-type", "application/problem+json"),
            ("cache-control", "no-store"),
            ("tidegate-decision", self.decision),
            ("tidegate-reason", self.reason),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    }

    /// The answer. Should the runtime refuse to build it, the tenant's `fetch` fails as if there were no network.
    pub(crate) fn response(&self) -> Response {
        self.build().unwrap_or_else(|_| Response::error())
    }

    fn build(&self) -> Result<Response, String> {
        let init = ResponseInit::new();
        init.set_status(self.status);
        init.set_headers_headers(&js::write_headers(&self.headers())?);
        Response::new_with_opt_str_and_init(Some(&self.body()), &init)
            .map_err(|error| js::failed("the refusal cannot be built", &error))
    }
}

#[cfg(test)]
mod tests {
    use tidegate_engine::{Reason, RuleRef};

    use super::*;

    #[test]
    fn a_refusal_names_the_rule_that_decided_and_what_its_author_says() {
        let rules = vec![
            RuleRef { index: 1, id: "no-malware", reason: Some("known \"malware\" host") },
            RuleRef { index: 2, id: "no-mining", reason: None },
        ];
        assert_eq!(
            Problem::refused(&Judgement { rules, ..Judgement::denied(Reason::Rule) }, "id-1").body(),
            r#"{"type":"about:blank","title":"Forbidden","status":403,"reason":"rule","rule":"no-malware","detail":"known \"malware\" host","decision":"id-1"}"#
        );
    }

    #[test]
    fn a_refusal_without_a_rule_has_the_same_shape() {
        assert_eq!(
            Problem::refused(&Judgement::denied(Reason::SpecialHost), "id-1").body(),
            r#"{"type":"about:blank","title":"Forbidden","status":403,"reason":"special-host","rule":null,"detail":null,"decision":"id-1"}"#
        );
    }

    #[test]
    fn answers_made_here_are_never_cached() {
        for problem in [Problem::refused(&Judgement::denied(Reason::Default), "id-1"), Problem::upstream_failed("id-1")]
        {
            assert!(problem.headers().contains(&("cache-control".to_owned(), "no-store".to_owned())));
        }
    }
}
