//! Every error of the API, in one table: HTTP status, Cloudflare's code, message.
//!
//! Codes and messages are Cloudflare's wherever they are known; clients tell errors apart by code (`wrangler` takes
//! 10092 for "there is no such script yet" and stops at 10007), so a code is never reused for another meaning. Where
//! Cloudflare has no such error, the message is ours and the code is that of the nearest of theirs: 10021 for what is
//! wrong with an upload, 10001 for a request that cannot be read.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use utoipa::IntoResponses;

use super::envelope::{self, List, Page, ResponseInfo, Responses, Success};
use super::upload::{LARGEST_SCRIPT, MIB};
use crate::d1::D1Error;
use crate::deploy::DeployError;
use crate::kv::KvError;
use crate::names::NameError;
use crate::room;
use crate::runtime::StartError;
use crate::store::StoreError;

/// What an endpoint answers: a `T` in the envelope.
pub(super) type Reply<T> = Result<Success<T>, Fault>;
/// What an endpoint answers that lists: a page of a `T`.
pub(super) type Paged<T> = Result<Page<List<T>>, Fault>;

/// An answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    // Of the request as a whole.
    /// No such path, or another account's.
    NotRouted(String),
    /// The path exists, with other methods.
    Method,
    /// Neither a token nor a key.
    NoCredentials,
    /// An `Authorization` header that is no `Bearer`.
    AuthorizationHeader,
    /// A token that was never let in.
    Credentials,
    /// What is wrong with the token of an upload of static assets.
    AssetToken(String),
    /// Without a token: a `Host` that is not this machine.
    Host(String),
    /// Without a token: a page of another origin.
    Origin(String),
    /// A body that is longer than the endpoint reads; how much it reads, in bytes.
    BodyTooLarge(usize),
    /// The connection broke, or the body was not as its framing said.
    Body(String),
    /// The body came too slowly.
    TooSlow,
    /// There is no room for one more body.
    Crowded(room::Full),
    /// A body that cannot be read as what it should be.
    Unreadable(String),
    /// A `Content-Type` that the endpoint does not take, and those it does.
    ContentType { found: String, taken: &'static str },
    /// A query parameter that cannot be.
    Query(String),
    /// Something that Cloudflare offers and this platform does not yet.
    NotYet(&'static str),
    /// The store, or the runtime, failed.
    Internal(String),
    /// There is no runtime to start code with.
    NoRuntime,

    // Of namespaces and scripts.
    /// What kind of name, the name, what is wrong with it.
    Name { what: &'static str, name: String, error: NameError },
    /// No such dispatch namespace.
    NamespaceMissing,
    /// One of this name exists.
    NamespaceExists(String),
    /// No such Worker.
    ScriptMissing,
    /// No such Worker, asked through `services`.
    ServiceMissing,
    /// No such Worker in a dispatch namespace.
    EnvironmentMissing,
    /// No such version.
    VersionMissing,
    /// Others change the script at the same time, or there is as much of this as can be. Try again.
    Busy,

    // Of uploads.
    /// The modules are too large together.
    ScriptTooLarge,
    /// What is wrong with an upload, or why it does not start.
    Invalid(String),
    /// The binding at this index has no name.
    BindingName(usize),
    /// Two bindings of one name, or a secret with the name of something else.
    BindingTwice(String),
    /// An `inherit` binding, or one that was to be kept, that the version before does not have.
    Inherit(String),
    /// A binding to a KV namespace that is none.
    KvBinding { id: String },
    /// A binding to a D1 database that is not there.
    D1Binding { binding: String, id: String },
    /// A binding to a Worker that is not there.
    ServiceBinding { binding: String, service: String },

    // Of tails.
    /// No such tail.
    TailMissing,
    /// As many as can be.
    TooManyTails(String),

    // Of secrets and tags.
    /// No such secret.
    SecretMissing(String),
    /// A tag that cannot be.
    Tag(String),

    // Of D1.
    /// No such database: how it was named.
    D1Missing(String),
    /// One of this name exists.
    D1Exists(String),
    /// A request that cannot be.
    D1Request(String),
    /// Why a query failed.
    D1Query(D1Error),

    // Of KV.
    /// No such key.
    KvKeyMissing,
    /// No such KV namespace.
    KvNamespaceMissing,
    /// One of this title exists.
    KvNamespaceExists,
    /// A key that cannot be.
    KvKey(String),
    /// An expiration that cannot be.
    KvExpiration(String),
    /// Metadata that cannot be.
    KvMetadata(String),
    /// A request that cannot be.
    KvRequest(String),
}

impl Fault {
    /// The table: status, code, message.
    #[expect(clippy::too_many_lines, reason = "one table is easier to search than three")]
    fn describe(&self) -> (StatusCode, u32, String) {
        use StatusCode as S;
        match self {
            Self::NotRouted(path) => {
                (S::NOT_FOUND, 7003, format!("Could not route to {path}, perhaps your object identifier is invalid?"))
            }
            Self::Method => {
                (S::METHOD_NOT_ALLOWED, 10405, "Method not allowed for this authentication scheme".to_owned())
            }
            Self::NoCredentials => {
                (S::BAD_REQUEST, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers".to_owned())
            }
            Self::AuthorizationHeader => (S::BAD_REQUEST, 6111, "Invalid format for Authorization header".to_owned()),
            Self::Credentials => (S::UNAUTHORIZED, 10000, "Authentication error".to_owned()),
            Self::AssetToken(why) => (S::UNAUTHORIZED, 10000, format!("Authentication error: {why}")),
            Self::Host(host) => (
                S::FORBIDDEN,
                10000,
                format!(
                    "without a token this API answers to `localhost` and loopback addresses alone, not to the host \
                     `{host}`"
                ),
            ),
            Self::Origin(origin) => (
                S::FORBIDDEN,
                10000,
                format!("without a token this API answers no web pages, and this request comes from `{origin}`"),
            ),
            Self::BodyTooLarge(most) => {
                (S::PAYLOAD_TOO_LARGE, 10001, format!("the body is too large: at most {most} bytes are read here"))
            }
            Self::Body(why) => (S::BAD_REQUEST, 10001, format!("the body could not be read: {why}")),
            Self::TooSlow => {
                (S::REQUEST_TIMEOUT, 10001, "the body could not be read: it came too slowly, or not at all".to_owned())
            }
            Self::Crowded(full) => (
                S::TOO_MANY_REQUESTS,
                10013,
                format!(
                    "Too many large requests at the same time: {} MiB of bodies are held at once; try again",
                    full.total / MIB as u64
                ),
            ),
            Self::Unreadable(why) | Self::Query(why) => (S::BAD_REQUEST, 10001, why.clone()),
            Self::ContentType { found, taken } => {
                (S::UNSUPPORTED_MEDIA_TYPE, 10001, format!("Content-Type must be one of: {taken}; it is `{found}`"))
            }
            Self::NotYet(what) => {
                (S::BAD_REQUEST, 10021, format!("{what} cannot be used on this platform yet; leave them out"))
            }
            Self::Internal(why) => (S::INTERNAL_SERVER_ERROR, 10002, format!("internal error: {why}")),
            Self::NoRuntime => (S::SERVICE_UNAVAILABLE, 10002, "internal error: no runtime is there".to_owned()),

            Self::Name { what, name, error } => {
                let code = match (error, *what) {
                    (NameError::TooLong, NAMESPACE) => 100_132,
                    (NameError::TooLong, _) => 100_315,
                    _ => 10016,
                };
                (S::BAD_REQUEST, code, format!("`{}` cannot be the name of a {what}: {error}", shown(name)))
            }
            Self::NamespaceMissing => {
                (S::NOT_FOUND, 100_119, "workers.api.error.dispatch_namespace_not_found".to_owned())
            }
            Self::NamespaceExists(name) => {
                (S::CONFLICT, 100_120, format!("a dispatch namespace with the name `{name}` already exists"))
            }
            Self::ScriptMissing => (S::NOT_FOUND, 10007, "This Worker does not exist on your account.".to_owned()),
            Self::ServiceMissing => (S::NOT_FOUND, 10090, "workers.api.error.service_not_found".to_owned()),
            Self::EnvironmentMissing => (S::NOT_FOUND, 10092, "workers.api.error.environment_not_found".to_owned()),
            Self::VersionMissing => (S::NOT_FOUND, 100_146, "This version does not exist.".to_owned()),
            Self::Busy => (
                S::TOO_MANY_REQUESTS,
                10013,
                "Too many requests are currently modifying the script; try again".to_owned(),
            ),

            Self::ScriptTooLarge => (
                S::PAYLOAD_TOO_LARGE,
                10027,
                format!(
                    "workers.api.error.script_too_large: Your Worker exceeded the size limit of {} MiB.",
                    LARGEST_SCRIPT / MIB
                ),
            ),
            Self::Invalid(why) => (S::BAD_REQUEST, 10021, why.clone()),
            Self::BindingName(index) => (S::BAD_REQUEST, 10052, format!("Binding at index {index} must have a name.")),
            Self::BindingTwice(name) => (
                S::BAD_REQUEST,
                10053,
                format!("Binding name '{}' already in use. Please use a different name and try again.", shown(name)),
            ),
            Self::Inherit(name) => (
                S::BAD_REQUEST,
                10057,
                format!(
                    "inherit binding '{}' is invalid, the previous version of this Worker has no binding of that \
                     name",
                    shown(name)
                ),
            ),
            Self::KvBinding { id } => (
                S::BAD_REQUEST,
                10042,
                format!(
                    "KV namespace '{}' is not valid. Please verify the namespace_id in your configuration.",
                    shown(id)
                ),
            ),
            Self::D1Binding { binding, id } => (
                S::BAD_REQUEST,
                10181,
                format!(
                    "D1 binding '{}' references database '{}' which was not found. Verify the database exists in your \
                     account and that the database_id in your configuration is correct.",
                    shown(binding),
                    shown(id)
                ),
            ),
            Self::ServiceBinding { binding, service } => (
                S::BAD_REQUEST,
                10143,
                format!(
                    "Service binding '{}' references Worker '{}' which was not found.",
                    shown(binding),
                    shown(service)
                ),
            ),

            Self::TailMissing => (S::NOT_FOUND, 10013, "this tail does not exist, or has ended".to_owned()),
            Self::TooManyTails(why) => (S::TOO_MANY_REQUESTS, 10013, why.clone()),

            Self::SecretMissing(name) => (S::NOT_FOUND, 10056, format!("Binding '{}' not found.", shown(name))),
            Self::Tag(why) => (S::BAD_REQUEST, 100_134, why.clone()),

            Self::D1Missing(name) => (S::NOT_FOUND, 7404, format!("The database {} could not be found", shown(name))),
            Self::D1Exists(name) => {
                (S::BAD_REQUEST, 7502, format!("database with name '{}' already exists", shown(name)))
            }
            Self::D1Request(why) => (S::BAD_REQUEST, 7400, format!("The request is malformed: {why}")),
            Self::D1Query(D1Error::NotFound) => (S::NOT_FOUND, 7404, "The database could not be found".to_owned()),
            Self::D1Query(error @ D1Error::Overloaded) => (S::TOO_MANY_REQUESTS, 7500, error.to_string()),
            Self::D1Query(error @ (D1Error::Closed | D1Error::Storage(_))) => {
                (S::INTERNAL_SERVER_ERROR, 7500, format!("internal error: {error}"))
            }
            Self::D1Query(error @ D1Error::Query(_)) => (S::BAD_REQUEST, 7500, error.to_string()),

            Self::KvKeyMissing => (S::NOT_FOUND, 10009, "get: 'key not found'".to_owned()),
            Self::KvNamespaceMissing => (S::NOT_FOUND, 10013, "namespace not found".to_owned()),
            Self::KvNamespaceExists => {
                (S::BAD_REQUEST, 10014, "a namespace with this account ID and title already exists".to_owned())
            }
            Self::KvKey(why) => (S::BAD_REQUEST, 10030, why.clone()),
            Self::KvExpiration(why) => (S::BAD_REQUEST, 10033, why.clone()),
            Self::KvMetadata(why) => (S::BAD_REQUEST, 10047, why.clone()),
            Self::KvRequest(why) => (S::BAD_REQUEST, 10029, why.clone()),
        }
    }
}

/// How [`Fault::Name`] calls a dispatch namespace.
pub(super) const NAMESPACE: &str = "dispatch namespace";
/// How [`Fault::Name`] calls a Worker.
pub(super) const WORKER: &str = "Worker";

/// Text from outside as messages show it: without control characters, and not at any length.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 100;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, code, message) = self.describe();
        let mut errors = vec![(code, message)];
        match self {
            Self::NotRouted(_) => errors.push((7000, "No route for that URI".to_owned())),
            Self::AuthorizationHeader => errors.insert(0, (6003, "Invalid request headers".to_owned())),
            _ => {}
        }
        let errors = errors.into_iter().map(|(code, message)| ResponseInfo { code, message }).collect();
        envelope::failure(status, errors)
    }
}

/// The errors that every endpoint may answer. Those that follow from where an endpoint is and what it reads are added to
/// them (`openapi`); those of some endpoints alone stand with these.
impl IntoResponses for Fault {
    fn responses() -> Responses {
        [
            ("400", "The request cannot be; the message says what is wrong with it."),
            ("401", "The token is none that was let in."),
            ("403", "Without a token: a host that is not this machine, or a page of another origin."),
            ("5XX", "The fault of the platform or of its machine."),
        ]
        .into_iter()
        .flat_map(|(status, description)| envelope::one(status, envelope::error(description)))
        .collect()
    }
}

/// Describes the error of a name that is taken.
pub(super) enum Exists {}

impl IntoResponses for Exists {
    fn responses() -> Responses {
        envelope::one("409", envelope::error("Something of this name exists."))
    }
}

/// Describes the error of a body of a type that is not read.
pub(super) enum ContentTypes {}

impl IntoResponses for ContentTypes {
    fn responses() -> Responses {
        envelope::one("415", envelope::error("The body is of a type that is not read here."))
    }
}

/// What a 429 is.
pub(super) const BUSY: &str = "Others change the same script, or as much is under way as can be. Try again.";

/// Describes the error of what would go at another time.
pub(super) enum TooMany {}

impl IntoResponses for TooMany {
    fn responses() -> Responses {
        envelope::one("429", envelope::error(BUSY))
    }
}

impl From<KvError> for Fault {
    fn from(error: KvError) -> Self {
        match error {
            KvError::Expiration(why) => Self::KvExpiration(why),
            KvError::Key(why) => Self::KvKey(why),
            KvError::Metadata(why) => Self::KvMetadata(why),
            KvError::Value(why) => Self::KvRequest(why),
        }
    }
}

impl From<D1Error> for Fault {
    fn from(error: D1Error) -> Self {
        Self::D1Query(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NamespaceNotFound => Self::NamespaceMissing,
            StoreError::ScriptNotFound => Self::ScriptMissing,
            StoreError::VersionNotFound => Self::VersionMissing,
            StoreError::KvNamespaceNotFound => Self::KvNamespaceMissing,
            StoreError::KvNamespaceExists => Self::KvNamespaceExists,
            StoreError::D1DatabaseNotFound => Self::D1Query(D1Error::NotFound),
            StoreError::Conflict => Self::Busy,
            StoreError::Cursor => Self::Query(error.to_string()),
            StoreError::AssetNotWanted(_)
            | StoreError::AssetSessionForeign
            | StoreError::AssetSessionIncomplete
            | StoreError::AssetSessionNotFound
            | StoreError::AssetSize { .. } => Self::Invalid(error.to_string()),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<DeployError> for Fault {
    fn from(error: DeployError) -> Self {
        match error {
            DeployError::Start(StartError::Runtime(why)) => Self::Internal(why),
            DeployError::Start(refused) => Self::Invalid(refused.to_string()),
            DeployError::Store(error) => error.into(),
        }
    }
}
