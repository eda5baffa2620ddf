//! workerd's config file, as text.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::Customer;
use crate::upstream::{CF_HEADER, SCHEME_HEADER};

/// The date of the dispatch Worker, which is the platform's own.
const PLATFORM_DATE: &str = "2026-01-01";

/// What differs from one chain to another.
pub(crate) struct Config<'c> {
    /// Compatibility date and flags of the outbound Worker.
    pub(crate) compatibility: &'c Compatibility,
    /// Names and values of the outbound Worker's secrets.
    pub(crate) secrets: &'c [(String, String)],
    /// The platform's customers.
    pub(crate) customers: &'c [Customer],
    /// Where the way out leads.
    pub(crate) upstream: SocketAddr,
}

/// What `wrangler.toml` says about the runtime.
pub(crate) struct Compatibility {
    pub(crate) date: String,
    pub(crate) flags: Vec<String>,
}

impl Config<'_> {
    /// The sockets that the config opens: the platform, and the outbound Worker hit directly.
    pub(crate) const SOCKETS: [&'static str; 2] = ["platform", "direct"];

    /// The text of the file. The modules that it embeds must lie beside it.
    pub(crate) fn text(&self) -> String {
        let service = |customer: &Customer| quoted(&format!("customer-{}", customer.name));
        let tenants =
            self.customers.iter().map(|known| format!("(name = {}, worker = {}),", service(known), tenant(known)));
        let bindings = self
            .customers
            .iter()
            .map(|known| format!("(name = {}, service = {}),", quoted(&known.name), service(known)));
        let secrets =
            self.secrets.iter().map(|(name, value)| format!("(name = {}, text = {}),", quoted(name), quoted(value)));
        format!(
            r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    # Without this one, a Worker whose globalOutbound is forgotten would reach the internet.
    (name = "internet", network = (allow = [])),
    (name = "upstream", external = (
      address = {upstream},
      http = (style = host, forwardedProtoHeader = {scheme}, cfBlobHeader = {cf}),
    )),
    (name = "dispatch", worker = .dispatch),
    (name = "outbound", worker = .outbound),
    {tenants}
  ],
  sockets = [
    (name = "{platform}", address = "127.0.0.1:0", http = (), service = "dispatch"),
    (name = "{direct}", address = "127.0.0.1:0", http = (), service = "outbound"),
  ],
);

const dispatch :Workerd.Worker = (
  modules = [(name = "dispatch.js", esModule = embed "dispatch.js")],
  compatibilityDate = "{PLATFORM_DATE}",
  globalOutbound = "internet",
  bindings = [
    {bindings}
  ],
);

const outbound :Workerd.Worker = (
  modules = [
    (name = "outbound.js", esModule = embed "outbound.js"),
    (name = "index.js", esModule = embed "index.js"),
    (name = "index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  compatibilityDate = {date},
  compatibilityFlags = [{flags}],
  globalOutbound = "upstream",
  bindings = [
    {secrets}
  ],
);
"#,
            upstream = quoted(&self.upstream.to_string()),
            scheme = quoted(SCHEME_HEADER),
            cf = quoted(CF_HEADER),
            tenants = lines(tenants),
            platform = Self::SOCKETS[0],
            direct = Self::SOCKETS[1],
            bindings = lines(bindings),
            date = quoted(&self.compatibility.date),
            flags = self.compatibility.flags.iter().map(|flag| quoted(flag)).collect::<Vec<_>>().join(", "),
            secrets = lines(secrets),
        )
    }
}

fn lines(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join("\n    ")
}

/// A customer's Worker: everything that it fetches goes to the outbound Worker, together with its parameters.
fn tenant(customer: &Customer) -> String {
    let parameters = match &customer.parameters {
        Some(parameters) => format!(", props = (json = {})", quoted(&parameters.to_string())),
        None => String::new(),
    };
    format!(
        "(modules = [(name = \"tenant.js\", esModule = embed \"tenant.js\")], compatibilityDate = {}, \
         globalOutbound = (name = \"outbound\"{parameters}))",
        quoted(&customer.compatibility_date),
    )
}

/// A text in Cap'n Proto's notation.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            control if control.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
