//! The corpus of hostile URLs, put to the interpreter alone. Through the Worker it runs in `tests/e2e/tests/url_corpus.rs`.

#[path = "../../../tests/corpus/url_cases.rs"]
#[expect(dead_code, reason = "what `fetch` throws is for the Worker")]
mod url_cases;

use std::fs;

use tidegate_compiler::checked::{CheckedPolicy, Effect};
use tidegate_reference::{Answer, Reason, Request, judge};
use url_cases::{Expected, HOST_POLICY, PATH_POLICY};

#[test]
fn every_url_of_the_corpus_is_judged_as_it_says() {
    let (hosts, paths) = (policy(HOST_POLICY), policy(PATH_POLICY));
    let cases = url_cases::all();
    let mut wrong = Vec::new();
    for case in &cases {
        let answer = ask(if case.is_about_the_path() { &paths } else { &hosts }, &case.url);
        let right = match case.expected {
            Expected::Allow => answer.effect == Effect::Allow,
            Expected::Deny => answer.effect == Effect::Deny,
            Expected::Invalid => answer.reason == Reason::InvalidRequest,
        };
        if !right {
            wrong.push(format!("{}: {:?} is not {:?}: {answer:?}", case.id, case.url, case.expected));
        }
    }
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn a_canonical_url_is_its_own_canonical_form() {
    let policy = policy(HOST_POLICY);
    let mut valid = 0;
    for case in url_cases::all() {
        if let Some(url) = ask(&policy, &case.url).url {
            valid += 1;
            assert_eq!(ask(&policy, &url).url.as_ref(), Some(&url), "{}: {:?}", case.id, case.url);
        }
    }
    assert!(valid > 100, "only {valid} URLs of the corpus are valid");
}

fn ask(policy: &CheckedPolicy, url: &str) -> Answer {
    let request = Request { method: "GET", url, headers: &[], customer: None, tags: None, vars: None, now: 0 };
    judge(policy, &request, &|_| None)
}

fn policy(text: &str) -> CheckedPolicy {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    fs::write(&file, text).unwrap();
    let compilation = tidegate_compiler::compile(&file);
    compilation.output.unwrap_or_else(|| panic!("{:#?}", compilation.diagnostics)).policy
}
