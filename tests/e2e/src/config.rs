//! workerd's config file, as text.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::Customer;
use crate::chain::Tail;
use crate::outbound::OutboundWorker;
use crate::upstream::{CF_HEADER, SCHEME_HEADER};

/// The date of the dispatch Worker, which is the platform's own.
const PLATFORM_DATE: &str = "2026-01-01";

/// What differs from one chain to another.
pub(crate) struct Config<'c> {
    /// Compatibility date and flags of the outbound Worker.
    pub(crate) compatibility: &'c Compatibility,
    /// The outbound Workers; the first is that of customers who name none.
    pub(crate) outbounds: &'c [Outbound],
    /// The platform's customers.
    pub(crate) customers: &'c [Customer],
    /// Where the way out leads.
    pub(crate) upstream: SocketAddr,
    /// Who is told what the outbound Worker did.
    pub(crate) tail: Option<&'c Tail>,
}

/// An outbound Worker as a service of its own.
pub(crate) struct Outbound {
    /// By this name customers say which they go through.
    pub(crate) name: String,
    /// Its modules.
    pub(crate) worker: OutboundWorker,
    /// Names and values of its secrets.
    pub(crate) secrets: Vec<(String, String)>,
}

impl Outbound {
    /// The folder beside the config file in which its modules lie.
    pub(crate) fn folder(&self) -> String {
        format!("outbound-{}", self.name)
    }
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
        let outbounds = self.outbounds.iter().map(|known| self.outbound(known));
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
    {outbounds}
    {tenants}
    {tail}
  ],
  sockets = [
    (name = "{platform}", address = "127.0.0.1:0", http = (), service = "dispatch"),
    (name = "{direct}", address = "127.0.0.1:0", http = (), service = {outbound}),
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
"#,
            upstream = quoted(&self.upstream.to_string()),
            scheme = quoted(SCHEME_HEADER),
            cf = quoted(CF_HEADER),
            outbounds = lines(outbounds),
            tenants = lines(tenants),
            platform = Self::SOCKETS[0],
            direct = Self::SOCKETS[1],
            outbound = quoted(&service_of_outbound(&self.outbounds[0].name)),
            bindings = lines(bindings),
            tail = self.tail.map(tail_worker).unwrap_or_default(),
        )
    }

    /// An outbound Worker, with the module before it that hands it the parameters.
    fn outbound(&self, outbound: &Outbound) -> String {
        let folder = outbound.folder();
        let embedded = |name: &str| quoted(&format!("{folder}/{name}"));
        let secrets = outbound
            .secrets
            .iter()
            .map(|(name, value)| format!("(name = {}, text = {}),", quoted(name), quoted(value)));
        format!(
            r#"(name = {service}, worker = (
      modules = [
        (name = "outbound.js", esModule = embed "outbound.js"),
        (name = "index.js", esModule = embed {index}),
        (name = "index_bg.wasm", wasm = embed {wasm}),
      ],
      compatibilityDate = {date},
      compatibilityFlags = [{flags}],
      globalOutbound = "upstream",
      bindings = [{secrets}],
      {tails}
    )),"#,
            service = quoted(&service_of_outbound(&outbound.name)),
            index = embedded("index.js"),
            wasm = embedded("index_bg.wasm"),
            date = quoted(&self.compatibility.date),
            flags = self.compatibility.flags.iter().map(|flag| quoted(flag)).collect::<Vec<_>>().join(", "),
            secrets = lines(secrets),
            tails = self.tail.map(tails).unwrap_or_default(),
        )
    }
}

fn service_of_outbound(name: &str) -> String {
    format!("outbound-{name}")
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
         globalOutbound = (name = {}{parameters}))",
        quoted(&customer.compatibility_date),
        quoted(&service_of_outbound(&customer.outbound)),
    )
}

/// The service of a tail Worker.
fn tail_worker(tail: &Tail) -> String {
    let (Tail::Buffered(script) | Tail::Streaming(script)) = tail;
    format!(
        "(name = \"tail\", worker = (modules = [(name = \"tail.js\", esModule = {})], \
         compatibilityDate = \"{PLATFORM_DATE}\", globalOutbound = \"internet\")),",
        quoted(script),
    )
}

/// What makes that service the tail of a Worker.
fn tails(tail: &Tail) -> &'static str {
    match tail {
        Tail::Buffered(_) => "tails = [\"tail\"],",
        Tail::Streaming(_) => "streamingTails = [\"tail\"],",
    }
}

/// A text in Cap'n Proto's notation.
pub(crate) fn quoted(text: &str) -> String {
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
