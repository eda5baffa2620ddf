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

use js_sys::{ArrayBuffer, Uint8Array, WebAssembly};
use tidegate_engine::{Judgement, Policy, RequestView, Scratch, Secrets};
use wasm_bindgen::JsCast as _;

/// The custom section that holds the table; `tidegate build` writes it.
const SECTION: &str = "tidegate.policy";

/// This isolate's policy, or why there is none.
pub(crate) fn of_isolate() -> Result<&'static Policy<'static>, &'static str> {
    thread_local! {
        static POLICY: OnceCell<Result<&'static Policy<'static>, &'static str>> = const { OnceCell::new() };
    }
    POLICY.with(|policy| *policy.get_or_init(|| load().map_err(|fault| &*fault.leak())))
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
