//! The conformance corpus: `tests/conformance/*.toml`, one file for each part of the language.
//!
//! ```toml
//! [[case]]
//! name   = "a domain covers its name and everything beneath it"
//! policy = '''
//! policy   = 1
//! default  = "deny"
//! identity = "none"
//! [[rule]]
//! id      = "api"
//! effect  = "allow"
//! domains = ["api.example"]
//! '''
//! # Optional: files beside the policy, and the Worker's secrets.
//! files   = { "lists/bad.txt" = "bad.example\n" }
//! secrets = { API_KEY = "k3y" }
//!
//! [[case.request]]
//! url    = "https://v1.api.example/"      # method GET, no headers
//! effect = "allow"                        # what happens,
//! rules  = ["api"]                        # and who decided: the reason is `rule`
//!
//! [[case.request]]
//! url    = "https://notapi.example/"
//! effect = "deny"
//! reason = "default"
//! ```
//!
//! A request may say `method`, `headers`, `at` (an RFC 3339 instant; the Worker, whose clock is real, is not asked those), and
//! as they stand in the outbound parameters, where anything can stand, `customer`, `tags` and `vars`. What is expected: `effect`, `reason`
//! (`rule` where `rules` are given), `rules`, `detail` (what the refusal tells), `judged` (the URL), `enforced`, `would_deny`,
//! `would_allow`; and of what goes out, `upstream` (headers that arrive with a value, or with `false` do not), `token` (claims),
//! `token_in` (how it is carried: `"authorization: Bearer <token>"`), `no_store` and `hides_cookies`. What is not said is not
//! held, save that an empty `rules`, `would_deny`, `would_allow` and `enforced = true` are what is meant where nothing is said.
//!
//! Long texts are written short: `<a*257>`, anywhere in a file, is `a` 257 times.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tidegate_compiler::checked::Effect;
use tidegate_reference::Answer;

use crate::request::{Identity, Request};

/// 2026-11-22T12:00:00Z: when requests are asked that do not say.
pub const NOW: i64 = 1_795_348_800;

/// A policy and what it is asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// A sentence.
    pub name: String,
    /// The policy's text.
    pub policy: String,
    /// Files beside it.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// The Worker's secrets.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// What it is asked, in order.
    #[serde(rename = "request")]
    pub questions: Vec<Question>,
}

/// One request and what must become of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    #[serde(default = "get")]
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// What stands in the outbound parameters at the customer's place.
    pub customer: Option<Value>,
    /// What stands in the outbound parameters at the tags' place.
    pub tags: Option<Value>,
    /// What stands in the outbound parameters at the variables' place.
    pub vars: Option<Value>,
    at: Option<Timestamp>,

    effect: ExpectedEffect,
    reason: Option<String>,
    #[serde(default)]
    rules: Vec<String>,
    detail: Option<String>,
    judged: Option<String>,
    #[serde(default = "yes")]
    enforced: bool,
    #[serde(default)]
    would_deny: Vec<String>,
    #[serde(default)]
    would_allow: Vec<String>,
    #[serde(default)]
    upstream: BTreeMap<String, ExpectedHeader>,
    token: Option<BTreeMap<String, String>>,
    token_in: Option<String>,
    no_store: Option<bool>,
    hides_cookies: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExpectedEffect {
    Allow,
    Deny,
}

/// A header that arrives with this value, or with `false` does not arrive.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum ExpectedHeader {
    Arrives(String),
    Absent(bool),
}

fn get() -> String {
    "GET".to_owned()
}

const fn yes() -> bool {
    true
}

/// A file of the corpus.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

/// The whole corpus: the name of each file without its ending, and its cases.
pub fn read() -> Result<Vec<(String, Vec<Case>)>> {
    let folder = folder();
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
        .iter()
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = written_out(&fs::read_to_string(path)?);
            let file: File = toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
            Ok((name, file.case))
        })
        .collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance")
}

/// The text with every `<TEXT*COUNT>` written out.
pub(crate) fn written_out(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        whole.push_str(before);
        let run = after.split_once('>').and_then(|(run, after)| {
            let (text, count) = run.rsplit_once('*')?;
            Some((text.repeat(count.parse().ok()?), after))
        });
        let (text, after) = run.unwrap_or_else(|| ("<".to_owned(), after));
        whole.push_str(&text);
        rest = after;
    }
    whole + rest
}

impl Case {
    /// The value of a secret, if the case has it.
    pub fn secret(&self, name: &str) -> Option<String> {
        self.secrets.get(name).cloned()
    }
}

impl Question {
    /// The request, as an engine gets it.
    pub fn request(&self) -> Request {
        let trimmed = |(name, value): (&String, &String)| (name.clone(), value.trim_matches([' ', '\t']).to_owned());
        Request {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.iter().map(trimmed).collect(),
            identity: Identity {
                customer: self.customer.as_ref().and_then(Value::as_str).map(str::to_owned),
                tags: self.tags.as_ref().and_then(tags),
                vars: self.vars.as_ref().map_or(Some(Vec::new()), vars),
            },
            now: self.at.map_or(NOW, Timestamp::as_second),
        }
    }

    /// Whether the answer depends on when it is asked, which a Worker with a real clock cannot be told.
    pub fn is_dated(&self) -> bool {
        self.at.is_some()
    }

    /// Holds an engine's answer against what is expected.
    pub fn check(&self, answer: &Answer) -> Result<()> {
        let effect = if answer.effect == Effect::Allow { ExpectedEffect::Allow } else { ExpectedEffect::Deny };
        ensure!(effect == self.effect, "the effect is {effect:?}, not {:?}: {answer:#?}", self.effect);
        let reason = match &self.reason {
            Some(reason) => reason.as_str(),
            None if self.rules.is_empty() => bail!("the case says neither `reason` nor `rules`"),
            None => "rule",
        };
        ensure!(answer.reason.as_str() == reason, "the reason is `{}`, not `{reason}`", answer.reason.as_str());
        ensure!(answer.rules == self.rules, "the rules are {:?}, not {:?}", answer.rules, self.rules);
        ensure!(answer.enforced == self.enforced, "`enforced` is {}", answer.enforced);
        ensure!(answer.would_deny == self.would_deny, "`would_deny` is {:?}", answer.would_deny);
        ensure!(answer.would_allow == self.would_allow, "`would_allow` is {:?}", answer.would_allow);
        if self.detail.is_some() {
            ensure!(answer.detail == self.detail, "the detail is {:?}, not {:?}", answer.detail, self.detail);
        }
        if self.judged.is_some() {
            ensure!(answer.url == self.judged, "the URL is {:?}, not {:?}", answer.url, self.judged);
        }
        self.check_forwarded(answer)
    }

    fn check_forwarded(&self, answer: &Answer) -> Result<()> {
        let Some(forwarded) = &answer.forwarded else {
            let says_nothing = self.upstream.is_empty()
                && self.token.is_none()
                && self.token_in.is_none()
                && self.no_store.is_none()
                && self.hides_cookies.is_none();
            ensure!(says_nothing, "nothing goes out, and the case says what does");
            return Ok(());
        };
        for (name, expected) in &self.upstream {
            let arrives = forwarded.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value);
            match expected {
                ExpectedHeader::Arrives(value) => {
                    ensure!(arrives == Some(value), "`{name}` goes out as {arrives:?}, not {value:?}");
                }
                ExpectedHeader::Absent(false) => ensure!(arrives.is_none(), "`{name}` goes out as {arrives:?}"),
                ExpectedHeader::Absent(true) => bail!("`{name} = true` says nothing: give the value, or `false`"),
            }
        }
        let token = forwarded.token.as_ref();
        if let Some(expected) = &self.token {
            let claims = token.map(|token| &token.claims);
            ensure!(claims == Some(expected), "the token's claims are {claims:?}, not {expected:?}");
        }
        if let Some(expected) = &self.token_in {
            let carried = token.map(|token| {
                let space = if token.scheme.is_empty() { "" } else { " " };
                format!("{}: {}{space}<token>", token.header, token.scheme)
            });
            ensure!(carried.as_ref() == Some(expected), "the token is carried as {carried:?}, not {expected:?}");
        }
        if let Some(expected) = self.no_store {
            ensure!(forwarded.no_store == expected, "`no_store` is {}", forwarded.no_store);
        }
        if let Some(expected) = self.hides_cookies {
            ensure!(forwarded.hides_cookies == expected, "`hides_cookies` is {}", forwarded.hides_cookies);
        }
        Ok(())
    }
}

/// Tags as the outbound parameters may give them: an array of strings, or one comma-separated string.
fn tags(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => {
            Some(text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect())
        }
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Variables as the outbound parameters may give them: an object of strings.
fn vars(value: &Value) -> Option<Vec<(String, String)>> {
    let vars = value.as_object()?;
    vars.iter().map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::written_out;

    #[test]
    fn long_texts_are_written_short() {
        assert_eq!(written_out("x<ab*3>y<c*0>z"), "xabababyz");
        assert_eq!(written_out("a < b, <token>, <i>*2</i> <a*b>"), "a < b, <token>, <i>*2</i> <a*b>");
    }
}
