//! An explanation for people: sections with a line for each fact.
//!
//! ```text
//!   deny GET https://api.example.com/v2 (default)
//!     no rule decides, and the policy's default is deny
//!
//!   judged
//!     url       https://api.example.com/v2
//!     host      `API.example.com` is `api.example.com`: lower case
//!
//!   nearest allow rules
//!     api: allow rule at policies/acme.toml:31:11, does not match
//!       path    the path is `/v2`; it would have to meet
//!         paths `/v1/**` at policies/acme.toml:35:14
//!
//!   said
//!     refusal   {"type":"about:blank",…}
//!     record    {"event":"decision",…}
//! ```

use serde::Serialize;

use super::{Change, ExceptionNote, Expected, Explanation, Miss, Place, RuleNote};
use crate::plain::plain;
use crate::request::Request;

/// Lines, each of one fact, indented under their section.
#[derive(Default)]
struct Lines(Vec<String>);

impl Explanation {
    /// The whole explanation, without line break at its end.
    pub fn text(&self, request: &Request) -> String {
        let mut lines = self.lines(request);
        lines.section("said");
        if let Some(refusal) = &self.refusal {
            lines.add(1, "refusal", &json(refusal));
        }
        lines.add(1, "record", &json(&self.record));
        lines.0.join("\n")
    }

    /// What a failing test says: all but what the Worker would say.
    pub fn reasons(&self, request: &Request) -> String {
        self.lines(request).0.join("\n")
    }

    fn lines(&self, request: &Request) -> Lines {
        let mut lines = Lines::default();
        lines.0.push(self.decision.headline(request));
        lines.0.push(plain(&format!("  {}", self.because)));
        self.judged(&mut lines);
        for (section, rules) in [("rules", &self.rules), ("nearest allow rules", &self.nearest)] {
            if !rules.is_empty() {
                lines.section(section);
                for rule in rules {
                    lines.rule(rule);
                }
            }
        }
        let obligations = self.decision.obligations();
        if !(obligations.is_empty() && self.dropped.is_empty()) {
            lines.section("headers");
            for (name, value) in &obligations {
                lines.add(1, name, value);
            }
            for header in &self.dropped {
                lines.add(1, "drop", &format!("{}: {}", header.name, header.why));
            }
        }
        lines
    }

    fn judged(&self, lines: &mut Lines) {
        let asked = &self.request;
        lines.section("judged");
        if let Some(canonical) = &self.canonical {
            lines.add(1, "url", &canonical.url);
            for Change { part, received, judged, why } in &canonical.changes {
                let changed = match (received, judged) {
                    (Some(received), Some(judged)) => format!("`{received}` is `{judged}`: {why}"),
                    (Some(received), None) => format!("`{received}` is dropped: {why}"),
                    _ => why.clone(),
                };
                lines.add(1, part, &changed);
            }
            if !canonical.ambiguous.is_empty() {
                let doubts = canonical.ambiguous.join(", ");
                lines.add(1, "path", &format!("upstreams may read it as another: {doubts}"));
            }
            if canonical.special {
                lines.add(1, "host", &format!("`{}` is a special host", canonical.host));
            }
        }
        if let Some(customer) = &asked.customer {
            lines.add(1, "customer", customer);
        }
        if let Some(tags) = asked.tags.as_ref().filter(|tags| !tags.is_empty()) {
            lines.add(1, "tags", &tags.join(", "));
        }
        lines.add(1, "day", &asked.at);
    }
}

impl Lines {
    fn section(&mut self, name: &str) {
        self.0.push(format!("\n{name}"));
    }

    fn add(&mut self, depth: usize, name: &str, text: &str) {
        let indent = "  ".repeat(depth);
        let width = 12_usize.saturating_sub(2 * depth);
        let gap = if name.len() >= width { " " } else { "" };
        self.0.push(plain(&format!("{indent}{name:<width$}{gap}{text}")));
    }

    fn rule(&mut self, rule: &RuleNote) {
        let RuleNote { id, effect, mode, place, truth, reason, misses, exceptions } = rule;
        let report = if *mode == "report" { " in report mode" } else { "" };
        let verdict = match (*effect, *truth) {
            (_, "true") => "matches",
            ("deny", "unknown") => "may match, which is enough to deny",
            ("allow", "unknown") => "may match, which is not enough to allow",
            _ => "does not match",
        };
        self.0.push(plain(&format!("  {id}: {effect} rule{report} at {place}, {verdict}")));
        if let Some(reason) = reason {
            self.add(2, "reason", reason);
        }
        for miss in misses {
            self.miss(2, miss);
        }
        for ExceptionNote { number, place, truth, misses } in exceptions {
            let applies = match *truth {
                "true" => "applies",
                "unknown" => "may apply",
                _ => "does not apply",
            };
            self.add(2, "except", &format!("#{number} at {place} {applies}"));
            for miss in misses {
                self.miss(3, miss);
            }
        }
    }

    fn miss(&mut self, depth: usize, miss: &Miss) {
        let Miss { dimension, truth, message, expected, more } = miss;
        if *truth == "unknown" {
            // Whatever the patterns are: none of them is asked.
            return self.add(depth, dimension, message);
        }
        let wanted = match (expected.len(), *more) {
            (0, _) => "",
            (1, 0) => "; it would have to meet",
            _ => "; it would have to meet one of",
        };
        self.add(depth, dimension, &format!("{message}{wanted}"));
        for Expected { key, text, place } in expected {
            self.add(depth + 1, key, &format!("`{text}` at {place}"));
        }
        if *more > 0 {
            self.add(depth + 1, "…", &format!("and {more} more"));
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, line, column } = self;
        write!(f, "{file}:{line}:{column}")
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
