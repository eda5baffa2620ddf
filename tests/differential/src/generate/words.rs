//! What generated policies are made of: few words, so that rules meet each other and requests meet rules.

/// Hosts at or below registrable domains and outside [`TENANT_DOMAINS`]: credentials may go there. Some are spelled oddly.
pub(super) const OWN_HOSTS: &[&str] = &[
    "api.example.com",
    "*.example.com",
    "example.com",
    "**.example.com",
    "v1.api.example.com",
    "*.api.example.com",
    "www.example.com",
    "api*.example.com",
    "a.example",
    "*.a.example",
    "b.a.example",
    "api.*.example.com",
    "**.api.example.com",
    "v*.**.example.com",
    "api*.corp.example",
    "*b*.a.example",
    "API.Example.com.",
    "api_1.example.com",
    "münchen.example",
    "**.münchen.example",
    "xn--mnchen-3ya.example",
];

/// Hosts where no credential may go: tenants', anybody's, and whole top-level domains.
pub(super) const OTHER_HOSTS: &[&str] = &[
    "evil.test",
    "*.evil.test",
    "**",
    "**.example",
    "*.com",
    "a*.example",
    "acme.apps.example.org",
    "*.apps.example.org",
    "**.example.org",
    "*.github.io",
    "api.example.*",
    "b.*.*",
];

/// Hosts that only a rule naming them exactly opens.
pub(super) const SPECIAL_HOSTS: &[&str] = &[
    "127.0.0.1",
    "localhost",
    "[::1]",
    "db.internal",
    "intranet",
    "10.0.0.7",
    "a.localhost",
    "printer.local",
    "x.onion",
    "home.arpa",
    "0x7f.1",
    "[2001:DB8::1]",
];

pub(super) const OWN_DOMAINS: &[&str] =
    &["example.com", "api.example.com", "a.example", "b.a.example", "münchen.example", "WWW.example.com."];

pub(super) const OTHER_DOMAINS: &[&str] =
    &["evil.test", "com", "example", "github.io", "apps.example.org", "org", "bad.example.com"];

pub(super) const TENANT_DOMAINS: &[&str] = &["apps.example.org", "tenants.example"];

/// Regexes, each with hosts that it matches. Some of the texts are globs too ([`OWN_HOSTS`]), and mean something else.
pub(super) const HOST_REGEXES: &[(&str, &[&str])] = &[
    ("api*.example.com", &["ap-example.com", "api-example.com", "api.example.com"]),
    ("api*.corp.example", &["ap.corp.example", "api-corp.example", "api-corp-example"]),
    (r"(api|www)\.example\.com", &["api.example.com", "www.example.com"]),
    (r"[a-z]+\.a\.example", &["b.a.example", "x.a.example"]),
    (r"[^.]+\.example\.com", &["v1.example.com", "api.example.com"]),
    (r"(?i)API\.EXAMPLE\.COM", &["api.example.com"]),
    (r"a\.example|127\.0\.0\.1", &["a.example", "127.0.0.1"]),
    (r"api-[0-9]{1,3}\.example\.com", &["api-7.example.com", "api-123.example.com"]),
    (r"(?x) v[12] \. api \. example \. com # both versions", &["v1.api.example.com", "v2.api.example.com"]),
    (r".*", &["a.example"]),
    (r"[a-z0-9.]+\.(api|www)\.example\.com", &["v1.api.example.com", "x.y.www.example.com"]),
    (r"(b\.)?a\.example", &["a.example", "b.a.example"]),
    (r"www(?:[0-9]+)?\.example\.com", &["www.example.com", "www7.example.com"]),
];

pub(super) const PATHS: &[&str] = &[
    "/v1/**",
    "/v1/users",
    "/v1/*",
    "/",
    "/**",
    "/v1/users/*",
    "/v1/**/edit",
    "/v1/",
    "/*/users",
    "/users/*/a*.json",
    "/**/users",
    "/v1/**/",
    "/%7Euser/**",
    "/café/*",
    "/a b%21",
    "/x%5By%5D",
    "/a+b(c)|d^e",
    "/V1/users",
    "/v1/**/**",
];

/// Paths that only rules with `encoded = "literal"` can name.
pub(super) const LITERAL_PATHS: &[&str] = &["/@*%2f*", "/a%25b/**", "/v1/**/x%2Fy"];

/// Regexes, each with paths that it matches.
pub(super) const PATH_REGEXES: &[(&str, &[&str])] = &[
    ("/v[12]/users", &["/v1/users", "/v2/users"]),
    ("/v1/.*", &["/v1/", "/v1/a/b"]),
    ("/[a-z]+", &["/users"]),
    ("/a|/users/b", &["/a", "/users/b"]),
    ("/a(%2F|/)b", &["/a/b", "/a%2Fb"]),
    ("(?i)/V1/USERS", &["/v1/users", "/V1/Users"]),
    (r"/(users|groups)/\d+", &["/users/7", "/groups/42"]),
    ("(?x) / v1 / [a-z]+ # whatever", &["/v1/users"]),
    ("/caf%C3%A9", &["/café", "/caf%c3%a9"]),
    ("/users(?:[0-9/]{1,2})?", &["/users", "/users/7"]),
    (".*", &["/"]),
];

/// Customers that policies and requests name.
pub(super) const CUSTOMERS: &[&str] =
    &["acme", "beta-1", "beta-2", "gamma", "zoë", "a b", "x.y/z", "ACME", "beta-12", "beta"];

/// Shares of customers that a rollout enforces, in percent, and customers on both sides of their bounds: by their hashes they
/// are in the places 0, 1,233, 1,234, 4,999, 5,000 and 9,999 of 10,000.
pub(super) const SHARES: &[&str] = &["50", "12.34", "0", "100.00"];
pub(super) const CUSTOMERS_AT_SHARES: &[&str] = &["c3538", "c2220", "c17902", "c8707", "c19142", "c8359"];

/// Names and globs in conditions.
pub(super) const CUSTOMER_GLOBS: &[&str] =
    &["acme", "beta-*", "gamma", "*", "a*", "*-1", "zoë", "b*-**", "a b", "?cme", "beta-1*", "beta*", "zo*"];

pub(super) const TAGS: &[&str] = &["paid", "canary", "free", "eu west"];

pub(super) const METHODS: &[&str] = &["GET", "POST", "post", "OPTIONS", "HEAD", "DELETE", "PURGE", "CONNECT"];

pub(super) const PORTS: &[u16] = &[443, 8443, 80, 8080, 1, 65535];

/// Headers in conditions. They are not folded: `x-env` and `x_env` are two.
pub(super) const CONDITION_HEADERS: &[&str] =
    &["x-env", "Origin", "x_env", "content-type", "x-plan", "cookie", "upgrade", "authorization"];

/// What is asked of a header's value.
pub(super) const VALUE_GLOBS: &[&str] =
    &["prod-*", "dev", "*", "https://*.example.com", "application/*", "*a*b*", "", "**", "WebSocket", "é*"];

/// Headers that rules set, remove or keep, each under the spellings that are one header.
pub(super) const HEADERS: &[&[&str]] = &[
    &["x-tenant", "x_tenant", "X-Tenant"],
    &["x-api-key", "X-API-Key", "x_api_key"],
    &["x-plan"],
    &["authorization", "Authorization"],
    &["cookie"],
    &["x-debug", "x_debug"],
    &["via"],
    &["x-forwarded-for", "x_forwarded_for"],
    &["set-cookie"],
    &["x-http-method-override"],
    &["proxy-authorization"],
    &["user-agent"],
];

/// Templates without and with secrets.
pub(super) const PLAIN_TEMPLATES: &[&str] = &["static", "", "a{{b}}c"];
pub(super) const CUSTOMER_TEMPLATES: &[&str] = &[
    "{customer}",
    "{customer}",
    "{vars.plan}",
    "t-{customer}",
    "{customer}/{vars.plan}",
    "{{{customer}}}",
    "{vars.none}",
];
pub(super) const SECRET_TEMPLATES: &[&str] = &[
    "{secret.API_KEY}",
    "Bearer {secret.API_KEY}",
    "{secret.TOKEN}",
    "{secret.TOKEN}{secret.API_KEY}",
    "{secret.NONE}",
];

pub(super) const VARS: &[(&str, &str)] = &[
    ("plan", "gold"),
    ("plan", "silver"),
    ("none", "x"),
    ("plan", "doré"),
    ("plan", " padded"),
    ("plan", "two\nlines"),
];

/// Worker secrets as they should be, and as they can be; `NONE` is never there.
pub(super) const SECRETS: &[(&str, &str)] = &[("API_KEY", "k3y"), ("TOKEN", "t0k{en}")];
pub(super) const ODD_SECRETS: &[(&str, &str)] =
    &[("API_KEY", "clé"), ("TOKEN", "tok\r\nen"), ("API_KEY", "k3y "), ("TOKEN", "")];

pub(super) const CLAIMS: &[(&str, &str)] = &[
    ("env", "prod"),
    ("who", "{customer}"),
    ("é", "é {customer}"),
    ("plan", "{vars.plan}"),
    ("key", "{secret.API_KEY}"),
];

/// Days around the day on which requests are asked, and far from it.
pub(super) const DAYS: &[&str] = &["2026-12-31", "2026-11-23", "2026-11-22", "2030-02-28", "2000-02-29", "1969-12-31"];

/// Lines of a list of domains that are entries.
pub(super) const LIST_NAMES: &[&str] = &[
    "bad.example.com",
    "evil.test",
    "api.example.com",
    "B.a.Example.",
    "münchen.example",
    "github.io",
    "test",
    "127.0.0.1",
    "x.localhost",
    "a.example",
];

/// Customers that no policy names, and such as cannot be.
pub(super) const ODD_CUSTOMERS: &[&str] =
    &["nobody", "", " acme", "acme ", "beta-", "a\u{7}b", "a\u{85}", "bêta-1", "acme,beta-1"];

/// Headers that hygiene knows, and what tenants may try to say with them.
pub(super) const TENANT_HEADERS: &[(&str, &str)] = &[
    ("accept", "*/*"),
    ("authorization", "Basic dGVuYW50"),
    ("cookie", "a=b"),
    ("Connection", "keep-alive, X-Debug, x_tenant"),
    ("connection", "close,,accept"),
    ("cf-connecting-ip", "192.0.2.1"),
    ("CF_Ray", "1"),
    ("tidegate-customer", "acme"),
    ("tidegate_id", "1"),
    ("host", "evil.test"),
    ("x-forwarded-host", "evil.test"),
    ("X_Forwarded_Proto", "http"),
    ("forwarded", "for=192.0.2.1"),
    ("x-real-ip", "192.0.2.1"),
    ("true-client-ip", "192.0.2.1"),
    ("via", "1.1 evil"),
    ("proxy-connection", "keep-alive"),
    ("x-original-url", "/admin"),
    ("x_rewrite_url", "/admin"),
    ("x-http-method", "DELETE"),
    ("x-method-override", "DELETE"),
    ("te", "trailers"),
    ("transfer-encoding", "chunked"),
    ("content-length", "5"),
    ("expect", "100-continue"),
    ("keep-alive", "timeout=5"),
    ("trailer", "x-a"),
    ("cdn-loop", "cloudflare"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec_WebSocket_Protocol", "chat"),
    ("x-empty", ""),
    ("x-latin", "é"),
];
