//! The description of the API (`OpenAPI` 3.1), made of what the router is made of.
//!
//! Each handler says its method, path, query and body beside itself (`utoipa::path`), and what it answers by its type
//! ([`envelope`](super::envelope)). What is the same of many is said here, once: what the captures of paths are, and the
//! errors that follow from where an endpoint is and whether it reads a body.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, OpenApi, RefOr, ResponseBuilder};

use super::envelope::{REFERRED, error};
use super::error::{BUSY, Fault};
use super::routes::{self, BASE};

/// The description of the API: what `GET /client/v4/openapi.json` answers, the same at each start.
pub fn openapi() -> &'static Document {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(|| document(&routes::described().into_openapi()));
    &DOCUMENT
}

/// An `OpenAPI` document, to be serialized.
#[derive(Debug, Serialize)]
pub struct Document {
    openapi: &'static str,
    info: Value,
    servers: Value,
    security: Value,
    paths: Map<String, Value>,
    components: Value,
}

/// Describes the API: this document.
#[utoipa::path(get, path = "/openapi.json", tag = "Description")]
pub(super) async fn get() -> Result<Description, Fault> {
    static BYTES: LazyLock<Bytes> = LazyLock::new(|| serde_json::to_vec(openapi()).unwrap_or_default().into());
    Ok(Description(BYTES.clone()))
}

/// The document, on its way out. It stands in no envelope.
pub(super) struct Description(Bytes);

impl IntoResponse for Description {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

impl IntoResponses for Description {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let content = ContentBuilder::new().build();
        let response = ResponseBuilder::new().description("An OpenAPI document.").content("application/json", content);
        BTreeMap::from([("200".to_owned(), response.build().into())])
    }
}

/// What the captures of paths are: name, meaning, and the form that it has. A capture of another form is refused with 400.
const CAPTURES: [(&str, &str, &str); 11] = [
    ("account_id", "The account: the one that this platform has.", "^[0-9a-f]{32}$"),
    ("database_id", "The id of a D1 database, or its name.", ""),
    ("dispatch_namespace", "The name of a dispatch namespace.", NAME),
    ("id", "The id of a tail.", "^[0-9a-f]{32}$"),
    ("key_name", "A key, percent-encoded.", ""),
    ("namespace_id", "The id of a KV namespace.", "^[0-9a-f]{32}$"),
    ("script_name", "The name of a Worker.", NAME),
    ("secret_name", "The name of a secret.", ""),
    ("tag", "A tag.", ""),
    ("user_worker", "The name of a user Worker; the name before it is then its namespace's.", NAME),
    ("version_id", "The id of a version.", ""),
];

/// See [`crate::names`].
const NAME: &str = "^[a-z0-9_][a-z0-9_-]{0,62}$";

fn document(described: &OpenApi) -> Document {
    let mut described = serde_json::to_value(described).unwrap_or_default();
    let mut schemas = take(&mut described, "/components/schemas");
    let mut errors = Map::new();
    let mut paths = take(&mut described, "/paths");
    for (path, item) in &mut paths {
        let Value::Object(item) = item else { continue };
        for (method, operation) in &mut *item {
            if let Value::Object(operation) = operation {
                complete(method, path, operation, &mut schemas);
                name_errors(operation, &mut errors);
            }
        }
        let captures: Vec<Value> = captures(path).map(capture).collect();
        if !captures.is_empty() {
            item.insert("parameters".to_owned(), captures.into());
        }
    }
    Document {
        openapi: "3.1.0",
        info: json!({
            "title": "Tidegate",
            "description": "What `tidegate dev` serves of Cloudflare's REST API.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        }),
        servers: json!([{ "url": BASE }]),
        security: json!([{ "api_token": [] }, { "api_email": [], "api_key": [] }]),
        paths,
        components: json!({
            "responses": errors,
            "schemas": schemas,
            "securitySchemes": {
                "api_token": { "type": "http", "scheme": "bearer" },
                "api_email": { "type": "apiKey", "in": "header", "name": "X-Auth-Email" },
                "asset_token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
                "api_key": { "type": "apiKey", "in": "header", "name": "X-Auth-Key" },
            },
        }),
    }
}

/// Gives an operation an id of its own and the errors that follow from what it is, and takes the schemas that it refers to.
fn complete(method: &str, path: &str, operation: &mut Map<String, Value>, schemas: &mut Map<String, Value>) {
    operation.insert("operationId".to_owned(), id(method, path).into());
    let reads_body = operation.contains_key("requestBody");
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    let mut add = |status: &str, description: &str| {
        if !responses.contains_key(status) {
            responses.insert(status.to_owned(), serde_json::to_value(error(description)).unwrap_or_default());
        }
    };
    if captures(path).next().is_some() {
        add("404", "There is no such thing, or not in this account.");
    }
    if reads_body {
        add("408", "The body comes too slowly.");
        add("413", "The body is longer than this endpoint reads.");
        add("429", BUSY);
    }
    for response in responses.values_mut().filter_map(Value::as_object_mut) {
        if let Some(Value::Object(referred)) = response.remove(REFERRED) {
            schemas.extend(referred);
        }
    }
}

/// Puts errors among the components, once each: all operations have most of them.
fn name_errors(operation: &mut Map<String, Value>, errors: &mut Map<String, Value>) {
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    for (status, response) in responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
        let name = format!("Error{status}");
        let described = response.take();
        if *errors.entry(&name).or_insert_with(|| described.clone()) == described {
            *response = json!({ "$ref": format!("#/components/responses/{name}") });
        } else {
            *response = described;
        }
    }
}

/// The same handler stands at several paths, so an id is made of the path.
fn id(method: &str, path: &str) -> String {
    let path = path.trim_start_matches("/accounts/{account_id}");
    let words: Vec<&str> = path.split(['/', '{', '}', '-', '.', '_']).filter(|word| !word.is_empty()).collect();
    if words.is_empty() { format!("{method}_account") } else { format!("{method}_{}", words.join("_")) }
}

fn captures(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn capture(name: &str) -> Value {
    let (_, description, pattern) = CAPTURES.into_iter().find(|(known, ..)| *known == name).unwrap_or((name, "", ""));
    let mut schema = json!({ "type": "string", "minLength": 1 });
    if !pattern.is_empty() {
        schema = json!({ "type": "string", "pattern": pattern });
    }
    json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema })
}

fn take(value: &mut Value, pointer: &str) -> Map<String, Value> {
    match value.pointer_mut(pointer).map(Value::take) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}
