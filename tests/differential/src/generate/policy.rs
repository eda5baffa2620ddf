//! Policies: what stands in them beside rules, and which file says what.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::choices::Choices;
use super::rule;
use super::words::{
    CLAIMS, CUSTOMER_GLOBS, CUSTOMER_TEMPLATES, CUSTOMERS, HEADERS, LIST_NAMES, ODD_SECRETS, OWN_HOSTS,
    PLAIN_TEMPLATES, SECRET_TEMPLATES, SECRETS, SHARES, TAGS, TENANT_DOMAINS, VARS,
};
use crate::text::PolicyText;

/// The policy's own file and those that it extends, each with how it names the one beneath it and how it comes to the
/// lists' folder. `deep.toml` is reached twice.
const FILES: [(&str, &[&str], &str); 3] = [
    ("policy.toml", &["parts/base.toml", "parts/deep.toml"], "lists"),
    ("parts/base.toml", &["deep.toml"], "../lists"),
    ("parts/deep.toml", &[], "../lists"),
];

/// Rules of a large policy: more than there are bits in a word.
const LARGE: usize = 80;

/// Names of a long list: several blocks of the table's index.
const LONG_LIST: usize = 150;

/// What rules can name and say, the same in the whole policy.
pub(super) struct Scope {
    /// Requests say whose they are.
    pub(super) has_identity: bool,
    /// Tags that some request can have.
    pub(super) tags: Vec<&'static str>,
    pub(super) lists: Vec<String>,
    /// Hosts that many rules name, so that they meet.
    pub(super) hosts: Vec<&'static str>,
    /// There are so many rules that two of them contradict each other wherever they can.
    pub(super) is_large: bool,
    /// Headers that rules set, with the one template that all of them take: two would contradict each other where rules
    /// meet, and they meet all the time.
    pub(super) set: Vec<(&'static [&'static str], &'static str)>,
    /// Headers that rules remove and keep, and that none sets.
    pub(super) left: Vec<&'static [&'static str]>,
    /// The one `jwt` of all rules that ask for a token.
    pub(super) jwt: Option<Table>,
    /// The header that the token is in. Rules may remove it, too.
    pub(super) token: Option<&'static [&'static str]>,
}

/// Makes a policy.
pub(super) fn policy(choices: &mut Choices<'_>) -> PolicyText {
    let mut files = [Table::new(), Table::new(), Table::new()];
    let mut lists = BTreeMap::new();
    let extends = choices.percent(25);
    let place = |choices: &mut Choices<'_>| if extends { choices.below(FILES.len()) } else { 0 };

    let is_report = choices.percent(25);
    let has_identity = !choices.percent(12);
    let root = &mut files[0];
    root.insert("policy".into(), Value::Integer(1));
    root.insert("default".into(), (if choices.percent(35) { "allow" } else { "deny" }).into());
    if is_report {
        root.insert("mode".into(), "report".into());
    }
    let brings_tags = has_identity && choices.percent(70);
    identity(root, has_identity, brings_tags, choices);
    if choices.percent(40) {
        let file = place(choices);
        files[file].insert("tenant-domains".into(), strings(&choices.some(TENANT_DOMAINS, 2)));
    }

    let customers = if has_identity { customers(choices) } else { Vec::new() };
    let tags_here = |tag: &&&str| customers.iter().any(|(_, tags, _)| tags.contains(tag));
    let tags = TAGS.iter().filter(|tag| brings_tags || tags_here(tag)).copied().collect();
    for (name, tags, vars) in &customers {
        let mut customer = Table::new();
        if !tags.is_empty() {
            customer.insert("tags".into(), strings(tags));
        }
        if !vars.is_empty() {
            customer.insert("vars".into(), Value::Table(vars.clone()));
        }
        insert(&mut files[place(choices)], "customers", name, customer);
    }

    let mut list_ids = Vec::new();
    for number in 0..choices.below(3) {
        let (id, file) = (format!("l{number}"), place(choices));
        let path = format!("{id}.txt");
        let format = choices.one(&["domains", "hosts"]);
        let skips = choices.percent(30);
        lists.insert(format!("lists/{path}"), list_lines(format, skips, choices));
        let mut list = table([("file", format!("{}/{path}", FILES[file].2).into()), ("format", format.into())]);
        if skips {
            list.insert("skip".into(), strings(&["cosmetic"]));
        }
        insert(&mut files[file], "lists", &id, list);
        list_ids.push(id);
    }

    let mut keys = Vec::new();
    for number in 0..choices.one(&[0, 1, 1, 2]) {
        let id = format!("k{number}");
        let alg = choices.one(&["ES256", "HS256", "EdDSA"]);
        let mut key = table([
            ("alg", alg.into()),
            ("secret", format!("TIDEGATE_{number}").into()),
            ("kid", format!("kid {number}").into()),
        ]);
        if choices.percent(50) {
            key.insert("issuer".into(), "https://platform.example".into());
        }
        insert(&mut files[place(choices)], "keys", &id, key);
        keys.push(id);
    }

    let mut scope = Scope {
        has_identity,
        tags,
        lists: list_ids,
        hosts: choices.some(OWN_HOSTS, 3),
        is_large: choices.percent(3),
        set: Vec::new(),
        left: Vec::new(),
        jwt: jwt(&keys, has_identity, choices),
        token: None,
    };
    deal_headers(&mut scope, choices);
    if is_report && has_identity && choices.percent(60) {
        let entries = (0..=choices.below(2)).map(|_| Value::Table(enforce_for(&scope, choices))).collect();
        files[0].insert("enforce-for".into(), Value::Array(entries));
    }
    let rules = if scope.is_large { LARGE } else { 1 + choices.below(8) };
    for number in 0..rules {
        let rule = rule::rule(number, &scope, choices);
        let rules = files[place(choices)].entry("rule").or_insert_with(|| Value::Array(Vec::new()));
        rules.as_array_mut().into_iter().for_each(|rules| rules.push(Value::Table(rule.clone())));
    }

    let mut secrets: Vec<_> = SECRETS.iter().filter(|_| !choices.percent(12)).collect();
    secrets.extend(choices.any(ODD_SECRETS).filter(|_| choices.percent(12)));
    let secrets = secrets.into_iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    assemble(files, extends, lists, secrets)
}

/// Puts the files together.
fn assemble(
    files: [Table; 3],
    extends: bool,
    lists: BTreeMap<String, Vec<String>>,
    secrets: BTreeMap<String, String>,
) -> PolicyText {
    let mut files = files.into_iter().zip(FILES).map(|(mut file, (path, extended, _))| {
        if extends && !extended.is_empty() {
            file.insert("extends".into(), strings(extended));
        }
        (path.to_owned(), file)
    });
    let policy = files.next().map(|(_, file)| file).unwrap_or_default();
    let extended = if extends { files.collect() } else { BTreeMap::new() };
    PolicyText { policy, extended, lists, secrets }
}

fn identity(root: &mut Table, has_identity: bool, brings_tags: bool, choices: &mut Choices<'_>) {
    if !has_identity {
        root.insert("identity".into(), "none".into());
        return;
    }
    let mut identity = Table::new();
    if choices.percent(50) {
        identity.insert("customer".into(), "params.customer".into());
    }
    if brings_tags {
        identity.insert("tags".into(), "params.tags".into());
    }
    if !identity.is_empty() {
        root.insert("identity".into(), Value::Table(identity));
    }
}

/// Customers that the policy knows something of: name, tags, vars.
fn customers(choices: &mut Choices<'_>) -> Vec<(&'static str, Vec<&'static str>, Table)> {
    let mut customers = Vec::new();
    for &name in CUSTOMERS {
        if !choices.percent(35) {
            continue;
        }
        let tags = if choices.percent(60) { choices.some(TAGS, 2) } else { Vec::new() };
        let vars = if choices.percent(90) { choices.some(VARS, 2) } else { Vec::new() };
        let vars = vars.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        customers.push((name, tags, vars));
    }
    customers
}

/// A list's lines: entries, and what else its format has.
fn list_lines(format: &str, skips: bool, choices: &mut Choices<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if choices.percent(10) {
        let address = if format == "hosts" { "0.0.0.0 " } else { "" };
        let names = (0..LONG_LIST).map(|number| (number * 37 % 1_000, LIST_NAMES[number % 3]));
        lines.extend(names.map(|(number, name)| format!("{address}n{number}.{name}")));
    }
    for _ in 0..=choices.below(5) {
        let name = choices.one(LIST_NAMES);
        let (address, boilerplate) = match format {
            "hosts" => (choices.one(&["0.0.0.0 ", "::1\t", "127.0.0.1  "]), "127.0.0.1 localhost"),
            _ => ("", ""),
        };
        lines.push(match choices.below(12) {
            7 => format!("{address}{name}\r"),
            8 => format!("  {address}{name} # bad"),
            9 => "# comment".to_owned(),
            10 if skips => format!("{name}##.banner"),
            11 => boilerplate.to_owned(),
            _ => format!("{address}{name}"),
        });
    }
    lines
}

fn jwt(keys: &[String], has_identity: bool, choices: &mut Choices<'_>) -> Option<Table> {
    let key = choices.any(keys).filter(|_| has_identity)?;
    let ttl = choices.one(&["5m", "60s", "24h"]);
    let mut jwt =
        table([("key", key.as_str().into()), ("audience", "https://api.example.com".into()), ("ttl", ttl.into())]);
    if choices.percent(40) {
        jwt.insert("header".into(), (choices.one(&["x-token", "Authorization", "X-Tenant", "cookie"])).into());
    }
    if choices.percent(30) {
        jwt.insert("scheme".into(), (choices.one(&["", "Token"])).into());
    }
    if choices.percent(60) {
        let claims = choices.some(CLAIMS, 3).into_iter().map(|(name, value)| (name.to_owned(), value.into()));
        jwt.insert("claims".into(), Value::Table(claims.collect()));
    }
    Some(jwt)
}

/// Says of each header what the rules of this policy do with it.
fn deal_headers(scope: &mut Scope, choices: &mut Choices<'_>) {
    let token = scope.jwt.as_ref().map(|jwt| jwt.get("header").and_then(Value::as_str).unwrap_or("authorization"));
    let token = token.map(str::to_ascii_lowercase);
    for &spellings in HEADERS {
        let is_token = token.as_deref() == Some(spellings[0]);
        match choices.below(5) {
            _ if is_token => scope.token = Some(spellings),
            0..3 => scope.set.push((spellings, template(scope.has_identity, choices))),
            _ => scope.left.push(spellings),
        }
    }
}

/// A template, whose customer is known.
pub(super) fn template(has_identity: bool, choices: &mut Choices<'_>) -> &'static str {
    let of_customer = if has_identity { CUSTOMER_TEMPLATES } else { PLAIN_TEMPLATES };
    let templates = choices.one(&[PLAIN_TEMPLATES, of_customer, of_customer, SECRET_TEMPLATES]);
    choices.one(templates)
}

fn enforce_for(scope: &Scope, choices: &mut Choices<'_>) -> Table {
    let mut entry = Table::new();
    if choices.percent(40) && !scope.tags.is_empty() {
        entry.insert("tags".into(), strings(&choices.some(&scope.tags, 2)));
    }
    if choices.percent(40) {
        entry.insert("customers".into(), strings(&choices.some(CUSTOMER_GLOBS, 2)));
    }
    if (choices.percent(50) || entry.is_empty())
        && let Ok(share) = choices.one(SHARES).parse()
    {
        entry.insert("percent".into(), share);
    }
    entry
}

/// Puts a table into a section of a file.
fn insert(file: &mut Table, section: &str, name: &str, table: Table) {
    let section = file.entry(section).or_insert_with(|| Value::Table(Table::new()));
    section.as_table_mut().map(|section| section.insert(name.to_owned(), Value::Table(table)));
}

pub(super) fn table<const N: usize>(pairs: [(&str, Value); N]) -> Table {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

pub(super) fn strings(texts: &[impl AsRef<str>]) -> Value {
    Value::Array(texts.iter().map(|text| text.as_ref().into()).collect())
}
