//! The content of a script: its modules, apart from bindings and settings.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::json;

use super::Api;
use super::change::{Check, derive};
use super::envelope::ok;
use super::error::{Fault, Reply, shown};
use super::path::Target;
use super::scripts::describe;
use super::upload::{self, Start, Upload};
use crate::deploy::blocking;
use crate::worker::{BindingValue, Code, Entry, Module};

/// Gives a script's modules: one as it is, several as a form, `cf-entrypoint` naming the one that starts.
pub(super) async fn get(State(api): State<Api>, target: Target) -> Reply {
    let Code { entry, modules, .. } = blocking(&api.store, move |store| store.load(&target.key)).await?.code;
    let (content_type, content) = match modules.as_slice() {
        // Assets alone.
        [] => ("application/javascript".to_owned(), Bytes::new()),
        [module] => (module.content_type.clone(), module.content.clone()),
        modules => form(modules),
    };
    let header = |value: &str| HeaderValue::from_str(value).map_err(|error| Fault::Internal(error.to_string()));
    let mut response = Body::from(content).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, header(&content_type)?);
    // A name that no header can hold is left out: a form's first part is the one that starts.
    if let Some(Ok(name)) = entry.name().map(HeaderValue::from_str) {
        response.headers_mut().insert(HeaderName::from_static("cf-entrypoint"), name);
    }
    Ok(response)
}

/// Replaces a script's modules, and leaves bindings and settings as they are.
pub(super) async fn put(State(api): State<Api>, target: Target, headers: HeaderMap, body: Body) -> Reply {
    let Upload { metadata, parts } = Upload::read(&headers, body).await?;
    let (start, parts) = (metadata.start, std::sync::Arc::<[_]>::from(parts));
    let script = derive(&api, &target.key, Check::Started, None, move |_, code| {
        // What starts is what started before, unless the upload says otherwise.
        let start = match (&start, &code.entry) {
            (Some(start), _) => start.clone(),
            (None, Entry::MainModule(name)) => Start::MainModule(name.clone()),
            (None, Entry::BodyPart(name)) => Start::BodyPart(name.clone()),
            (None, Entry::AssetsOnly) => return Err(upload::nothing_to_start()),
        };
        code.entry = upload::entry(&start, &parts)?;
        code.modules = upload::modules(parts.to_vec(), &code.entry)?;
        bound_modules_are_there(code)
    })
    .await?;
    let mut described = describe(&script);
    if let Some(namespace) = &target.namespace {
        described.insert("dispatch_namespace".to_owned(), json!(namespace.name.as_str()));
    }
    ok(described)
}

fn bound_modules_are_there(code: &Code) -> Result<(), Fault> {
    for binding in &code.bindings {
        if let BindingValue::DataBlob { part } | BindingValue::TextBlob { part } | BindingValue::WasmModule { part } =
            &binding.value
            && !code.modules.iter().any(|module| module.name == *part)
        {
            return Err(Fault::Invalid(format!(
                "binding `{}` names the part `{}`, which the upload does not have",
                shown(&binding.name),
                shown(part)
            )));
        }
    }
    Ok(())
}

/// Modules as `multipart/form-data`, and its `Content-Type`. The boundary is random: no module can hold it on purpose.
fn form(modules: &[Module]) -> (String, Bytes) {
    let boundary = uuid::Uuid::new_v4().simple().to_string();
    let mut form = BytesMut::new();
    for Module { name, content_type, content, .. } in modules {
        // As browsers write names (WHATWG HTML, multipart/form-data encoding); control characters no name has.
        let name = name.replace('"', "%22");
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\
             Content-Type: {content_type}\r\n\r\n"
        );
        form.put_slice(head.as_bytes());
        form.put_slice(content);
        form.put_slice(b"\r\n");
    }
    form.put_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), form.freeze())
}
