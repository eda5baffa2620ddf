//! The few things that are done with JavaScript by hand, because no crate offers them in a form that cannot throw
//! through Rust, and the two that are done in bulk: headers cross the border as one JSON text instead of two strings each.

use js_sys::{Array, JSON, Reflect};
use tidegate_engine::Header;
use wasm_bindgen::prelude::*;
use web_sys::{Headers, Response, ResponseInit};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = crypto, js_name = randomUUID)]
    fn random_uuid() -> Result<String, JsValue>;

    #[wasm_bindgen(catch, js_namespace = Object, js_name = hasOwn)]
    fn has_own(object: &JsValue, name: &str) -> Result<bool, JsValue>;
}

/// The socket of an answer to an upgrade. No standard has this property, so `web-sys` does not know it.
pub(crate) fn web_socket(response: &Response) -> Option<JsValue> {
    Reflect::get(response, &JsValue::from_str("webSocket")).ok().filter(JsValue::is_object)
}

/// Hands a socket on to the tenant.
pub(crate) fn set_web_socket(init: &ResponseInit, socket: &JsValue) -> Result<(), JsValue> {
    Reflect::set(init, &JsValue::from_str("webSocket"), socket).map(drop)
}

/// An id that nobody can guess (128 bits of the runtime's randomness).
pub(crate) fn unique_id() -> String {
    random_uuid().unwrap_or_default()
}

/// An own property of an object; inherited ones are none.
pub(crate) fn own_property(object: &JsValue, name: &str) -> Option<JsValue> {
    if !object.is_object() || !has_own(object, name).ok()? {
        return None;
    }
    Reflect::get(object, &JsValue::from_str(name)).ok()
}

/// Names and values of all own properties of an object; inherited ones are none.
pub(crate) fn own_properties(object: &JsValue) -> Option<Vec<(JsValue, JsValue)>> {
    let names = object.is_object().then(|| Reflect::own_keys(object))?.ok()?;
    names.iter().map(|name| Reflect::get(object, &name).ok().map(|value| (name, value))).collect()
}

/// All headers, names in lower case, each `set-cookie` on its own, others joined.
pub(crate) fn read_headers(headers: &Headers) -> Result<Vec<Header>, String> {
    let json = JSON::stringify(&Array::from(headers)).map_err(|error| failed("the headers cannot be read", &error))?;
    // What `serde_json` has to say might quote a value.
    serde_json::from_str(&String::from(json)).map_err(|_| "the headers cannot be read: not all are text".to_owned())
}

/// The reverse of [`read_headers`].
pub(crate) fn write_headers(headers: &[Header]) -> Result<Headers, String> {
    let json = serde_json::to_string(headers).map_err(|_| "the headers cannot be written".to_owned())?;
    JSON::parse(&json)
        .and_then(|pairs| Headers::new_with_str_sequence_sequence(&pairs))
        .map_err(|error| failed("the headers cannot be written", &error))
}

/// For the log: what failed, and the kind of exception. Not its message, which may quote a header's value or a query.
pub(crate) fn failed(what: &str, thrown: &JsValue) -> String {
    match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => format!("{what}: {}", String::from(error.name())),
        None => format!("{what}: an exception that is no `Error`"),
    }
}

/// The message of an exception. It may quote what it is about.
pub(crate) fn message(thrown: &JsValue) -> String {
    thrown.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message())).unwrap_or_default()
}

/// Seconds since 1970-01-01T00:00:00Z.
#[expect(clippy::cast_possible_truncation, reason = "whole seconds are wanted; the cast saturates")]
pub(crate) fn now() -> i64 {
    (js_sys::Date::now() / 1000.0) as i64
}
