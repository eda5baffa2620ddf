//! Traps that a request springs on purpose, for the tests of what a trap leaves behind.
//!
//! None of this is in the Worker that is shipped: the feature `deliberate-trap` is off there, and a test looks for the header's
//! words in what was built. A request, or an upstream's answer, says where the end is and how it comes:
//! `x-deliberate-trap: before-judgement abort`.

use std::hint::black_box;

use wasm_bindgen::prelude::*;
use web_sys::Headers;

use crate::js;

/// The header that says where and how.
const HEADER: &str = "x-deliberate-trap";

#[wasm_bindgen(inline_js = "export function throwThroughWasm() { throw new TypeError('a deliberate trap'); }")]
extern "C" {
    /// Throws, and its declaration does not say so: the exception goes through all of Rust's frames.
    #[wasm_bindgen(js_name = throwThroughWasm)]
    fn throw_through_wasm();
}

/// Traps, if the headers ask for it at this place.
pub(crate) fn spring(headers: &Headers, place: &str) {
    let headers = js::read_headers(headers).unwrap_or_default();
    let asked = headers.iter().find(|(name, _)| name == HEADER).and_then(|(_, value)| value.split_once(' '));
    if let Some((_, how)) = asked.filter(|(at, _)| *at == place) {
        trap(how);
    }
}

#[expect(clippy::panic, reason = "that is what it is for")]
fn trap(how: &str) {
    match how {
        // `unreachable`, as after a failed allocation.
        "abort" => std::process::abort(),
        "panic" => panic!("a deliberate trap"),
        "recurse" => _ = black_box(recurse(black_box(0))),
        "recurse-with-memory" => _ = black_box(recurse_with_memory(black_box(0))),
        "throw" => throw_through_wasm(),
        _ => panic!("no such way to end: {how}"),
    }
}

/// Ends at the engine's own stack.
fn recurse(depth: u64) -> u64 {
    if black_box(depth) == u64::MAX {
        return depth;
    }
    black_box(recurse(depth.wrapping_add(1))).wrapping_add(depth)
}

/// Ends at the stack in linear memory, if that is the smaller one.
fn recurse_with_memory(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    if room.contains(&u64::MAX) {
        return depth;
    }
    let below = black_box(recurse_with_memory(depth.wrapping_add(1)));
    black_box(&room).iter().fold(below, |sum, word| sum.wrapping_add(*word))
}
