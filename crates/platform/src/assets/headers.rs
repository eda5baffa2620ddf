//! `_headers`: paths, and beneath each the headers of its answers. All rules that meet a request count, in order.
//!
//! What the first rule sets replaces what the answer had; what later ones set is added to it. `! Name` takes a header
//! away, of the answer or of a rule above. Rules are of every answer that assets give, redirects and errors too.

use super::pattern::{Pattern, Place, address, host_of};
use super::rules::{Fault, Rules, lines, shown};

/// The most rules.
const MOST_RULES: usize = 100;

/// What says where an answer ends belongs to the connection: a rule has no say in it.
const OF_THE_CONNECTION: [&str; 8] =
    ["connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/// The rules, compiled.
#[derive(Debug, Default)]
pub(super) struct Headers(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    unset: Vec<String>,
    set: Vec<(String, String)>,
}

impl Headers {
    /// Compiles the text of the file.
    pub(super) fn compile(text: &str, faults: &mut Vec<Fault>) -> Self {
        let mut headers = Self::default();
        let mut under = Under::Nothing;
        for (line, text) in lines(Rules::Headers, text, faults) {
            let mut fault = |line: usize, why: String| faults.push(Fault { rules: Rules::Headers, line, why });
            if is_path(text) {
                headers.close(under, &mut fault);
                if headers.0.len() == MOST_RULES {
                    fault(line, format!("there are at most {MOST_RULES} rules"));
                    return headers;
                }
                under = match pattern(text) {
                    Ok(pattern) => Under::Rule(line, Rule { pattern, unset: Vec::new(), set: Vec::new() }),
                    Err(why) => {
                        fault(line, why);
                        Under::Fault
                    }
                };
                continue;
            }
            match (&mut under, text.split_once(':')) {
                (Under::Fault, _) => {}
                (Under::Nothing, _) => fault(line, format!("a path must come before `{}`", shown(text))),
                (Under::Rule(_, rule), None) => match text.strip_prefix("! ").map(|name| header_name(name.trim())) {
                    Some(Ok(name)) => rule.unset.push(name),
                    Some(Err(why)) => fault(line, why),
                    None => fault(line, format!("`{}` is neither `NAME: VALUE` nor `! NAME`", shown(text))),
                },
                (Under::Rule(_, rule), Some((name, value))) => match header(name.trim(), value.trim()) {
                    Ok((name, value)) => rule.set(name, value),
                    Err(why) => fault(line, why),
                },
            }
        }
        headers.close(under, &mut |line, why| faults.push(Fault { rules: Rules::Headers, line, why }));
        headers
    }

    fn close(&mut self, under: Under, fault: &mut impl FnMut(usize, String)) {
        if let Under::Rule(line, rule) = under {
            if rule.set.is_empty() && rule.unset.is_empty() {
                fault(line, "there is no header beneath this path".to_owned());
            } else {
                self.0.push(rule);
            }
        }
    }

    /// Changes the headers of an answer to a request.
    pub(super) fn apply(&self, place: &Place, headers: &mut Vec<(String, String)>) {
        let mut ours: Vec<&str> = Vec::new();
        for rule in &self.0 {
            let Some(captured) = rule.pattern.captures(place) else { continue };
            headers.retain(|(name, _)| !rule.unset.contains(name));
            for (name, value) in &rule.set {
                let value = captured.fill(value);
                if !ours.contains(&name.as_str()) {
                    headers.retain(|(other, _)| other != name);
                    ours.push(name);
                }
                add(headers, name.clone(), value);
            }
        }
    }
}

/// What the line that is read stands beneath.
enum Under {
    Nothing,
    /// A path that cannot be: what stands beneath it is no other fault.
    Fault,
    /// A path, on a line.
    Rule(usize, Rule),
}

impl Rule {
    fn set(&mut self, name: String, value: String) {
        if !OF_THE_CONNECTION.contains(&name.as_str()) {
            add(&mut self.set, name, value);
        }
    }
}

/// Adds a header; a second value of the same joins the first, save of cookies, which cannot be joined.
fn add(headers: &mut Vec<(String, String)>, name: String, value: String) {
    match headers.iter_mut().find(|(other, _)| *other == name && name != "set-cookie") {
        Some((_, values)) => {
            values.push_str(", ");
            values.push_str(&value);
        }
        None => headers.push((name, value)),
    }
}

fn is_path(line: &str) -> bool {
    let scheme =
        line.split_once("://").is_some_and(|(scheme, _)| !scheme.is_empty() && !scheme.contains(char::is_whitespace));
    line.starts_with('/') || scheme
}

fn pattern(line: &str) -> Result<Pattern, String> {
    if let Some(host) = host_of(line) {
        let port = host.rsplit_once(':').map(|(_, port)| port);
        if port.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(format!("`{}` must not name a port", shown(line)));
        }
    }
    Pattern::compile(&address(line, false)?)
}

fn header(name: &str, value: &str) -> Result<(String, String), String> {
    let name = header_name(name)?;
    if value.is_empty() {
        return Err(format!("the header `{}` has no value", shown(&name)));
    }
    if value.chars().any(|character| character.is_control() && character != '\t') {
        return Err(format!("the value of the header `{}` holds a control character", shown(&name)));
    }
    Ok((name, value.to_owned()))
}

fn header_name(name: &str) -> Result<String, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("`{}` is no name of a header", shown(name)));
    }
    Ok(name.to_ascii_lowercase())
}
