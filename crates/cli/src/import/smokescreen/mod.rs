//! Smokescreen's access list, version 1 (`pkg/smokescreen/acl/v1` of <https://github.com/stripe/smokescreen>).
//!
//! Smokescreen is a proxy that asks who a client is (a *service*, by its certificate), and decides by host:
//!
//! ```text
//!   no entry for the service, and no default ──► deny
//!   1. the entry's allowed_domains           ──► allow
//!   2. global_deny_list                      ──► deny
//!   3. global_allow_list                     ──► allow
//!   4. the entry's action                    ──► enforce: deny · report: allow and say so · open: allow
//! ```
//!
//! Here deny wins, whatever the order; so what stands above the deny list there becomes an `except` of the deny rule here. A service becomes a
//! customer. `*.x` is any name beneath `x` and not `x`: `**.x` here. What a proxy has and a Worker does not (addresses, proxies behind it,
//! its logs) is said in comments.

mod acl;
mod policy;

pub(crate) use acl::read;
pub(crate) use policy::write;
