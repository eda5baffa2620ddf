//! Who decides, in order of precedence (`docs/policy.md`, "What decides" and "Modes").

use tidegate_compiler::checked::{CheckedPolicy, Effect, Mode, Rule};

use crate::condition::Question;
use crate::hygiene::{headers_that_go_out, hides_cookies};
use crate::identity::Tenant;
use crate::obligations::{Obligations, Renderer};
use crate::request::CanonicalRequest;
use crate::{Answer, Forwarded, Reason, Request, rule};

pub(crate) fn decide(policy: &CheckedPolicy, request: &Request<'_>, secret: &dyn Fn(&str) -> Option<String>) -> Answer {
    // Before any rule is asked: is this a request, and whose?
    let Some(canonical) = CanonicalRequest::new(request) else {
        return Answer { url: None, ..unasked(Reason::InvalidRequest) };
    };
    let url = Some(canonical.url.serialize());
    let Some(tenant) = Tenant::new(policy, request) else {
        return Answer { url, ..unasked(Reason::UnknownCustomer) };
    };

    // All rules are asked.
    let question = Question { policy, request: &canonical, tenant: &tenant };
    let matching: Vec<&Rule> = policy.rules.iter().filter(|rule| rule::matches(rule, question)).collect();
    let of = |effect: Effect, mode: Mode| {
        matching.iter().copied().filter(move |rule| rule.effect == effect && rule.mode == mode)
    };
    let deny: Vec<&Rule> = of(Effect::Deny, Mode::Enforce).collect();
    let allow: Vec<&Rule> = of(Effect::Allow, Mode::Enforce).collect();

    // Report mode of the policy waives what rules and the default deny, and nothing else.
    let only_reports =
        policy.mode == Mode::Report && !policy.enforce_for.iter().any(|entry| tenant.is_enforced_by(entry));
    let would_deny: Vec<&Rule> = matching
        .iter()
        .copied()
        .filter(|rule| rule.effect == Effect::Deny && (rule.mode == Mode::Report || only_reports))
        .collect();
    let answer = Answer {
        url,
        would_deny: ids(&would_deny),
        would_allow: of(Effect::Allow, Mode::Report).map(|rule| rule.id.clone()).collect(),
        ..unasked(Reason::Default)
    };
    let refuse = |reason: Reason, rules: &[&Rule]| Answer {
        reason,
        rules: ids(rules),
        detail: rules.first().and_then(|rule| rule.reason.clone()),
        ..answer.clone()
    };

    if !deny.is_empty() && !only_reports {
        return refuse(Reason::Rule, &deny);
    }
    let host = &canonical.url.host;
    if host.is_special() && !allow.iter().any(|rule| rule::names_exactly(rule, &host.text)) {
        return refuse(Reason::SpecialHost, &[]);
    }
    let denied_by_default = allow.is_empty() && policy.default == Effect::Deny;
    if denied_by_default && !only_reports {
        return refuse(Reason::Default, &[]);
    }

    // What only report mode lets through has no claim to what the rules would give it.
    let waived = !deny.is_empty() || denied_by_default;
    let obligations = if waived {
        Obligations::default()
    } else {
        match Renderer::new(policy, &canonical, &tenant, secret).render(&allow) {
            Ok(obligations) => obligations,
            Err(failed) => return refuse(Reason::CredentialUnavailable, &failed),
        }
    };
    Answer {
        effect: Effect::Allow,
        reason: if allow.is_empty() { Reason::Default } else { Reason::Rule },
        rules: ids(&allow),
        enforced: !waived && would_deny.is_empty(),
        forwarded: Some(Forwarded {
            method: canonical.method.clone(),
            headers: headers_that_go_out(question, &obligations),
            no_store: obligations.no_store,
            // An upgrade goes out as one, whoever allowed it.
            upgrade: canonical.is_upgrade(),
            hides_cookies: hides_cookies(&obligations),
            set: obligations.set,
            remove: obligations.remove,
            token: obligations.token,
        }),
        ..answer
    }
}

/// A refusal before any rule was asked.
fn unasked(reason: Reason) -> Answer {
    Answer {
        effect: Effect::Deny,
        reason,
        rules: Vec::new(),
        detail: None,
        url: None,
        enforced: true,
        would_deny: Vec::new(),
        would_allow: Vec::new(),
        forwarded: None,
    }
}

fn ids(rules: &[&Rule]) -> Vec<String> {
    rules.iter().map(|rule| rule.id.clone()).collect()
}
