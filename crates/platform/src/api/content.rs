//! The content of a script: its modules, apart from bindings and settings.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, HeaderBuilder, ResponseBuilder};

use super::Api;
use super::change::{Check, derive};
use super::envelope::{self, Responses, ok};
use super::error::{ContentTypes, Fault, Reply, TooMany, shown};
use super::path::Target;
use super::scripts::{UploadedScript, describe};
use super::upload::{self, ContentForm, Start, Upload};
use crate::deploy::blocking;
use crate::worker::{BindingValue, Code, Entry, Module};

/// The modules of a script, in no envelope.
pub(super) struct Modules {
    content_type: HeaderValue,
    /// The module that starts; none if no header can hold its name: a form's first part is the one that starts.
    entry: Option<HeaderValue>,
    content: Bytes,
}

impl IntoResponse for Modules {
    fn into_response(self) -> Response {
        let mut response = ([(header::CONTENT_TYPE, self.content_type)], self.content).into_response();
        if let Some(entry) = self.entry {
            response.headers_mut().insert(HeaderName::from_static("cf-entrypoint"), entry);
        }
        response
    }
}

impl IntoResponses for Modules {
    fn responses() -> Responses {
        let entry = HeaderBuilder::new().description(Some("The name of the module that starts.")).build();
        let response = ResponseBuilder::new()
            .description("A single module as it was uploaded, or several as `multipart/form-data`.")
            .header("cf-entrypoint", entry)
            .content("*/*", ContentBuilder::new().build());
        envelope::one("200", response.build())
    }
}

/// Gives the modules of a script: one as it is, several as a form.
#[utoipa::path(get, path = "/content", tag = "Scripts")]
pub(super) async fn get(state: State<Api>, target: Target) -> Result<Modules, Fault> {
    modules(state, target).await
}

/// Gives the modules of a script, as newer clients ask for them.
#[utoipa::path(get, path = "/content/v2", tag = "Scripts")]
pub(super) async fn get_v2(state: State<Api>, target: Target) -> Result<Modules, Fault> {
    modules(state, target).await
}

/// Gives the modules of one of the account's own scripts.
#[utoipa::path(get, path = "/", tag = "Scripts")]
pub(super) async fn download(state: State<Api>, target: Target) -> Result<Modules, Fault> {
    modules(state, target).await
}

async fn modules(State(api): State<Api>, target: Target) -> Result<Modules, Fault> {
    let Code { entry, modules, .. } = blocking(&api.store, move |store| store.load(&target.key)).await?.code;
    let (content_type, content) = match modules.as_slice() {
        // Assets alone.
        [] => ("application/javascript".to_owned(), Bytes::new()),
        [module] => (module.content_type.clone(), module.content.clone()),
        modules => form(modules),
    };
    Ok(Modules {
        content_type: HeaderValue::from_str(&content_type).map_err(|error| Fault::Internal(error.to_string()))?,
        entry: entry.name().and_then(|name| HeaderValue::from_str(name).ok()),
        content,
    })
}

/// Replaces the modules of a script, and leaves its bindings and settings as they are.
#[utoipa::path(
    put,
    path = "/content",
    tag = "Scripts",
    params(
        ("CF-WORKER-BODY-PART" = Option<String>, Header, description = "The part that starts, where no metadata says it."),
        ("CF-WORKER-MAIN-MODULE-PART" = Option<String>, Header, description = "The same, of ES modules."),
    ),
    request_body(content(
        (ContentForm = "multipart/form-data"),
        (String = "application/javascript"),
        (String = "application/javascript+module"),
    )),
    responses(TooMany, ContentTypes),
)]
pub(super) async fn put(
    State(api): State<Api>,
    target: Target,
    headers: HeaderMap,
    body: Body,
) -> Reply<UploadedScript> {
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
    ok(UploadedScript {
        script: describe(&script),
        entry_point: None,
        dispatch_namespace: target.namespace.map(|namespace| namespace.name.to_string()),
    })
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
