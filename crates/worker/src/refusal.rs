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

/// What is said of a refused request.
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

    /// The status that goes with it.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// The stable code.
    pub(crate) fn reason(&self) -> &'static str {
        self.reason
    }

    /// The document.
    pub(crate) fn body(&self) -> String {
        // Numbers and texts only, so this cannot fail; were it to, the status alone says enough.
        serde_json::to_string(self).unwrap_or_default()
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
}
