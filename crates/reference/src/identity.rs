//! Whose a request is (`docs/policy.md`, "What decides" and "Modes").

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use tidegate_compiler::checked::{AnyRunGlob, CheckedPolicy, EnforceFor};

use crate::{Request, glob};

/// The longest name of a customer in bytes.
const MAX_CUSTOMER: usize = 256;

/// Who asks, and what the policy knows of them.
pub(crate) struct Tenant {
    /// The customer; `None` under `identity = "none"`.
    pub(crate) customer: Option<String>,
    /// Tags of the request and of `[customers]`.
    pub(crate) tags: BTreeSet<String>,
    /// Values for `{vars.X}`: of the request, else of `[customers]`.
    pub(crate) vars: BTreeMap<String, String>,
}

impl Tenant {
    /// `None` for what is `unknown-customer`.
    pub(crate) fn new(policy: &CheckedPolicy, request: &Request<'_>) -> Option<Self> {
        let Some(identity) = &policy.identity else {
            return Some(Self { customer: None, tags: BTreeSet::new(), vars: BTreeMap::new() });
        };
        let customer = request.customer.filter(|name| is_customer(name))?;
        let mut tags = BTreeSet::new();
        if identity.tags.is_some() {
            // Tags that the policy declares must be there; others are nobody's concern.
            tags.extend(request.tags?.iter().cloned());
        }
        let known = policy.customers.get(customer);
        tags.extend(known.iter().flat_map(|known| known.tags.iter().cloned()));
        let mut vars = known.map(|known| known.vars.clone()).unwrap_or_default();
        if identity.vars.is_some() {
            vars.extend(request.vars?.iter().cloned());
        }
        Some(Self { customer: Some(customer.to_owned()), tags, vars })
    }

    /// Whether any of these globs is the customer's name.
    pub(crate) fn is_called(&self, globs: &[AnyRunGlob]) -> bool {
        let is_met = |customer: &str| globs.iter().any(|glob| glob::any_run(&glob.0.text, customer));
        self.customer.as_deref().is_some_and(is_met)
    }

    /// Whether any of these tags is the tenant's.
    pub(crate) fn has_any_tag(&self, tags: &[String]) -> bool {
        tags.iter().any(|tag| self.tags.contains(tag))
    }

    /// Whether all that the entry of `enforce-for` names holds.
    pub(crate) fn is_enforced_by(&self, entry: &EnforceFor) -> bool {
        let EnforceFor { tags, customers, percent } = entry;
        tags.as_ref().is_none_or(|tags| self.has_any_tag(tags))
            && customers.as_ref().is_none_or(|globs| self.is_called(globs))
            && percent.is_none_or(|percent| {
                self.customer.as_ref().is_some_and(|customer| ten_thousandth(customer) < u64::from(percent))
            })
    }
}

/// 1 to 256 bytes without control characters.
fn is_customer(name: &str) -> bool {
    (1..=MAX_CUSTOMER).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// The customer's place among 10,000, always the same: the first 8 bytes of SHA-256, big-endian, modulo 10,000.
fn ten_thousandth(customer: &str) -> u64 {
    let digest = Sha256::digest(customer.as_bytes());
    let first = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
    first % 10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_stands_in_one_place_among_ten_thousand() {
        // printf acme | sha256sum: the first 16 digits as a number, modulo 10,000.
        assert_eq!(ten_thousandth("acme"), 9872);
        assert_eq!(ten_thousandth("globex"), 6599);
    }

    #[test]
    fn a_customer_has_1_to_256_bytes_without_control_characters() {
        for name in ["a", "Kör Ltd.", " ", "__proto__", &"a".repeat(256)] {
            assert!(is_customer(name), "{name}");
        }
        for name in ["", "a\nb", "a\0", "a\u{7f}", "a\u{85}", &"a".repeat(257), &"é".repeat(129)] {
            assert!(!is_customer(name), "{name:?}");
        }
    }
}
