//! A chain wired by hand, the least that workerd can be asked for: no API, no store, nothing loaded at run time.
//!
//! ```text
//!  dispatch Worker ─► one user Worker ─► outbound Worker ─► upstream
//! ```
//!
//! It is what the platform is measured against, and the place for what the platform does not offer.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tidegate_platform::runtime::{CF_HEADER, SCHEME_HEADER};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::chain::TENANT;
use crate::client::{Connection, Fetch, Outcome};
use crate::local::workerd;
use crate::outbound::{Compatibility, OutboundWorker};

/// workerd is ready within 50 ms on an idle machine; a crowded one may need longer.
const START: Duration = Duration::from_mins(1);

/// The longest that a line may take to get from workerd to us.
const SAID: Duration = Duration::from_secs(10);

/// A Worker that is told what the outbound Worker did: the text of its one module.
#[derive(Clone, Debug)]
pub enum Tail {
    /// Told at the end of each request: `tail()`.
    Buffered(String),
    /// Told of each thing as it happens: `tailStream()`.
    Streaming(String),
}

/// What a [`PlainChain`] is made of.
pub struct PlainBuilder {
    outbound: Modules,
    bindings: Vec<(String, String)>,
    data: Vec<(String, Vec<u8>)>,
    user: String,
    tail: Option<Tail>,
    first: &'static str,
    keeps_log: bool,
}

/// The modules of the outbound Worker.
enum Modules {
    Built(OutboundWorker),
    /// There is no outbound Worker.
    None,
    Text(String),
}

impl PlainBuilder {
    /// One more text in the outbound Worker's `env`: a secret, or what on a platform would be a parameter.
    #[must_use]
    pub fn binding(mut self, name: &str, text: &str) -> Self {
        self.bindings.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Bytes in the outbound Worker's `env`.
    #[must_use]
    pub fn data(mut self, name: &str, bytes: Vec<u8>) -> Self {
        self.data.push((name.to_owned(), bytes));
        self
    }

    /// Another user Worker than `workers/tenant.js`: the text of its one module.
    #[must_use]
    pub fn user(mut self, text: &str) -> Self {
        text.clone_into(&mut self.user);
        self
    }

    /// A tail Worker behind the outbound Worker.
    #[must_use]
    pub fn tail(mut self, tail: Tail) -> Self {
        self.tail = Some(tail);
        self
    }

    /// The user Worker is reached straight from the socket.
    #[must_use]
    pub fn without_dispatch(mut self) -> Self {
        self.first = "user";
        self
    }

    /// Nothing of what is printed after the start is kept: who logs every request of a benchmark would fill our memory.
    #[must_use]
    pub fn without_log(mut self) -> Self {
        self.keeps_log = false;
        self
    }

    /// Starts workerd. The way out leads to `upstream`.
    pub async fn start(self, upstream: SocketAddr) -> Result<PlainChain> {
        let folder = TempDir::with_prefix("tidegate-e2e-").context("cannot make a temporary folder")?;
        let config = self.config(upstream, &folder)?;
        let file = folder.path().join("config.capnp");
        fs::write(&file, config).with_context(|| format!("cannot write {}", file.display()))?;
        let binary = workerd()?;
        let mut process = Command::new(&binary)
            // The port that the socket was given is written where the Workers' console goes too.
            .args(["serve", "--control-fd=1"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let log = Log::default();
        log.keep(process.stdout.take().context("no stdout")?);
        log.keep(process.stderr.take().context("no stderr")?);
        let pid = process.id().context("workerd ended at once")?;
        let lines = log.when(START, |lines| lines.iter().any(|line| port(line).is_some())).await?;
        let port = lines.iter().find_map(|line| port(line)).context("workerd does not listen")?;
        if !self.keeps_log {
            log.forget();
        }
        Ok(PlainChain { address: ([127, 0, 0, 1], port).into(), pid, log, _process: process, _folder: folder })
    }

    /// The text of workerd's config. The modules that it embeds lie beside it.
    fn config(&self, upstream: SocketAddr, folder: &TempDir) -> Result<String> {
        let compatibility = Compatibility::of_wrangler()?;
        let modules = match &self.outbound {
            Modules::None => String::new(),
            Modules::Text(text) => format!("(name = \"index.js\", esModule = {})", quoted(text)),
            Modules::Built(worker) => {
                for module in ["index.js", "index_bg.wasm"] {
                    fs::copy(worker.folder().join(module), folder.path().join(module))
                        .with_context(|| format!("cannot copy {module}"))?;
                }
                "(name = \"index.js\", esModule = embed \"index.js\"), \
                 (name = \"index_bg.wasm\", wasm = embed \"index_bg.wasm\")"
                    .to_owned()
            }
        };
        let way_out = if matches!(self.outbound, Modules::None) { "upstream" } else { "outbound" };
        let mut bindings: Vec<_> = self
            .bindings
            .iter()
            .map(|(name, text)| format!("(name = {}, text = {})", quoted(name), quoted(text)))
            .collect();
        for (name, bytes) in &self.data {
            let file = format!("{name}.data");
            fs::write(folder.path().join(&file), bytes).with_context(|| format!("cannot write {file}"))?;
            bindings.push(format!("(name = {}, data = embed {})", quoted(name), quoted(&file)));
        }
        let (tail, tails) = match &self.tail {
            None => (None, ""),
            Some(Tail::Buffered(text)) => (Some(text), "tails = [\"tail\"],"),
            Some(Tail::Streaming(text)) => (Some(text), "streamingTails = [\"tail\"],"),
        };
        let tail = tail.map_or_else(String::new, |text| {
            format!(
                "(name = \"tail\", worker = (modules = [(name = \"tail.js\", esModule = {})], \
                 compatibilityDate = \"2026-01-01\", globalOutbound = \"internet\")),",
                quoted(text)
            )
        });
        let outbound = match &self.outbound {
            Modules::None => String::new(),
            _ => format!(
                "(name = \"outbound\", worker = (modules = [{modules}], compatibilityDate = {date}, \
                 compatibilityFlags = [{flags}], globalOutbound = \"upstream\", {tails} bindings = [{bindings}])),",
                date = quoted(&compatibility.date),
                flags = compatibility.flags.iter().map(|flag| quoted(flag)).collect::<Vec<_>>().join(", "),
                bindings = bindings.join(", "),
            ),
        };
        Ok(format!(
            r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    # Without this one, a Worker whose globalOutbound is forgotten would reach the internet.
    (name = "internet", network = (allow = [])),
    (name = "upstream", external = (
      address = {upstream},
      http = (style = host, forwardedProtoHeader = {scheme}, cfBlobHeader = {cf}),
    )),
    (name = "dispatch", worker = (
      modules = [(name = "dispatch.js", esModule = "export default {{ fetch: (request, env) => env.USER.fetch(request) }};")],
      compatibilityDate = "2026-01-01", globalOutbound = "internet",
      bindings = [(name = "USER", service = "user")],
    )),
    (name = "user", worker = (
      modules = [(name = "user.js", esModule = {user})],
      compatibilityDate = "2026-01-01", globalOutbound = "{way_out}",
    )),
    {outbound}
    {tail}
  ],
  sockets = [(name = "front", address = "127.0.0.1:0", http = (), service = "{first}")],
);
"#,
            upstream = quoted(&upstream.to_string()),
            scheme = quoted(SCHEME_HEADER),
            cf = quoted(CF_HEADER),
            user = quoted(&self.user),
            first = self.first,
        ))
    }
}

/// A running chain of static Workers. It is stopped when this is dropped.
pub struct PlainChain {
    address: SocketAddr,
    pid: u32,
    log: Log,
    _process: Child,
    _folder: TempDir,
}

impl PlainChain {
    /// A chain around an outbound Worker.
    pub fn around(outbound: OutboundWorker) -> PlainBuilder {
        Self::of(Modules::Built(outbound))
    }

    /// A chain around an outbound Worker in JavaScript: the text of its one module.
    pub fn around_text(outbound: &str) -> PlainBuilder {
        Self::of(Modules::Text(outbound.to_owned()))
    }

    /// A chain without an outbound Worker: the user Worker's `fetch` goes straight to the upstream.
    pub fn direct() -> PlainBuilder {
        Self::of(Modules::None)
    }

    fn of(outbound: Modules) -> PlainBuilder {
        let (bindings, data, user) = (Vec::new(), Vec::new(), TENANT.to_owned());
        PlainBuilder { outbound, bindings, data, user, tail: None, first: "dispatch", keeps_log: true }
    }

    /// Where the dispatch Worker listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process id of workerd.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Lets the user Worker, if it is `workers/tenant.js`, make one fetch.
    pub async fn fetch(&self, fetch: Fetch) -> Result<Outcome> {
        let mut outcomes = Connection::open(self.address).await?.fetch_all("user", &[fetch]).await?;
        outcomes.pop().context("the user Worker answered nothing")
    }

    /// All lines that workerd and its Workers have printed so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }

    /// The log, as soon as there is enough of it.
    pub async fn log_when(&self, enough: impl Fn(&[String]) -> bool) -> Result<Vec<String>> {
        self.log.when(SAID, enough).await
    }
}

/// What came out of workerd's pipes.
#[derive(Clone, Default)]
struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    is_forgotten: Arc<AtomicBool>,
}

impl Log {
    /// Keeps the lines of a stream.
    fn keep(&self, stream: impl AsyncRead + Unpin + Send + 'static) {
        let Self { lines, is_forgotten } = self.clone();
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream).lines();
            while let Ok(Some(line)) = stream.next_line().await {
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                if is_forgotten.load(Ordering::Relaxed) {
                    let _ = tokio::io::copy(&mut stream.into_inner(), &mut tokio::io::sink()).await;
                    return;
                }
            }
        });
    }

    /// The next line is the last that is kept.
    fn forget(&self) {
        self.is_forgotten.store(true, Ordering::Relaxed);
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn when(&self, patience: Duration, enough: impl Fn(&[String]) -> bool) -> Result<Vec<String>> {
        let end = Instant::now() + patience;
        loop {
            let lines = self.lines();
            if enough(&lines) {
                return Ok(lines);
            }
            if Instant::now() > end {
                bail!("workerd said too little:\n{}", lines.join("\n"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Reads `{"event":"listen","socket":"front","port":8700}`.
fn port(line: &str) -> Option<u16> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    if event.get("event")? != "listen" {
        return None;
    }
    u16::try_from(event.get("port")?.as_u64()?).ok()
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
