//! Cases of the corpus, written down: what was found by chance is pasted into `tests/conformance` and stays found.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tidegate_compiler::checked::Effect;
use tidegate_reference::{Answer, Forwarded, Reason};
use toml::{Table, Value};

use crate::corpus::NOW;
use crate::difference::Difference;
use crate::request::Request;
use crate::text::{PolicyText, key_text};

/// A case for `tests/conformance`, its expectations those of the reference interpreter; whoever pastes it reads the
/// language's definition first, and says who is right. What the engines say stands beside it in comments.
pub fn text(name: &str, policy: &PolicyText, request: &Request, difference: Option<&Difference>) -> String {
    let mut lines = Lines(String::from("[[case]]\n"));
    lines.string("name", name);
    lines.block("policy", &policy.text());
    lines.table("files", policy.files());
    lines.table("secrets", policy.secrets.clone());
    lines.0.push_str("\n[[case.request]]\n");
    lines.request(request);
    if let Some(Difference { reference, table }) = difference {
        lines.answer(reference.as_ref().or(table.as_ref()), request);
        lines.comment("reference", reference.as_ref(), table.as_ref());
        lines.comment("table", table.as_ref(), reference.as_ref());
    }
    written_short(&lines.0)
}

/// The text with long runs of one letter as the corpus writes them: `<x*300>`.
fn written_short(text: &str) -> String {
    const LONG: usize = 60;
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (run, after) = rest.split_at(rest.find(|c| c != first).unwrap_or(rest.len()));
        let count = run.chars().count();
        if count > LONG && first.is_alphanumeric() {
            short.extend(["<", &String::from(first), "*", &count.to_string(), ">"]);
        } else {
            short.push_str(run);
        }
        rest = after;
    }
    short
}

struct Lines(String);

impl Lines {
    fn value(&mut self, key: &str, value: &Value) {
        self.0.extend([&key_text(key), " = ", &value.to_string(), "\n"]);
    }

    fn string(&mut self, key: &str, text: &str) {
        self.value(key, &text.into());
    }

    fn strings(&mut self, key: &str, texts: &[String]) {
        if !texts.is_empty() {
            self.value(key, &texts.to_vec().into());
        }
    }

    fn table(&mut self, key: &str, texts: BTreeMap<String, String>) {
        if !texts.is_empty() {
            let table: Table = texts.into_iter().map(|(name, text)| (name, text.into())).collect();
            self.value(key, &Value::Table(table));
        }
    }

    /// A text of several lines, as it stands where TOML allows that.
    fn block(&mut self, key: &str, text: &str) {
        let stands = !text.contains("'''") && !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t');
        if stands {
            self.0.extend([key, " = '''\n", text, "'''\n"]);
        } else {
            self.string(key, text);
        }
    }

    fn request(&mut self, request: &Request) {
        if request.method != "GET" {
            self.string("method", &request.method);
        }
        self.string("url", &request.url);
        self.table("headers", request.headers.iter().cloned().collect());
        if let Some(customer) = &request.identity.customer {
            self.string("customer", customer);
        }
        if let Some(tags) = &request.identity.tags {
            self.value("tags", &tags.clone().into());
        }
        match &request.identity.vars {
            Some(vars) => self.table("vars", vars.iter().cloned().collect()),
            None => self.string("vars", "none that can be"),
        }
        if request.now != NOW
            && let Ok(at) = Timestamp::from_second(request.now)
        {
            self.string("at", &at.to_string());
        }
    }

    fn answer(&mut self, answer: Option<&Answer>, request: &Request) {
        let Some(answer) = answer else { return };
        self.string("effect", if answer.effect == Effect::Allow { "allow" } else { "deny" });
        if answer.reason != Reason::Rule {
            self.string("reason", answer.reason.as_str());
        }
        self.strings("rules", &answer.rules);
        for (key, text) in [("detail", &answer.detail), ("judged", &answer.url)] {
            if let Some(text) = text {
                self.string(key, text);
            }
        }
        if !answer.enforced {
            self.value("enforced", &false.into());
        }
        self.strings("would_deny", &answer.would_deny);
        self.strings("would_allow", &answer.would_allow);
        let Some(forwarded) = &answer.forwarded else { return };
        let arrives = |name: &String| forwarded.headers.iter().any(|(known, _)| known == name);
        let lost = request.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).filter(|name| !arrives(name));
        let mut upstream: Table = lost.map(|name| (name, false.into())).collect();
        upstream.extend(forwarded.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())));
        if !upstream.is_empty() {
            self.value("upstream", &Value::Table(upstream));
        }
        if let Some(token) = &forwarded.token {
            self.table("token", token.claims.clone());
            let space = if token.scheme.is_empty() { "" } else { " " };
            self.string("token_in", &format!("{}: {}{space}<token>", token.header, token.scheme));
        }
        if forwarded.no_store {
            self.value("no_store", &true.into());
        }
        if forwarded.hides_cookies {
            self.value("hides_cookies", &true.into());
        }
    }

    /// What one engine says, where it says something else than the other.
    fn comment(&mut self, engine: &str, answer: Option<&Answer>, other: Option<&Answer>) {
        let theirs = said(other);
        for part in said(answer).iter().filter(|part| !theirs.contains(part)) {
            self.0.extend(["# ", engine, ": ", part, "\n"]);
        }
    }
}

/// An answer, one line a part.
fn said(answer: Option<&Answer>) -> Vec<String> {
    let Some(answer) = answer else { return vec!["panicked".to_owned()] };
    let Answer { effect, reason, rules, detail, url, enforced, would_deny, would_allow, forwarded } = answer;
    let mut said = vec![
        format!("{effect:?} for {reason:?} by {rules:?}"),
        format!("detail {detail:?}"),
        format!("url {url:?}"),
        format!("enforced {enforced:?}, would deny {would_deny:?}, would allow {would_allow:?}"),
    ];
    if let Some(Forwarded { method, headers, set, remove, token, no_store, upgrade, hides_cookies }) = forwarded {
        said.extend([
            format!("method {method:?}"),
            format!("headers {headers:?}"),
            format!("sets {set:?}, removes {remove:?}"),
            format!("token {token:?}"),
            format!("no-store {no_store:?}, upgrade {upgrade:?}, hides cookies {hides_cookies:?}"),
        ]);
    }
    said
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::corpus::{Case, written_out};
    use crate::generate;

    #[derive(Deserialize)]
    struct File {
        case: Vec<Case>,
    }

    #[test]
    fn a_long_run_of_letters_is_written_short() {
        let long = format!("x = '{}' ---- {}", "l".repeat(61), "é".repeat(200));
        assert_eq!(written_short(&long), "x = '<l*61>' ---- <é*200>");
        assert_eq!(written_out(&written_short(&long)), long);
    }

    #[test]
    fn what_is_written_reads_as_what_was_asked() {
        for number in 0..60 {
            let (policy, mut sketches) = generate::seeded(1, number);
            let compiled = crate::Compiled::new(&policy.text(), &policy.files());
            let Ok(compiled) = compiled else { continue };
            let hints = generate::Hints::of(&compiled.policy);
            let mut table = crate::Table::load(&compiled.table).unwrap();
            for sketch in sketches.by_ref().take(5) {
                let request = sketch.request(&hints);
                let answer = table.judge(&request, &|name| policy.secret(name));
                let difference = Difference { reference: Some(answer.clone()), table: None };
                let written = text("a 'case'", &policy, &request, Some(&difference));
                let file: File =
                    toml::from_str(&written_out(&written)).unwrap_or_else(|error| panic!("{error}\n{written}"));
                let [case] = file.case.as_slice() else { panic!("{written}") };
                assert_eq!(case.policy, policy.text(), "{written}");
                assert_eq!((&case.files, &case.secrets), (&policy.files(), &policy.secrets), "{written}");
                let [question] = case.questions.as_slice() else { panic!("{written}") };
                let mut asked = question.request();
                asked.headers.sort();
                let mut expected = request.clone();
                expected.headers.sort();
                assert_eq!(asked, expected, "{written}");
                question.check(&answer).unwrap_or_else(|error| panic!("{error}\n{written}"));
            }
        }
    }
}
