//! workerd's config: fixed text. Which Workers there are is not in it; they are loaded at run time.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::{Egress, RuntimeOptions};

/// The date of the platform's own Workers.
const DATE: &str = "2026-01-01";

/// In this header an upstream that stands for the internet is told the scheme that was asked for.
pub const SCHEME_HEADER: &str = "x-tidegate-scheme";

/// In this header it is told what `cf` the request had.
pub const CF_HEADER: &str = "x-tidegate-cf";

/// Modules of the platform's own Workers.
const OWN: [(&str, &str); 4] = [
    ("host.js", include_str!("js/host.js")),
    ("isolates.js", include_str!("js/isolates.js")),
    ("code.js", include_str!("js/code.js")),
    ("tail.js", include_str!("js/tail.js")),
];

/// A Worker of one module.
const LEDGER: (&str, &str) = ("ledger.js", include_str!("js/ledger.js"));

/// Modules that they put into the Workers that they load: texts, to them.
const WITHIN: [(&str, &str); 7] = [
    ("within/bindings.js", include_str!("js/within/bindings.js")),
    ("within/control.js", include_str!("js/within/control.js")),
    ("within/counting.js", include_str!("js/within/counting.js")),
    ("within/d1.js", include_str!("js/within/d1.js")),
    ("within/hidden.js", include_str!("js/within/hidden.js")),
    ("within/listeners.js", include_str!("js/within/listeners.js")),
    ("within/parameters.js", include_str!("js/within/parameters.js")),
];

/// Writes what the configs embed into the folder in which they will lie.
pub(super) fn write_modules(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder.join("within"))?;
    let texts = OWN.iter().chain(&WITHIN).chain([&LEDGER]);
    texts.into_iter().try_for_each(|(name, text)| fs::write(folder.join(name), text))
}

/// The name of the socket on which requests come in.
pub(super) const FRONT: &str = "front";
/// The sockets on which the supervisor speaks to the Workers that serve.
pub(super) const ADMINS: [&str; 2] = ["admin-front", "admin-gate"];
/// The socket on which it asks for start checks.
pub(super) const CHECK: &str = "check";

/// The process that serves.
pub(super) fn serving(control: &Path, options: &RuntimeOptions, mark: &str) -> String {
    let egress = match &options.egress {
        // The runtime resolves names itself and refuses private addresses, redirects included.
        Egress::Public => "network = (allow = [\"public\"], tlsOptions = (trustBrowserCas = true))".to_owned(),
        Egress::Upstream(address) => format!(
            "external = (address = {}, http = (style = host, forwardedProtoHeader = {}, cfBlobHeader = {}))",
            quoted(&address.to_string()),
            quoted(SCHEME_HEADER),
            quoted(CF_HEADER),
        ),
    };
    let common = |name: &str| {
        format!(
            "(name = \"LOADER\", workerLoader = (id = {})), (name = \"CONTROL\", service = \"control\"), \
             (name = \"EGRESS\", service = \"egress\"), (name = \"MARK\", text = {}), \
             (name = \"ISOLATES\", json = \"{}\")",
            quoted(name),
            quoted(mark),
            options.isolates,
        )
    };
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  # A semi-space of 1 MiB keeps the memory of hot isolates flat.
  v8Flags = ["--max-old-space-size=256", "--max-semi-space-size=1"],
  services = [
    (name = "front", worker = .front),
    (name = "gate", worker = .gate),
    (name = "control", external = (address = {control}, http = ())),
    (name = "egress", {egress}),
    # Without this one, a Worker whose way out is forgotten would reach the internet.
    (name = "internet", network = (allow = [])),
    (name = "ledger", worker = (
      modules = [(name = "ledger.js", esModule = embed "ledger.js")],
      compatibilityDate = "{DATE}", globalOutbound = "internet",
    )),
    # A Worker with any tail is traced; this one is never told anything that matters.
    (name = "tail", worker = (
      modules = [(name = "tail.js", esModule = "export default {{ tail() {{}} }}")],
      compatibilityDate = "{DATE}", globalOutbound = "internet",
    )),
  ],
  sockets = [
    (name = "{FRONT}", address = "127.0.0.1:0", http = (), service = "front"),
    (name = "{admin_front}", address = "127.0.0.1:0", http = (), service = (name = "front", entrypoint = "Admin")),
    (name = "{admin_gate}", address = "127.0.0.1:0", http = (), service = (name = "gate", entrypoint = "Admin")),
  ],
);

const front :Workerd.Worker = (
  modules = [{modules}],
  compatibilityDate = "{DATE}", compatibilityFlags = ["experimental"],
  globalOutbound = "internet",
  bindings = [{front}, (name = "GATE", service = (name = "gate", entrypoint = "Gate"))],
);

const gate :Workerd.Worker = (
  modules = [{modules}],
  compatibilityDate = "{DATE}", compatibilityFlags = ["experimental"],
  globalOutbound = "internet",
  bindings = [
    {gate}, (name = "LEDGER", service = (name = "ledger", entrypoint = "Ledger")),
    (name = "TAIL", service = "tail"),
  ],
  tails = ["tail"],
);
"#,
        control = unix(control),
        admin_front = ADMINS[0],
        admin_gate = ADMINS[1],
        modules = modules(),
        front = common("front"),
        gate = common("gate"),
    )
}

/// The process that starts what was uploaded, before it is accepted.
pub(super) fn checking(control: &Path) -> String {
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  v8Flags = ["--max-old-space-size=256", "--max-semi-space-size=1"],
  services = [
    (name = "check", worker = .check),
    (name = "control", external = (address = {control}, http = ())),
    (name = "internet", network = (allow = [])),
  ],
  sockets = [
    (name = "{CHECK}", address = "127.0.0.1:0", http = (), service = (name = "check", entrypoint = "Check")),
  ],
);

const check :Workerd.Worker = (
  modules = [{modules}],
  compatibilityDate = "{DATE}", compatibilityFlags = ["experimental"],
  globalOutbound = "internet",
  bindings = [
    (name = "LOADER", workerLoader = (id = "check")), (name = "CONTROL", service = "control"),
    (name = "EGRESS", service = "internet"),
  ],
);
"#,
        control = unix(control),
        modules = modules(),
    )
}

fn modules() -> String {
    let own = OWN.iter().map(|(name, _)| format!("(name = \"{name}\", esModule = embed \"{name}\")"));
    let within = WITHIN.iter().map(|(name, _)| format!("(name = \"{name}\", text = embed \"{name}\")"));
    own.chain(within).collect::<Vec<_>>().join(", ")
}

/// A unix socket as workerd names it.
pub(super) fn unix(path: &Path) -> String {
    quoted(&format!("unix:{}", path.display()))
}

/// A text in Cap'n Proto's notation.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
