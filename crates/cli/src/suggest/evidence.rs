//! What was denied, gathered in memory that a log cannot grow without end.
//!
//! Tenants choose what they ask for, and may ask for anything: what goes beyond the limits here is counted and left out.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;
use tidegate_engine::Reason;
use tidegate_engine::canonical::{PathReading, Scheme};
use tidegate_test::instant::Seconds;

use super::paths::{Methods, Paths};
use crate::log::Place;
use crate::replay::{Outcome, Verdict};

/// The most hosts (with scheme, port and so on) that are told apart.
const MAX_SITES: usize = 2_000;

/// The most customers of one site that are told apart.
const MAX_CUSTOMERS: usize = 200;

/// The most customers of a log that are told apart.
const MAX_ALL_CUSTOMERS: usize = 100_000;

/// The most deny rules that are told apart.
const MAX_RULES: usize = 1_000;

/// Requests that are kept of each site as examples.
const SAMPLES: usize = 6;

/// A request that may have been denied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) at: Option<Seconds>,
    pub(crate) customer: Option<&'a str>,
    pub(crate) tags: Option<&'a [String]>,
    pub(crate) method: &'a str,
    pub(crate) place: &'a Place,
    pub(crate) upgrade: bool,
    /// Deny rules that matched and were not enforced.
    pub(crate) would_deny: &'a [String],
}

/// Whom a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every customer.
    Everybody,
    /// Those who asked.
    Customers,
    /// Those with the tags that all who asked have.
    Tags,
}

/// What became of a request here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// A deny rule said so, and goes on saying it.
    ByRule,
    /// There is a rule for it now.
    In,
    /// It cannot be proposed.
    LeftOut(LeftOut),
    /// It was not denied.
    NotDenied,
    /// A host that must be named exactly: proposed, but commented out.
    Special,
}

/// Why a denied request is not proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LeftOut {
    /// No rule with paths can be certain.
    AmbiguousPath,
    /// No rule can name the customer exactly.
    Customer,
    /// No rule can name the method.
    Method,
    /// No rule changes the reason.
    Reason,
    /// Beyond [`MAX_SITES`].
    TooManyHosts,
}

/// Everything that was denied.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(super) scope: Scope,
    /// Whether the policy that the rules will join lets requests name nobody.
    nobody_may_ask: bool,
    pub(super) sites: BTreeMap<Site, Denials>,
    /// Those of hosts that must be named exactly.
    pub(super) special: BTreeMap<Site, Denials>,
    pub(super) by_rule: BTreeMap<String, Seen>,
    pub(super) left_out: BTreeMap<LeftOut, u64>,
    /// Names of methods, by number.
    pub(super) methods: Vec<String>,
    /// Everybody who asked for anything, denied or not.
    pub(super) customers: HashSet<String>,
    /// The tags that all who asked have; `None` before anybody did.
    pub(super) tags_of_all: Option<BTreeSet<String>>,
    /// Denials, whatever became of them.
    pub(crate) denied: u64,
    /// Proposals for requests that name nobody.
    pub(super) of_nobody: u64,
    /// Records that do not say their scheme.
    pub(super) without_scheme: u64,
    pub(super) seen: Seen,
}

/// What one rule can be about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Site {
    pub(super) host: String,
    pub(super) is_http: bool,
    pub(super) port: u16,
    pub(super) upgrade: bool,
    /// The paths hold `%2F` or `%25`.
    pub(super) encoded: bool,
}

/// What was denied at one site.
#[derive(Clone, Debug, Default)]
pub(super) struct Denials {
    pub(super) seen: Seen,
    pub(super) paths: Paths,
    /// The tags that all who asked have; `None` before anybody did.
    pub(super) tags: Option<BTreeSet<String>>,
}

/// Requests in numbers and examples.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) count: u64,
    pub(super) first: Option<Seconds>,
    pub(super) last: Option<Seconds>,
    pub(super) customers: BTreeMap<String, u64>,
    /// Requests of customers beyond those, or of nobody.
    pub(super) of_others: u64,
    /// Method and URL, no two alike.
    pub(super) samples: Vec<(String, String)>,
}

impl Evidence {
    /// None yet. `nobody_may_ask`: the policy that the rules will join knows no customers, or is not known itself.
    pub(crate) fn new(scope: Scope, nobody_may_ask: bool) -> Self {
        Self {
            scope,
            nobody_may_ask,
            sites: BTreeMap::new(),
            special: BTreeMap::new(),
            by_rule: BTreeMap::new(),
            left_out: BTreeMap::new(),
            methods: Vec::new(),
            customers: HashSet::new(),
            tags_of_all: None,
            denied: 0,
            of_nobody: 0,
            without_scheme: 0,
            seen: Seen::default(),
        }
    }

    /// Takes in a request and what became of it.
    pub(crate) fn take(&mut self, asked: &Asked<'_>, verdict: &Verdict) -> Taken {
        if let Some(customer) = asked.customer
            && self.customers.len() < MAX_ALL_CUSTOMERS
            && !self.customers.contains(customer)
        {
            self.customers.insert(customer.to_owned());
        }
        intersect(&mut self.tags_of_all, asked.tags);
        let taken = self.sort(asked, verdict);
        if taken != Taken::NotDenied {
            self.denied += 1;
            self.seen.add(asked);
        }
        if let Taken::LeftOut(why) = taken {
            *self.left_out.entry(why).or_default() += 1;
        }
        taken
    }

    /// Takes note of a denial of which nothing can be proposed.
    pub(crate) fn leave_out(&mut self, why: LeftOut) {
        self.denied += 1;
        *self.left_out.entry(why).or_default() += 1;
    }

    fn sort(&mut self, asked: &Asked<'_>, verdict: &Verdict) -> Taken {
        if verdict.outcome == Outcome::Allowed {
            return Taken::NotDenied;
        }
        let denying = verdict.because.iter().filter_map(|because| because.rule.as_ref()).chain(asked.would_deny);
        let is_by_rule = verdict.because.iter().any(|because| because.reason == Reason::Rule.as_str());
        if is_by_rule || !asked.would_deny.is_empty() {
            for rule in denying.collect::<BTreeSet<_>>() {
                if self.by_rule.contains_key(rule) || self.by_rule.len() < MAX_RULES {
                    self.by_rule.entry(rule.clone()).or_default().add(asked);
                }
            }
            return Taken::ByRule;
        }
        let is_for = |reason: Reason| verdict.because.iter().any(|because| because.reason == reason.as_str());
        if !is_for(Reason::Default) && !is_for(Reason::SpecialHost) {
            return Taken::LeftOut(LeftOut::Reason);
        }
        self.propose(asked).unwrap_or_else(Taken::LeftOut)
    }

    fn propose(&mut self, asked: &Asked<'_>) -> Result<Taken, LeftOut> {
        let Asked { customer, place, .. } = *asked;
        let method = self.method(asked.method).ok_or(LeftOut::Method)?;
        if customer.is_some_and(|name| name.is_empty() || name.len() > 256 || name.chars().any(char::is_control)) {
            return Err(LeftOut::Customer);
        }
        // In rules `*` is any run.
        let is_known = match self.scope {
            Scope::Customers => customer.is_some_and(|name| !name.contains('*')),
            Scope::Everybody => self.nobody_may_ask || customer.is_some(),
            Scope::Tags => customer.is_some() && asked.tags.is_some(),
        };
        if !is_known {
            return Err(LeftOut::Customer);
        }
        if place.reading == PathReading::Ambiguous {
            return Err(LeftOut::AmbiguousPath);
        }
        let (scheme, port) = place.assumed_origin();
        let site = Site {
            host: place.host.clone(),
            is_http: scheme == Scheme::Http,
            port,
            upgrade: asked.upgrade,
            encoded: place.reading == PathReading::EncodedSlashOrPercent,
        };
        let sites = if place.is_special { &mut self.special } else { &mut self.sites };
        if sites.len() >= MAX_SITES && !sites.contains_key(&site) {
            return Err(LeftOut::TooManyHosts);
        }
        let denials = sites.entry(site).or_default();
        if self.scope == Scope::Customers && !denials.seen.has_room_for(customer) {
            return Err(LeftOut::Customer);
        }
        self.of_nobody += u64::from(customer.is_none());
        self.without_scheme += u64::from(place.origin.is_none());
        denials.seen.add(asked);
        denials.paths.insert(&place.path, method);
        intersect(&mut denials.tags, asked.tags);
        Ok(if place.is_special { Taken::Special } else { Taken::In })
    }

    /// A method by its number; `None` for one that no rule can name, or one too many.
    fn method(&mut self, name: &str) -> Option<Methods> {
        let name = name.to_ascii_uppercase();
        if let Some(number) = self.methods.iter().position(|known| *known == name) {
            return Some(Methods(1 << number));
        }
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&byte);
        let can_be_named = (1..=32).contains(&name.len()) && name.bytes().all(is_token) && name != "TRACE";
        if !can_be_named || self.methods.len() >= 32 {
            return None;
        }
        self.methods.push(name);
        Some(Methods(1 << (self.methods.len() - 1)))
    }

    /// The names of methods, sorted.
    pub(super) fn names(&self, methods: Methods) -> Vec<&str> {
        let mut names: Vec<_> = self
            .methods
            .iter()
            .enumerate()
            .filter(|(number, _)| methods.0 & (1 << number) != 0)
            .map(|(_, name)| name.as_str())
            .collect();
        names.sort_unstable();
        names
    }
}

impl Denials {
    /// Adds those of another site.
    pub(super) fn merge(&mut self, other: Self) {
        self.seen.merge(other.seen);
        self.paths.merge(other.paths);
        if let Some(tags) = other.tags {
            let tags: Vec<_> = tags.into_iter().collect();
            intersect(&mut self.tags, Some(&tags));
        }
    }
}

impl Seen {
    fn has_room_for(&self, customer: Option<&str>) -> bool {
        self.customers.len() < MAX_CUSTOMERS || customer.is_some_and(|name| self.customers.contains_key(name))
    }

    fn add(&mut self, asked: &Asked<'_>) {
        self.count += 1;
        self.note_time(asked.at);
        match asked.customer {
            Some(name) if self.customers.contains_key(name) || self.customers.len() < MAX_CUSTOMERS => {
                *self.customers.entry(name.to_owned()).or_default() += 1;
            }
            _ => self.of_others += 1,
        }
        if self.samples.len() < SAMPLES {
            let url = asked.place.as_recorded();
            if !self.samples.iter().any(|(method, known)| method == asked.method && *known == url) {
                self.samples.push((asked.method.to_owned(), url));
            }
        }
    }

    fn note_time(&mut self, at: Option<Seconds>) {
        self.first = [self.first, at].into_iter().flatten().min();
        self.last = self.last.max(at);
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.note_time(other.first);
        self.note_time(other.last);
        // More than any one site has: what is folded stays scoped to all of them.
        for (name, count) in other.customers {
            *self.customers.entry(name).or_default() += count;
        }
        self.of_others += other.of_others;
        self.samples.extend(other.samples.into_iter().take(SAMPLES.saturating_sub(self.samples.len())));
    }
}

/// Keeps of `common` what these tags hold; unknown tags hold nothing.
fn intersect(common: &mut Option<BTreeSet<String>>, tags: Option<&[String]>) {
    let tags = tags.unwrap_or_default();
    match common {
        Some(common) => common.retain(|tag| tags.contains(tag)),
        None => *common = Some(tags.iter().cloned().collect()),
    }
}
