//! What a request that carries a credential leaves behind until its answer comes.
//!
//! JavaScript owns it and awaits the answer ([`crate::exchange`]). One that comes to an instance that has ended since is
//! lost: wasm-bindgen refuses the call. What is passed is a `JsValue` for that: a text would be copied into the memory of the dead
//! instance, by its own allocator, before anyone asks whether it lives.

use tidegate_engine::Forwarding;
use wasm_bindgen::prelude::*;

use crate::answer::{Blanked, Head};

/// A request with a credential that is under way: what its answer must go through.
#[wasm_bindgen(private)]
pub struct Pending {
    forwarding: Forwarding,
    blanked: Blanked,
}

impl Pending {
    pub(crate) fn new(forwarding: Forwarding, blanked: Blanked) -> Self {
        Self { forwarding, blanked }
    }
}

#[wasm_bindgen]
impl Pending {
    /// An answer came: its head as the tenant sees it, if that is another. An empty text stands for a head that
    /// nobody may see: JavaScript cannot read it, and the answer is lost.
    pub fn answered(self, head: &JsValue) -> Option<String> {
        let head = head.as_string().unwrap_or_default();
        let Ok(head) = serde_json::from_str::<Head>(&head) else { return Some(String::new()) };
        #[cfg(feature = "deliberate-trap")]
        crate::trap::spring(&head.1, "after-the-answer");
        let shown = head.shown(&self.forwarding, &self.blanked)?;
        Some(serde_json::to_string(&shown).unwrap_or_default())
    }

    /// There is no answer: the runtime's message without secrets.
    pub fn failed(self, message: &JsValue) -> String {
        self.blanked.clean(message.as_string().unwrap_or_default())
    }
}
