//! Requests as they are asked on the command line: from flags, from a JSON line, from a test case.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use tidegate_engine::{Header, InvalidTarget, RequestView, Target, Var, parse_tag_list};

use crate::instant::Seconds;

/// A request, with what the outbound parameters would say about its tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method, in any case.
    pub method: String,
    /// The URL as received.
    pub url: String,
    /// The customer, if the parameters name one.
    pub customer: Option<String>,
    /// The customer's tags; `None` where the parameters hold none or something else in their place.
    pub tags: Option<Vec<String>>,
    /// The customer's variables; empty where the parameters hold none, `None` where they hold something else in their place.
    pub vars: Option<Vec<Var>>,
    /// The headers as received, each name once (see [`join`]).
    pub headers: Vec<Header>,
}

impl Request {
    /// The request as the engine sees it, with its parsed URL.
    pub(crate) fn view<'r>(&'r self, target: &'r Result<Target, InvalidTarget>, now: Seconds) -> RequestView<'r> {
        RequestView {
            method: &self.method,
            target: target.as_ref().map_err(|invalid| *invalid),
            headers: &self.headers,
            customer: self.customer.as_deref(),
            tags: self.tags.as_deref(),
            vars: self.vars.as_deref(),
            now,
        }
    }
}

/// A request and the name that its asker has for it.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestLine {
    /// Comes back with the answer.
    pub id: Value,
    /// The request.
    pub request: Request,
}

/// The line's object. Its keys are the contract; an unknown one is an error, for a misspelt `customer` would be no customer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineObject {
    #[serde(default)]
    id: Value,
    method: Option<String>,
    url: String,
    #[serde(default)]
    customer: Value,
    #[serde(default)]
    tags: Value,
    #[serde(default)]
    vars: Value,
    headers: Option<Headers>,
}

impl RequestLine {
    /// Reads one line.
    ///
    /// `customer`, `tags` and `vars` stand for outbound parameters, which can hold anything: what is no customer, no tags and no
    /// variables to the Worker is none here, and the policy answers.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(line).map_err(|error| format!("the line is not UTF-8: {error}"))?;
        if !text.trim_start().starts_with('{') {
            return Err("the line is not a JSON object".to_owned());
        }
        let object: LineObject = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let customer = match object.customer {
            Value::String(name) => Some(name),
            _ => None,
        };
        Ok(Self {
            id: object.id,
            request: Request {
                method: object.method.unwrap_or_else(|| "GET".to_owned()),
                url: object.url,
                customer,
                tags: tags(&object.tags),
                vars: vars(&object.vars),
                headers: join(object.headers.unwrap_or_default().0),
            },
        })
    }
}

/// Tags as the outbound parameters may give them: an array of strings, or one comma-separated string.
fn tags(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(parse_tag_list(text)),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Variables as the outbound parameters may give them: an object of strings, or nothing.
fn vars(value: &Value) -> Option<Vec<Var>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Object(vars) => {
            vars.iter().map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        }
        _ => None,
    }
}

/// Headers of a JSON object, in order, names that come twice kept twice.
#[derive(Debug, Default)]
struct Headers(Vec<Header>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Headers;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of header names and values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    headers.push(checked_header(name, value).map_err(serde::de::Error::custom)?);
                }
                Ok(Headers(headers))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// Headers of one name made one, as the runtime's `Headers` does before anybody sees them (Fetch, "combine").
pub fn join(headers: impl IntoIterator<Item = Header>) -> Vec<Header> {
    let mut joined = Vec::<Header>::new();
    for (name, value) in headers {
        let value = value.trim_matches([' ', '\t']);
        match joined.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(&name)) {
            Some((_, values)) => {
                values.push_str(", ");
                values.push_str(value);
            }
            None => joined.push((name, value.to_owned())),
        }
    }
    joined
}

/// Variables that may come twice made properties of an object: of one name the last counts.
pub fn last_of_each(vars: &[Var]) -> Vec<Var> {
    vars.iter().cloned().collect::<BTreeMap<_, _>>().into_iter().collect()
}

/// Reads `Name: value`.
pub fn parse_header(text: &str) -> Result<Header, String> {
    let (name, value) = text.split_once(':').ok_or_else(|| format!("`{text}` is not a header; write `name: value`"))?;
    checked_header(name.to_owned(), value.to_owned())
}

/// A header that could be on a request: the name a token (RFC 9110 §5.6.2), no line break or NUL in the value.
pub fn checked_header(name: String, value: String) -> Result<Header, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("`{}` is not a header name", name.escape_debug()));
    }
    if value.contains(['\r', '\n', '\0']) {
        return Err(format!("the value of `{name}` holds a line break or NUL, which no request carries"));
    }
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<RequestLine, String> {
        RequestLine::parse(line.as_bytes())
    }

    #[test]
    fn a_line_needs_a_url_only() {
        let line = parse(r#"{"url":"https://a.example/"}"#).unwrap();
        assert_eq!(line.id, Value::Null);
        assert_eq!(line.request.method, "GET");
        assert_eq!((&line.request.customer, &line.request.tags), (&None, &None));
        let nulls = r#"{"id":null,"method":null,"url":"https://a.example/","customer":null,"tags":null,"vars":null,"headers":null}"#;
        assert_eq!(parse(nulls).unwrap(), line, "null is nothing");
    }

    #[test]
    fn an_id_comes_back_as_it_came() {
        assert_eq!(parse(r#"{"id":7,"url":"x"}"#).unwrap().id, Value::from(7));
    }

    #[test]
    fn headers_of_one_name_are_joined() {
        let line = parse(r#"{"url":"x","headers":{"X-A":" 1 ","y":"","x-a":"2"}}"#).unwrap();
        assert_eq!(line.request.headers, [("X-A".into(), "1, 2".into()), ("y".into(), String::new())]);
    }

    #[test]
    fn parameters_that_name_nobody_are_no_identity() {
        let line = parse(r#"{"url":"x","customer":7,"tags":["a",7],"vars":{"plan":"gold"}}"#).unwrap();
        assert_eq!((line.request.customer, line.request.tags), (None, None));
        assert_eq!(line.request.vars, Some(vec![("plan".into(), "gold".into())]));
        for malformed in
            [r#"{"url":"x","vars":{"seats":12}}"#, r#"{"url":"x","vars":"gold"}"#, r#"{"url":"x","vars":[]}"#]
        {
            assert_eq!(parse(malformed).unwrap().request.vars, None, "{malformed}");
        }
        assert_eq!(parse(r#"{"url":"x"}"#).unwrap().request.vars, Some(vec![]), "nothing says none");
        assert_eq!(parse(r#"{"url":"x","tags":"a, b,"}"#).unwrap().request.tags, Some(vec!["a".into(), "b".into()]));
        assert_eq!(parse(r#"{"url":"x","tags":[]}"#).unwrap().request.tags, Some(vec![]));
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        for line in [
            "",
            "null",
            r#"["1","GET","https://a.example/"]"#,
            "{}",
            r#"{"url":1}"#,
            r#"{"url":"x","url":"y"}"#,
            r#"{"url":"x","custmer":"acme"}"#,
            r#"{"url":"x","headers":{"a b":"1"}}"#,
            r#"{"url":"x","headers":{"a":"1\r\nb: 2"}}"#,
            r#"{"url":"x"} {"url":"y"}"#,
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(RequestLine::parse(b"{\"url\":\"\xff\"}").is_err());
    }

    #[test]
    fn a_header_flag_is_a_name_and_a_value() {
        assert_eq!(parse_header("X-Debug:  on "), Ok(("X-Debug".into(), "  on ".into())));
        assert_eq!(parse_header("x:"), Ok(("x".into(), String::new())));
        assert!(parse_header("x-debug").is_err());
        assert!(parse_header(": on").is_err());
    }
}
