//! The tables of a policy file, rules aside.

use toml::de::DeValue;

use super::keys::{
    ALGORITHMS, CUSTOMER, EFFECTS, ENFORCE_FOR, FORMATS, IDENTITY, KEY, LEVELS, LIST, MODES, POLICY, home_of,
};
use super::{CustomerEntry, EnforceForEntry, IdentityEntry, KeyEntry, ListEntry, PolicyFile, Role, rule};
use crate::diagnostic::{Code, Diagnostic};
use crate::levels::{Levels, Lints};
use crate::tree::{Entry, Grammar, Pair, Reader, Table};

/// What a policy file is like.
pub(super) const GRAMMAR: Grammar = Grammar { what: "a policy", keys: POLICY, home_of };

/// Reads a whole file.
pub(super) fn read(reader: &mut Reader<'_>, root: &Table<'_>, role: Role) -> PolicyFile {
    let mut policy = PolicyFile::default();

    version(reader, root, role);
    let extended = role == Role::Extended;
    for key in ["default", "mode", "identity", "enforce-for", "lints"] {
        if extended && let Some(pair) = root.pair(reader, key) {
            let message = format!("`{key}` stands in a file that another policy extends");
            let finding = Diagnostic::error(Code::MisplacedKey, pair.key.span, message);
            reader.report(finding.help(format!("`{key}` is said once, in the policy that extends this file")));
        }
    }
    policy.default = root.pair(reader, "default").and_then(|pair| reader.choice(&pair, EFFECTS)).map(|it| it.value);
    policy.mode = root.pair(reader, "mode").and_then(|pair| reader.choice(&pair, MODES)).map(|it| it.value);
    policy.extends =
        root.pair(reader, "extends").and_then(|pair| reader.strings(&pair)).map(|it| it.value).unwrap_or_default();
    policy.tenant_domains = root
        .pair(reader, "tenant-domains")
        .and_then(|pair| reader.strings(&pair))
        .map(|it| it.value)
        .unwrap_or_default();
    policy.identity = root.pair(reader, "identity").and_then(|pair| identity(reader, &pair));
    policy.enforce_for = root.pair(reader, "enforce-for").and_then(|pair| enforce_for(reader, &pair));
    policy.customers = named(reader, root, "customers", customer);
    policy.lists = named(reader, root, "lists", list);
    policy.keys = named(reader, root, "keys", key);
    policy.rules = rules(reader, root);
    policy.lints = root.pair(reader, "lints").and_then(|pair| lints(reader, &pair)).unwrap_or_default();
    policy
}

/// `policy = 1`, which every root says and extended files may say.
fn version(reader: &mut Reader<'_>, root: &Table<'_>, role: Role) {
    let pair = match role {
        Role::Root => reader.required(root, "policy", "begin with `policy = 1`, the version of the policy language"),
        Role::Extended => root.pair(reader, "policy"),
    };
    let Some(pair) = pair else { return };
    match pair.value.get_ref() {
        DeValue::Integer(number) if number.as_str() == "1" => {}
        DeValue::Integer(number) => {
            let message = format!("this Tidegate does not know version {number} of the policy language");
            let finding = Diagnostic::error(Code::InvalidValue, reader.span(pair.value), message);
            reader.report(finding.help("it knows version 1: `policy = 1`"));
        }
        _ => reader.wrong_type(&pair, "an integer"),
    }
}

fn identity(reader: &mut Reader<'_>, pair: &Pair<'_>) -> Option<IdentityEntry> {
    if matches!(pair.value.get_ref(), DeValue::String(_)) {
        let help = |_: &str| {
            Some("or a table that names the parameters: `[identity]` with `customer = \"customer_name\"`".to_owned())
        };
        return reader.choice_or(pair, &[("none", ())], help).map(|_| IdentityEntry::None);
    }
    if !matches!(pair.value.get_ref(), DeValue::Table(_)) {
        reader.wrong_type(pair, "a table or `\"none\"`");
        return None;
    }
    let table = reader.table(pair, "`identity`", IDENTITY)?;
    let customer = table.pair(reader, "customer").and_then(|pair| reader.string(&pair));
    let tags = table.pair(reader, "tags").and_then(|pair| reader.string(&pair));
    let vars = table.pair(reader, "vars").and_then(|pair| reader.string(&pair));
    Some(IdentityEntry::Parameters { customer, tags, vars })
}

fn enforce_for(reader: &mut Reader<'_>, pair: &Pair<'_>) -> Option<Entry<Vec<EnforceForEntry>>> {
    let items = reader.items(pair, "an array of tables")?;
    let mut entries = Vec::new();
    for item in items {
        let Some(table) = reader.table(&item, "an entry of `enforce-for`", ENFORCE_FOR) else { continue };
        if table.pairs(reader).is_empty() {
            let finding = Diagnostic::error(Code::MissingKey, table.span, "an entry of `enforce-for` names nobody");
            reader.report(finding.help("name them by `tags`, `customers` or `percent`"));
            continue;
        }
        let tags = table.pair(reader, "tags").and_then(|pair| reader.strings(&pair));
        let customers = table.pair(reader, "customers").and_then(|pair| reader.strings(&pair));
        let percent = table.pair(reader, "percent").and_then(|pair| percent(reader, &pair));
        entries.push(EnforceForEntry { tags, customers, percent });
    }
    Some(Reader::entry(pair, entries))
}

/// A percentage with at most two decimals, in hundredths.
fn percent(reader: &mut Reader<'_>, pair: &Pair<'_>) -> Option<u32> {
    let written = match pair.value.get_ref() {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => {
            reader.wrong_type(pair, "a number");
            return None;
        }
    };
    let hundredths = hundredths(written);
    if hundredths.is_none() {
        let message = format!("`percent` is a number from 0 to 100 with at most two decimals, not `{written}`");
        let finding = Diagnostic::error(Code::InvalidValue, reader.span(pair.value), message);
        reader.report(finding.help("for one customer in twenty write `percent = 5`"));
    }
    hundredths
}

fn hundredths(written: &str) -> Option<u32> {
    let (whole, decimals) = written.split_once('.').unwrap_or((written, ""));
    let decimals = decimals.trim_end_matches('0');
    let whole = whole.strip_prefix('+').unwrap_or(whole);
    if decimals.len() > 2 || !whole.bytes().chain(decimals.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value = whole.parse::<u32>().ok()?.checked_mul(100)? + format!("{decimals:0<2}").parse::<u32>().ok()?;
    (value <= 10_000).then_some(value)
}

/// The tables in `[customers]`, `[lists]`, `[keys]`, in file order.
fn named<T>(
    reader: &mut Reader<'_>,
    root: &Table<'_>,
    key: &'static str,
    read: impl Fn(&mut Reader<'_>, Pair<'_>) -> T,
) -> Vec<T> {
    let Some(pair) = root.pair(reader, key) else { return Vec::new() };
    let Some(table) = reader.open_table(&pair, key) else { return Vec::new() };
    table.pairs(reader).into_iter().map(|pair| read(reader, pair)).collect()
}

fn customer(reader: &mut Reader<'_>, pair: Pair<'_>) -> CustomerEntry {
    let Some(table) = reader.table(&pair, "a customer", CUSTOMER) else {
        return CustomerEntry { name: pair.key, tags: None, vars: Vec::new() };
    };
    let tags = table.pair(reader, "tags").and_then(|pair| reader.strings(&pair));
    let vars = table.pair(reader, "vars").and_then(|pair| reader.string_table(&pair, "`vars`")).unwrap_or_default();
    CustomerEntry { name: pair.key, tags, vars }
}

fn list(reader: &mut Reader<'_>, pair: Pair<'_>) -> ListEntry {
    // A list that is declared badly is still declared: rules that name it are not wrong for it.
    let Some(table) = reader.table(&pair, "a list", LIST) else {
        return ListEntry { id: pair.key, file: None, format: None, skip: None };
    };
    let file = reader.required(&table, "file", "name the file, relative to this one: `file = \"lists/malware.txt\"`");
    let file = file.and_then(|pair| reader.string(&pair));
    let format = reader.required(
        &table,
        "format",
        "say how the file is written: `format = \"domains\"`, `\"hosts\"`, `\"adblock\"`, `\"dnsmasq\"` or `\"rpz\"`",
    );
    let format = format.and_then(|pair| reader.choice(&pair, FORMATS));
    let skip = table.pair(reader, "skip").and_then(|pair| reader.strings(&pair));
    ListEntry { id: pair.key, file, format, skip }
}

fn key(reader: &mut Reader<'_>, pair: Pair<'_>) -> KeyEntry {
    let Some(table) = reader.table(&pair, "a key", KEY) else {
        return KeyEntry { id: pair.key, alg: None, secret: None, kid: None, issuer: None };
    };
    let alg = reader.required(&table, "alg", "say how it signs: `alg = \"ES256\"`");
    // The nearest name may be that of a very different algorithm.
    let help = |_: &str| {
        Some("ES256 and EdDSA tokens are verified with a public key, HS256 tokens with the secret itself".to_owned())
    };
    let alg = alg.and_then(|pair| reader.choice_or(&pair, ALGORITHMS, help)).map(|it| it.value);
    let secret =
        reader.required(&table, "secret", "name the Worker secret that holds the key: `secret = \"TIDEGATE_KEY\"`");
    let secret = secret.and_then(|pair| reader.string(&pair));
    let kid = reader.required(&table, "kid", "name the key for those who verify: `kid = \"2026-11\"`");
    let kid = kid.and_then(|pair| reader.string(&pair));
    let issuer = table.pair(reader, "issuer").and_then(|pair| reader.string(&pair));
    KeyEntry { id: pair.key, alg, secret, kid, issuer }
}

fn lints(reader: &mut Reader<'_>, pair: &Pair<'_>) -> Option<Levels> {
    let table = reader.open_table(pair, "`lints`")?;
    let mut levels = Levels::default();
    for pair in table.pairs(reader) {
        match Code::parse(&pair.key.value) {
            Some(code) if code.is_lint() => {
                if let Some(level) = reader.choice(&pair, LEVELS) {
                    levels.set(Lints::One(code), level.value);
                }
            }
            Some(code) => {
                let message = format!("`lints` has no key `{}`", code.as_str());
                let finding = Diagnostic::error(Code::UnknownKey, pair.key.span, message);
                reader.report(finding.help(format!("`{}` is an error, and errors cannot be lowered", code.as_str())));
            }
            None => {
                let known: Vec<&str> = Code::lints().map(Code::as_str).collect();
                reader.unknown_key("`lints`", &pair.key, &known);
            }
        }
    }
    Some(levels)
}

fn rules(reader: &mut Reader<'_>, root: &Table<'_>) -> Vec<super::RuleEntry> {
    let Some(pair) = root.pair(reader, "rule") else { return Vec::new() };
    if matches!(pair.value.get_ref(), DeValue::Table(_)) {
        let finding = Diagnostic::error(
            Code::WrongType,
            reader.span(pair.value),
            "`rule` must be an array of tables, not a table",
        );
        reader.report(finding.help("rules are written with two brackets: `[[rule]]`"));
        return Vec::new();
    }
    let Some(items) = reader.items(&pair, "an array of tables") else { return Vec::new() };
    items.into_iter().filter_map(|item| rule::read(reader, &item)).collect()
}

#[cfg(test)]
mod tests {
    use super::hundredths;

    #[test]
    fn a_percentage_has_at_most_two_decimals_and_ends_at_a_hundred() {
        assert_eq!(hundredths("5"), Some(500));
        assert_eq!(hundredths("0.5"), Some(50));
        assert_eq!(hundredths("12.340"), Some(1234));
        assert_eq!(hundredths("100.00"), Some(10_000));
        assert_eq!(hundredths("0"), Some(0));
        for written in ["100.01", "-1", "0.125", "nan", "inf", "1e2", "99999999999"] {
            assert_eq!(hundredths(written), None, "{written}");
        }
    }
}
