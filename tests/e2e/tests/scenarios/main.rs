//! The scenarios of `tests/corpus/http-cases.tsv`: what hostile code tries once it may `fetch()`, and what must come of it.
//!
//! A test whose name begins with an id (`h001_…`) shows what that line expects; a line may take several. Tests without
//! an id stand beside those whose subject they complete. Each asserts on what the upstream captured: what the tenant was
//! told is the lesser half. `coverage` holds that no line is without a test.
//!
//! | module | layers of the table |
//! |---|---|
//! | `redirects` | redirect |
//! | `urls` | scheme, compat, forward, match |
//! | `headers` | header, cookie, cf |
//! | `methods` | method |
//! | `sockets` | socket, ws |
//! | `identity` | coverage, identity |
//! | `answers` | response |
//! | `limits` | limits: sizes, patterns, tables |
//! | `credentials` | limits: keys and tokens; cache |

mod answers;
mod coverage;
mod credentials;
mod headers;
mod identity;
mod limits;
mod methods;
mod redirects;
mod sockets;
mod urls;

use anyhow::{Context, Result, ensure};
use tidegate_e2e::{Captured, Chain, ChainBuilder, Customer, Fetch};

/// The customer that most tests speak as.
const ACME: &str = "acme";

/// A customer whose Worker has a compatibility date of 2024-01-01. Its runtime leaves URLs as they were written, knows few
/// methods in lower case, and reads a `Location` in its own way.
const OLD: &str = "old";

/// A chain with this policy and the customers [`ACME`] and [`OLD`].
fn new_and_old(policy: &str) -> Result<ChainBuilder> {
    let old = Customer::new(OLD).compatibility_date("2024-01-01");
    Ok(Chain::with_policy(policy)?.customer(Customer::new(ACME)).customer(old))
}

/// Makes a fetch that must be answered with 200, and gives the one request that arrived.
async fn arrives(chain: &Chain, customer: &str, fetch: Fetch) -> Result<Captured> {
    let outcome = chain.fetch(customer, fetch.clone()).await?;
    let captured = chain.upstream().take();
    ensure!(outcome.status == Some(200), "{fetch:?} was answered: {outcome:?}");
    ensure!(captured.len() == 1, "{fetch:?} made {} requests: {captured:?}", captured.len());
    captured.into_iter().next().context("nothing arrived")
}

/// Makes a fetch that must be refused for this reason, and of which nothing may arrive.
async fn is_refused(chain: &Chain, customer: &str, fetch: Fetch, reason: &str) -> Result<()> {
    let outcome = chain.fetch(customer, fetch.clone()).await?;
    let captured = chain.upstream().take();
    ensure!(outcome.refusal().as_deref() == Some(reason), "{fetch:?} was answered: {outcome:?}");
    ensure!(captured.is_empty(), "{fetch:?} was refused, and yet there arrived {captured:?}");
    Ok(())
}

/// Makes a fetch that the tenant's own runtime must refuse, and of which nothing may arrive.
async fn throws(chain: &Chain, customer: &str, fetch: Fetch) -> Result<()> {
    let outcome = chain.fetch(customer, fetch.clone()).await?;
    let captured = chain.upstream().take();
    ensure!(outcome.error.is_some(), "{fetch:?} was answered: {outcome:?}");
    ensure!(captured.is_empty(), "{fetch:?} was refused, and yet there arrived {captured:?}");
    Ok(())
}

/// The URLs of all that arrived since the last look, in order.
fn taken(chain: &Chain) -> Vec<String> {
    chain.upstream().take().iter().map(Captured::url).collect()
}
