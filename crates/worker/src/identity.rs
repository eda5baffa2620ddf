//! Whose request it is.
//!
//! The dispatch Worker passes outbound parameters; the platform puts them into this Worker's `env`. The policy
//! says at which path they stand (`params_object.customer_name`). Every step is an *own* property: what
//! an object inherits (`constructor`, `toString`) was written by nobody and names no customer. What is absent or of the
//! wrong kind is no identity, and the engine refuses the request as `unknown-customer`.
//!
//! The steps are JavaScript's to take ([`crate::exchange`]); here is what it is told of the way, and what it brings back.

use serde::Serialize;
use tidegate_engine::{Identity, Var};

/// Who a request says that it belongs to; the engine judges whether that will do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tenant {
    /// The customer, if the parameter is there and a string.
    pub(crate) customer: Option<String>,
    /// The tags, if the parameter is there and a list of strings or one comma-separated string.
    pub(crate) tags: Option<Vec<String>>,
    /// The variables: none if there is no such parameter, `None` if it is not an object of strings.
    pub(crate) vars: Option<Vec<Var>>,
}

/// Where the policy says that the parameters stand.
#[derive(Debug, Serialize)]
pub(crate) struct Paths<'i> {
    customer: &'i [String],
    tags: Option<&'i [String]>,
    vars: Option<&'i [String]>,
}

impl<'i> Paths<'i> {
    /// Those of a policy.
    pub(crate) fn new(identity: &'i Identity) -> Self {
        let Identity { customer, tags, vars } = identity;
        Self { customer, tags: tags.as_deref(), vars: vars.as_deref() }
    }
}
