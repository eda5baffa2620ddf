//! Rules: conditions, exceptions, obligations.

use toml::{Table, Value};

use super::choices::Choices;
use super::policy::{Scope, strings, table, template};
use super::words::{
    CONDITION_HEADERS, CUSTOMER_GLOBS, DAYS, HOST_REGEXES, LITERAL_PATHS, METHODS, OTHER_DOMAINS, OTHER_HOSTS,
    OWN_DOMAINS, OWN_HOSTS, PATH_REGEXES, PATHS, PORTS, SPECIAL_HOSTS, VALUE_GLOBS,
};

/// What a condition stands in, which says what it may name.
#[derive(Clone, Copy)]
enum Place {
    /// A rule that allows; whether it sends a credential, and whether it takes escapes literally.
    Allow {
        credential: bool,
        literal: bool,
    },
    Deny,
    Except,
}

/// Makes a rule, valid in a policy of this scope unless it contradicts another.
pub(super) fn rule(number: usize, scope: &Scope, choices: &mut Choices<'_>) -> Table {
    let denies = choices.percent(35);
    let mut rule =
        table([("id", format!("r{number}").into()), ("effect", (if denies { "deny" } else { "allow" }).into())]);
    let is_report = choices.percent(12);
    if is_report {
        rule.insert("mode".into(), "report".into());
    }
    if choices.percent(30) {
        rule.insert("reason".into(), "because of the \"tide\"".into());
    }
    let place = if denies {
        Place::Deny
    } else {
        let literal = choices.percent(15);
        let credential = obligations(&mut rule, is_report, scope, choices);
        if literal {
            rule.insert("encoded".into(), "literal".into());
        }
        if choices.percent(25) {
            rule.insert("websocket".into(), true.into());
        }
        if choices.percent(12)
            && let Ok(day) = choices.one(DAYS).parse()
        {
            rule.insert("expires".into(), Value::Datetime(day));
        }
        Place::Allow { credential, literal }
    };
    rule.extend(condition(place, scope, choices));
    if choices.percent(35) {
        let mut except = Vec::new();
        for _ in 0..=choices.below(2) {
            except.push(condition(Place::Except, scope, choices));
        }
        except.retain(|except| !except.is_empty());
        if !except.is_empty() {
            rule.insert("except".into(), Value::Array(except.into_iter().map(Value::Table).collect()));
        }
    }
    rule
}

fn condition(place: Place, scope: &Scope, choices: &mut Choices<'_>) -> Table {
    let mut condition = Table::new();
    let mut name = |key: &str, value: Value| condition.insert(key.to_owned(), value);
    let credential = matches!(place, Place::Allow { credential: true, .. });
    let literal = matches!(place, Place::Allow { literal: true, .. });
    // An exception names a dimension or two, a rule that denies some, so that not everything is denied.
    let often = |of_allow: usize, of_deny: usize, of_except: usize| match place {
        Place::Allow { .. } => of_allow,
        Place::Deny => of_deny,
        Place::Except => of_except,
    };

    if credential {
        let domains = choices.percent(40);
        if domains {
            name("domains", strings(&choices.some(OWN_DOMAINS, 2)));
        }
        if !domains || choices.percent(40) {
            let hosts = if choices.percent(60) { &scope.hosts } else { OWN_HOSTS };
            name("hosts", strings(&choices.some(hosts, 3)));
        }
    } else {
        if choices.percent(often(70, 60, 25)) {
            let hosts = choices.one(&[&scope.hosts, &scope.hosts, OWN_HOSTS, OTHER_HOSTS, SPECIAL_HOSTS]);
            let mut hosts = choices.some(hosts, 3);
            if choices.percent(15) {
                hosts.extend(choices.some(SPECIAL_HOSTS, 2));
            }
            name("hosts", strings(&hosts));
        }
        if choices.percent(often(25, 30, 15)) {
            let domains = choices.one(&[OWN_DOMAINS, OWN_DOMAINS, OTHER_DOMAINS]);
            name("domains", strings(&choices.some(domains, 2)));
        }
        if choices.percent(often(12, 10, 8)) {
            let regexes = choices.some(HOST_REGEXES, 2);
            name("host-regex", one_or_many(regexes.into_iter().map(|(regex, _)| regex).collect(), choices));
        }
        if choices.percent(often(10, 25, 10)) && !scope.lists.is_empty() {
            name("lists", strings(&choices.some(&scope.lists, 2)));
        }
    }
    if choices.percent(often(20, 15, 8)) {
        let schemes: &[&[&str]] = &[&["https"], &["http", "https"], &["http"]];
        name("schemes", strings(if credential { schemes[0] } else { choices.one(schemes) }));
    }
    if choices.percent(often(18, 12, 8)) {
        let ports = choices.some(PORTS, 3);
        name("ports", Value::Array(ports.into_iter().map(|port| Value::Integer(port.into())).collect()));
    }
    if scope.has_identity && choices.percent(often(25, 35, 25)) {
        name("customers", strings(&choices.some(CUSTOMER_GLOBS, 2)));
    }
    if !scope.tags.is_empty() && choices.percent(often(20, 30, 20)) {
        name("tags", strings(&choices.some(&scope.tags, 2)));
    }
    if choices.percent(often(25, 30, 20)) {
        name("methods", strings(&choices.some(METHODS, 3)));
    }
    if choices.percent(often(40, 40, 30)) {
        let paths = if literal && choices.percent(60) { LITERAL_PATHS } else { PATHS };
        name("paths", strings(&choices.some(paths, 3)));
    }
    if choices.percent(often(10, 10, 8)) {
        let regexes = choices.some(PATH_REGEXES, 2);
        name("path-regex", one_or_many(regexes.into_iter().map(|(regex, _)| regex).collect(), choices));
    }
    if choices.percent(often(12, 15, 12)) {
        let mut headers = Table::new();
        for header in choices.some(CONDITION_HEADERS, 2) {
            let values = choices.some(VALUE_GLOBS, 2);
            headers.insert(header.to_owned(), one_or_many(values, choices));
        }
        name("headers", Value::Table(headers));
    }
    condition
}

/// Adds what a rule does with requests; true if it sends a credential.
fn obligations(rule: &mut Table, is_report: bool, scope: &Scope, choices: &mut Choices<'_>) -> bool {
    let (may_credential, some) = match choices.below(4) {
        0 => return false,
        1 => (false, true),
        2 => (true, true),
        _ => (true, choices.percent(50)),
    };
    let mut credential = false;
    if let Some(jwt) = scope.jwt.as_ref().filter(|_| may_credential && choices.percent(75)) {
        let mut jwt = jwt.clone();
        // Another token than the other rules': an error, but where something keeps them apart.
        if choices.percent(5) && !scope.is_large {
            jwt.insert("ttl".into(), "61s".into());
        }
        rule.insert("jwt".into(), Value::Table(jwt));
        credential = true;
    }
    let mut set = Table::new();
    if some {
        for (spellings, usual) in choices.some(&scope.set, 3) {
            let odd = choices.percent(if is_report { 50 } else { 4 }) && (is_report || !scope.is_large);
            let template = if odd { template(scope.has_identity, choices) } else { usual };
            if template.contains("{secret.") && !may_credential {
                continue;
            }
            credential |= template.contains("{secret.");
            set.insert(choices.one(spellings).to_owned(), template.into());
        }
    }
    if !set.is_empty() {
        rule.insert("set".into(), Value::Table(set));
    }
    for (key, percent) in [("remove", 35), ("keep", 35)] {
        if choices.percent(percent) && !scope.left.is_empty() {
            let mut headers = choices.some(&scope.left, 3);
            headers.extend(scope.token.filter(|_| key == "remove" && choices.percent(20)));
            let headers: Vec<&str> = headers.into_iter().map(|spellings| choices.one(spellings)).collect();
            rule.insert(key.to_owned(), strings(&headers));
        }
    }
    credential
}

/// An array, or sometimes the only value by itself.
fn one_or_many(mut values: Vec<&str>, choices: &mut Choices<'_>) -> Value {
    match values.pop() {
        Some(only) if values.is_empty() && choices.percent(50) => only.into(),
        last => {
            values.extend(last);
            strings(&values)
        }
    }
}
