//! What the analyses say of all requests holds of each: tried on generated policies, smaller ones, and requests.

use std::collections::BTreeMap;

use tidegate_compiler::Output;
use tidegate_compiler::analysis::diff::{Diff, Kind, diff};
use tidegate_compiler::analysis::{Budget, Witness};
use tidegate_compiler::checked::{Effect, Mode};
use tidegate_compiler::levels::Levels;
use tidegate_compiler::lint::lint;
use tidegate_differential::generate::{self, Hints};
use tidegate_differential::{Compiled, Folder, Identity, PolicyText, Request, reference};
use tidegate_reference::{Answer, Reason};
use toml::Value;

/// 2026-11-22T12:00:00Z
const NOW: i64 = 1_795_348_800;

#[test]
fn what_differs_between_two_policies_is_what_generated_requests_see() {
    let folder = Folder::new().unwrap();
    let mut seen = BTreeMap::<Kind, usize>::new();
    let (mut pairs, mut proved_empty, mut undecided) = (0, 0, 0);
    for number in 0..60 {
        let (policy, sketches) = generate::seeded(11, number);
        let Some(old) = compile(&folder, &policy) else { continue };
        let sketches: Vec<_> = sketches.take(120).collect();
        for part in [number, 3 * number + 1, 7 * number + 5] {
            let Some(smaller) = policy.without(usize::try_from(part % 40).unwrap()) else { continue };
            let Some(new) = compile(&folder, &smaller) else { continue };
            let found = diff(&old, &new, NOW, None, Budget { question: 2_000, all: 20_000 }, &mut |_, _| {}).unwrap();
            pairs += 1;
            proved_empty += usize::from(found.is_proved_empty());
            undecided += usize::from(!found.undecided.is_empty());
            let [old_form, new_form] = [&old, &new].map(compiled);
            let asked = |form: &Compiled, request: &Request| {
                reference(form, request, &|_| Some("s3cret-of-thirty-two-bytes-or-more".to_owned()))
            };
            for change in &found.changes {
                *seen.entry(change.kind).or_default() += 1;
                let request = request_of(&change.witness);
                let [before, after] = [&old_form, &new_form].map(|form| asked(form, &request));
                assert_shows(change.kind, &before, &after, &request, &smaller, &policy);
            }
            let hints = [&old, &new].map(|output| Hints::of(&output.policy));
            for (index, sketch) in sketches.iter().enumerate() {
                let request = Request { now: NOW, ..sketch.request(&hints[index % 2]) };
                let [before, after] = [&old_form, &new_form].map(|form| asked(form, &request));
                if [&before, &after].iter().any(|answer| answer.reason == Reason::CredentialUnavailable) {
                    continue;
                }
                if let Some(kind) = difference(&before, &after) {
                    assert!(
                        is_told(&found, kind, &before, &after, &old, &new),
                        "{kind:?} is not told of {request:#?}\n{before:#?}\n{after:#?}\n{found:#?}\n{}\n===\n{}",
                        policy.text(),
                        smaller.text()
                    );
                }
            }
        }
    }
    // Else it would show little.
    assert!(pairs > 100 && proved_empty > 5, "{pairs} pairs, {proved_empty} proved equal");
    assert!(undecided * 20 < pairs, "{undecided} of {pairs} undecided");
    for kind in [Kind::NewlyAllowed, Kind::NewlyDenied, Kind::Obligations, Kind::OtherRule] {
        assert!(seen.contains_key(&kind), "{kind:?} was never found: {seen:?}");
    }
}

#[test]
fn rules_that_lints_call_superfluous_change_nothing_that_generated_requests_see() {
    let folder = Folder::new().unwrap();
    let mut seen = BTreeMap::<&str, usize>::new();
    for number in 0..14 {
        let (policy, sketches) = generate::seeded(13, number);
        let compilation = folder.compile(&policy.text(), &policy.files()).unwrap();
        let Some(output) = compilation.output else { continue };
        let budget = Budget { question: 500, all: 5_000 };
        let findings = lint(&output, &compilation.sources, &Levels::default(), NOW, budget, &mut |_, _| {}).unwrap();
        let form = compiled(&output);
        let hints = Hints::of(&output.policy);
        let requests: Vec<Request> =
            sketches.take(80).map(|sketch| Request { now: NOW, ..sketch.request(&hints) }).collect();
        for finding in findings {
            let Some(rule) = output.policy.rules.iter().find(|rule| rule.span == finding.span) else { continue };
            let code = finding.code.as_str();
            if !["never-matches", "void-deny", "allow-denied", "expired", "shadowed-rule"].contains(&code) {
                continue;
            }
            // What deny rules take under report mode they take only later.
            if code == "allow-denied" && output.policy.mode == Mode::Report {
                continue;
            }
            *seen.entry(code).or_default() += 1;
            // One at a time: of two rules that say the same, only one is called superfluous.
            let Some(without) = compile(&folder, &without_rule(&policy, &rule.id)) else { continue };
            let without = compiled(&without);
            for request in &requests {
                let [before, after] = [&form, &without]
                    .map(|form| reference(form, request, &|_| Some("s3cret-of-thirty-two-bytes-or-more".to_owned())));
                let is_said =
                    |answer: &Answer| (answer.effect, answer.forwarded.clone().filter(|_| code == "shadowed-rule"));
                assert_eq!(
                    is_said(&before),
                    is_said(&after),
                    "{code}: without `{}` {request:#?} is another\n{}",
                    rule.id,
                    policy.text()
                );
            }
        }
    }
    for code in ["never-matches", "allow-denied", "shadowed-rule"] {
        assert!(seen.contains_key(code), "{code} was never found: {seen:?}");
    }
}

/// A policy without the rule of an id, whichever file it is in.
fn without_rule(policy: &PolicyText, id: &str) -> PolicyText {
    let mut smaller = policy.clone();
    for file in std::iter::once(&mut smaller.policy).chain(smaller.extended.values_mut()) {
        if let Some(Value::Array(rules)) = file.get_mut("rule") {
            rules.retain(|rule| rule.get("id").and_then(Value::as_str) != Some(id));
            if rules.is_empty() {
                file.remove("rule");
            }
        }
    }
    smaller
}

fn difference(before: &Answer, after: &Answer) -> Option<Kind> {
    match (before.effect, after.effect) {
        (Effect::Allow, Effect::Deny) => Some(Kind::NewlyDenied),
        (Effect::Deny, Effect::Allow) => Some(Kind::NewlyAllowed),
        _ if before.rules.first() != after.rules.first() => Some(Kind::OtherRule),
        _ if before.forwarded != after.forwarded => Some(Kind::Obligations),
        _ => None,
    }
}

/// Whether a difference is among those that were found, or among what was said to be open.
fn is_told(found: &Diff, kind: Kind, before: &Answer, after: &Answer, old: &Output, new: &Output) -> bool {
    if !found.undecided.is_empty() || !found.more.is_empty() || !found.settings.is_empty() {
        return true;
    }
    let name = |output: &Output, rule: Option<usize>| rule.map(|rule| output.policy.rules[rule].id.clone());
    found.changes.iter().any(|change| match kind {
        Kind::Obligations => matches!(change.kind, Kind::Obligations | Kind::Enforcement),
        _ => {
            change.kind == kind
                && name(old, change.old.rule()) == before.rules.first().cloned()
                && name(new, change.new.rule()) == after.rules.first().cloned()
        }
    })
}

fn assert_shows(kind: Kind, before: &Answer, after: &Answer, request: &Request, new: &PolicyText, old: &PolicyText) {
    if [before, after].iter().any(|answer| answer.reason == Reason::CredentialUnavailable) {
        return; // secrets and variables are symbolic there
    }
    let shows = match kind {
        Kind::NewlyAllowed | Kind::NewlyDenied => difference(before, after) == Some(kind),
        Kind::OtherRule => before.effect == after.effect && before.rules.first() != after.rules.first(),
        Kind::Enforcement => before.effect == after.effect,
        Kind::Recorded => before.would_deny != after.would_deny || before.would_allow != after.would_allow,
        // Of a header that is reserved nothing is seen unless the tenant sends it.
        Kind::Obligations => before.effect == Effect::Allow && after.effect == Effect::Allow,
    };
    assert!(shows, "{kind:?}: {request:#?}\n{before:#?}\n{after:#?}\n{}\n===\n{}", old.text(), new.text());
}

fn compile(folder: &Folder, policy: &PolicyText) -> Option<Output> {
    folder.compile(&policy.text(), &policy.files()).unwrap().output
}

fn compiled(output: &Output) -> Compiled {
    Compiled { policy: output.policy.clone(), table: output.table.clone() }
}

fn request_of(witness: &Witness) -> Request {
    Request {
        method: witness.method.clone(),
        url: witness.url.clone(),
        headers: witness.headers.clone(),
        identity: Identity { customer: witness.customer.clone(), tags: witness.tags.clone(), vars: Some(Vec::new()) },
        now: NOW,
    }
}
