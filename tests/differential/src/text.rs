//! A policy as a tree of TOML, which becomes text, and smaller.
//!
//! Whatever finds a difference between engines ([`crate::generate`], a fuzzer) finds it in a policy that is far too
//! large to read. So there is one way to make policies smaller, for all of them: take out a rule, a key, an
//! alternative, a line of a list, as long as the difference stays ([`Smaller`]). It needs to know nothing of what a policy
//! means: what does not compile any more shows no difference, and is put back.

use std::collections::BTreeMap;

use proptest::strategy::ValueTree;
use toml::{Table, Value};

/// A policy and all that belongs to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyText {
    /// The policy itself.
    pub policy: Table,
    /// Files that it extends, by their paths beside it.
    pub extended: BTreeMap<String, Table>,
    /// The lines of list files, by their paths beside the policy.
    pub lists: BTreeMap<String, Vec<String>>,
    /// The Worker's secrets.
    pub secrets: BTreeMap<String, String>,
}

impl PolicyText {
    /// The policy itself, in TOML.
    pub fn text(&self) -> String {
        layout(&self.policy)
    }

    /// Every file beside it.
    pub fn files(&self) -> BTreeMap<String, String> {
        let extended = self.extended.iter().map(|(path, file)| (path.clone(), layout(file)));
        let lists = self.lists.iter().map(|(path, lines)| {
            let text = lines.iter().flat_map(|line| [line, "\n"]).collect();
            (path.clone(), text)
        });
        extended.chain(lists).collect()
    }

    /// The value of a secret, if the Worker has it.
    pub fn secret(&self, name: &str) -> Option<String> {
        self.secrets.get(name).cloned()
    }

    /// What the files say, said in one. That may be another policy, where rules are named in their order or paths lead
    /// elsewhere; it is for being tried.
    #[must_use]
    pub fn in_one_file(&self) -> Self {
        let mut one = self.clone();
        one.policy.remove("extends");
        for (key, value) in std::mem::take(&mut one.extended).into_values().flatten() {
            match (one.policy.get_mut(&key), value) {
                (Some(Value::Array(own)), Value::Array(extended)) => drop(own.splice(0..0, extended)),
                (Some(Value::Table(own)), Value::Table(extended)) => own.extend(extended),
                (None, value) if key != "extends" => drop(one.policy.insert(key, value)),
                _ => {}
            }
        }
        for list in one.policy.get_mut("lists").and_then(Value::as_table_mut).into_iter().flatten() {
            if let Some(Value::String(file)) = list.1.get_mut("file") {
                *file = file.trim_start_matches("../").to_owned();
            }
        }
        one
    }

    /// Without its `n`th part, in the order in which they stand, larger parts before what is in them; `None` if there are
    /// not so many.
    pub fn without(&self, n: usize) -> Option<Self> {
        let mut smaller = self.clone();
        let mut left = n;
        let mut tables = std::iter::once(&mut smaller.policy).chain(smaller.extended.values_mut());
        let taken = tables.any(|table| take_from_table(table, &mut left))
            || take_from_map(&mut smaller.extended, &mut left, |_, _| false)
            || take_from_map(&mut smaller.lists, &mut left, |lines, left| take_from_array(lines, left, |_, _| false))
            || take_from_map(&mut smaller.secrets, &mut left, |_, _| false);
        taken.then_some(smaller)
    }
}

/// A policy that becomes smaller, in the way in which proptest shrinks values.
#[derive(Debug)]
pub struct Smaller {
    /// The smallest that is known to fail, before the step that is being tried.
    failing: PolicyText,
    tried: Option<PolicyText>,
    /// How many parts are known to be needed.
    needed: usize,
}

impl Smaller {
    /// Begins with a policy.
    pub const fn new(policy: PolicyText) -> Self {
        Self { failing: policy, tried: None, needed: 0 }
    }
}

impl ValueTree for Smaller {
    type Value = PolicyText;

    fn current(&self) -> PolicyText {
        self.tried.as_ref().unwrap_or(&self.failing).clone()
    }

    /// What was tried last still fails: goes on from there.
    fn simplify(&mut self) -> bool {
        if let Some(tried) = self.tried.take() {
            self.failing = tried;
        }
        self.tried = self.failing.without(self.needed);
        self.tried.is_some()
    }

    /// What was tried last does not fail: puts that part back and tries the next.
    fn complicate(&mut self) -> bool {
        if self.tried.take().is_none() {
            return false;
        }
        self.needed += 1;
        self.tried = self.failing.without(self.needed);
        self.tried.is_some()
    }
}

/// The smallest that fails among those that a tree offers, whose current value does.
pub fn smallest<T: ValueTree>(tree: &mut T, fails: impl Fn(&T::Value) -> bool) -> T::Value {
    let mut smallest = tree.current();
    let mut more = tree.simplify();
    while more {
        let value = tree.current();
        if fails(&value) {
            smallest = value;
            more = tree.simplify();
        } else {
            more = tree.complicate();
        }
    }
    smallest
}

/// Takes the `left`th part out; false, with less `left`, if there are not so many.
fn take_from_table(table: &mut Table, left: &mut usize) -> bool {
    let keys: Vec<String> = table.keys().cloned().collect();
    for key in keys {
        if *left == 0 {
            table.remove(&key);
            return true;
        }
        *left -= 1;
        if table.get_mut(&key).is_some_and(|value| take_from(value, left)) {
            return true;
        }
    }
    false
}

fn take_from(value: &mut Value, left: &mut usize) -> bool {
    match value {
        Value::Array(items) => take_from_array(items, left, take_from),
        Value::Table(table) => take_from_table(table, left),
        _ => false,
    }
}

fn take_from_array<T>(items: &mut Vec<T>, left: &mut usize, take: impl Fn(&mut T, &mut usize) -> bool) -> bool {
    for index in 0..items.len() {
        if *left == 0 {
            items.remove(index);
            return true;
        }
        *left -= 1;
        if take(&mut items[index], left) {
            return true;
        }
    }
    false
}

fn take_from_map<T>(
    map: &mut BTreeMap<String, T>,
    left: &mut usize,
    take: impl Fn(&mut T, &mut usize) -> bool,
) -> bool {
    let keys: Vec<String> = map.keys().cloned().collect();
    for key in keys {
        if *left == 0 {
            map.remove(&key);
            return true;
        }
        *left -= 1;
        if map.get_mut(&key).is_some_and(|value| take(value, left)) {
            return true;
        }
    }
    false
}

/// A policy file as people write it: settings first, then the tables, then the rules, each on lines of its own.
fn layout(file: &Table) -> String {
    let mut text = String::new();
    let is_section = |key: &str, value: &Value| match value {
        Value::Array(_) => key == "rule",
        Value::Table(_) => true,
        _ => false,
    };
    lines(&mut text, file.iter().filter(|(key, value)| !is_section(key, value)));
    for (section, value) in file.iter().filter(|(key, value)| is_section(key, value)) {
        match value {
            Value::Array(rules) => {
                for rule in rules.iter().filter_map(Value::as_table) {
                    text.push_str("\n[[rule]]\n");
                    let is_first = |key: &str| matches!(key, "id" | "effect");
                    lines(&mut text, rule.iter().filter(|(key, _)| is_first(key)).rev());
                    lines(&mut text, rule.iter().filter(|(key, _)| !is_first(key)));
                }
            }
            Value::Table(table) if section == "identity" => {
                text.push_str("\n[identity]\n");
                lines(&mut text, table.iter());
            }
            Value::Table(tables) => {
                for (name, table) in tables {
                    text.extend(["\n[", section, ".", &key_text(name), "]\n"]);
                    lines(&mut text, table.as_table().into_iter().flatten());
                }
            }
            _ => {}
        }
    }
    text.trim_start().to_owned()
}

fn lines<'v>(text: &mut String, pairs: impl Iterator<Item = (&'v String, &'v Value)>) {
    for (key, value) in pairs {
        text.extend([&key_text(key), " = ", &value.to_string(), "\n"]);
    }
}

/// A key, quoted where it must be.
pub(crate) fn key_text(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_bare { key.to_owned() } else { Value::from(key).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> PolicyText {
        let policy = r#"
            policy = 1
            identity = { customer = "c" }
            customers = { "a b" = { tags = ["t"] } }
            rule = [{ id = "r", effect = "deny", except = [{ hosts = ["x", "y"] }] }, { id = "s" }]
        "#;
        PolicyText {
            policy: policy.parse().unwrap(),
            extended: BTreeMap::from([("base.toml".to_owned(), "rule = [{ id = \"b\" }]".parse().unwrap())]),
            lists: BTreeMap::from([("l.txt".to_owned(), vec!["a".to_owned(), "b".to_owned()])]),
            secrets: BTreeMap::from([("K".to_owned(), "v".to_owned())]),
        }
    }

    #[test]
    fn the_text_is_the_tree() {
        let policy = policy();
        assert_eq!(policy.text().parse::<Table>().unwrap(), policy.policy, "{}", policy.text());
        assert!(policy.text().contains("\n[[rule]]\nid = \"r\"\neffect = \"deny\"\n"), "{}", policy.text());
        assert_eq!(policy.files()["l.txt"], "a\nb\n");
    }

    #[test]
    fn a_policy_shrinks_to_what_the_failure_needs() {
        let fails = |policy: &PolicyText| policy.text().contains("\"y\"") && policy.files().contains_key("l.txt");
        let smallest = smallest(&mut Smaller::new(policy()), fails);
        assert_eq!(smallest.text(), "[[rule]]\nexcept = [{ hosts = [\"y\"] }]\n");
        assert_eq!(smallest.files(), BTreeMap::from([("l.txt".to_owned(), String::new())]));
        assert!(smallest.secrets.is_empty());
    }

    #[test]
    fn a_policy_of_several_files_can_be_said_in_one() {
        let mut policy = policy();
        policy.extended.insert(
            "parts/lists.toml".to_owned(),
            "extends = [\"x.toml\"]\nlists = { l = { file = \"../l.txt\" } }\ncustomers = { b = {} }".parse().unwrap(),
        );
        let one = policy.in_one_file();
        assert!(one.extended.is_empty() && one.lists == policy.lists);
        let expected = r#"
            policy = 1
            identity = { customer = "c" }
            customers = { "a b" = { tags = ["t"] }, b = {} }
            lists = { l = { file = "l.txt" } }
            rule = [{ id = "b" }, { id = "r", effect = "deny", except = [{ hosts = ["x", "y"] }] }, { id = "s" }]
        "#;
        assert_eq!(one.policy, expected.parse().unwrap());
    }

    #[test]
    fn what_fails_whatever_is_taken_out_shrinks_to_nothing() {
        assert_eq!(smallest(&mut Smaller::new(policy()), |_| true), PolicyText::default());
    }
}
