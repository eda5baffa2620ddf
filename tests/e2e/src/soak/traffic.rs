//! What the customers' Workers do in the soak: requests put together at random from parts, so that rules are met and nearly met.
//!
//! Each errand has a number, which is the last segment of every path that it asks for: by it records and arrivals are told
//! apart, however many requests are under way.

use std::time::{SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use serde_json::{Value, json};
use tidegate_differential::{Identity, Request};
use tidegate_e2e::{Customer, Fetch};

/// One thing that a customer's Worker sets out to do.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    pub(crate) number: u64,
    pub(crate) tenant: &'static str,
    pub(crate) kind: Kind,
    /// What is judged, in order: a redirect leads to the second, if the first is let out.
    pub(crate) hops: Vec<Request>,
    pub(crate) body: String,
}

/// How an errand goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The upstream breaks off, in the middle of its answer or before it.
    Broken,
    /// A fetch.
    Fetch,
    /// The customer hangs up while the upstream thinks.
    HangUp,
    /// A fetch that is sent elsewhere.
    Redirect,
    /// A WebSocket: one message there and back.
    Socket,
    /// A long body there, and a long one back.
    Stream,
}

/// A customer, and what the engines must make of its outbound parameters.
struct Tenant {
    name: &'static str,
    date: &'static str,
    parameters: fn() -> Value,
    customer: Option<&'static str>,
    tags: Option<&'static [&'static str]>,
}

const TENANTS: [Tenant; 6] = [
    Tenant {
        name: "acme",
        date: "2026-01-01",
        parameters: || json!({ "params": { "customer": "acme", "tags": [] } }),
        customer: Some("acme"),
        tags: Some(&[]),
    },
    Tenant {
        name: "globex",
        date: "2026-01-01",
        parameters: || json!({ "params": { "customer": "globex", "tags": ["eu"] } }),
        customer: Some("globex"),
        tags: Some(&["eu"]),
    },
    Tenant {
        name: "initech",
        date: "2026-01-01",
        parameters: || json!({ "params": { "customer": "initech", "tags": " eu, paid ," } }),
        customer: Some("initech"),
        tags: Some(&["eu", "paid"]),
    },
    Tenant {
        name: "veteran",
        date: "2024-01-01",
        parameters: || json!({ "params": { "customer": "veteran", "tags": ["paid"] } }),
        customer: Some("veteran"),
        tags: Some(&["paid"]),
    },
    Tenant { name: "nobody", date: "2026-01-01", parameters: || json!({}), customer: None, tags: None },
    Tenant {
        name: "odd",
        date: "2026-01-01",
        parameters: || json!({ "params": { "customer": 7, "tags": ["paid"] } }),
        customer: None,
        tags: Some(&["paid"]),
    },
];

const HOSTS: [&str; 24] = [
    "api.billing.example",
    "API.Billing.example.",
    "evilapi.billing.example",
    "data.example",
    "a.b.data.example",
    "evildata.example",
    "ads42.data.example",
    "track1234.data.example",
    "eu.partner.example",
    "geo.partner.example",
    "a.b.partner.example",
    "ledger.example",
    "forgotten.example",
    "registry.example",
    "next.example",
    "bad-7.example",
    "x.bad-42.example",
    "sinkhole.bad-7.example",
    "10.0.0.7",
    "10.0.0.8",
    "printer.local",
    "localhost",
    "elsewhere.example",
    // No host at all: the record of a request for it shows no path.
    "a..b.example",
];

/// `#` is where the number goes.
const PATHS: [&str; 16] = [
    "/#",
    "/v1/#",
    "/v1/invoices/#",
    "/v1/invoices/#?page=2&q=https://elsewhere.example/admin/",
    "/v1/admin/#",
    "/x/%61dmin/#",
    "/v1/../admin/#",
    "/v1/%2e%2e/v1/#",
    "/a%2Fb/#",
    "/@scope%2fname/#",
    "//#",
    "/v1/..;/#",
    "/accounts/main/#",
    "/accounts/%6Dain/#",
    "/accounts/Main/#",
    "/large/#",
];

const HEADERS: [&[(&str, &str)]; 9] = [
    &[],
    &[],
    &[("accept", "*/*"), ("user-agent", "curl/8.11")],
    &[("authorization", "Bearer of.the.tenant"), ("cookie", "session=1")],
    &[("x-tenant", "globex"), ("x_api_key", "guessed"), ("X-Plan", "gold"), ("authorization", "Basic Zm9v")],
    &[("connection", "x-named, close"), ("x-named", "1"), ("x-own", "stays"), ("via", "1.1 mine")],
    &[("x-debug", "1"), ("x_debug", "1"), ("tidegate-reason", "none"), ("cf-worker", "x"), ("x-forwarded-for", "a")],
    &[("x-partner-token", "forged"), ("cache-control", "max-age=60"), ("content-type", "application/json")],
    &[("upgrade", "websocket"), ("sec-websocket-protocol", "chat")],
];

/// Where the upstream's redirects lead.
pub(crate) const DESTINATIONS: [&str; 5] = [
    "https://a.data.example/v1/#",
    "https://data.example/v1/admin/#",
    "http://data.example/#",
    "http://169.254.169.254/latest/meta-data/#",
    "https://bad-1.example/#",
];

/// The customers of the platform.
pub(crate) fn customers() -> impl Iterator<Item = Customer> {
    TENANTS.iter().map(|tenant| {
        Customer::new(tenant.name).compatibility_date(tenant.date).parameters(Some((tenant.parameters)()))
    })
}

/// A path or URL with the number of its errand.
pub(crate) fn numbered(text: &str, number: u64) -> String {
    text.replacen('#', &format!("n{number}"), 1)
}

/// The number of the errand that asks for this path.
pub(crate) fn number_of(path: &str) -> Option<u64> {
    path.split('?').next()?.rsplit('/').next()?.strip_prefix('n')?.parse().ok()
}

/// An errand of the kind, for a tenant that `random` chooses.
pub(crate) fn errand(number: u64, kind: Kind, random: &mut Rng) -> Errand {
    let tenant = &TENANTS[random.usize(..TENANTS.len())];
    errand_of(tenant, number, kind, random)
}

/// Several fetches that one tenant makes at once.
pub(crate) fn batch(numbers: impl Iterator<Item = u64>, random: &mut Rng) -> Vec<Errand> {
    let tenant = &TENANTS[random.usize(..TENANTS.len())];
    let kind = |random: &mut Rng| match random.u32(..40) {
        0 => Kind::Broken,
        1..4 => Kind::Redirect,
        _ => Kind::Fetch,
    };
    numbers
        .map(|number| {
            let kind = kind(random);
            errand_of(tenant, number, kind, random)
        })
        .collect()
}

fn errand_of(tenant: &'static Tenant, number: u64, kind: Kind, random: &mut Rng) -> Errand {
    let headers = HEADERS[random.usize(..HEADERS.len())];
    let is_upgrade = headers.iter().any(|(name, _)| *name == "upgrade");
    let method = match kind {
        Kind::Fetch if !is_upgrade => {
            ["GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"][random.usize(..9)]
        }
        Kind::Stream => "POST",
        _ => "GET",
    };
    let urls = match kind {
        Kind::Broken => vec![format!("https://data.example/{}/#", ["broken", "silent"][random.usize(..2)])],
        Kind::HangUp => vec![format!("https://{}/slow/#", HOSTS[random.usize(..HOSTS.len() - 1)])],
        Kind::Redirect => {
            let destination = random.usize(..DESTINATIONS.len());
            vec![format!("https://data.example/hop/{destination}/#"), DESTINATIONS[destination].to_owned()]
        }
        Kind::Fetch | Kind::Socket | Kind::Stream => vec![url(random)],
    };
    let request = |url: &String| Request {
        method: method.to_owned(),
        url: numbered(url, number),
        headers: headers_of(kind, headers),
        identity: Identity {
            customer: tenant.customer.map(str::to_owned),
            tags: tenant.tags.map(|tags| tags.iter().map(|tag| (*tag).to_owned()).collect()),
            vars: Some(Vec::new()),
        },
        now: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs().cast_signed()),
    };
    let body = match (method, kind) {
        ("GET" | "HEAD", _) | (_, Kind::Stream) => String::new(),
        _ if random.u32(..20) == 0 => format!("{number:>32768}"),
        _ => format!("of errand {number}"),
    };
    Errand { number, tenant: tenant.name, kind, hops: urls.iter().map(request).collect(), body }
}

fn url(random: &mut Rng) -> String {
    let scheme = if random.u32(..6) == 0 { "http" } else { "https" };
    let port = ["", "", "", "", "", "", ":443", ":8080"][random.usize(..8)];
    format!("{scheme}://{}{port}{}", HOSTS[random.usize(..HOSTS.len())], PATHS[random.usize(..PATHS.len())])
}

fn headers_of(kind: Kind, headers: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    match kind {
        Kind::Fetch | Kind::Stream => owned.filter(|(name, _)| kind == Kind::Fetch || !is_of_upgrades(name)).collect(),
        Kind::Socket => vec![("upgrade".to_owned(), "websocket".to_owned())],
        // On the way to another host the runtime drops some.
        Kind::Broken | Kind::HangUp | Kind::Redirect => vec![("x-own".to_owned(), "stays".to_owned())],
    }
}

fn is_of_upgrades(name: &str) -> bool {
    name == "upgrade" || name.starts_with("sec-websocket-")
}

impl Errand {
    /// What the customer's Worker is told to fetch.
    pub(crate) fn fetch(&self) -> Fetch {
        let request = &self.hops[0];
        let fetch = Fetch::new(&request.method, &request.url);
        // `converse` brings the upgrade along by itself.
        let headers = request.headers.iter().filter(|(name, _)| self.kind != Kind::Socket || !is_of_upgrades(name));
        let fetch = headers.fold(fetch, |fetch, (name, value)| fetch.header(name, value));
        if self.body.is_empty() { fetch } else { fetch.octets(&self.body) }
    }
}
