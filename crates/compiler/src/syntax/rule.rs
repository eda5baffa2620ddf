//! `[[rule]]`.

use toml::de::DeValue;
use toml::value::Datetime;

use super::keys::{ALLOW_ONLY, CONDITION, EFFECTS, ENCODED, JWT, MODES, RULE, SCHEMES};
use super::{ConditionEntry, JwtEntry, RuleEntry};
use crate::checked::{Effect, Scheme};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Spanned, Text};
use crate::tree::{Entry, Pair, Reader, Table, Texts};

/// Reads one rule.
pub(super) fn read(reader: &mut Reader<'_>, pair: &Pair<'_>) -> Option<RuleEntry> {
    let before = reader.findings.len();
    let table = reader.table(pair, "a rule", RULE)?;

    let id = reader.required(&table, "id", "name it, for decisions and logs: `id = \"billing-api\"`");
    let id = id.and_then(|pair| reader.string(&pair));
    let effect = reader.required(&table, "effect", "write `effect = \"allow\"` or `effect = \"deny\"`");
    let effect = effect.and_then(|pair| reader.choice(&pair, EFFECTS)).map(|it| it.value);
    if effect == Some(Effect::Deny) {
        for &(key, why) in ALLOW_ONLY {
            if let Some(pair) = table.pair(reader, key) {
                let message = format!("a deny rule has no `{key}`");
                reader.report(Diagnostic::error(Code::MisplacedKey, pair.key.span, message).help(why));
            }
        }
    }
    let mode = table.pair(reader, "mode").and_then(|pair| reader.choice(&pair, MODES)).map(|it| it.value);
    let expires = table.pair(reader, "expires").and_then(|pair| date(reader, &pair));
    let reason = table.pair(reader, "reason").and_then(|pair| reader.string(&pair));
    let websocket = table.pair(reader, "websocket").and_then(|pair| reader.boolean(&pair)).unwrap_or_default();
    let encoded = table.pair(reader, "encoded").and_then(|pair| reader.choice(&pair, ENCODED));
    let condition = condition(reader, &table);
    let except = table.pair(reader, "except").map(|pair| excepts(reader, &pair)).unwrap_or_default();
    let remove = table.pair(reader, "remove").and_then(|pair| reader.strings(&pair));
    let keep = table.pair(reader, "keep").and_then(|pair| reader.strings(&pair));
    let set = table.pair(reader, "set").and_then(|pair| {
        let set = reader.string_table(&pair, "`set`")?;
        not_empty(reader, &pair, set)
    });
    let jwt = table.pair(reader, "jwt").and_then(|pair| jwt(reader, &pair));

    Some(RuleEntry {
        span: table.span,
        id,
        effect,
        mode,
        expires,
        reason,
        websocket,
        encoded_literal: encoded.is_some(),
        condition,
        except,
        remove: remove.map(|it| it.value).unwrap_or_default(),
        keep: keep.map(|it| it.value).unwrap_or_default(),
        set: set.unwrap_or_default(),
        jwt,
        sound: reader.findings.len() == before,
    })
}

fn condition(reader: &mut Reader<'_>, table: &Table<'_>) -> ConditionEntry {
    let mut strings = |key| table.pair(reader, key).and_then(|pair| reader.strings(&pair));
    ConditionEntry {
        customers: strings("customers"),
        tags: strings("tags"),
        domains: strings("domains"),
        hosts: strings("hosts"),
        lists: strings("lists"),
        methods: strings("methods"),
        paths: strings("paths"),
        host_regex: table.pair(reader, "host-regex").and_then(|pair| reader.string_or_strings(&pair)),
        path_regex: table.pair(reader, "path-regex").and_then(|pair| reader.string_or_strings(&pair)),
        schemes: table.pair(reader, "schemes").and_then(|pair| schemes(reader, &pair)),
        ports: table.pair(reader, "ports").and_then(|pair| ports(reader, &pair)),
        headers: table.pair(reader, "headers").and_then(|pair| headers(reader, &pair)).unwrap_or_default(),
    }
}

/// A condition, or an array of them.
fn excepts(reader: &mut Reader<'_>, pair: &Pair<'_>) -> Vec<ConditionEntry> {
    let one = matches!(pair.value.get_ref(), DeValue::Table(_));
    let items = if one {
        vec![Pair { key: pair.key.clone(), value: pair.value, element: false }]
    } else {
        reader.items(pair, "a table or an array of tables").unwrap_or_default()
    };
    let mut conditions = Vec::new();
    for item in items {
        let Some(table) = reader.table(&item, "`except`", CONDITION) else { continue };
        if table.pairs(reader).is_empty() {
            let finding =
                Diagnostic::error(Code::MissingKey, table.span, "an empty `except` would take everything out");
            reader.report(finding.help("name what the rule does not mean, such as `hosts` or `paths`"));
            continue;
        }
        conditions.push(condition(reader, &table));
    }
    conditions
}

fn schemes(reader: &mut Reader<'_>, pair: &Pair<'_>) -> Option<Entry<Vec<Spanned<Scheme>>>> {
    let items = reader.items(pair, "an array of strings")?;
    let mut schemes = Vec::new();
    for item in items {
        if let DeValue::String(text) = item.value.get_ref()
            && let Some((plain, what)) = match text.to_ascii_lowercase().as_str() {
                "ws" => Some(("http", "ws")),
                "wss" => Some(("https", "wss")),
                _ => None,
            }
        {
            let message = format!("`{what}` is judged as `{plain}`, so it is no scheme of its own");
            let finding = Diagnostic::error(Code::InvalidValue, reader.span(item.value), message);
            reader.report(
                finding
                    .help(format!("write `schemes = [\"{plain}\"]`, and `websocket = true` to let upgrades through")),
            );
            continue;
        }
        schemes.extend(reader.choice(&item, SCHEMES));
    }
    (!schemes.is_empty()).then(|| Reader::entry(pair, schemes))
}

fn ports(reader: &mut Reader<'_>, pair: &Pair<'_>) -> Option<Vec<Spanned<u16>>> {
    let items = reader.items(pair, "an array of integers")?;
    let mut ports = Vec::new();
    for item in items {
        let DeValue::Integer(number) = item.value.get_ref() else {
            reader.wrong_type(&item, "an integer");
            continue;
        };
        match u16::from_str_radix(number.as_str(), number.radix()) {
            Ok(port) if port > 0 => ports.push(Spanned { value: port, span: reader.span(item.value) }),
            _ => {
                let message = format!("a port is a number from 1 to 65535, not `{number}`");
                reader.report(Diagnostic::error(Code::InvalidValue, reader.span(item.value), message));
            }
        }
    }
    (!ports.is_empty()).then_some(ports)
}

fn headers(reader: &mut Reader<'_>, pair: &Pair<'_>) -> Option<Vec<(Text, Texts)>> {
    let table = reader.open_table(pair, "`headers`")?;
    let pairs = table.pairs(reader);
    let headers =
        pairs.into_iter().filter_map(|pair| reader.string_or_strings(&pair).map(|values| (pair.key, values))).collect();
    not_empty(reader, pair, headers)
}

fn jwt(reader: &mut Reader<'_>, pair: &Pair<'_>) -> Option<Entry<JwtEntry>> {
    let table = reader.table(pair, "`jwt`", JWT)?;
    let key = reader.required(&table, "key", "name one of the policy's `[keys]`: `key = \"platform\"`");
    let key = key.and_then(|pair| reader.string(&pair));
    let audience =
        reader.required(&table, "audience", "name whom the token is for: `audience = \"https://api.example.com\"`");
    let audience = audience.and_then(|pair| reader.string(&pair));
    let ttl = reader.required(&table, "ttl", "say how long a token lives, 60 seconds to 24 hours: `ttl = \"5m\"`");
    let ttl = ttl.and_then(|pair| reader.string(&pair));
    let header = table.pair(reader, "header").and_then(|pair| reader.string(&pair));
    let scheme = table.pair(reader, "scheme").and_then(|pair| reader.string(&pair));
    let claims =
        table.pair(reader, "claims").and_then(|pair| reader.string_table(&pair, "`claims`")).unwrap_or_default();
    Some(Reader::entry(pair, JwtEntry { key, audience, ttl, header, scheme, claims }))
}

/// A date without a time, as days since 1970-01-01.
fn date(reader: &mut Reader<'_>, pair: &Pair<'_>) -> Option<i32> {
    match pair.value.get_ref() {
        DeValue::Datetime(Datetime { date: Some(date), time: None, .. }) => {
            Some(days_since_1970(date.year, date.month, date.day))
        }
        DeValue::Datetime(_) => {
            let message = "`expires` is a day, without a time";
            let finding = Diagnostic::error(Code::InvalidValue, reader.span(pair.value), message);
            reader
                .report(finding.help("write `expires = 2026-12-31`; the rule ends when that day begins, at 00:00 UTC"));
            None
        }
        DeValue::String(text) => {
            let finding =
                Diagnostic::error(Code::WrongType, reader.span(pair.value), "`expires` must be a date, not a string");
            let day = if text.parse::<Datetime>().is_ok() { text } else { "2026-12-31" };
            reader.report(finding.help(format!("write it without quotes: `expires = {day}`")));
            None
        }
        _ => {
            reader.wrong_type(pair, "a date");
            None
        }
    }
}

/// Days from the civil calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_since_1970(year: u16, month: u8, day: u8) -> i32 {
    let (year, month, day) = (i32::from(year), i32::from(month), i32::from(day));
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn not_empty<T>(reader: &mut Reader<'_>, pair: &Pair<'_>, items: Vec<T>) -> Option<Vec<T>> {
    let holds_nothing = matches!(pair.value.get_ref(), DeValue::Table(table) if table.is_empty());
    if holds_nothing {
        let message = format!("`{}` is an empty table", pair.key.value);
        let finding = Diagnostic::error(Code::EmptyArray, reader.span(pair.value), message);
        reader.report(finding.help(format!("leave `{}` out, or put something in", pair.key.value)));
        return None;
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::days_since_1970;

    #[test]
    fn days_are_counted_over_leap_years_and_centuries() {
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(days_since_1970(1969, 12, 31), -1);
        assert_eq!(days_since_1970(2000, 2, 29), 11_016);
        assert_eq!(days_since_1970(2026, 12, 31), 20_818);
        assert_eq!(days_since_1970(0, 3, 1), -719_468);
    }
}
