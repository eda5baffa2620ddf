//! A request as it came from the tenant, read once.

use tidegate_engine::{Header, InvalidTarget, RequestView, Target};
use web_sys::Request;

use crate::identity::Tenant;
use crate::js;

/// What is judged. Header values cross from JavaScript once, here.
pub(crate) struct Received {
    /// The method in upper case. It travels as text, for an enum of known methods would make a GET of the others.
    pub(crate) method: String,
    /// The canonical URL, or why there is none.
    pub(crate) target: Result<Target, InvalidTarget>,
    /// The headers as they came.
    pub(crate) headers: Vec<Header>,
    /// Whose it is.
    pub(crate) tenant: Tenant,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub(crate) now: i64,
}

impl Received {
    /// Reads a request. Fails only where the runtime hands out headers that are no text.
    pub(crate) fn read(request: &Request, tenant: Tenant) -> Result<Self, String> {
        Ok(Self {
            method: request.method().to_ascii_uppercase(),
            target: Target::parse(&request.url()),
            headers: js::read_headers(&request.headers())?,
            tenant,
            now: js::now(),
        })
    }

    /// What the engine judges.
    pub(crate) fn view(&self) -> RequestView<'_> {
        RequestView {
            method: &self.method,
            target: self.target.as_ref().map_err(|invalid| *invalid),
            headers: &self.headers,
            customer: self.tenant.customer.as_deref(),
            tags: self.tenant.tags.as_deref(),
            vars: self.tenant.vars.as_deref(),
            now: self.now,
        }
    }
}
