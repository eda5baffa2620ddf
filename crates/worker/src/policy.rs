//! The policy of this isolate: bytes in a custom section of this very module.
//!
//! ```text
//!   index_bg.wasm   code · data · … · custom section `tidegate.policy` = the table
//! ```
//!
//! So a new policy is a new section, not a new build. It is loaded once for each isolate, at its first request, and stays for as long
//! as the isolate lives: the bytes are leaked on purpose, the engine reads them in place. A table that
//! does not load is remembered as such, and every request is refused.

use std::cell::{Cell, OnceCell};

use js_sys::{ArrayBuffer, JSON, Uint8Array, WebAssembly};
use tidegate_engine::{Judgement, Policy, RequestView, Scratch, Secrets};
use wasm_bindgen::{JsCast as _, JsValue};

use crate::identity::Paths;

/// The custom section that holds the table; `tidegate build` writes it.
const SECTION: &str = "tidegate.policy";

/// This isolate's policy, or why there is none.
pub(crate) fn of_isolate() -> Result<&'static Policy<'static>, &'static str> {
    thread_local! {
        static POLICY: OnceCell<Result<&'static Policy<'static>, &'static str>> = const { OnceCell::new() };
    }
    POLICY.with(|policy| *policy.get_or_init(|| load().map_err(|fault| &*fault.leak())))
}

/// Runs `read` on where the policy says that the identity stands, as [`crate::exchange`] wants it; null without a policy that says
/// so.
pub(crate) fn with_identity_paths<T>(read: impl FnOnce(&JsValue) -> T) -> T {
    thread_local! {
        static PATHS: OnceCell<JsValue> = const { OnceCell::new() };
    }
    let make = || {
        let identity = of_isolate().ok().and_then(Policy::identity)?;
        JSON::parse(&serde_json::to_string(&Paths::new(identity)).ok()?).ok()
    };
    PATHS.with(|paths| read(paths.get_or_init(|| make().unwrap_or(JsValue::NULL))))
}

/// Judges a request. The engine's working room is made once and used again.
pub(crate) fn judge(
    policy: &'static Policy<'static>,
    request: &RequestView<'_>,
    secrets: &dyn Secrets,
) -> Judgement<'static> {
    thread_local! {
        static SCRATCH: Cell<Option<Scratch>> = const { Cell::new(None) };
    }
    SCRATCH.with(|kept| {
        let mut scratch = kept.take().unwrap_or_else(|| policy.scratch());
        let judgement = policy.judge(request, &mut scratch, secrets);
        kept.set(Some(scratch));
        judgement
    })
}

fn load() -> Result<&'static Policy<'static>, String> {
    let bytes = table()?.leak();
    match Policy::from_bytes(bytes) {
        Ok(policy) => Ok(Box::leak(Box::new(policy))),
        Err(error) => Err(format!("the table in section `{SECTION}` does not load: {error}")),
    }
}

fn table() -> Result<Vec<u8>, String> {
    let module: WebAssembly::Module =
        wasm_bindgen::module().dyn_into().map_err(|_| "the runtime does not show this module to itself".to_owned())?;
    let sections = WebAssembly::Module::custom_sections(&module, SECTION);
    match sections.length() {
        1 => Ok(Uint8Array::new(&sections.get(0).unchecked_into::<ArrayBuffer>()).to_vec()),
        0 => Err(format!("this module has no section `{SECTION}`; put a policy into it with `tidegate build`")),
        // Which of them counts is not for us to guess.
        many => {
            Err(format!("this module has {many} sections `{SECTION}`; put one policy into it with `tidegate build`"))
        }
    }
}
