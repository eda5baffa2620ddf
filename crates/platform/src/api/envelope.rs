//! The envelope of every answer, `{success, errors, messages, result}`: as it is sent, and as it is described.
//!
//! What an endpoint answers is a type: [`Success`] of what stands in `result`, or [`Page`] of it. One value of that type
//! is sent, and the type is described ([`IntoResponses`], which `utoipa::path` reads off a handler's signature); so a
//! description cannot say anything else than what is sent.

use std::collections::BTreeMap;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{AllOfBuilder, ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::error::{Fault, Reply};

/// A success, and what stands in its `result`.
#[derive(Debug)]
pub(super) struct Success<T>(pub(super) T);

/// A page of something larger, and which it is.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) result: T,
    pub(super) info: ResultInfo,
}

/// A success whose result's keys are also at the top, where some clients look for them.
#[derive(Debug)]
pub(super) struct AtTopToo<T>(pub(super) T);

/// A list in an answer. Unlike of a `Vec`, the description refers to what its items are and does not repeat it.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct List<T>(pub(super) Vec<T>);

/// The `result` of what has nothing to say: `null`.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Nothing;

/// A list that is always empty.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Empty;

/// Which page an answer is, and how to have the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ResultInfo {
    /// How many items are on this page.
    pub(super) count: usize,
    /// The number of this page; the first is 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) page: Option<usize>,
    /// How many items a page has at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) per_page: Option<usize>,
    /// How many items there are on all pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) total_count: Option<usize>,
    /// How many pages there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) total_pages: Option<usize>,
    /// What the next page is asked for with; empty on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) cursor: Option<String>,
}

/// An error as answers tell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ResponseInfo {
    /// What clients tell errors apart by.
    #[schema(minimum = 1000)]
    pub(super) code: u32,
    /// What people read.
    pub(super) message: String,
}

/// A success.
#[expect(clippy::unnecessary_wraps, reason = "what endpoints answer")]
pub(super) fn ok<T>(result: T) -> Reply<T> {
    Ok(Success(result))
}

/// A success that has nothing to say.
pub(super) fn done() -> Reply<Nothing> {
    ok(Nothing)
}

/// Errors, each a code and a message.
pub(super) fn failure(status: StatusCode, errors: Vec<ResponseInfo>) -> Response {
    json_response(status, &Envelope { success: false, errors, messages: [], result: Nothing, more: NoMore {} })
}

/// Describes an answer in which a `T` is the result, for types that are sent otherwise than those here.
pub(super) fn described<T: ToSchema>(description: &str) -> utoipa::openapi::Response {
    response::<T>(description, Schema::from)
}

/// Where [`described`] leaves the schemas that a description refers to. `utoipa` gathers those of the types that an attribute
/// names, and not those of [`IntoResponses`]; so the descriptions carry them to where the document is put together.
pub(super) const REFERRED: &str = "x-referred";

/// What goes out.
#[derive(Serialize)]
struct Envelope<T, M> {
    success: bool,
    errors: Vec<ResponseInfo>,
    messages: [ResponseInfo; 0],
    result: T,
    #[serde(flatten)]
    more: M,
}

#[derive(Serialize)]
struct NoMore {}

#[derive(Serialize)]
struct Info {
    result_info: ResultInfo,
}

fn success<T: Serialize, M: Serialize>(result: T, more: M) -> Response {
    json_response(StatusCode::OK, &Envelope { success: true, errors: Vec::new(), messages: [], result, more })
}

fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => {
            let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            (status, [json], body).into_response()
        }
        // Of an error itself, this is never so: it is made of numbers and text.
        Err(error) => Fault::Internal(error.to_string()).into_response(),
    }
}

impl<T: Serialize> IntoResponse for Success<T> {
    fn into_response(self) -> Response {
        success(self.0, NoMore {})
    }
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        success(self.result, Info { result_info: self.info })
    }
}

impl<T: Serialize> IntoResponse for AtTopToo<T> {
    fn into_response(self) -> Response {
        success(&self.0, &self.0)
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

/// Responses by their status.
pub(super) type Responses = BTreeMap<String, RefOr<utoipa::openapi::Response>>;

impl<T: ToSchema> IntoResponses for Success<T> {
    fn responses() -> Responses {
        one("200", described::<T>("A success."))
    }
}

impl<T: ToSchema> IntoResponses for Page<T> {
    fn responses() -> Responses {
        let paged = |envelope: ObjectBuilder| {
            envelope.property("result_info", ResultInfo::reference()).required("result_info").into()
        };
        one("200", with_referred::<ResultInfo>(response::<T>("A page.", paged)))
    }
}

impl<T: ToSchema> IntoResponses for AtTopToo<T> {
    fn responses() -> Responses {
        let both = |envelope: ObjectBuilder| AllOfBuilder::new().item(envelope).item(T::reference()).build().into();
        one("200", response::<T>("A success. What stands in `result` stands at the top, too.", both))
    }
}

/// Describes an error.
pub(super) fn error(description: &str) -> utoipa::openapi::Response {
    let failure = ObjectBuilder::new()
        .property("success", only(false))
        .property("errors", ArrayBuilder::new().items(ResponseInfo::reference()).min_items(Some(1)))
        .property("messages", ArrayBuilder::new().items(ResponseInfo::reference()).max_items(Some(0)))
        .property("result", Nothing::schema());
    let failure = all_required(failure, &["success", "errors", "messages", "result"]);
    let content = ContentBuilder::new().schema(Some(failure)).build();
    let response = ResponseBuilder::new().description(description).content("application/json", content).build();
    with_referred::<ResponseInfo>(response)
}

/// Responses of one status.
pub(super) fn one(status: &str, response: utoipa::openapi::Response) -> Responses {
    BTreeMap::from([(status.to_owned(), response.into())])
}

fn response<T: ToSchema>(
    description: &str,
    completed: impl FnOnce(ObjectBuilder) -> Schema,
) -> utoipa::openapi::Response {
    let envelope = ObjectBuilder::new()
        .property("success", only(true))
        .property("errors", ArrayBuilder::new().items(ResponseInfo::reference()).max_items(Some(0)))
        .property("messages", ArrayBuilder::new().items(ResponseInfo::reference()).max_items(Some(0)))
        .property("result", T::reference());
    let schema = completed(all_required(envelope, &["success", "errors", "messages", "result"]));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description(description).content("application/json", content).build();
    with_referred::<ResponseInfo>(with_referred::<T>(response))
}

fn all_required(object: ObjectBuilder, names: &[&str]) -> ObjectBuilder {
    names.iter().fold(object, |object, name| object.required(*name))
}

/// A boolean that is always the same.
fn only(value: bool) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([value]))
}

/// Adds what a type's description refers to to [`REFERRED`].
fn with_referred<T: ToSchema>(mut response: utoipa::openapi::Response) -> utoipa::openapi::Response {
    let mut schemas = Vec::new();
    if T::is_named() {
        schemas.push((T::name().into_owned(), T::schema()));
    }
    T::schemas(&mut schemas);
    let extensions = response.extensions.get_or_insert_with(Extensions::default);
    let referred = extensions.entry(REFERRED.to_owned()).or_insert_with(|| Value::Object(serde_json::Map::new()));
    if let Value::Object(referred) = referred {
        for (name, schema) in schemas {
            referred.insert(name, serde_json::to_value(schema).unwrap_or_default());
        }
    }
    response
}

/// How descriptions speak of a type: objects by name, all else as it is.
pub(super) trait Referred: ToSchema {
    /// Whether it has a name of its own in the document.
    fn is_named() -> bool {
        matches!(Self::schema(), RefOr::T(Schema::Object(object)) if !object.properties.is_empty())
            || matches!(Self::schema(), RefOr::T(Schema::AllOf(_) | Schema::OneOf(_)))
    }

    /// Its name, or itself.
    fn reference() -> RefOr<Schema> {
        if Self::is_named() { Ref::from_schema_name(Self::name()).into() } else { Self::schema() }
    }
}

impl<T: ToSchema> Referred for T {}

impl<T: ToSchema> ToSchema for List<T> {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        if T::is_named() {
            schemas.push((T::name().into_owned(), T::schema()));
        }
        T::schemas(schemas);
    }
}

impl<T: ToSchema> PartialSchema for List<T> {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new().items(T::reference()).build().into()
    }
}

impl ToSchema for Nothing {}

impl PartialSchema for Nothing {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Null).build().into()
    }
}

impl Serialize for Empty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq([(); 0])
    }
}

impl ToSchema for Empty {}

impl PartialSchema for Empty {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new().items(ObjectBuilder::new()).max_items(Some(0)).build().into()
    }
}
