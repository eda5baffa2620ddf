//! A request that two rules match, for people to see.
//!
//! The dimensions of a request are independent of each other, so an example is put together from one of each. An
//! `except` is escaped in one of the dimensions that it names; which one is tried out. Where that cannot be done with
//! certainty (lists, patterns that are too large) there is no example, which says nothing about the rules.

use super::overlap::{Extent, Prepared, values_dfa};
use super::universe::{example_of_customer, example_of_host, example_of_path, example_of_value};
use crate::automaton::Dfa;
use crate::checked::Scheme;

/// Combinations of ways out of the exceptions that are tried.
const MAX_TRIES: usize = 200;

/// Where a request escapes an `except`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dimension<'r> {
    Customer,
    Endpoint,
    Header(&'r str),
    Host,
    Method,
    Path,
    Tag,
}

/// Exceptions, each with the dimension in which it is escaped.
type Escapes<'e, 'r> = Vec<(Dimension<'r>, &'e Prepared<'r>)>;

/// Describes a request that both rules match.
pub(super) fn witness(a: &Extent<'_>, b: &Extent<'_>) -> Option<String> {
    let exceptions: Vec<&Prepared<'_>> = a.except.iter().chain(&b.except).collect();
    let mut tries = 0;
    escape([&a.condition, &b.condition], &exceptions, &mut Vec::new(), &mut tries)
}

/// Finds a way out of the exceptions that are left, one after the other.
fn escape<'e, 'r>(
    both: [&Prepared<'r>; 2],
    exceptions: &[&'e Prepared<'r>],
    escapes: &mut Escapes<'e, 'r>,
    tries: &mut usize,
) -> Option<String> {
    *tries += 1;
    let found = if *tries > MAX_TRIES { None } else { request(both, escapes) };
    let Some((exception, others)) = exceptions.split_first() else { return found };
    found?;
    dimensions(exception).into_iter().find_map(|dimension| {
        escapes.push((dimension, exception));
        let found = escape(both, others, escapes, tries);
        escapes.pop();
        found
    })
}

/// The dimensions that a condition names.
fn dimensions<'r>(prepared: &Prepared<'r>) -> Vec<Dimension<'r>> {
    let condition = prepared.condition;
    let named = [
        (condition.paths.is_some(), Dimension::Path),
        (condition.methods.is_some(), Dimension::Method),
        (condition.hosts.is_some(), Dimension::Host),
        (condition.schemes.is_some() || condition.ports.is_some(), Dimension::Endpoint),
        (condition.customers.is_some(), Dimension::Customer),
        (condition.tags.is_some(), Dimension::Tag),
    ];
    let headers = condition.headers.iter().map(|(name, _)| Dimension::Header(name));
    named.into_iter().filter(|(is_named, _)| *is_named).map(|(_, dimension)| dimension).chain(headers).collect()
}

/// A request that meets both conditions and escapes exceptions where it is told to.
fn request(both: [&Prepared<'_>; 2], escapes: &Escapes<'_, '_>) -> Option<String> {
    let avoided = |dimension| escapes.iter().filter(move |(in_, _)| *in_ == dimension).map(|(_, exception)| *exception);
    let (scheme, port) = endpoint(both, &avoided(Dimension::Endpoint).collect::<Vec<_>>())?;
    let method = method(both, &avoided(Dimension::Method).collect::<Vec<_>>())?;
    let tags = tags(both, &avoided(Dimension::Tag).collect::<Vec<_>>())?;

    let hosts = both.iter().filter(|rule| rule.condition.hosts.is_some()).map(|rule| rule.all_hosts());
    let no_hosts = avoided(Dimension::Host).map(Prepared::all_hosts);
    let host = example_of_host(&all(hosts)?, &all(no_hosts)?)?;

    let paths = both.iter().filter(|rule| rule.condition.paths.is_some()).map(|rule| rule.paths());
    let path = example_of_path(&all(paths)?, &all(avoided(Dimension::Path).map(Prepared::paths))?)?;

    let customers = both.iter().filter(|rule| rule.condition.customers.is_some()).map(|rule| rule.customers());
    let (customers, others) = (all(customers)?, all(avoided(Dimension::Customer).map(Prepared::customers))?);
    let customer = match (customers.as_slice(), others.as_slice()) {
        ([], []) => None,
        (customers, others) => Some(example_of_customer(customers, others)?),
    };

    let port = match (scheme, port) {
        (Scheme::Http, 80) | (Scheme::Https, 443) => String::new(),
        _ => format!(":{port}"),
    };
    let scheme = if scheme == Scheme::Http { "http" } else { "https" };
    let mut text = format!("`{method} {scheme}://{host}{port}{path}`");
    text.extend(customer.map(|customer| format!(" of customer `{customer}`")));
    text.extend(tags.iter().map(|tag| format!(" tagged `{tag}`")));
    let mut names: Vec<&str> =
        both.iter().flat_map(|rule| &rule.condition.headers).map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let values = both.iter().filter_map(|rule| rule.values_of(name)).map(values_dfa).collect::<Option<Vec<_>>>()?;
        let others = avoided(Dimension::Header(name)).filter_map(|exception| exception.values_of(name));
        let others = others.map(values_dfa).collect::<Option<Vec<_>>>()?;
        let value = example_of_value(&values.iter().collect::<Vec<_>>(), &others.iter().collect::<Vec<_>>())?;
        text.extend([" with `", name, ": ", &value, "`"]);
    }
    Some(text)
}

/// All of them, if each is there.
fn all<'d>(automata: impl Iterator<Item = Option<&'d Dfa>>) -> Option<Vec<&'d Dfa>> {
    automata.collect()
}

fn endpoint(both: [&Prepared<'_>; 2], avoided: &[&Prepared<'_>]) -> Option<(Scheme, u16)> {
    let [a, b] = both;
    let mut shared = a.endpoints.iter().filter(|endpoint| b.endpoints.contains(endpoint));
    shared.find(|endpoint| !avoided.iter().any(|exception| exception.takes_endpoint(**endpoint))).copied()
}

fn method(both: [&Prepared<'_>; 2], avoided: &[&Prepared<'_>]) -> Option<String> {
    let takes = |rule: &Prepared<'_>, method: &str| {
        rule.condition.methods.as_ref().is_none_or(|methods| methods.iter().any(|it| it == method))
    };
    let usual = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"].map(str::to_owned);
    let named = both.iter().flat_map(|rule| rule.condition.methods.iter().flatten());
    usual
        .iter()
        .chain(named)
        .find(|method| {
            both.iter().all(|rule| takes(rule, method)) && !avoided.iter().any(|exception| takes(exception, method))
        })
        .cloned()
}

/// One tag for each rule that names any; a request can have several.
fn tags<'r>(both: [&Prepared<'r>; 2], avoided: &[&Prepared<'r>]) -> Option<Vec<&'r str>> {
    let is_avoided =
        |tag: &String| avoided.iter().any(|exception| exception.condition.tags.iter().flatten().any(|it| it == tag));
    let named = both.iter().filter_map(|rule| rule.condition.tags.as_ref());
    let mut tags: Vec<&str> =
        named.map(|tags| tags.iter().find(|tag| !is_avoided(tag)).map(String::as_str)).collect::<Option<_>>()?;
    tags.dedup();
    Some(tags)
}
