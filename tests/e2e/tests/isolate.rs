//! One outbound isolate serves all customers: what is shown of the Worker here is shown of a shared one.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use tidegate_e2e::{Chain, Customer, Fetch};

const POLICY: &str = r#"
policy  = 1
default = "deny"
[[rule]]
id     = "api"
effect = "allow"
hosts  = ["api.example.com"]
set    = { x-tenant = "{customer}" }
"#;

const CUSTOMERS: [&str; 3] = ["acme", "beta", "gamma"];

/// The isolates that answered all customers, allowed and refused; there is one per element of the set.
async fn isolates() -> Result<BTreeSet<String>> {
    let mut chain = Chain::with_policy(POLICY)?;
    for name in CUSTOMERS {
        chain = chain.customer(Customer::new(name));
    }
    let chain = chain.start().await?;
    let mut isolates = BTreeSet::new();
    for name in CUSTOMERS {
        for (host, status) in [("api.example.com", 200), ("evil.test", 403)] {
            let outcome = chain.fetch(name, Fetch::get(format!("https://{host}/"))).await?;
            assert_eq!(outcome.status, Some(status), "{outcome:?}");
            isolates.insert(outcome.header("x-harness-isolate").context("no isolate")?.to_owned());
        }
    }
    let tenants: Vec<_> = chain.upstream().captured().iter().map(|request| request.header("x-tenant")).collect();
    assert_eq!(tenants, CUSTOMERS.map(|name| Some(name.to_owned())));
    Ok(isolates)
}

#[tokio::test]
async fn one_outbound_isolate_serves_all_customers() -> Result<()> {
    let (one, other) = (isolates().await?, isolates().await?);
    assert_eq!((one.len(), other.len()), (1, 1));
    assert_ne!(one, other, "isolates of two processes are told apart, so the identity means something");
    Ok(())
}
