//! The outbound Worker: Tidegate's policy enforcement point.
//!
//! Every `fetch()` of every tenant arrives here as a request. What goes on is this:
//!
//! ```text
//!   tenant's fetch()
//!      │  Request, env (outbound parameters, secrets)
//!      ▼
//!   exchange     all that is judged, in one text: read once, before anything is done to it
//!      │         whose request it is: own properties of env, by the policy's paths
//!      ▼
//!   policy       the table in this module's own section, loaded once for each isolate      ── none ──► policy-unavailable
//!      ▼
//!   received     method, canonical URL, headers, identity, clock
//!      ▼
//!   judge        the engine: deny wins, special hosts, allow with obligations, default     ── deny ──► its reason
//!      ▼
//!   credential   the token, signed or still good; key and secret from env                  ── fault ─► credential-unavailable
//!      ▼
//!   exchange     what goes out: judged URL, hygienic headers, obligations, the body's stream ─ fault ─► evaluation-fault
//!      ▼
//!   record       one line on the log, whatever was decided                                 ── deny ──► refusal: 403
//!      ▼
//!   exchange     redirects by hand: the tenant's own fetch follows, each hop comes back    ── fails ─► 502, logged
//!      ▼
//!   answer       as it came, or without secrets; the body's stream
//! ```
//!
//! Everything up to the way out happens in one go, so requests that are served at once by one isolate never see each
//! other's state. There is one way out, [`exchange`]'s `send`; it sends what was built of an allowing judgement and
//! nothing else. Whatever fails on the way there refuses the request; what traps ends it ([`instance`]).
//!
//! # What this crate does not do
//! It has no opinion: which request may go where is the engine's to say, from a table that the compiler made. It searches no
//! bodies, follows no redirect, keeps no state beyond its isolate, and cannot verify a token.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    expect(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test that panics fails, as it should"
    )
)]

mod answer;
mod credential;
mod exchange;
mod identity;
mod instance;
mod key;
mod policy;
mod received;
mod record;
mod refusal;
mod signature;
mod token;
#[cfg(feature = "deliberate-trap")]
mod trap;

use std::cell::OnceCell;

use serde::Serialize;
use tidegate_engine::{Header, Judgement, Policy, Reason, Sent};
use wasm_bindgen::prelude::*;
// Starts the instance, and makes a fresh one where `instance` asks for it.
use worker as _;

use crate::answer::Hidden;
use crate::credential::{Credentials, EnvSecrets};
use crate::exchange::Exchange;
use crate::received::Received;
use crate::record::Record;
use crate::refusal::Problem;

/// The handler: a `Response`, or the promise of one. `worker::event` would make a future of it, which awaits the answer in
/// Rust; [`exchange`] says why nothing here does.
#[wasm_bindgen]
pub fn fetch(request: &JsValue, env: &JsValue) -> JsValue {
    instance::guard();
    answer::answers_come_here();
    let exchange = Exchange::new(request, env);
    let received = match policy::with_identity_paths(|paths| exchange.see(paths)) {
        Ok(seen) => Received::read(&seen),
        Err(thrown) => Err(exchange::failed("the request cannot be read", &thrown)),
    };
    let policy = policy::of_isolate();
    let ruling = match (policy, &received) {
        (Err(fault), _) => Ruling::refused(Judgement::denied(Reason::PolicyUnavailable), fault),
        (_, Err(fault)) => Ruling::refused(Judgement::denied(Reason::EvaluationFault), fault),
        (Ok(policy), Ok(received)) => rule(policy, received, &exchange),
    };
    let received = received.as_ref().ok();
    let unread = || exchange.decision();
    let decision = received.map_or_else(unread, |received| received.decision.clone());
    let Ruling { judgement, fault, goes_out } = ruling;
    record::log(&Record::new(&decision, policy.ok(), received, &judgement, fault.as_deref(), &isolate()));
    if goes_out {
        #[cfg(feature = "deliberate-trap")]
        trap::spring(received.map_or(&[], |received| &received.headers), "before-sending");
        exchange.send().into()
    } else {
        let problem = Problem::refused(&judgement, &decision);
        exchange.refuse(problem.status(), problem.reason(), &problem.body())
    }
}

/// What was decided, and what is left to do.
struct Ruling {
    judgement: Judgement<'static>,
    /// What failed, for the operator.
    fault: Option<String>,
    /// The judgement allows, and the request that goes out was built.
    goes_out: bool,
}

/// The request that goes out, as [`exchange`] builds it. What is not said is as it was seen.
#[derive(Serialize)]
struct Verdict<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    no_store: bool,
    headers: Vec<Said<'a>>,
    /// Only where it carries a credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<Hidden>,
}

/// A header, as it is said to [`exchange`].
#[derive(Serialize)]
#[serde(untagged)]
enum Said<'a> {
    /// By its number among those that were seen.
    Number(usize),
    /// In full.
    Header(&'a Header),
}

impl<'a> Said<'a> {
    fn of(sent: &'a Sent) -> Self {
        match sent {
            Sent::Received(place) => Self::Number(*place),
            Sent::Set(header) => Self::Header(header),
        }
    }
}

fn rule(policy: &'static Policy<'static>, received: &Received, exchange: &Exchange) -> Ruling {
    #[cfg(feature = "deliberate-trap")]
    trap::spring(&received.headers, "before-judgement");
    let secrets = EnvSecrets::new(exchange);
    let judgement = policy::judge(policy, &received.view(), &secrets);
    let (Some(forwarding), Ok(target)) = (&judgement.forwarding, &received.target) else {
        let invalid = received.target.as_ref().err().map(ToString::to_string);
        let fault = invalid.or_else(|| judgement.fault.map(|fault| fault.to_string())).or_else(|| secrets.complaint());
        return Ruling { judgement, fault, goes_out: false };
    };
    let token = match &forwarding.jwt {
        None => None,
        Some(spec) => match Credentials::of_isolate(|kept| kept.token(spec, policy.digest(), received.now, &secrets)) {
            Ok(token) => Some(token),
            Err(error) => return Ruling::refused(judgement.without_token(), &error.to_string()),
        },
    };
    let sent = forwarding.sent(&received.headers, token.as_deref());
    let verdict = Verdict {
        url: (target.url() != received.raw_url).then(|| target.url()),
        method: (received.method != received.raw_method).then_some(received.method.as_str()),
        no_store: forwarding.no_store,
        headers: sent.iter().map(Said::of).collect(),
        hidden: forwarding.has_credential().then(|| Hidden::new(forwarding, token.as_deref())),
    };
    if let Some(fault) = build(exchange, &verdict) {
        return Ruling::refused(Judgement::denied(Reason::EvaluationFault), &fault);
    }
    Ruling { judgement, fault: None, goes_out: true }
}

/// Makes the request that goes out. Says what is wrong with it, if something is.
fn build(exchange: &Exchange, verdict: &Verdict<'_>) -> Option<String> {
    // Texts and lists of texts: this cannot fail. Were it to, an empty text builds nothing.
    let verdict = serde_json::to_string(verdict).unwrap_or_default();
    match exchange.build(&verdict) {
        Ok(fault) => fault,
        Err(thrown) => Some(exchange::failed("the runtime does not take the request", &thrown)),
    }
}

impl Ruling {
    fn refused(judgement: Judgement<'static>, fault: &str) -> Self {
        Self { judgement, fault: Some(fault.to_owned()), goes_out: false }
    }
}

/// Which isolate this is: all its records carry the same id, unless a trap makes it begin anew.
fn isolate() -> String {
    thread_local! {
        static ISOLATE: OnceCell<String> = const { OnceCell::new() };
    }
    ISOLATE.with(|id| id.get_or_init(exchange::unique_id).clone())
}
