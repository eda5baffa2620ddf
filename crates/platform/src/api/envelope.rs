//! The envelope of every answer: `{success, errors, messages, result}`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::Reply;

/// A success.
#[expect(clippy::unnecessary_wraps, reason = "what endpoints answer")]
pub(super) fn ok(result: impl Into<Value>) -> Reply {
    Ok(success(&result.into(), None, &[]))
}

/// A success that says more by its status.
#[expect(clippy::unnecessary_wraps, reason = "what endpoints answer")]
pub(super) fn ok_with_status(status: StatusCode, result: impl Into<Value>) -> Reply {
    let mut response = success(&result.into(), None, &[]);
    *response.status_mut() = status;
    Ok(response)
}

/// A page of something larger: `info` says which, and how to have the next.
#[expect(clippy::unnecessary_wraps, reason = "what endpoints answer")]
pub(super) fn page(result: impl Into<Value>, info: Value) -> Reply {
    Ok(success(&result.into(), Some(info), &[]))
}

/// A success whose result's keys are also at the top, where some clients look for them.
#[expect(clippy::unnecessary_wraps, reason = "what endpoints answer")]
pub(super) fn ok_at_top_too(result: &[(&str, Value)]) -> Reply {
    let inner = result.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    Ok(success(&Value::Object(inner), None, result))
}

/// Errors, each a code and a message.
pub(super) fn failure(status: StatusCode, errors: &[(u32, String)]) -> Response {
    let errors: Vec<Value> = errors.iter().map(|(code, message)| json!({ "code": code, "message": message })).collect();
    json_response(status, &json!({ "success": false, "errors": errors, "messages": [], "result": null }))
}

fn success(result: &Value, info: Option<Value>, at_top: &[(&str, Value)]) -> Response {
    let mut envelope = json!({ "success": true, "errors": [], "messages": [], "result": result });
    if let Value::Object(envelope) = &mut envelope {
        if let Some(info) = info {
            envelope.insert("result_info".to_owned(), info);
        }
        for (key, value) in at_top {
            envelope.insert((*key).to_owned(), value.clone());
        }
    }
    json_response(StatusCode::OK, &envelope)
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (status, [json], body.to_string()).into_response()
}
