//! Requests that outlive whoever asked them.

/// A request, with what the outbound parameters say about its tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method, in any case.
    pub method: String,
    /// The URL as received.
    pub url: String,
    /// The headers as received, each name once.
    pub headers: Vec<(String, String)>,
    /// Who asks.
    pub identity: Identity,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub now: i64,
}

/// What is left of the outbound parameters when somebody has looked for a customer, tags and variables in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The customer; `None` where there is none or it is not a string.
    pub customer: Option<String>,
    /// The tags; `None` where they are absent or malformed.
    pub tags: Option<Vec<String>>,
    /// The variables, by name; empty where they are absent, `None` where they are malformed.
    pub vars: Option<Vec<(String, String)>>,
}

/// Nothing stands in the outbound parameters.
impl Default for Identity {
    fn default() -> Self {
        Self { customer: None, tags: None, vars: Some(Vec::new()) }
    }
}

impl Request {
    pub(crate) fn view(&self) -> tidegate_reference::Request<'_> {
        tidegate_reference::Request {
            method: &self.method,
            url: &self.url,
            headers: &self.headers,
            customer: self.identity.customer.as_deref(),
            tags: self.identity.tags.as_deref(),
            vars: self.identity.vars.as_deref(),
            now: self.now,
        }
    }
}
