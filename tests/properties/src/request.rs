//! Requests as text, so that the kept inputs can be read and written by people:
//!
//! ```text
//!   GET https://api.example.com/v1/x      method, a space, URL
//!   acme                                  customer; `-` or nothing: none
//!   paid,new                              tags; `-` or nothing: none
//!   $plan=gold                            optional, any number: variables; `$` alone: what are none
//!   @1795348800                           optional: now, in seconds
//!   x-env:prod-1                          headers: everything after the first colon is the value
//! ```
//!
//! Any bytes are such a text: what is missing is empty, and what is not UTF-8 is replaced.

use tidegate_differential::corpus::NOW;
use tidegate_differential::{Identity, Request};
use tidegate_engine::{InvalidTarget, RequestView, Secrets, Target, parse_tag_list};

/// The request that bytes stand for.
pub(crate) fn request(bytes: &[u8]) -> Request {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n').peekable();
    let (method, url) = lines.next().and_then(|line| line.split_once(' ')).unwrap_or_default();
    let mut value = || lines.next().filter(|&line| line != "-");
    let (customer, tags) = (value(), value());
    let mut vars = Some(Vec::new());
    while let Some(line) = lines.next_if(|line| line.starts_with('$')) {
        match line.trim_start_matches('$').split_once('=') {
            // Properties of an object: each name comes once.
            Some((name, value)) => vars.iter_mut().for_each(|vars: &mut Vec<(String, String)>| {
                vars.retain(|(known, _)| known != name);
                vars.push((name.to_owned(), value.to_owned()));
            }),
            None => vars = None,
        }
    }
    let now = lines.next_if(|line| line.starts_with('@')).and_then(|line| line.trim_start_matches('@').parse().ok());
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        // As `Headers` does it (Fetch, "combine" and "normalize").
        let value = value.trim_matches([' ', '\t', '\r']);
        match headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, known)) => *known = format!("{known}, {value}"),
            None => headers.push((name.to_owned(), value.to_owned())),
        }
    }
    Request {
        method: method.to_owned(),
        url: url.to_owned(),
        headers,
        identity: Identity { customer: customer.map(str::to_owned), tags: tags.map(parse_tag_list), vars },
        now: now.unwrap_or(NOW),
    }
}

/// The request as the engine takes it.
pub(crate) fn view<'r>(request: &'r Request, target: &'r Result<Target, InvalidTarget>) -> RequestView<'r> {
    RequestView {
        method: &request.method,
        target: target.as_ref().map_err(|invalid| *invalid),
        headers: &request.headers,
        customer: request.identity.customer.as_deref(),
        tags: request.identity.tags.as_deref(),
        vars: request.identity.vars.as_deref(),
        now: request.now,
    }
}

/// Every secret that there may be.
pub(crate) struct AnySecret;

impl Secrets for AnySecret {
    fn secret(&self, name: &str) -> Option<String> {
        Some(format!("<secret:{name}>"))
    }
}

/// None at all.
pub(crate) struct NoSecret;

impl Secrets for NoSecret {
    fn secret(&self, _: &str) -> Option<String> {
        None
    }
}
