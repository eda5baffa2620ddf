//! `_redirects`: a rule a line, `FROM TO [STATUS]`.
//!
//! Rules without placeholders that stand before all others are found by their path, whatever their number. The rest are
//! tried in order. The first rule that meets a request answers it, and a file that may be there does not count. A
//! redirect keeps the request's query unless the rule has one. Status 200 is no redirect: another path's file is served.

use std::collections::HashMap;

use url::Url;

use super::HtmlHandling;
use super::pattern::{Pattern, Place, address, host_of};
use super::rules::{Fault, Rules, lines, shown};

/// The most rules without placeholders.
const MOST_STATIC: usize = 2000;
/// The most others.
const MOST_DYNAMIC: usize = 100;

/// The rules, compiled.
#[derive(Debug, Default)]
pub(super) struct Redirects {
    exact: HashMap<String, Target>,
    dynamic: Vec<(Pattern, Target)>,
}

/// What a rule says to do.
#[derive(Debug)]
struct Target {
    to: String,
    status: u16,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redirected {
    /// It is sent elsewhere.
    To { status: u16, location: String },
    /// It is answered as if it had asked for this path.
    Rewritten(String),
    /// What the request put into the rule's placeholders does not make a URL.
    Nowhere,
}

impl Redirects {
    /// Compiles the text of the file. A second rule for the same path is of no effect, and no fault.
    pub(super) fn compile(text: &str, html: HtmlHandling, faults: &mut Vec<Fault>) -> Self {
        let mut redirects = Self::default();
        let mut patterns = std::collections::HashSet::new();
        let mut statics = 0;
        for (line, text) in lines(Rules::Redirects, text, faults) {
            let mut fault = |why: String| faults.push(Fault { rules: Rules::Redirects, line, why });
            let rule = match Rule::parse(text, html) {
                Ok(rule) => rule,
                Err(why) => {
                    fault(why);
                    continue;
                }
            };
            let target = Target { to: rule.to, status: rule.status };
            // Beneath a rule with placeholders all are tried in order.
            if patterns.is_empty() && !Pattern::is_dynamic(&rule.from) {
                statics += 1;
                if statics > MOST_STATIC {
                    fault(format!("there are at most {MOST_STATIC} rules without placeholders"));
                    return redirects;
                }
                redirects.exact.entry(rule.from).or_insert(target);
                continue;
            }
            match Pattern::compile(&rule.from) {
                Err(why) => fault(why),
                Ok(_) if patterns.len() == MOST_DYNAMIC => {
                    fault(format!(
                        "there are at most {MOST_DYNAMIC} rules with placeholders, and beneath the first of them; put rules \
                         without placeholders above them"
                    ));
                    return redirects;
                }
                Ok(pattern) => {
                    let known = redirects.exact.contains_key(&rule.from);
                    if patterns.insert(rule.from) && !known {
                        redirects.dynamic.push((pattern, target));
                    }
                }
            }
        }
        redirects
    }

    /// What becomes of a request for a URL.
    pub(super) fn apply(&self, url: &Url, place: &Place) -> Option<Redirected> {
        if let Some(Target { to, status }) = self.exact.get(place.path()) {
            return Some(redirected(url, to, *status));
        }
        self.dynamic.iter().find_map(|(pattern, Target { to, status })| {
            let filled = pattern.captures(place)?.fill(to);
            let filled = filled.trim();
            // What a request puts in may not make a path the address of another host.
            let to = if host_of(filled).is_some() { filled.to_owned() } else { without_double_slashes(filled) };
            Some(redirected(url, &to, *status))
        })
    }
}

fn redirected(url: &Url, to: &str, status: u16) -> Redirected {
    let Ok(target) = url.join(to) else { return Redirected::Nowhere };
    if status == 200 {
        return Redirected::Rewritten(target.path().to_owned());
    }
    let mut location = if target.origin() == url.origin() {
        target.path().to_owned()
    } else {
        let mut bare = target.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        bare.to_string()
    };
    let query = [&target, url].into_iter().find_map(|url| url.query().filter(|query| !query.is_empty()));
    for (mark, part) in [('?', query), ('#', target.fragment())] {
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            location.push(mark);
            location.push_str(part);
        }
    }
    Redirected::To { status, location }
}

fn without_double_slashes(path: &str) -> String {
    let mut single = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !single.ends_with('/') {
            single.push(character);
        }
    }
    single
}

/// A line.
struct Rule {
    from: String,
    to: String,
    status: u16,
}

impl Rule {
    fn parse(line: &str, html: HtmlHandling) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().enumerate().map_while(not_a_comment).collect();
        let (from, to, status) = match words[..] {
            [from, to] => (from, to, "302"),
            [from, to, status] => (from, to, status),
            _ => {
                return Err(format!("a rule is a path, a target and perhaps a status; this has {} words", words.len()));
            }
        };
        if host_of(from).is_some() {
            return Err(format!("`{}` must be a path: rules are of every host", shown(from)));
        }
        let slash = if from.starts_with('/') { "" } else { "/" };
        let from = address(&format!("{slash}{from}"), false)?;
        let to = address(to, true)?;
        let status = match status {
            "200" | "301" | "302" | "303" | "307" | "308" => status.parse().unwrap_or(302),
            other => {
                return Err(format!("`{}` is no status of a rule: 200, 301, 302, 303, 307 or 308", shown(other)));
            }
        };
        let local = host_of(&to).is_none();
        let to_index = to.ends_with("/index") || to.ends_with("/index.html");
        if local && to_index && (from.ends_with("/*") || (from.ends_with('/') && html != HtmlHandling::None)) {
            return Err(format!(
                "Infinite loop detected in this rule: `{}` is served at a path that the rule meets again; for a \
                 single-page application set `not_found_handling`",
                shown(&to)
            ));
        }
        if status == 200 && !local {
            return Err(format!("status 200 serves a file of the Worker, and `{}` is elsewhere", shown(&to)));
        }
        Ok(Self { from, to, status })
    }
}

/// A comment may follow a rule; the fragment of a URL is none.
fn not_a_comment((index, word): (usize, &str)) -> Option<&str> {
    (index == 0 || !word.starts_with('#')).then_some(word)
}
