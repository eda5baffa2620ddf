//! What is worth asking a policy: for each rule, values that its conditions hold of.

use std::collections::BTreeSet;

use tidegate_compiler::checked::{
    AnyRunGlob, CheckedPolicy, Condition, HostCondition, HostPattern, List, PathPattern, Scheme,
};

use super::words::{CUSTOMERS, CUSTOMERS_AT_SHARES, HOST_REGEXES, METHODS, PATH_REGEXES};

/// Names of one list that are asked, from its beginning to its end; lists may be long.
const LIST_NAMES: usize = 8;

/// What is worth asking a policy.
#[derive(Clone, Debug)]
pub struct Hints {
    /// One for each rule, and one for each of its exceptions.
    pub(super) aims: Vec<Aim>,
    /// Hosts of all the rules, and of what else the policy names.
    pub(super) hosts: Vec<String>,
    pub(super) paths: Vec<String>,
    pub(super) customers: Vec<String>,
    pub(super) tags: Vec<String>,
    /// Headers that some rule asks for, sets, removes, or keeps.
    pub(super) headers: Vec<String>,
    pub(super) has_identity: bool,
}

/// Values that a rule's conditions hold of, dimension by dimension; of one that is not named there are none.
#[derive(Clone, Debug, Default)]
pub(super) struct Aim {
    pub(super) hosts: Vec<String>,
    pub(super) schemes: Vec<Scheme>,
    pub(super) ports: Vec<u16>,
    pub(super) methods: Vec<String>,
    pub(super) paths: Vec<String>,
    pub(super) headers: Vec<(String, Vec<String>)>,
    pub(super) customers: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) websocket: bool,
    /// The day from which the rule no longer matches.
    pub(super) expires: Option<i32>,
}

impl Hints {
    /// Looks a policy through.
    pub fn of(policy: &CheckedPolicy) -> Self {
        let mut aims = Vec::new();
        let mut headers = BTreeSet::new();
        for rule in &policy.rules {
            let mut aim = Aim::of(&rule.condition, &policy.lists);
            aim.websocket = rule.websocket;
            aim.expires = rule.expires;
            for except in &rule.except {
                aims.push(aim.narrowed(Aim::of(except, &policy.lists)));
            }
            aims.push(aim);
            let obligations = &rule.obligations;
            headers.extend(obligations.set.iter().map(|(name, _)| name).chain(&obligations.remove).cloned());
            headers.extend(obligations.keep.iter().chain(obligations.jwt.iter().map(|jwt| &jwt.header)).cloned());
            headers.extend(rule.condition.headers.iter().map(|(name, _)| name.clone()));
        }
        let all = |of: fn(&Aim) -> &Vec<String>| aims.iter().flat_map(of).cloned().collect::<BTreeSet<_>>();
        let mut hosts = all(|aim| &aim.hosts);
        hosts.extend(policy.tenant_domains.iter().cloned());
        let mut customers = all(|aim| &aim.customers);
        customers.extend(policy.customers.keys().cloned());
        customers.extend(CUSTOMERS.iter().map(|&name| name.to_owned()));
        if policy.enforce_for.iter().any(|entry| entry.percent.is_some()) {
            customers.extend(CUSTOMERS_AT_SHARES.iter().map(|&name| name.to_owned()));
        }
        let mut tags = all(|aim| &aim.tags);
        tags.extend(policy.enforce_for.iter().flat_map(|entry| entry.tags.iter().flatten()).cloned());
        Self {
            hosts: hosts.into_iter().collect(),
            paths: all(|aim| &aim.paths).into_iter().collect(),
            customers: customers.into_iter().collect(),
            tags: tags.into_iter().collect(),
            headers: headers.into_iter().collect(),
            has_identity: policy.identity.is_some(),
            aims,
        }
    }
}

impl Aim {
    fn of(condition: &Condition, lists: &[List]) -> Self {
        Self {
            hosts: condition.hosts.iter().flat_map(|hosts| host_samples(hosts, lists)).collect(),
            schemes: condition.schemes.clone().unwrap_or_default(),
            ports: condition.ports.clone().unwrap_or_default(),
            methods: condition.methods.clone().unwrap_or_default(),
            paths: condition.paths.iter().flatten().flat_map(path_samples).collect(),
            headers: condition
                .headers
                .iter()
                .map(|(name, values)| (name.clone(), values.iter().flat_map(any_run).collect()))
                .collect(),
            customers: condition
                .customers
                .iter()
                .flatten()
                .flat_map(any_run)
                .filter(|customer| !customer.is_empty())
                .collect(),
            tags: condition.tags.clone().unwrap_or_default(),
            websocket: false,
            expires: None,
        }
    }

    /// What an exception names instead of what the rule does.
    fn narrowed(&self, except: Self) -> Self {
        let mut aim = self.clone();
        let take = |own: &mut Vec<String>, other: Vec<String>| {
            if !other.is_empty() {
                *own = other;
            }
        };
        take(&mut aim.hosts, except.hosts);
        take(&mut aim.methods, except.methods);
        take(&mut aim.paths, except.paths);
        take(&mut aim.customers, except.customers);
        take(&mut aim.tags, except.tags);
        if !except.schemes.is_empty() {
            aim.schemes = except.schemes;
        }
        if !except.ports.is_empty() {
            aim.ports = except.ports;
        }
        aim.headers.retain(|(name, _)| !except.headers.iter().any(|(other, _)| other == name));
        aim.headers.extend(except.headers);
        aim
    }

    /// A method that the rule takes, if it asks for one; else the usual ones.
    pub(super) fn usual_methods(&self) -> Vec<&str> {
        if self.methods.is_empty() { METHODS.to_vec() } else { self.methods.iter().map(String::as_str).collect() }
    }
}

fn host_samples(hosts: &HostCondition, lists: &[List]) -> Vec<String> {
    let mut samples = hosts.exact.clone();
    for name in &hosts.domains {
        samples.extend([name.clone(), format!("x.{name}")]);
    }
    for pattern in &hosts.patterns {
        match pattern {
            HostPattern::Glob(glob) => samples.extend(host_glob(&glob.text)),
            HostPattern::Regex(regex) => samples.extend(known_samples(HOST_REGEXES, &regex.text)),
        }
    }
    for list in hosts.lists.iter().map(|&list| &lists[list]) {
        for (name, ..) in list.entries().step_by(list.len() / LIST_NAMES + 1) {
            samples.extend([name.to_owned(), format!("y.{name}")]);
        }
    }
    samples
}

fn path_samples(pattern: &PathPattern) -> Vec<String> {
    match pattern {
        PathPattern::Glob(glob) => path_glob(&glob.text),
        PathPattern::Regex(regex) => known_samples(PATH_REGEXES, &regex.text),
    }
}

/// What a regex of our own matches; of another's, that is not known.
fn known_samples(regexes: &[(&str, &[&str])], text: &str) -> Vec<String> {
    let samples = regexes.iter().filter(|(regex, _)| *regex == text).flat_map(|(_, samples)| *samples);
    samples.map(|&sample| sample.to_owned()).collect()
}

fn host_glob(glob: &str) -> Vec<String> {
    let fill = |labels: &str, run: &str| {
        let filled =
            glob.split('.').map(|label| if label == "**" { labels.to_owned() } else { label.replace('*', run) });
        filled.collect::<Vec<_>>().join(".")
    };
    if glob.contains('*') { vec![fill("x", "x"), fill("x.y", "1-b"), fill("api", "b")] } else { vec![glob.to_owned()] }
}

fn path_glob(glob: &str) -> Vec<String> {
    let fill = |inner: &str, last: &str, run: &str| {
        let mut path = String::new();
        let mut segments = glob.split('/').skip(1).peekable();
        while let Some(segment) = segments.next() {
            match (segment, segments.peek()) {
                ("**", Some(_)) => path.push_str(inner),
                ("**", None) => path.push_str(last),
                _ => {
                    path.push('/');
                    path.push_str(&segment.replace('*', run));
                }
            }
        }
        path
    };
    if glob.contains('*') {
        vec![fill("", "/x", "x"), fill("/x", "/", ""), fill("/x/y", "/users/7", "users")]
    } else {
        vec![glob.to_owned()]
    }
}

fn any_run(glob: &AnyRunGlob) -> Vec<String> {
    let text = &glob.0.text;
    if glob.literal().is_some() {
        return vec![text.clone()];
    }
    ["1", "", "a/b"].iter().map(|run| text.replace('*', run)).collect()
}
