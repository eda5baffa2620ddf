//! Traps that a request springs on purpose, for the tests of what a trap leaves behind.
//!
//! None of this is in the Worker that is shipped: the feature `deliberate-trap` is off there, and a test sees to it that what
//! was built does not say "a deliberate trap". A request, or an upstream's answer, says where the end is and how it
//! comes: `x-deliberate-trap: before-judgement abort`.
//!
//! All that glue calls in an instance after its end, it says on the log: `{"event":"dead-instance-ran","export":"…"}`.

use std::hint::black_box;

use tidegate_engine::Header;
use wasm_bindgen::prelude::*;

/// The header that says where and how.
const HEADER: &str = "x-deliberate-trap";

#[wasm_bindgen(inline_js = r#"
export function throwThroughWasm() { throw new TypeError('a deliberate trap'); }

// This is evaluated before wasm-bindgen's glue is, which makes all its instances with this.
const { Instance } = WebAssembly;
let instances = 0;

WebAssembly.Instance = class {
  constructor(module, imports) {
    const { exports } = new Instance(module, imports);
    const number = ++instances;
    let livedOnce = false;
    // While a fresh instance starts, it is still said that the one before has ended.
    const isDead = () => {
      const { criticalError } = globalThis.__worker_init_state;
      livedOnce ||= !criticalError;
      return number < instances || (livedOnce && criticalError);
    };
    const watched = ([name, value]) => [name, typeof value === "function" ? watch(name, value, isDead) : value];
    this.exports = Object.fromEntries(Object.entries(exports).map(watched));
  }
};

function watch(name, call, isDead) {
  return (...passed) => {
    if (isDead()) console.log(JSON.stringify({ event: "dead-instance-ran", export: name }));
    return call(...passed);
  };
}
"#)]
extern "C" {
    /// Throws, and its declaration does not say so: the exception goes through all of Rust's frames.
    #[wasm_bindgen(js_name = throwThroughWasm)]
    fn throw_through_wasm();
}

/// Traps, if the headers ask for it at this place.
pub(crate) fn spring(headers: &[Header], place: &str) {
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
