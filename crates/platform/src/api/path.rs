//! What a request's path names.
//!
//! Routes are matched on the path as it was sent, and each segment is then percent-decoded once, by axum. So an encoded
//! `/` stays in its segment, and what comes out of it is text that must still be a name: `a%2Fb`, `..`, `a\b` and NUL
//! meet [`ScriptName`] and [`NamespaceName`], never another route.

use axum::extract::{FromRequestParts, OriginalUri, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::error::{Fault, NAMESPACE, WORKER};
use crate::deploy::blocking;
use crate::names::{NamespaceName, ScriptName};
use crate::store::Namespace;
use crate::worker::{Scope, ScriptKey};

/// Reads the name of a Worker.
pub(super) fn script_name(name: &str) -> Result<ScriptName, Fault> {
    ScriptName::parse(name).map_err(|error| Fault::Name { what: WORKER, name: name.to_owned(), error })
}

/// Reads the name of a dispatch namespace.
pub(super) fn namespace_name(name: &str) -> Result<NamespaceName, Fault> {
    NamespaceName::parse(name).map_err(|error| Fault::Name { what: NAMESPACE, name: name.to_owned(), error })
}

/// The captures of a path, decoded.
pub(super) struct Captures(Vec<(String, String)>);

impl Captures {
    /// One of them; each handler knows which its route has.
    pub(super) fn one(&self, capture: &str) -> &str {
        self.find(capture).unwrap_or_default()
    }

    fn find(&self, capture: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == capture).map(|(_, value)| value.as_str())
    }
}

impl FromRequestParts<Api> for Captures {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Fault> {
        // What is refused here is a segment that is no UTF-8.
        let captures = RawPathParams::from_request_parts(parts, api)
            .await
            .map_err(|_| api.not_routed(&parts.method, sent(&parts.extensions, &parts.uri)))?;
        Ok(Self(captures.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }
}

/// The dispatch namespace that a path names. It exists.
pub(super) struct InNamespace(pub(super) Namespace);

impl FromRequestParts<Api> for InNamespace {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Fault> {
        let captures = Captures::from_request_parts(parts, api).await?;
        let name = namespace_name(captures.one("dispatch_namespace"))?;
        Ok(Self(blocking(&api.store, move |store| store.namespace(&name)).await?))
    }
}

/// The script that a path names: one of a dispatch namespace, which exists, or else one of the account's. The script itself
/// may be yet to be made. Where the path has a `user_worker`, `script_name` is its namespace.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Which script.
    pub(super) key: ScriptKey,
    /// The namespace it is in.
    pub(super) namespace: Option<Namespace>,
}

impl FromRequestParts<Api> for Target {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Fault> {
        let captures = Captures::from_request_parts(parts, api).await?;
        let (namespace, name) = match captures.find("user_worker") {
            Some(name) => (captures.find("script_name"), name),
            None => (captures.find("dispatch_namespace"), captures.one("script_name")),
        };
        let name = script_name(name)?;
        let Some(namespace) = namespace else {
            return Ok(Self { key: ScriptKey { scope: Scope::Account, name }, namespace: None });
        };
        let namespace = namespace_name(namespace)?;
        let namespace = blocking(&api.store, move |store| store.namespace(&namespace)).await?;
        Ok(Self { key: ScriptKey { scope: Scope::Namespace(namespace.id), name }, namespace: Some(namespace) })
    }
}

/// Lets requests to the one account through.
pub(super) async fn own_account(State(api): State<Api>, captures: Captures, request: Request, next: Next) -> Response {
    if captures.one("account_id") == api.account {
        next.run(request).await
    } else {
        api.not_routed(request.method(), sent(request.extensions(), request.uri())).into_response()
    }
}

/// The URI as it was sent: within a router that is nested in another, the path goes on from there.
fn sent<'a>(extensions: &'a Extensions, uri: &'a Uri) -> &'a Uri {
    extensions.get::<OriginalUri>().map_or(uri, |OriginalUri(uri)| uri)
}
