//! Cases asked of the real Worker, in workerd, by the way that requests take at Cloudflare.
//!
//! ```text
//!   case ─► dispatcher ─► customer's Worker ─ fetch() ─► outbound Worker with the policy ─► upstream on loopback
//!                                                              │                               │
//!                                                        decision record                what arrived
//!                                                              └──────────────┬────────────────┘
//!                                                                  the answer, as far as it can be seen
//! ```
//!
//! The platform is the one of `tidegate dev`; nothing leaves loopback. Secrets of the policy are `<secret:NAME>`, as cases write
//! them; signing keys are made for the run.
//!
//! Some cases cannot be asked so, and are skipped: one with `at`, for the Worker has a clock of its own, and a request that no
//! `fetch()` makes (TRACE, a URL that is none). Of an answer `url` is seen where the request arrived, `set` as far as the case
//! names headers, `remove` likewise.

mod upstream;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Map, Value, json};
use tidegate_compiler::Output;
use tidegate_compiler::checked::{Algorithm, CheckedPolicy};
use tidegate_platform::deploy;
use tidegate_platform::names::{NamespaceName, ScriptName};
use tidegate_platform::runtime::{Egress, Event, ISOLATES};
use tidegate_platform::worker::{Binding, BindingValue, Code, NamespaceId, Outbound, Scope, ScriptKey, Secret};
use tidegate_platform::{Auth, Options, Platform};
use tidegate_test::{Case, Elsewhere};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use upstream::{Arrived, Upstream};

use crate::bundle::{Bundle, find};
use crate::dev::outbound::{code, es_module, modules, secrets_of};
use crate::keys::{self, KeyPair};
use crate::outcome::Failure;

const OUTBOUND: &str = "outbound";
const DISPATCHER: &str = "dispatcher";
const CUSTOMER: &str = "customer";
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The longest that a request may take, and after it the decision record.
const LONGEST: Duration = Duration::from_secs(30);

/// How long a record is waited for of a request that the customer's Worker says never came about.
const GRACE: Duration = Duration::from_millis(500);

/// workerd with the Workers that it takes to ask.
pub(super) struct Workerd {
    runtime: Runtime,
    platform: Option<Platform>,
    events: Receiver<Event>,
    upstream: Upstream,
    worker: PathBuf,
    namespace: NamespaceId,
    /// Of the policy that answers.
    policy: Option<Prepared>,
}

/// What must be known of a policy to ask it.
struct Prepared {
    customer: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    vars: Option<Vec<String>>,
    /// Id, `kid` and algorithm of each signing key.
    keys: Vec<(String, String, &'static str)>,
}

/// What goes wrong before anything can be asked, in words.
type Stopped = String;

impl Workerd {
    /// Starts workerd. It ends when this is dropped.
    pub(super) fn start(worker: Option<&PathBuf>, workerd: PathBuf) -> Result<Self, Failure> {
        let worker = find::worker(worker.map(PathBuf::as_path))?;
        let help = "`tidegate test` without `--target` needs no workerd";
        let runtime = Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::new(format!("cannot start threads: {error}"), help))?;
        let started = runtime.block_on(async {
            let upstream = Upstream::start().await.map_err(|error| error.to_string())?;
            let options = Options {
                data: None,
                address: LOOPBACK,
                api: LOOPBACK,
                account: "tests".to_owned(),
                auth: Auth::Nobody,
                workerd,
                egress: Egress::Upstream(upstream.address()),
                processes: NonZeroUsize::MIN,
                isolates: ISOLATES,
                dispatcher: Some(DISPATCHER.to_owned()),
                seeded: false,
            };
            let platform = Platform::start(options).await.map_err(|error| error.to_string())?;
            let name = NamespaceName::parse("customers").map_err(|error| error.to_string())?;
            let namespace = platform.store().create_namespace(&name).map_err(|error| error.to_string())?;
            Ok::<_, Stopped>((upstream, platform, namespace.id))
        });
        let (upstream, platform, namespace) = started.map_err(|why| Failure::new(why, help))?;
        let events = platform.runtime().events();
        Ok(Self { runtime, platform: Some(platform), events, upstream, worker, namespace, policy: None })
    }

    fn platform(&self) -> Result<&Platform, Stopped> {
        self.platform.as_ref().ok_or_else(|| "workerd has ended".to_owned())
    }

    fn deploy(&self, scope: Scope, name: &str, code: Code) -> Result<(), Stopped> {
        let platform = self.platform()?;
        let name = ScriptName::parse(name).map_err(|error| error.to_string())?;
        let key = ScriptKey { scope, name };
        let deployed = deploy::deploy(platform.store(), platform.runtime(), key, code.into());
        self.runtime.block_on(deployed).map(drop).map_err(|error| format!("a Worker was not deployed: {error}"))
    }

    /// Has a request made, and gives its decision record and what arrived.
    fn asked(&mut self, question: &Value) -> Result<(Map<String, Value>, Option<Arrived>), Stopped> {
        while self.events.try_recv().is_ok() {}
        self.upstream.take();
        let address = self.platform()?.address();
        let events = &mut self.events;
        let record = self.runtime.block_on(async {
            let failed = timeout(LONGEST, post(address, question)).await;
            let failed = failed.map_err(|_| "the request took too long".to_owned())??;
            let patience = if failed.is_some() { GRACE } else { LONGEST };
            match (timeout(patience, next_record(events)).await, failed) {
                (Ok(record), _) => record,
                (Err(_), Some(error)) => Err(format!("no `fetch()` makes such a request: {error}")),
                (Err(_), None) => Err("the Worker left no decision record".to_owned()),
            }
        })?;
        Ok((record, self.upstream.take()))
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        if let Some(platform) = self.platform.take() {
            self.runtime.block_on(platform.stop());
        }
    }
}

impl Elsewhere for Workerd {
    fn prepare(&mut self, output: &Output) -> Result<(), String> {
        self.policy = None;
        let policy = &output.policy;
        let bundle = Bundle::new(&self.worker, &output.table).map_err(|error| error.to_string())?;
        let outbound = code(modules(&bundle), Bundle::ENTRY, secrets(policy)?);
        self.deploy(Scope::Account, OUTBOUND, outbound)?;
        let customer = vec![es_module("customer.js", include_bytes!("customer.js"))];
        self.deploy(Scope::Namespace(self.namespace), CUSTOMER, code(customer, "customer.js", Vec::new()))?;
        let prepared = Prepared::of(policy);
        let dispatch = Binding {
            name: "CUSTOMERS".to_owned(),
            value: BindingValue::DispatchNamespace {
                namespace: self.namespace,
                outbound: Some(Outbound {
                    service: OUTBOUND.to_owned(),
                    environment: None,
                    entrypoint: None,
                    parameters: prepared.parameters(),
                }),
            },
        };
        let dispatcher = vec![es_module("dispatcher.js", include_bytes!("dispatcher.js"))];
        self.deploy(Scope::Account, DISPATCHER, code(dispatcher, "dispatcher.js", vec![dispatch]))?;
        self.policy = Some(prepared);
        Ok(())
    }

    fn ask(&mut self, case: &Case) -> Result<Map<String, Value>, String> {
        if case.at().is_some() {
            return Err("it asks at a time of its own, and the Worker's clock is the system's".to_owned());
        }
        let policy = self.policy.as_ref().ok_or("no policy was deployed")?;
        let request = case.request();
        let question = json!({
            "parameters": policy.parameters_of(case),
            "fetch": { "url": request.url, "method": request.method, "headers": request.headers },
        });
        let (mut seen, arrived) = self.asked(&question)?;
        let policy = self.policy.as_ref().ok_or("no policy was deployed")?;
        seen.retain(|member, _| SEEN_IN_RECORD.contains(&member.as_str()));
        if let Some(arrived) = arrived {
            seen.insert("url".to_owned(), Value::String(arrived.url()));
            let expected = case.expect.members();
            if let Some(Value::Object(set)) =
                expected.get("set").filter(|set| set.as_object().is_some_and(|set| !set.is_empty()))
            {
                let found = set.keys().filter_map(|name| Some((name.clone(), arrived.header(name)?.into())));
                seen.insert("set".to_owned(), Value::Object(found.collect()));
            }
            if let Some(Value::Array(remove)) =
                expected.get("remove").filter(|names| names.as_array().is_some_and(|names| !names.is_empty()))
            {
                let gone =
                    remove.iter().filter(|name| name.as_str().is_some_and(|name| arrived.header(name).is_none()));
                seen.insert("remove".to_owned(), gone.cloned().collect());
            }
            seen.insert("jwt".to_owned(), policy.token(&arrived).unwrap_or(Value::Null));
        }
        Ok(seen)
    }
}

/// What of an answer the decision record holds, under the same names.
const SEEN_IN_RECORD: [&str; 7] = ["effect", "reason", "rule", "rules", "enforced", "would_deny", "would_allow"];

impl Prepared {
    fn of(policy: &CheckedPolicy) -> Self {
        let identity = policy.identity.as_ref();
        Self {
            customer: identity.map(|identity| identity.customer.clone()),
            tags: identity.and_then(|identity| identity.tags.clone()),
            vars: identity.and_then(|identity| identity.vars.clone()),
            keys: policy.keys.iter().map(|key| (key.id.clone(), key.kid.clone(), algorithm(key.alg))).collect(),
        }
    }

    /// The names of the outbound parameters.
    fn parameters(&self) -> Vec<String> {
        let paths = [&self.customer, &self.tags, &self.vars].into_iter().flatten();
        let mut names: Vec<_> = paths.filter_map(|path| path.first().cloned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The outbound parameters of a case; null where the policy knows none.
    fn parameters_of(&self, case: &Case) -> Value {
        let request = case.request();
        let mut parameters = json!({});
        let given = [
            (&self.customer, request.customer.clone().map(Value::String)),
            (&self.tags, request.tags.clone().map(Value::from)),
            (&self.vars, request.vars.clone().map(|vars| vars.into_iter().collect())),
        ];
        for (path, value) in given {
            if let (Some(path), Some(value)) = (path, value) {
                let place = path.iter().fold(&mut parameters, |object, step| &mut object[step.as_str()]);
                *place = value;
            }
        }
        if self.customer.is_some() { parameters } else { Value::Null }
    }

    /// The token that arrived, if one of the policy's keys signed it, as answers show it.
    fn token(&self, arrived: &Arrived) -> Option<Value> {
        arrived.headers().find_map(|(name, value)| {
            let (scheme, token) = value.rsplit_once(' ').unwrap_or(("", value));
            let mut parts = token.split('.').map(|part| {
                let bytes = Base64UrlUnpadded::decode_vec(part).ok()?;
                serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
            });
            let (head, mut claims) = (parts.next()??, parts.next()??);
            let is_ours = |(_, kid, alg): &&(String, String, &str)| {
                head.get("kid") == Some(&json!(kid)) && head.get("alg") == Some(&json!(alg))
            };
            let (key, kid, alg) = self.keys.iter().find(is_ours)?;
            claims.remove("iat");
            claims.remove("exp");
            Some(json!({ "key": key, "kid": kid, "alg": alg, "header": name, "scheme": scheme, "claims": claims }))
        })
    }
}

fn algorithm(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::EdDsa => "EdDSA",
        Algorithm::Es256 => "ES256",
        Algorithm::Hs256 => "HS256",
    }
}

/// A value for every secret that the policy speaks of: a key where it is one's, else what cases write for it.
fn secrets(policy: &CheckedPolicy) -> Result<Vec<Binding>, Stopped> {
    let pair = |algorithm| KeyPair::new(algorithm, None).map_err(|error| error.to_string());
    let secret = |name: String| {
        let text = match policy.keys.iter().find(|key| key.secret == name).map(|key| key.alg) {
            Some(Algorithm::Es256) => pair(keys::Algorithm::Es256)?.private_pem.to_string(),
            Some(Algorithm::EdDsa) => pair(keys::Algorithm::EdDsa)?.private_pem.to_string(),
            Some(Algorithm::Hs256) => "a key that is for tests and for nothing else".to_owned(),
            None => format!("<secret:{name}>"),
        };
        Ok(Binding { name, value: BindingValue::SecretText { text: Secret::new(text) } })
    };
    secrets_of(policy).into_iter().map(secret).collect()
}

/// Posts a question to the dispatcher. Gives what the customer's Worker says went wrong.
async fn post(address: SocketAddr, question: &Value) -> Result<Option<String>, Stopped> {
    let failed = |error: std::io::Error| format!("workerd does not answer: {error}");
    let body = question.to_string();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: dispatcher.example\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.map_err(failed)?;
    stream.write_all(head.as_bytes()).await.map_err(failed)?;
    stream.write_all(body.as_bytes()).await.map_err(failed)?;
    let mut answer = Vec::new();
    stream.take(64 << 10).read_to_end(&mut answer).await.map_err(failed)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let mut lines = answer.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    if status != "204" {
        return Err(format!("the dispatch Worker answers {status}: {}", answer.lines().last().unwrap_or_default()));
    }
    let error = lines.filter_map(|line| line.split_once(": ")).find(|(name, _)| name.eq_ignore_ascii_case("x-error"));
    Ok(error.map(|(_, text)| text.replace("%20", " ").replace("%3A", ":")))
}

/// The next decision record of the outbound Worker.
async fn next_record(events: &mut Receiver<Event>) -> Result<Map<String, Value>, Stopped> {
    loop {
        let event = events.recv().await.map_err(|error| format!("workerd's records are lost: {error}"))?;
        if let Event::Decision { worker, record } = event
            && worker == OUTBOUND
        {
            return serde_json::from_str(&record).map_err(|error| format!("not a decision record: {error}"));
        }
    }
}
