//! A Worker that looks hosts up in a table and says how long it took.
//!
//! Its environment has the table (`TABLE`), canonical hosts, a line each (`HOSTS`), and how often all of them are looked up
//! (`ROUNDS`). It answers `{"hits":…,"nanoseconds":[…]}`: nanoseconds a lookup, a number for each round. The first rounds
//! are those in which V8 has yet to compile what is hot.
#![cfg(target_arch = "wasm32")]

mod lookups;

use tidegate_table::Table;
use wasm_bindgen::prelude::*;
use worker as _;

#[wasm_bindgen(inline_js = "
export function table(env) { return new Uint8Array(env.TABLE); }
export function hosts(env) { return env.HOSTS; }
export function rounds(env) { return Number(env.ROUNDS); }
export function now() { return performance.now(); }
export function answer(status, text) { return new Response(text, { status }); }
")]
extern "C" {
    fn table(env: &JsValue) -> Vec<u8>;
    fn hosts(env: &JsValue) -> String;
    fn rounds(env: &JsValue) -> u32;
    fn now() -> f64;
    fn answer(status: u16, text: &str) -> JsValue;
}

/// The handler.
#[wasm_bindgen]
pub fn fetch(_request: &JsValue, env: &JsValue) -> JsValue {
    match measure(env) {
        Ok(report) => answer(200, &report),
        Err(error) => answer(500, &error),
    }
}

fn measure(env: &JsValue) -> Result<String, String> {
    let (bytes, hosts) = (table(env), hosts(env));
    let hosts: Vec<&str> = hosts.lines().collect();
    let table = Table::from_bytes(&bytes).map_err(|error| error.to_string())?;
    let (mut hits, mut nanoseconds) = (0, Vec::new());
    for _ in 0..rounds(env) {
        let begun = now();
        hits = lookups::hits(&table, &hosts).map_err(|fault| fault.to_string())?;
        let number = u32::try_from(hosts.len()).map_err(|_| "too many hosts".to_owned())?;
        nanoseconds.push((now() - begun) * 1e6 / f64::from(number));
    }
    Ok(format!("{{\"hits\":{hits},\"nanoseconds\":{nanoseconds:?}}}"))
}
