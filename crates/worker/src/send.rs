//! The way out, and what waits for the answer.
//!
//! The answer is awaited in JavaScript, and all that this crate needs to pass it on is one object that JavaScript
//! owns:
//!
//! ```text
//!   send(request, Pending) ──► fetch ──► answered(answer) ──► the tenant's answer
//!                                   └──► failed(error) ─────► 502, logged
//! ```
//!
//! That is for the tenant that hangs up. The runtime then drops its request, and nothing is called any more. A future of
//! Rust that awaited the answer would stay for as long as the instance lives, with all that it holds on to, and a tenant could
//! fill the memory that it shares with the others. The object goes where the promise goes.

use js_sys::Promise;
use tidegate_engine::Forwarding;
use wasm_bindgen::prelude::*;
use web_sys::{Request, Response};

use crate::answer::{self, Blanked};
use crate::js;
use crate::record::{self, UpstreamFailed};
use crate::refusal::Problem;

#[wasm_bindgen(inline_js = "
export async function send(request, pending) {
  let answer;
  try {
    answer = await fetch(request);
  } catch (error) {
    return pending.failed(error);
  }
  return pending.answered(answer);
}
")]
extern "C" {
    /// Sends a request. The promise is one of the answer that the tenant gets.
    pub(crate) fn send(request: &Request, pending: Pending) -> Promise;
}

/// A request that is under way: what its answer must go through.
#[wasm_bindgen(private)]
pub struct Pending {
    decision: String,
    forwarding: Forwarding,
    blanked: Blanked,
}

impl Pending {
    pub(crate) fn new(decision: String, forwarding: Forwarding, blanked: Blanked) -> Self {
        Self { decision, forwarding, blanked }
    }

    fn no_answer(&self, error: &str) -> Response {
        record::log(&UpstreamFailed::new(&self.decision, error));
        Problem::upstream_failed(&self.decision).response()
    }
}

#[wasm_bindgen]
impl Pending {
    /// An answer came.
    pub fn answered(self, answer: &JsValue) -> Response {
        let answer: Result<&Response, _> =
            answer.dyn_ref().ok_or_else(|| "`fetch` gave something that is no `Response`".to_owned());
        answer
            .and_then(|answer| answer::answer(answer, &self.forwarding, &self.blanked))
            .unwrap_or_else(|error| self.no_answer(&error))
    }

    /// `fetch` threw.
    pub fn failed(self, error: &JsValue) -> Response {
        // The log gets the runtime's own words ("Network connection lost."), and nothing that they may quote.
        let message = self.blanked.clean(js::message(error));
        self.no_answer(&format!("`fetch` failed: {}", message.split('?').next().unwrap_or_default()))
    }
}
