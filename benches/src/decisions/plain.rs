//! By hand: what a good engineer writes in a day, for these kinds of rules and no others. Maps by customer, tag and name.

use std::time::Instant;

use hashbrown::HashMap;

use super::policy::{Hosts, Request, Rule, Subject};
use super::{Engine, prepared};
use crate::domains::suffixes;

#[derive(Default)]
struct Matcher {
    permit: Rules,
    forbid: Rules,
}

/// Rules by whom they are for, then by name.
#[derive(Default)]
struct Rules {
    customers: HashMap<String, HashMap<String, Vec<Terms>>>,
    tags: HashMap<String, HashMap<String, Vec<Terms>>>,
    everybody: HashMap<String, Vec<Terms>>,
    /// `*.name`, of everybody.
    parents: HashMap<String, Vec<Terms>>,
}

/// What else a rule asks.
struct Terms {
    reads_and_posts: bool,
    below: Option<String>,
}

impl Terms {
    fn meet(&self, request: &Request) -> bool {
        (!self.reads_and_posts || matches!(request.method, "GET" | "POST"))
            && self.below.as_ref().is_none_or(|below| request.path.starts_with(below))
    }
}

impl Rules {
    fn meet(&self, request: &Request) -> bool {
        let any = |terms: Option<&Vec<Terms>>| terms.is_some_and(|terms| terms.iter().any(|terms| terms.meet(request)));
        let beneath =
            |names: &HashMap<String, Vec<Terms>>| suffixes(&request.host).any(|suffix| any(names.get(suffix)));
        self.customers.get(&request.customer).is_some_and(beneath)
            || request.tags.iter().any(|tag| self.tags.get(tag).is_some_and(beneath))
            || (!self.everybody.is_empty() && beneath(&self.everybody))
            || request.host.split_once('.').is_some_and(|(_, parent)| any(self.parents.get(parent)))
    }
}

pub(super) fn engine(rules: &[Rule], requests: &[Request]) -> Engine<'static> {
    let started = Instant::now();
    let mut matcher = Matcher::default();
    for rule in rules {
        let side = if rule.allow { &mut matcher.permit } else { &mut matcher.forbid };
        let names = match (&rule.subject, &rule.hosts) {
            (_, Hosts::OneLabelAbove(_)) => &mut side.parents,
            (Subject::Customer(customer), _) => side.customers.entry(customer.clone()).or_default(),
            (Subject::Tag(tag), _) => side.tags.entry(tag.clone()).or_default(),
            (Subject::Everybody, _) => &mut side.everybody,
        };
        let terms = Terms { reads_and_posts: rule.reads_and_posts, below: rule.below.clone() };
        names.entry(rule.hosts.name().to_owned()).or_default().push(terms);
    }
    let build = started.elapsed().as_secs_f64();
    let requests = requests.to_vec();
    let decide = move |number: usize| {
        let request = &requests[number];
        !matcher.forbid.meet(request) && matcher.permit.meet(request)
    };
    Engine { name: "by hand", build, bytes: None, decide: prepared(decide) }
}
