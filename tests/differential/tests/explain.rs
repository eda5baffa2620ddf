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
    ConditionTrace, Dimension, Effect, Policy, Reason, RequestView, RuleTrace, Target, Truth, Unexplained,
};

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

fn check(policy: &CheckedPolicy, engine: &Policy<'_>, request: &Request) -> Result<(), TestCaseError> {
    let target = Target::parse(&request.url);
    let view = RequestView {
        method: &request.method,
        target: target.as_ref().map_err(|invalid| *invalid),
        headers: &request.headers,
        customer: request.identity.customer.as_deref(),
        tags: request.identity.tags.as_deref(),
        vars: request.identity.vars.as_deref(),
        now: request.now,
    };
    let mut scratch = engine.scratch();
    let explained = engine.explain(&view, &mut scratch);
    let decision = engine.decide(&view, &mut scratch);
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
    prop_assert_eq!(decision.would_allow(), matching(|trace| trace.effect == Effect::Allow && trace.report));
    if decision.reason == Reason::Rule && decision.effect == Effect::Deny {
        prop_assert_eq!(decision.rules(), matching(|trace| trace.effect == Effect::Deny && !trace.report));
    } else {
        prop_assert_eq!(decision.would_deny(), matching(|trace| trace.effect == Effect::Deny));
        let allowing = matching(|trace| trace.effect == Effect::Allow && !trace.report);
        if decision.reason == Reason::SpecialHost {
            let naming = matching(|trace| trace.effect == Effect::Allow && !trace.report && trace.names_host);
            prop_assert!(naming.is_empty(), "{:?} names the host", naming);
        } else {
            prop_assert_eq!(decision.rules(), allowing);
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
