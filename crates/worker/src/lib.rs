//! The outbound Worker: Tidegate's policy enforcement point.
//!
//! Every `fetch()` of every tenant arrives here as a request. What goes on is this:
//!
//! ```text
//!   tenant's fetch()
//!      │  Request, env (outbound parameters, secrets)
//!      ▼
//!   policy       the table in this module's own section, loaded once for each isolate      ── none ──► policy-unavailable
//!      ▼
//!   identity     whose request is it: own properties of env, by the policy's paths
//!      ▼
//!   received     method, canonical URL, headers, clock: read once, before anything is done to them
//!      ▼
//!   judge        the engine: deny wins, special hosts, allow with obligations, default     ── deny ──► its reason
//!      ▼
//!   credential   the token, signed or still good; key and secret from env                  ── fault ─► credential-unavailable
//!      ▼
//!   forward      a new Request: judged URL, hygienic headers, obligations, the body's stream ─ fault ─► evaluation-fault
//!      ▼
//!   record       one line on the log, whatever was decided                                 ── deny ──► refusal: 403
//!      ▼
//!   send         redirects by hand: the tenant's own fetch follows, each hop comes back    ── fails ─► 502, logged
//!      ▼
//!   answer       status, headers without secrets, the body's stream
//! ```
//!
//! Everything up to the way out happens in one go, so requests that are served at once by one isolate never see each
//! other's state. There is one way out, `send`, and it takes an `Outgoing`, which only an allowing
//! judgement yields. Whatever fails on the way there refuses the request; what traps ends it ([`instance`]).
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
mod forward;
mod identity;
mod instance;
mod js;
mod key;
mod policy;
mod received;
mod record;
mod refusal;
pub mod send;
mod signature;
mod token;
#[cfg(feature = "deliberate-trap")]
mod trap;

use std::cell::OnceCell;

use tidegate_engine::{Forwarding, Judgement, Policy, Reason};
use wasm_bindgen::prelude::*;
use web_sys::Request;
// Starts the instance, and makes a fresh one where `instance` asks for it.
use worker as _;

use crate::answer::Blanked;
use crate::credential::{Credentials, EnvSecrets};
use crate::identity::Tenant;
use crate::received::Received;
use crate::record::Record;
use crate::refusal::Problem;
use crate::send::{Pending, send};

/// The handler: a `Response`, or the promise of one. `worker::event` would make a future of it, which awaits the answer in
/// Rust; [`send`] says why nothing here does.
#[wasm_bindgen]
pub fn fetch(request: &Request, env: &JsValue) -> JsValue {
    instance::guard();
    let decision = js::unique_id();
    let Ruling { judgement, outgoing, .. } = rule_and_record(request, env, &decision);
    match outgoing {
        None => Problem::refused(&judgement, &decision).response().into(),
        Some(Outgoing { request, forwarding, blanked }) => {
            #[cfg(feature = "deliberate-trap")]
            trap::spring(&request.headers(), "before-sending");
            send(&request, Pending::new(decision, forwarding, blanked)).into()
        }
    }
}

/// A request that may go out, and what its answer must go through.
struct Outgoing {
    request: Request,
    forwarding: Forwarding,
    blanked: Blanked,
}

/// What was decided, and what is left to do.
struct Ruling {
    judgement: Judgement<'static>,
    /// What failed, for the operator.
    fault: Option<String>,
    /// Only where the judgement allows.
    outgoing: Option<Outgoing>,
}

fn rule_and_record(request: &Request, env: &JsValue, decision: &str) -> Ruling {
    let policy = policy::of_isolate();
    let identity = policy.ok().and_then(Policy::identity);
    let received = Received::read(request, identity.map(|identity| Tenant::read(env, identity)).unwrap_or_default());
    let ruling = match (policy, &received) {
        (Err(fault), _) => Ruling::refused(Judgement::denied(Reason::PolicyUnavailable), fault),
        (_, Err(fault)) => Ruling::refused(Judgement::denied(Reason::EvaluationFault), fault),
        (Ok(policy), Ok(received)) => rule(policy, received, request, &EnvSecrets::new(env)),
    };
    let Ruling { judgement, fault, .. } = &ruling;
    record::log(&Record::new(decision, policy.ok(), received.as_ref().ok(), judgement, fault.as_deref(), &isolate()));
    ruling
}

fn rule(
    policy: &'static Policy<'static>,
    received: &Received,
    request: &Request,
    secrets: &EnvSecrets<'_, JsValue>,
) -> Ruling {
    #[cfg(feature = "deliberate-trap")]
    trap::spring(&request.headers(), "before-judgement");
    let mut judgement = policy::judge(policy, &received.view(), secrets);
    let (Some(forwarding), Ok(target)) = (&judgement.forwarding, &received.target) else {
        let invalid = received.target.as_ref().err().map(ToString::to_string);
        let fault = invalid.or_else(|| judgement.fault.map(|fault| fault.to_string())).or_else(|| secrets.complaint());
        return Ruling { judgement, fault, outgoing: None };
    };
    let token = match &forwarding.jwt {
        None => None,
        Some(spec) => match Credentials::of_isolate(|kept| kept.token(spec, policy.digest(), received.now, secrets)) {
            Ok(token) => Some(token),
            Err(error) => return Ruling::refused(judgement.without_token(), &error.to_string()),
        },
    };
    let blanked = Blanked::new(forwarding.secrets().chain(&token).map(String::as_str));
    let headers = forwarding.headers(&received.headers, token.as_deref());
    match forward::build(target, &received.method, &headers, request.body().as_ref(), forwarding.no_store) {
        Ok(request) => {
            let outgoing = judgement.forwarding.take().map(|forwarding| Outgoing { request, forwarding, blanked });
            Ruling { judgement, fault: None, outgoing }
        }
        Err(fault) => Ruling::refused(Judgement::denied(Reason::EvaluationFault), &fault),
    }
}

impl Ruling {
    fn refused(judgement: Judgement<'static>, fault: &str) -> Self {
        Self { judgement, fault: Some(fault.to_owned()), outgoing: None }
    }
}

/// Which isolate this is: all its records carry the same id, unless a trap makes it begin anew.
fn isolate() -> String {
    thread_local! {
        static ISOLATE: OnceCell<String> = const { OnceCell::new() };
    }
    ISOLATE.with(|id| id.get_or_init(js::unique_id).clone())
}
