//! Explanations say what was decided, and alternatives what their dimension says: on generated policies and requests.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tidegate_compiler::alternatives::{self, Key, Values};
use tidegate_compiler::checked::{CheckedPolicy, Condition, Scheme};
use tidegate_differential::generate::{self, Hints};
use tidegate_differential::{Compiled, Folder, Request};
use tidegate_engine::canonical::Scheme as JudgedScheme;
use tidegate_engine::{
    ConditionTrace, Dimension, Effect, InvalidTarget, Policy, Reason, RequestView, RuleTrace, Target, Truth,
    Unexplained,
};
use tidegate_table::Table;

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn what_is_explained_is_what_was_decided_and_what_the_alternatives_say(
        policy in generate::policy(),
        sketches in vec(generate::request(), 1..40),
    ) {
        let folder = Folder::new().unwrap();
        let Some(compiled) = Compiled::of(folder.compile(&policy.text(), &policy.files()).unwrap()) else { return Ok(()) };
        let engine = Policy::from_bytes(&compiled.table).unwrap();
        let hints = Hints::of(&compiled.policy);
        for request in sketches.iter().map(|sketch| sketch.request(&hints)) {
            check(&compiled.policy, &engine, &request)?;
        }
    }
}

#[test]
fn generated_policies_file_rules_under_every_kind_of_key_and_requests_pass_over_most() {
    let (mut sets, mut tags, mut names, mut prefixes, mut pairs, mut reserved) = (0, 0, 0, 0, 0, 0);
    let (mut looked_at, mut all) = (0, 0);
    for number in 0..120 {
        let (policy, sketches) = generate::seeded(2, number);
        let Ok(compiled) = Compiled::new(&policy.text(), &policy.files()) else { continue };
        let table = Table::from_bytes(&compiled.table).unwrap();
        for set in 0..table.policy().unwrap().set_count().unwrap() {
            let Some(posting) = table.posting_of_set(set).unwrap() else { continue };
            sets += posting.rules().count();
            reserved += posting.reserved().count();
            pairs += usize::from(posting.has_pairs());
        }
        for tag in 0..table.tag_count().unwrap() {
            let Some(posting) = table.posting_of_tag(tag).unwrap() else { continue };
            tags += posting.rules().count();
            pairs += usize::from(posting.has_pairs());
        }
        for customer in ["acme", "beta-12", "gamma", "zoë"] {
            let known = table.customer(customer).unwrap().and_then(|known| known.posting().unwrap());
            names += known.map_or(0, |posting| posting.rules().count());
            let above = |&prefix: &u32| table.prefix_above(prefix).unwrap();
            prefixes += std::iter::successors(table.prefix_of(customer).unwrap(), above).count();
        }
        let engine = Policy::from_bytes(&compiled.table).unwrap();
        let mut scratch = engine.scratch();
        let hints = Hints::of(&compiled.policy);
        for request in sketches.take(20).map(|sketch| sketch.request(&hints)) {
            let target = Target::parse(&request.url);
            if engine.candidates(&view(&request, &target), &mut scratch, |_| looked_at += 1).is_ok() {
                all += compiled.policy.rules.len();
            }
        }
    }
    for (what, count) in [
        ("sets", sets),
        ("tags", tags),
        ("customers", names),
        ("prefixes", prefixes),
        ("pairs", pairs),
        ("reserved headers", reserved),
    ] {
        assert!(count > 40, "seldom {what}: {count}");
    }
    assert!(looked_at * 2 < all, "{looked_at} of {all} rules are looked at");
}

fn view<'r>(request: &'r Request, target: &'r Result<Target, InvalidTarget>) -> RequestView<'r> {
    RequestView {
        method: &request.method,
        target: target.as_ref().map_err(|invalid| *invalid),
        headers: &request.headers,
        customer: request.identity.customer.as_deref(),
        tags: request.identity.tags.as_deref(),
        vars: request.identity.vars.as_deref(),
        now: request.now,
    }
}

fn check(policy: &CheckedPolicy, engine: &Policy<'_>, request: &Request) -> Result<(), TestCaseError> {
    let target = Target::parse(&request.url);
    let view = view(request, &target);
    let mut scratch = engine.scratch();
    let mut candidates = BTreeSet::new();
    let gathered = engine.candidates(&view, &mut scratch, |rule| _ = candidates.insert(rule));
    let explained = engine.explain(&view, &mut scratch);
    let decision = engine.decide(&view, &mut scratch);
    prop_assert_eq!(gathered.err(), explained.as_ref().err().copied());
    let traces = match explained {
        Ok(traces) => traces,
        Err(Unexplained::Unjudged(why)) => {
            prop_assert_eq!(why.reason(), decision.reason);
            return Ok(());
        }
        Err(Unexplained::Fault(fault)) => return Err(TestCaseError::fail(fault.to_string())),
    };

    let matching = |keep: fn(&RuleTrace<'_>) -> bool| -> Vec<u32> {
        traces.iter().filter(|trace| trace.matches() && keep(trace)).map(|trace| trace.rule.index).collect()
    };
    // The rule index passes over rules that are certainly false, and no others.
    let missed = traces.iter().find(|trace| trace.truth != Truth::False && !candidates.contains(&trace.rule.index));
    prop_assert!(missed.is_none(), "no candidate for {} of {:?}: {:?}", request.url, request.identity, missed);

    let [rules, would_deny, would_allow] =
        [decision.rules().collect::<Vec<_>>(), decision.would_deny().collect(), decision.would_allow().collect()];
    prop_assert_eq!(would_allow, matching(|trace| trace.effect == Effect::Allow && trace.report));
    if decision.reason == Reason::Rule && decision.effect == Effect::Deny {
        prop_assert_eq!(rules, matching(|trace| trace.effect == Effect::Deny && !trace.report));
    } else {
        prop_assert_eq!(would_deny, matching(|trace| trace.effect == Effect::Deny));
        let allowing = matching(|trace| trace.effect == Effect::Allow && !trace.report);
        if decision.reason == Reason::SpecialHost {
            let naming = matching(|trace| trace.effect == Effect::Allow && !trace.report && trace.names_host);
            prop_assert!(naming.is_empty(), "{:?} names the host", naming);
        } else {
            prop_assert_eq!(rules, allowing);
        }
    }

    let target = target.unwrap();
    for (trace, rule) in traces.iter().zip(&policy.rules) {
        agree(&trace.condition, &rule.condition, policy, &target, request)?;
        for (trace, condition) in trace.exceptions.iter().zip(&rule.except) {
            agree(trace, condition, policy, &target, request)?;
        }
    }
    Ok(())
}

/// A dimension that is known to hold or not does so exactly if one of its alternatives is met.
fn agree(
    trace: &ConditionTrace<'_>,
    condition: &Condition,
    policy: &CheckedPolicy,
    target: &Target,
    request: &Request,
) -> Result<(), TestCaseError> {
    let declared = policy.identity.as_ref().is_some_and(|identity| identity.tags.is_some());
    let own = request.identity.tags.iter().flatten().filter(|_| declared);
    let known = request.identity.customer.as_ref().and_then(|customer| policy.customers.get(customer));
    let tags: BTreeSet<&str> =
        own.chain(known.into_iter().flat_map(|customer| &customer.tags)).map(String::as_str).collect();
    let tags: Vec<_> = tags.into_iter().collect();
    let values = Values {
        customer: policy.identity.as_ref().and(request.identity.customer.as_deref()),
        tags: &tags,
        host: target.host().as_str(),
        scheme: match target.scheme() {
            JudgedScheme::Http => Scheme::Http,
            JudgedScheme::Https => Scheme::Https,
        },
        port: target.port(),
        method: &request.method,
        path: target.path(),
        headers: &request.headers,
    };
    let all = alternatives::of(condition, policy);
    for &(dimension, truth) in &trace.dimensions {
        let mut own = all.iter().filter(|alternative| is_of(alternative.key, alternative.header, dimension)).peekable();
        if own.peek().is_some() && truth != Truth::Unknown {
            let met = own.any(|alternative| alternative.meets(&values));
            prop_assert_eq!(met, truth == Truth::True, "{:?} of {}", dimension, request.url);
        }
    }
    prop_assert!(all.iter().all(|alternative| alternative.span.is_some()), "each is written somewhere");
    Ok(())
}

fn is_of(key: Key, header: Option<&str>, dimension: Dimension<'_>) -> bool {
    match key {
        Key::Customers => dimension == Dimension::Customer,
        Key::Tags => dimension == Dimension::Tag,
        Key::Domains | Key::Hosts | Key::HostRegex | Key::Lists => dimension == Dimension::Host,
        Key::Schemes => dimension == Dimension::Scheme,
        Key::Ports => dimension == Dimension::Port,
        Key::Methods => dimension == Dimension::Method,
        Key::Paths | Key::PathRegex => dimension == Dimension::Path,
        Key::Headers => header.is_some_and(|name| dimension == Dimension::Header(name)),
    }
}
