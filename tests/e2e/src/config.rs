//! workerd's config file, as text.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::Customer;
use crate::upstream::SCHEME_HEADER;

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
    /// Where the platform listens; port 0 for any.
    pub(crate) listen: SocketAddr,
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
        let mut text = String::from("using Workerd = import \"/workerd/workerd.capnp\";\n\n");
        text.push_str("const config :Workerd.Config = (\n  services = [\n");
        // Without this one, a Worker whose globalOutbound is forgotten would reach the internet.
        text.push_str("    (name = \"internet\", network = (allow = [])),\n");
        let _ = writeln!(
            text,
            "    (name = \"upstream\", external = (address = {}, http = (style = host, forwardedProtoHeader = {}))),",
            quoted(&self.upstream.to_string()),
            quoted(SCHEME_HEADER),
        );
        text.push_str(
            "    (name = \"dispatch\", worker = .dispatch),\n    (name = \"outbound\", worker = .outbound),\n",
        );
        for customer in self.customers {
            let name = quoted(&format!("customer-{}", customer.name));
            let _ = writeln!(text, "    (name = {name}, worker = {}),", tenant(customer));
        }
        text.push_str("  ],\n  sockets = [\n");
        let _ = writeln!(
            text,
            "    (name = \"platform\", address = {}, http = (), service = \"dispatch\"),\n    \
                 (name = \"direct\", address = \"127.0.0.1:0\", http = (), service = \"outbound\"),\n  ],\n);",
            quoted(&self.listen.to_string()),
        );
        text.push_str(&self.dispatch());
        text.push_str(&self.outbound());
        text
    }

    fn dispatch(&self) -> String {
        let binding = |customer: &Customer| {
            format!("(name = {}, service = {})", quoted(&customer.name), quoted(&format!("customer-{}", customer.name)))
        };
        let bindings: Vec<String> = self.customers.iter().map(binding).collect();
        format!(
            "\nconst dispatch :Workerd.Worker = (\n  modules = [(name = \"dispatch.js\", esModule = embed \"dispatch.js\")],\n  \
             compatibilityDate = \"{PLATFORM_DATE}\",\n  globalOutbound = \"internet\",\n  bindings = [\n    {}\n  ],\n);\n",
            bindings.join(",\n    "),
        )
    }

    fn outbound(&self) -> String {
        let flags: Vec<String> = self.compatibility.flags.iter().map(|flag| quoted(flag)).collect();
        let secret = |(name, value): &(String, String)| format!("(name = {}, text = {})", quoted(name), quoted(value));
        let secrets: Vec<String> = self.secrets.iter().map(secret).collect();
        format!(
            "\nconst outbound :Workerd.Worker = (\n  modules = [\n    \
             (name = \"outbound.js\", esModule = embed \"outbound.js\"),\n    \
             (name = \"index.js\", esModule = embed \"index.js\"),\n    \
             (name = \"index_bg.wasm\", wasm = embed \"index_bg.wasm\"),\n  ],\n  \
             compatibilityDate = {},\n  compatibilityFlags = [{}],\n  globalOutbound = \"upstream\",\n  bindings = [{}],\n);\n",
            quoted(&self.compatibility.date),
            flags.join(", "),
            secrets.join(", "),
        )
    }
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
