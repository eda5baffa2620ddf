//! The decision record: one line of JSON on the log for each request, whatever became of it.
//!
//! ```json
//! {"event":"decision","at":1795308940,"decision":"5e0c1f3a-…","policy":"9f86d0…","mode":"enforce","customer":"acme",
//!  "tags":["paid"],"method":"GET","scheme":"https","host":"api.example.com","port":443,"path":"/v1/x","effect":"deny",
//!  "reason":"rule","rule":"no-malware","rules":["no-malware"],"enforced":true,"would_deny":[],"would_allow":[],
//!  "isolate":"c3b1…"}
//! ```
//!
//! It is written *before* the request goes out: a tenant that hangs up early leaves it all the same. It never holds the
//! query, a header or a secret; but for headers, all that rules look at is there, so that `tidegate replay` can ask another
//! policy about it. `at` counts seconds since 1970. `path` is the form that patterns are matched against. `"ambiguous":true` says that upstreams may read
//! it in two ways, `"upgrade":true` that the request asked for a WebSocket; both are left out where they are false. `tags`
//! is null where the policy declares none, the parameters hold none, or they are more than belongs on a log.
//!
//! `fault` is there when something failed, and says what. What happens after is another event (`upstream-failed`) under the
//! same decision id. A request that traps may leave no record; then there is an event `instance-lost`
//! ([`crate::instance`]).

use serde::Serialize;
use tidegate_engine::canonical::{PathReading, Scheme};
use tidegate_engine::{Judgement, Policy, RuleRef};

use crate::exchange;
use crate::received::Received;

/// What is logged of one decision.
#[derive(Debug, Serialize)]
pub(crate) struct Record<'a> {
    event: &'static str,
    at: Option<i64>,
    decision: &'a str,
    policy: Option<&'a str>,
    mode: Option<&'static str>,
    customer: Option<&'a str>,
    tags: Option<&'a [String]>,
    method: Option<&'a str>,
    scheme: Option<&'static str>,
    host: Option<&'a str>,
    port: Option<u16>,
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    ambiguous: bool,
    #[serde(skip_serializing_if = "is_false")]
    upgrade: bool,
    effect: &'static str,
    reason: &'static str,
    rule: Option<&'a str>,
    rules: Vec<&'a str>,
    enforced: bool,
    would_deny: Vec<&'a str>,
    would_allow: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a str>,
    isolate: &'a str,
}

impl<'a> Record<'a> {
    /// Puts together what is known. Without a policy or a readable request the rest still goes to the log.
    pub(crate) fn new(
        decision: &'a str,
        policy: Option<&'a Policy<'_>>,
        received: Option<&'a Received>,
        judgement: &'a Judgement<'a>,
        fault: Option<&'a str>,
        isolate: &'a str,
    ) -> Self {
        let target = received.and_then(|received| received.target.as_ref().ok());
        let ids = |rules: &'a [RuleRef<'a>]| rules.iter().map(|rule| rule.id).collect::<Vec<_>>();
        Self {
            event: "decision",
            at: received.map(|received| received.now),
            decision,
            policy: policy.map(Policy::digest),
            mode: policy.map(|policy| policy.mode().as_str()),
            customer: received.and_then(|received| loggable(received.tenant.customer.as_deref()?)),
            tags: received.and_then(|received| loggable_tags(received.tenant.tags.as_deref()?)),
            method: received.map(|received| received.method.as_str()),
            scheme: target.map(|target| match target.scheme() {
                Scheme::Http => "http",
                Scheme::Https => "https",
            }),
            host: target.map(|target| target.host().as_str()),
            port: target.map(tidegate_engine::Target::port),
            path: target.map(tidegate_engine::Target::path),
            ambiguous: target.is_some_and(|target| target.path_reading() == PathReading::Ambiguous),
            upgrade: received.is_some_and(|received| received.view().is_upgrade()),
            effect: judgement.effect.as_str(),
            reason: judgement.reason.as_str(),
            rule: judgement.rules.first().map(|rule| rule.id),
            rules: ids(&judgement.rules),
            enforced: judgement.enforced,
            would_deny: ids(&judgement.would_deny),
            would_allow: ids(&judgement.would_allow),
            fault,
            isolate,
        }
    }
}

/// One line on the log.
pub(crate) fn log(record: &Record<'_>) {
    // Texts, flags and lists of texts: this cannot fail.
    let mut line = Vec::with_capacity(LINE);
    if serde_json::to_writer(&mut line, record).is_ok()
        && let Ok(line) = String::from_utf8(line)
    {
        exchange::log(&line);
    }
}

/// What a line takes that is none of the long ones, in bytes.
const LINE: usize = 1024;

/// The most tags that go to the log.
const MAX_TAGS: usize = 64;

/// What goes to the log of a name that may be no customer's: nothing if no customer may be called so. JSON lets some
/// control characters stand that terminals obey.
fn loggable(customer: &str) -> Option<&str> {
    (customer.len() <= 256 && !customer.chars().any(char::is_control)).then_some(customer)
}

/// Tags as they go to the log: all of them or none, for some would be taken for all.
fn loggable_tags(tags: &[String]) -> Option<&[String]> {
    (tags.len() <= MAX_TAGS && tags.iter().all(|tag| loggable(tag).is_some())).then_some(tags)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use tidegate_engine::{Reason, Target};

    use super::*;
    use crate::identity::Tenant;

    fn received(url: &str, customer: &str) -> Received {
        Received {
            decision: "id-1".into(),
            method: "GET".into(),
            raw_method: "GET".into(),
            target: Target::parse(url),
            raw_url: url.into(),
            headers: vec![("authorization".into(), "Bearer s3cret".into())],
            tenant: Tenant { customer: Some(customer.into()), tags: Some(vec!["paid".into()]), vars: None },
            now: 1_795_308_940,
        }
    }

    fn line(received: &Received, judgement: &Judgement<'_>, fault: Option<&str>) -> String {
        serde_json::to_string(&Record::new("id-1", None, Some(received), judgement, fault, "isolate-1")).unwrap()
    }

    #[test]
    fn a_record_says_who_wanted_what_and_what_became_of_it() {
        let rules = vec![RuleRef { index: 0, id: "no-malware", reason: Some("malware") }];
        let judgement = Judgement { rules, ..Judgement::denied(Reason::Rule) };
        assert_eq!(
            line(&received("https://api.example.com/v1/x", "acme"), &judgement, None),
            concat!(
                r#"{"event":"decision","at":1795308940,"decision":"id-1","policy":null,"mode":null,"customer":"acme","tags":["paid"],"#,
                r#""method":"GET","scheme":"https","host":"api.example.com","port":443,"path":"/v1/x","#,
                r#""effect":"deny","reason":"rule","rule":"no-malware","#,
                r#""rules":["no-malware"],"enforced":true,"would_deny":[],"would_allow":[],"isolate":"isolate-1"}"#
            )
        );
    }

    #[test]
    fn neither_queries_nor_userinfo_nor_headers_are_logged() {
        let received = received("https://user:s3cret@api.example.com/v1?token=s3cret#s3cret", "acme");
        let line = line(&received, &Judgement::denied(Reason::Default), None);
        assert!(!line.contains("s3cret"), "{line}");
    }

    #[test]
    fn an_invalid_request_is_logged_without_its_url() {
        let line = line(
            &received("https://a..b/s3cret", "acme"),
            &Judgement::denied(Reason::InvalidRequest),
            Some("empty label"),
        );
        assert!(
            line.contains(r#""scheme":null,"host":null,"port":null,"path":null,"effect""#)
                && line.contains(r#""fault":"empty label""#),
            "{line}"
        );
    }

    #[test]
    fn a_name_that_no_customer_can_have_does_not_go_to_the_log() {
        for name in ["x".repeat(257), "acme\u{9b}2J".to_owned(), "acme\nx".to_owned()] {
            let line = line(&received("https://a.example/", &name), &Judgement::denied(Reason::UnknownCustomer), None);
            assert!(line.contains(r#""customer":null"#), "{line}");
        }
    }

    #[test]
    fn what_another_policy_would_want_to_know_is_there() {
        let mut received = received("http://api.example.com:8080/a%5Cb", "acme");
        received.headers.push(("Upgrade".into(), "WebSocket".into()));
        let line = line(&received, &Judgement::denied(Reason::Default), None);
        assert!(
            line.contains(
                r#""scheme":"http","host":"api.example.com","port":8080,"path":"/a%5Cb","ambiguous":true,"upgrade":true"#
            ),
            "{line}"
        );
    }

    #[test]
    fn tags_go_to_the_log_all_or_none() {
        for tags in [vec!["x".repeat(257)], vec!["paid".into(), "\u{9b}2J".into()], vec!["paid".into(); 65]] {
            let mut received = received("https://a.example/", "acme");
            received.tenant.tags = Some(tags);
            let line = line(&received, &Judgement::denied(Reason::Default), None);
            assert!(line.contains(r#""tags":null"#), "{line}");
        }
    }
}
