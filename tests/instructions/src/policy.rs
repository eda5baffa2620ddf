//! A policy as large platforms have them, made up the same on every machine: 1,000 rules, a list of 100,000 names.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

const RULES: usize = 1_000;
const NAMES: usize = 100_000;
const REQUESTS: usize = 4_096;

/// Who wants what.
pub(crate) struct Request {
    pub(crate) url: String,
    pub(crate) customer: String,
    pub(crate) tags: Vec<String>,
}

/// Writes `policy.toml` and the list that it names.
pub(crate) fn write(folder: &Path) -> Result<()> {
    let list: String = (0..NAMES).map(|n| name(n) + "\n").collect();
    fs::write(folder.join("list.txt"), list).context("cannot write the list")?;
    let mut policy = "policy = 1\n\n[identity]\ncustomer = \"customer_name\"\ntags = \"customer_tags\"\n\n\
         [lists.bad]\nfile = \"list.txt\"\nformat = \"domains\"\n\n\
         [[rule]]\nid = \"listed\"\neffect = \"deny\"\nlists = [\"bad\"]\n"
        .to_owned();
    for n in 1..RULES {
        let body = match n % 4 {
            0 => format!("hosts = [\"api-{n}.partner.example\"]\npaths = [\"/v1/**\"]"),
            1 => format!("hosts = [\"*.region-{n}.example\"]\ntags = [\"plan-{}\"]", n % 5),
            2 => format!("domains = [\"shared.example\"]\ncustomers = [\"customer-{n}\"]"),
            _ => {
                format!("domains = [\"shared.example\"]\ncustomers = [\"group-{n}-*\"]\nmethods = [\"GET\", \"POST\"]")
            }
        };
        write!(policy, "\n[[rule]]\nid = \"r{n}\"\neffect = \"allow\"\n{body}\n")?;
    }
    fs::write(folder.join("policy.toml"), policy).context("cannot write the policy")
}

/// Requests of which the policy speaks, or of which it does not.
pub(crate) fn requests(hit: bool) -> Vec<Request> {
    (0..REQUESTS).map(|n| if hit { met(n) } else { missed(n) }).collect()
}

/// How many of them are allowed: a fifth of what is met is on the list, and what nothing speaks of is denied.
pub(crate) const fn allowed(hit: bool) -> usize {
    if hit { REQUESTS - REQUESTS.div_ceil(5) } else { 0 }
}

fn met(n: usize) -> Request {
    let rule = 4 * (n % 240 + 2);
    let (url, customer) = match n % 5 {
        0 => (format!("https://www.{}/index.html", name(n * 13 % NAMES)), "somebody".to_owned()),
        1 => (format!("https://api-{rule}.partner.example/v1/users?page=2"), "somebody".to_owned()),
        2 => (format!("https://eu.region-{}.example/", rule + 1), "somebody".to_owned()),
        3 => ("https://api.shared.example/v1/x".to_owned(), format!("customer-{}", rule + 2)),
        _ => ("https://shared.example/".to_owned(), format!("group-{}-{n}", rule + 3)),
    };
    Request { url, customer, tags: vec![format!("plan-{}", (rule + 1) % 5)] }
}

fn missed(n: usize) -> Request {
    let host = match n % 4 {
        // One character beside a name of the list.
        0 => format!("x{}", name(n)),
        1 => format!("{}.{}", word(n), ["com", "net", "io"][n % 3]),
        2 => format!("api.{}-{}.partner.example", word(n * 7), word(n)),
        _ => format!("cdn.assets.{}.org", word(n * 31)),
    };
    Request { url: format!("https://{host}/v1/x"), customer: format!("stranger-{n}"), tags: vec!["plan-x".to_owned()] }
}

/// A name that looks like those of public lists.
fn name(n: usize) -> String {
    let top = ["com", "com", "com", "net", "org", "ru", "xyz", "top", "info", "de", "pages.example", "co.uk"];
    let end = top[n % top.len()];
    match n % 7 {
        0 => format!("{}-{}.{end}", word(n), word(n / 3)),
        1 => format!("{}.{}.{end}", word(n / 5), word(n)),
        2 => format!("{}{}.{end}", word(n), n % 1_000),
        _ => format!("{}{}.{end}", word(n), word(n / 11)),
    }
}

/// Syllables: the digits of a scrambled number.
fn word(n: usize) -> String {
    const SYLLABLES: [&str; 16] =
        ["ma", "shop", "re", "lo", "gin", "ta", "web", "ne", "ver", "i", "fy", "car", "do", "so", "pay", "ex"];
    let mut rest = (n.wrapping_mul(0x9E37_79B9) ^ (n >> 7)) & 0xF_FFFF;
    let mut word = String::from(SYLLABLES[n % 16]);
    while rest > 0 {
        word.push_str(SYLLABLES[rest % 16]);
        rest /= 16;
    }
    word
}
