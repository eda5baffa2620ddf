//! A platform's policy, as data: every engine gets the same rules in its own language.
//!
//! ```text
//!   4 in 10   allow one customer one name and all beneath it
//!   3 in 10   allow customers with a tag one name and all beneath it, GET and POST only
//!   2 in 10   allow everybody the hosts right beneath a name (`*.name`), below one path
//!   1 in 10   deny one customer one name and all beneath it
//! ```
//!
//! What no rule allows is denied. Half of the requests are of the kind that some rule speaks of; the others differ in customer,
//! host, method or path.

use fastrand::Rng;

use crate::domains::suffixes;

/// Ten rules, of the kinds above, have a customer and a tag of their own.
const GROUP: usize = 10;

/// Whom a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Customer(String),
    Everybody,
    Tag(String),
}

/// Which hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// A name and all beneath it.
    Domain(String),
    /// One label and a name.
    OneLabelAbove(String),
}

impl Hosts {
    /// The name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Domain(name) | Self::OneLabelAbove(name) => name,
        }
    }
}

/// A rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) allow: bool,
    pub(crate) subject: Subject,
    pub(crate) hosts: Hosts,
    /// GET and POST only, or every method.
    pub(crate) reads_and_posts: bool,
    /// What paths begin with.
    pub(crate) below: Option<String>,
}

/// A request to `https://host/path` on the port of https.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) customer: String,
    pub(crate) tags: Vec<String>,
    pub(crate) method: &'static str,
    pub(crate) host: String,
    pub(crate) path: String,
}

/// So many rules.
pub(crate) fn rules(count: usize) -> Vec<Rule> {
    (0..count).map(rule).collect()
}

fn rule(number: usize) -> Rule {
    let name = |number: usize| format!("svc-{number}.zone-{}.example", number % 97);
    let group = number / GROUP;
    let rule = Rule {
        allow: true,
        subject: Subject::Customer(customer(group)),
        hosts: Hosts::Domain(name(number)),
        reads_and_posts: false,
        below: None,
    };
    match number % GROUP {
        0..4 => rule,
        4..7 => Rule { subject: Subject::Tag(tag(group)), reads_and_posts: true, ..rule },
        7..9 => Rule {
            subject: Subject::Everybody,
            hosts: Hosts::OneLabelAbove(name(number)),
            below: Some("/v1/".to_owned()),
            ..rule
        },
        // Beneath what the first rule of this customer allows.
        _ => Rule { allow: false, hosts: Hosts::Domain(format!("admin.{}", name(group * GROUP))), ..rule },
    }
}

fn customer(number: usize) -> String {
    format!("customer-{number}")
}

fn tag(number: usize) -> String {
    format!("plan-{number}")
}

/// So many requests under so many rules.
pub(crate) fn requests(rules: &[Rule], count: usize, seed: u64) -> Vec<Request> {
    let mut random = Rng::with_seed(seed);
    (0..count).map(|_| request(rules, &mut random)).collect()
}

fn request(rules: &[Rule], random: &mut Rng) -> Request {
    let rule = &rules[random.usize(..rules.len())];
    let groups = rules.len().div_ceil(GROUP);
    let some_customer = |random: &mut Rng| customer(random.usize(..groups));
    let some_tag = |random: &mut Rng| tag(random.usize(..groups));
    let meant = random.bool();
    let customer = match &rule.subject {
        Subject::Customer(name) if meant => name.clone(),
        _ => some_customer(random),
    };
    let tags = match &rule.subject {
        Subject::Tag(name) if meant => vec![name.clone(), some_tag(random)],
        _ => vec![some_tag(random), some_tag(random)],
    };
    let name = rule.hosts.name();
    let host = match random.u32(..5) {
        0 => format!("api.{name}"),
        1 if !meant => format!("a.b.{name}"),
        2 if !meant => format!("other-{name}"),
        3 if !meant => "unrelated.test-platform.example".to_owned(),
        4 if rule.allow => format!("admin.{name}"),
        _ if matches!(rule.hosts, Hosts::OneLabelAbove(_)) => format!("eu.{name}"),
        _ => name.to_owned(),
    };
    let method = ["GET", "POST", "GET", "DELETE"][random.usize(..4)];
    let path = ["/v1/items/17", "/v1/users", "/v2/items", "/"][random.usize(..4)];
    Request { customer, tags, method, host, path: path.to_owned() }
}

/// What the rules say of a request, one after another: the meaning that every engine is held to.
pub(crate) fn allowed(rules: &[Rule], request: &Request) -> bool {
    let mut allowed = false;
    for rule in rules.iter().filter(|rule| meets(rule, request)) {
        if !rule.allow {
            return false;
        }
        allowed = true;
    }
    allowed
}

fn meets(rule: &Rule, request: &Request) -> bool {
    let subject = match &rule.subject {
        Subject::Customer(name) => *name == request.customer,
        Subject::Everybody => true,
        Subject::Tag(name) => request.tags.contains(name),
    };
    let host = match &rule.hosts {
        Hosts::Domain(name) => suffixes(&request.host).any(|suffix| suffix == name),
        Hosts::OneLabelAbove(name) => request.host.split_once('.').is_some_and(|(_, rest)| rest == name),
    };
    let method = !rule.reads_and_posts || matches!(request.method, "GET" | "POST");
    let path = rule.below.as_ref().is_none_or(|below| request.path.starts_with(below));
    subject && host && method && path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_verdicts_come_at_every_size_and_every_kind_of_rule_decides_somewhere() {
        for count in [10, 1_000] {
            let rules = rules(count);
            let requests = requests(&rules, 4_000, 1);
            let allowed = requests.iter().filter(|request| allowed(&rules, request)).count();
            assert!((600..3_000).contains(&allowed), "{allowed} of 4,000 under {count} rules");
            for rule in rules.iter().take(GROUP) {
                let decides = |request: &Request| meets(rule, request);
                assert!(count > 10 || requests.iter().any(decides), "{rule:?}");
            }
        }
    }
}
