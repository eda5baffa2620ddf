//! The corpus of hostile URLs, natively. The same lines go through the Worker in `tests/e2e`.

#[path = "../../../tests/corpus/url_cases.rs"]
mod url_cases;

use std::fs;

use tidegate_engine::{Effect, Policy, Reason, RequestView, Secrets, Target};
use url_cases::{Expected, HOST_POLICY, PATH_POLICY, UrlCase};

#[test]
fn every_url_of_the_corpus_is_judged_as_it_says() {
    let (hosts, paths) = (table(HOST_POLICY), table(PATH_POLICY));
    let (hosts, paths) = (Policy::from_bytes(&hosts).unwrap(), Policy::from_bytes(&paths).unwrap());
    let cases = url_cases::all();
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let (effect, reason) = judge(if case.is_about_the_path() { &paths } else { &hosts }, &case.url);
            (!fits(case, effect, reason)).then(|| format!("{} {:?}: {effect:?}, {reason:?}", case.id, case.url))
        })
        .collect();
    let unfetchable = cases.iter().filter(|case| case.throws && case.throws_with_old_date).count();
    println!("{} URLs ({unfetchable} of which no tenant can fetch): {} wrong", cases.len(), wrong.len());
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn fits(case: &UrlCase, effect: Effect, reason: Reason) -> bool {
    match case.expected {
        Expected::Allow => effect == Effect::Allow,
        Expected::Deny => effect == Effect::Deny,
        Expected::Invalid => effect == Effect::Deny && reason == Reason::InvalidRequest,
    }
}

fn judge(policy: &Policy<'_>, url: &str) -> (Effect, Reason) {
    let target = Target::parse(url);
    let request = RequestView {
        method: "GET",
        target: target.as_ref().map_err(|fault| *fault),
        headers: &[],
        customer: None,
        tags: None,
        vars: None,
        now: 0,
    };
    let judgement = policy.judge(&request, &mut policy.scratch(), &NoSecrets);
    (judgement.effect, judgement.reason)
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn secret(&self, _: &str) -> Option<String> {
        None
    }
}

fn table(policy: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    fs::write(&file, policy).unwrap();
    let compilation = tidegate_compiler::compile(&file);
    compilation.output.unwrap_or_else(|| panic!("{:?}", compilation.diagnostics)).table
}
