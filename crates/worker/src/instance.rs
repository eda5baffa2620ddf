//! What becomes of an instance that ends in the middle of its work.
//!
//! Nothing here may panic, but dependencies can, memory can run out, and an exception can come through Rust from a runtime
//! that throws where no standard says so. Whatever it was, it went through frames that nobody cleaned up: the
//! instance's memory is not to be believed any more.
//!
//! ```text
//!   a request traps ──► this instance is dead ──► the next request, whosever it is: a fresh instance of the same module
//!                          ├── the request itself: nothing goes out any more, the tenant's `fetch` throws
//!                          └── those under way: nothing of them is in the instance. An answer that may show a credential
//!                              has to be looked through: by the fresh instance, or it is lost and the tenant's `fetch`
//!                              throws. Other answers, and bodies, never pass here
//! ```
//!
//! The glue of `worker` makes the fresh instance, where its `criticalError` says so; but it notices Wasm's own traps only,
//! not exceptions and overflows of the engine's stack. wasm-bindgen's glue notices all of them, and would make the fresh
//! instance at the first call of anything, in the middle of whatever called it. So this crate takes the notice of the one and gives
//! it to the other.

use wasm_bindgen::handler;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(inline_js = r#"
export function instanceLost() {
  globalThis.__worker_init_state.criticalError = true;
  console.log('{"event":"instance-lost"}');
}
"#)]
extern "C" {
    /// The next request gets a fresh instance, and the operator a line on the log.
    #[wasm_bindgen(js_name = instanceLost)]
    fn instance_lost();
}

/// Sees to it that nothing runs in this instance once it is dead. `worker` has its own say at the start, so this is said
/// again with each request; it is one store.
pub(crate) fn guard() {
    // What is called finds memory and stack as the trap left them: it must need neither.
    handler::set_on_abort(instance_lost);
}
