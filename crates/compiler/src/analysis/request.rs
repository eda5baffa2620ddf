//! A request that shows something: found by an analysis, and put to the compiled table before anybody sees it.

use std::fmt;

use crate::analysis::sets::default_port;
use crate::checked::Scheme;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The method, upper case.
    pub method: String,
    /// Canonical.
    pub url: String,
    /// Who asks; `None` where policies know no customers.
    pub customer: Option<String>,
    /// The tags of the request; `None` where no policy declares them.
    pub tags: Option<Vec<String>>,
    /// Lower-case names and values.
    pub headers: Vec<(String, String)>,
}

/// A request, dimension by dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) method: String,
    pub(crate) scheme: Scheme,
    pub(crate) port: u16,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) customer: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Point {
    /// The request as it would be sent.
    pub(crate) fn witness(&self, has_tags: bool) -> Witness {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let port = if self.port == default_port(self.scheme) { String::new() } else { format!(":{}", self.port) };
        Witness {
            method: self.method.clone(),
            url: format!("{scheme}://{}{port}{}", self.host, self.path),
            customer: self.customer.clone(),
            tags: has_tags.then(|| self.tags.clone()),
            headers: self.headers.clone(),
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{} {}`", self.method, self.url)?;
        if let Some(customer) = &self.customer {
            write!(f, " of customer `{customer}`")?;
        }
        for tag in self.tags.iter().flatten() {
            write!(f, " tagged `{tag}`")?;
        }
        for (name, value) in &self.headers {
            write!(f, " with `{name}: {value}`")?;
        }
        Ok(())
    }
}
