//! What the customers' Workers do in the demo.

use std::fmt;

use anyhow::Result;
use tidegate_e2e::{Chain, Fetch};

/// Where the outbound Worker is hit directly, at its own host.
const DIRECT_PATH: &str = "/v1/invoices";

/// One request and what it is to show.
pub(crate) struct Step {
    /// Who makes it; nobody, where the outbound Worker is hit directly.
    pub(crate) customer: Option<&'static str>,
    /// What is to be seen.
    pub(crate) shows: &'static str,
    what: What,
}

enum What {
    Converse(Fetch),
    Fetch(Fetch),
    HitDirectly,
}

impl Step {
    fn new(customer: &'static str, shows: &'static str, fetch: Fetch) -> Self {
        Self { customer: Some(customer), shows, what: What::Fetch(fetch) }
    }

    /// Makes the request. How it ends is for the decision record and the upstream to say.
    pub(crate) async fn make(&self, chain: &Chain) -> Result<()> {
        let customer = self.customer.unwrap_or_default();
        match &self.what {
            What::Converse(fetch) => chain.converse(customer, fetch).await.map(drop),
            What::Fetch(fetch) => chain.fetch(customer, fetch.clone()).await.map(drop),
            What::HitDirectly => chain.hit_directly(DIRECT_PATH).await.map(drop),
        }
    }
}

/// As the customer's Worker writes it.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Converse(fetch) | What::Fetch(fetch) => write!(f, "{} {}", fetch.method(), fetch.url()),
            What::HitDirectly => write!(f, "GET {}{DIRECT_PATH}", Chain::direct_host()),
        }
    }
}

/// The demo's requests, in order.
pub(crate) fn steps() -> Vec<Step> {
    let get = Fetch::get;
    let forged = get("https://api.billing.example/v1/invoices")
        .header("x-tenant", "globex")
        .header("authorization", "Bearer stolen");
    vec![
        Step::new(
            "acme",
            "an allowed host, with the customer's own token",
            get("https://api.billing.example/v1/invoices"),
        ),
        Step::new(
            "globex",
            "the same for another customer: another token",
            get("https://api.billing.example/v1/invoices"),
        ),
        Step::new("acme", "posing as another customer", forged),
        Step::new(
            "acme",
            "a method that no rule allows",
            Fetch::new("DELETE", "https://api.billing.example/v1/invoices/7"),
        ),
        Step::new("acme", "a path that a deny rule takes away", get("https://api.billing.example/v1/admin/users")),
        Step::new("acme", "the same path, disguised", get("https://api.billing.example/v1/x/../%61dmin/users")),
        Step::new("acme", "in clear", get("http://api.billing.example/v1/invoices")),
        Step::new(
            "acme",
            "a host that only ends like an allowed one",
            get("https://evilapi.billing.example/v1/invoices"),
        ),
        Step::new("acme", "a name of the blocklist", get("https://mailinator.com/")),
        Step::new("acme", "a name beneath one, with a dot behind", get("https://mx.MAILINATOR.com./")),
        Step::new(
            "acme",
            "a rule for those who pay, with a key",
            get("https://geo.partner.example/reverse?lat=53&lon=10"),
        ),
        Step::new("globex", "who does not pay", get("https://geo.partner.example/reverse?lat=53&lon=10")),
        Step::new("globex", "open to all", get("https://open.data.example/tides.csv")),
        Step::new("globex", "a redirect from there to the metadata service", get("https://open.data.example/moved")),
        Step {
            customer: Some("globex"),
            shows: "a WebSocket",
            what: What::Converse(get("https://live.data.example/tides").send("hello")),
        },
        Step { customer: None, shows: "the outbound Worker hit directly", what: What::HitDirectly },
    ]
}
