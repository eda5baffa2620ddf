//! The words for a dimension that does not hold.

use tidegate_compiler::alternatives::{Alternative, Key};
use tidegate_compiler::checked::Rule;
use tidegate_engine::canonical::{PathReading, Scheme};
use tidegate_engine::{Dimension, Target, Truth};

use super::OfRequest;
use crate::instant;

/// A dimension's name.
pub(super) fn dimension(dimension: Dimension<'_>) -> String {
    match dimension {
        Dimension::Customer => "customer".to_owned(),
        Dimension::Tag => "tag".to_owned(),
        Dimension::Host => "host".to_owned(),
        Dimension::Scheme | Dimension::DefaultScheme => "scheme".to_owned(),
        Dimension::Port | Dimension::DefaultPort => "port".to_owned(),
        Dimension::Method => "method".to_owned(),
        Dimension::Path => "path".to_owned(),
        Dimension::Header(name) => format!("header {name}"),
        Dimension::Upgrade => "upgrade".to_owned(),
        Dimension::Expiry => "expires".to_owned(),
    }
}

/// Whether an alternative is one of a dimension's.
pub(super) fn belongs(alternative: &Alternative<'_>, dimension: Dimension<'_>) -> bool {
    match alternative.key {
        Key::Customers => dimension == Dimension::Customer,
        Key::Tags => dimension == Dimension::Tag,
        Key::Domains | Key::Hosts | Key::HostRegex | Key::Lists => dimension == Dimension::Host,
        Key::Schemes => dimension == Dimension::Scheme,
        Key::Ports => dimension == Dimension::Port,
        Key::Methods => dimension == Dimension::Method,
        Key::Paths | Key::PathRegex => dimension == Dimension::Path,
        Key::Headers => alternative.header.is_some_and(|name| dimension == Dimension::Header(name)),
    }
}

/// What the request has in a dimension that does not certainly hold, and, where no alternative is named, the way out.
pub(super) fn miss(
    dimension: Dimension<'_>,
    truth: Truth,
    rule: &Rule,
    of_request: &OfRequest<'_>,
    target: &Target,
) -> String {
    let request = of_request.request;
    match dimension {
        Dimension::Customer => match &request.customer {
            Some(customer) => format!("the customer is `{customer}`"),
            None => "the request names no customer".to_owned(),
        },
        Dimension::Tag if of_request.tags.is_empty() => "the customer has no tags".to_owned(),
        Dimension::Tag => {
            let tags: Vec<_> = of_request.tags.iter().map(|tag| format!("`{tag}`")).collect();
            format!("the customer has {}", tags.join(", "))
        }
        Dimension::Host => format!("the host is `{}`", target.host().as_str()),
        Dimension::Scheme => format!("the scheme is `{}`", scheme(target.scheme())),
        Dimension::DefaultScheme => {
            let scheme = scheme(target.scheme());
            format!(
                "the scheme is `{scheme}`; a rule without `schemes` means https, `schemes = [\"{scheme}\"]` would meet it"
            )
        }
        Dimension::Port => format!("the port is `{}`", target.port()),
        Dimension::DefaultPort => {
            let (port, own) = (target.port(), target.scheme().default_port());
            format!(
                "the port is `{port}`; a rule without `ports` means the scheme's own, {own}, `ports = [{port}]` would meet it"
            )
        }
        Dimension::Method => format!("the method is `{}`", request.method.to_ascii_uppercase()),
        Dimension::Path if truth == Truth::Unknown => {
            let doubts: Vec<_> = target.path_doubts().map(|doubt| doubt.to_string()).collect();
            let literal = target.path_reading() == PathReading::EncodedSlashOrPercent && !rule.encoded_literal;
            let way_out = if literal && rule.effect == tidegate_compiler::checked::Effect::Allow {
                "; `encoded = \"literal\"` takes it as it stands"
            } else {
                ""
            };
            format!("the path `{}` has more than one reading: {}{way_out}", target.path(), doubts.join(", "))
        }
        Dimension::Path => format!("the path is `{}`", target.path()),
        Dimension::Header(name) => match request.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
            Some((_, value)) => format!("the value is `{value}`"),
            None => "the request has no such header".to_owned(),
        },
        Dimension::Upgrade => "the request is a WebSocket upgrade; `websocket = true` would meet it".to_owned(),
        Dimension::Expiry => match rule.expires {
            Some(day) => format!("the rule ended with the beginning of {}", instant::date(i64::from(day))),
            None => "the rule has ended".to_owned(),
        },
    }
}

pub(super) fn scheme(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    }
}

/// How many labels, from the right, a name or pattern has in common with the request's host.
pub(super) fn labels_in_common(text: &str, target: &Target) -> usize {
    let host = target.host().as_str();
    text.rsplit('.').zip(host.rsplit('.')).take_while(|(own, other)| own == other).count()
}
