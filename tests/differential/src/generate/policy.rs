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

/// Rules of a large policy: with a host of its own in most of them, these are more sets of hosts than a word has bits.
const LARGE: usize = 120;

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
    let mut files = Files { tables: Default::default(), extends: choices.percent(25) };
    let is_report = choices.percent(25);
    let has_identity = !choices.percent(12);
    let root = &mut files.tables[0];
    root.insert("policy".into(), Value::Integer(1));
    root.insert("default".into(), (if choices.percent(35) { "allow" } else { "deny" }).into());
    if is_report {
        root.insert("mode".into(), "report".into());
    }
    let brings_tags = has_identity && choices.percent(70);
    identity(root, has_identity, brings_tags, choices);
    if choices.percent(40) {
        let file = files.any(choices);
        files.tables[file].insert("tenant-domains".into(), strings(&choices.some(TENANT_DOMAINS, 2)));
    }

    let tags_here = if has_identity { customers(&mut files, choices) } else { Vec::new() };
    let (list_ids, lists) = lists(&mut files, choices);
    let keys = keys(&mut files, choices);
    let mut scope = Scope {
        has_identity,
        tags: TAGS.iter().filter(|tag| brings_tags || tags_here.contains(tag)).copied().collect(),
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
        files.tables[0].insert("enforce-for".into(), Value::Array(entries));
    }
    let rules = if scope.is_large { LARGE } else { 1 + choices.below(8) };
    for number in 0..rules {
        let rule = rule::rule(number, &scope, choices);
        let file = files.any(choices);
        if let Value::Array(rules) = files.tables[file].entry("rule").or_insert_with(|| Value::Array(Vec::new())) {
            rules.push(Value::Table(rule));
        }
    }

    let mut secrets: Vec<_> = SECRETS.iter().filter(|_| !choices.percent(12)).collect();
    secrets.extend(choices.any(ODD_SECRETS).filter(|_| choices.percent(12)));
    let secrets = secrets.into_iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let (policy, extended) = files.finish();
    PolicyText { policy, extended, lists, secrets }
}

/// The policy's files while they are being made, in the order of [`FILES`].
struct Files {
    tables: [Table; 3],
    /// There are others than the policy itself.
    extends: bool,
}

impl Files {
    /// One of them, for the next thing to stand in.
    fn any(&self, choices: &mut Choices<'_>) -> usize {
        if self.extends { choices.below(FILES.len()) } else { 0 }
    }

    /// Puts a table into a section of one of them.
    fn insert(&mut self, file: usize, section: &str, name: &str, table: Table) {
        let section = self.tables[file].entry(section).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(section) = section {
            section.insert(name.to_owned(), Value::Table(table));
        }
    }

    /// The policy itself, and what it extends.
    fn finish(self) -> (Table, BTreeMap<String, Table>) {
        let mut files = self.tables.into_iter().zip(FILES).map(|(mut file, (path, extended, _))| {
            if self.extends && !extended.is_empty() {
                file.insert("extends".into(), strings(extended));
            }
            (path.to_owned(), file)
        });
        let policy = files.next().map(|(_, file)| file).unwrap_or_default();
        (policy, if self.extends { files.collect() } else { BTreeMap::new() })
    }
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
    if choices.percent(40) {
        identity.insert("vars".into(), "params.vars".into());
    }
    if !identity.is_empty() {
        root.insert("identity".into(), Value::Table(identity));
    }
}

/// `[customers]`: what the policy knows of some. Says which tags they have.
fn customers(files: &mut Files, choices: &mut Choices<'_>) -> Vec<&'static str> {
    let mut all_tags = Vec::new();
    for &name in CUSTOMERS {
        if !choices.percent(35) {
            continue;
        }
        let mut customer = Table::new();
        if choices.percent(60) {
            let tags = choices.some(TAGS, 2);
            customer.insert("tags".into(), strings(&tags));
            all_tags.extend(tags);
        }
        if choices.percent(90) {
            let vars = choices.some(VARS, 2).into_iter().map(|(name, value)| (name.to_owned(), value.into()));
            customer.insert("vars".into(), Value::Table(vars.collect()));
        }
        let file = files.any(choices);
        files.insert(file, "customers", name, customer);
    }
    all_tags
}

/// `[lists]`: their ids, and the files that hold them.
fn lists(files: &mut Files, choices: &mut Choices<'_>) -> (Vec<String>, BTreeMap<String, Vec<String>>) {
    let (mut ids, mut lists) = (Vec::new(), BTreeMap::new());
    for number in 0..choices.below(3) {
        let (id, file) = (format!("l{number}"), files.any(choices));
        let format = choices.one(&["domains", "hosts", "adblock", "dnsmasq", "rpz", "rpz"]);
        let skips = choices.percent(30);
        lists.insert(format!("lists/{id}.txt"), list_lines(format, skips, choices));
        let mut list = table([("file", format!("{}/{id}.txt", FILES[file].2).into()), ("format", format.into())]);
        if skips {
            list.insert("skip".into(), strings(&[skipped_line(format).0]));
        }
        files.insert(file, "lists", &id, list);
        ids.push(id);
    }
    (ids, lists)
}

/// `[keys]`: their ids.
fn keys(files: &mut Files, choices: &mut Choices<'_>) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..choices.one(&[0, 1, 1, 2]) {
        let id = format!("k{number}");
        let mut key = table([
            ("alg", choices.one(&["ES256", "HS256", "EdDSA"]).into()),
            ("secret", format!("TIDEGATE_{number}").into()),
            ("kid", format!("kid {number}").into()),
        ]);
        if choices.percent(50) {
            key.insert("issuer".into(), "https://platform.example".into());
        }
        let file = files.any(choices);
        files.insert(file, "keys", &id, key);
        ids.push(id);
    }
    ids
}

/// A list's lines: entries, and what else its format has.
fn list_lines(format: &str, skips: bool, choices: &mut Choices<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if choices.percent(10) {
        let names = (0..LONG_LIST).map(|number| format!("n{}.{}", number * 37 % 1_000, LIST_NAMES[number % 3]));
        lines.extend(names.map(|name| entry(format, &name, 0)));
    }
    let (comment, boilerplate) = match format {
        "adblock" => ("! comment", "[Adblock Plus 2.0]"),
        "hosts" => ("# comment", "127.0.0.1 localhost"),
        "rpz" => ("; comment", "@ SOA . . 1 1 1 1 1"),
        _ => ("# comment", ""),
    };
    for _ in 0..=choices.below(5) {
        let entry = entry(format, choices.one(LIST_NAMES), choices.below(3));
        lines.push(match choices.below(12) {
            7 => format!("{entry}\r"),
            8 if format == "rpz" => format!("{entry} ; bad"),
            8 if format == "adblock" => format!("  {entry}"),
            8 => format!("  {entry} # bad"),
            9 => comment.to_owned(),
            10 if skips => skipped_line(format).1.to_owned(),
            11 => boilerplate.to_owned(),
            _ => entry,
        });
    }
    lines
}

/// One way to write an entry.
fn entry(format: &str, name: &str, way: usize) -> String {
    // In these formats a dot at the end has a meaning.
    let name = if matches!(format, "adblock" | "rpz") { name.trim_end_matches('.') } else { name };
    match (format, way) {
        ("adblock", 1) => format!("||{name}^$all"),
        ("adblock", _) => format!("||{name}^"),
        ("dnsmasq", 0) => format!("address=/{name}/"),
        ("dnsmasq", 1) => format!("local=/{name}/"),
        ("dnsmasq", _) => format!("server=/other.example/{name}/"),
        ("hosts", 0) => format!("0.0.0.0 {name}"),
        ("hosts", 1) => format!("::1\t{name}"),
        ("hosts", _) => format!("127.0.0.1  {name}"),
        ("rpz", 0) => format!("{name} CNAME ."),
        ("rpz", 1) => format!("*.{name} CNAME ."),
        ("rpz", _) => format!("{name} 60 IN A 0.0.0.0"),
        _ => name.to_owned(),
    }
}

/// A kind of line that `skip` can name, and such a line.
fn skipped_line(format: &str) -> (&'static str, &'static str) {
    match format {
        "adblock" => ("path", "||api.example.com/ads/"),
        "dnsmasq" => ("exception", "server=/api.example.com/#"),
        "rpz" => ("exception", "api.example.com CNAME rpz-passthru."),
        _ => ("cosmetic", "api.example.com##.banner"),
    }
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

pub(super) fn table<const N: usize>(pairs: [(&str, Value); N]) -> Table {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

pub(super) fn strings(texts: &[impl AsRef<str>]) -> Value {
    Value::Array(texts.iter().map(|text| text.as_ref().into()).collect())
}
