//! What the clients write to, and what may be in it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::Request;
use serde::Deserialize;
use serde_json::{Value, json};
use tidegate_e2e::{ApiAnswer, ApiClient, Connection, Part};

use crate::model::{Moment, Register};

/// As many clients write at once.
pub(crate) const CLIENTS: usize = 4;

/// The script that all of them write to.
pub(crate) const CONTESTED: &str = "contested";

/// The namespace that user Workers are in.
pub(crate) const NAMESPACE: &str = "customers";

/// A deployed script. All that one upload brings says the same number: two modules, a variable, a secret, a tag.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Deployed {
    pub(crate) number: u64,
    /// A secret that is put and deleted by itself; uploads leave it as it is.
    pub(crate) extra: Option<u64>,
    /// Tags that were added one by one; an upload takes them away.
    pub(crate) marks: BTreeSet<String>,
}

/// A namespace that comes and goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Temporary {
    Absent,
    Empty,
    /// With one script, of this number.
    Holding(u64),
}

/// A platform as clients know it. It comes and goes, and is another one then.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    pub(crate) api: ApiClient,
    pub(crate) workers: SocketAddr,
}

impl Platform {
    /// What a user Worker says of itself, if there is one.
    pub(crate) async fn ask(&self, script: &str) -> Result<Option<Served>> {
        let (status, body) = self.send("GET", script, "/", String::new()).await?;
        match Said::read(status, &body).with_context(|| format!("`{script}`"))? {
            Said::Version(served) => Ok(Some(served)),
            Said::NotFound => Ok(None),
            Said::Failed => bail!("`{script}` answered {status}: {body}"),
        }
    }

    /// A request to a user Worker: status and body.
    pub(crate) async fn send(&self, method: &str, script: &str, path: &str, body: String) -> Result<(u16, String)> {
        let request = Request::builder().method(method).uri(path).header("host", format!("{script}.apps.example"));
        let request = request.body(if body.is_empty() { Body::empty() } else { Body::from(body) })?;
        let answer = Connection::open(self.workers).await?.send(request).await?;
        let status = answer.status().as_u16();
        Ok((status, String::from_utf8(answer.into_body().collect().await?.to_bytes().to_vec())?))
    }
}

/// Everything, by name.
pub(crate) struct World {
    clock: AtomicU64,
    books: Mutex<Books>,
    /// The KV namespace.
    kv: Mutex<String>,
}

#[derive(Default)]
pub(crate) struct Books {
    pub(crate) scripts: BTreeMap<String, Register<Option<Deployed>>>,
    pub(crate) values: BTreeMap<String, Register<Option<u64>>>,
    pub(crate) namespaces: BTreeMap<String, Register<Temporary>>,
    /// Writes that were acknowledged.
    pub(crate) acknowledged: u64,
    /// Answers of user Workers that were whole versions.
    pub(crate) served: u64,
}

/// The number of a version that serves, and that of the secret that is put by itself.
pub(crate) type Served = (u64, Option<u64>);

/// What came back from a user Worker.
pub(crate) enum Said {
    /// A whole version.
    Version(Served),
    /// There is no such Worker.
    NotFound,
    /// The runtime failed: it may have been killed.
    Failed,
}

impl Said {
    pub(crate) fn read(status: u16, body: &str) -> Result<Self> {
        match status {
            404 if body.starts_with("Worker not found") => Ok(Self::NotFound),
            200 => Ok(Self::Version(serde_json::from_str::<SaysOfItself>(body)?.whole()?)),
            500 => Ok(Self::Failed),
            _ => bail!("{status}: {body}"),
        }
    }
}

/// What a user Worker says of itself.
#[derive(Clone, Debug, Deserialize, PartialEq)]
struct SaysOfItself {
    code: u64,
    module: u64,
    variable: String,
    secret: String,
    extra: Option<String>,
}

impl SaysOfItself {
    /// Its number, and that of the secret that is put by itself; an error unless all of it is of one version.
    fn whole(&self) -> Result<Served> {
        let number = self.code.to_string();
        let is_whole = self.module == self.code && self.variable == number && self.secret == number;
        ensure!(is_whole, "this is no whole version: {self:?}");
        Ok((self.code, self.extra.as_deref().map(str::parse).transpose()?))
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let mut books = Books::default();
        books.scripts.insert(CONTESTED.to_owned(), Register::of(None));
        for client in 0..CLIENTS {
            for script in own_scripts(client) {
                books.scripts.insert(script, Register::of(None));
            }
            for key in own_keys(client) {
                books.values.insert(key, Register::of(None));
            }
            books.namespaces.insert(own_namespace(client), Register::of(Temporary::Absent));
        }
        Self { clock: AtomicU64::new(1), books: Mutex::new(books), kv: Mutex::default() }
    }

    /// The next moment; also a number that no other version has.
    pub(crate) fn now(&self) -> Moment {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn kv(&self) -> String {
        self.kv.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes what is there from the beginning.
    pub(crate) async fn furnish(&self, api: &ApiClient) -> Result<()> {
        api.create_namespace(NAMESPACE).await?;
        let made = api.json("POST", "storage/kv/namespaces", &json!({ "title": "values" })).await?.result()?;
        made["id"].as_str().context("no id")?.clone_into(&mut self.kv.lock().unwrap_or_else(PoisonError::into_inner));
        let binding = json!({ "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": NAMESPACE });
        let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-01-01", "bindings": [binding] });
        let parts = [Part::module("index.js", DISPATCHER)];
        api.upload("workers/scripts/dispatcher", &metadata, &parts).await?.result().map(drop)
    }

    /// Asks for everything, and holds each thing against what it may be; then that is what it is.
    pub(crate) async fn audit(&self, platform: &Platform) -> Result<()> {
        let api = &platform.api;
        let (scripts, values, namespaces): (Vec<_>, Vec<_>, Vec<_>) = {
            let books = self.books();
            (
                books.scripts.keys().cloned().collect(),
                books.values.keys().cloned().collect(),
                books.namespaces.keys().cloned().collect(),
            )
        };
        for script in scripts {
            let kept = kept_script(api, NAMESPACE, &script).await?;
            let kept = match (kept, platform.ask(&script).await?) {
                (None, None) => None,
                (Some((kept, has_extra)), Some((number, extra))) => {
                    let agree = kept.number == number && has_extra == extra.is_some();
                    ensure!(agree, "`{script}`: kept is {kept:?}, {has_extra}, and served {number}, {extra:?}");
                    Some(Deployed { extra, ..kept })
                }
                (kept, served) => bail!("`{script}`: kept is {kept:?}, and served {served:?}"),
            };
            settle(&mut self.books().scripts, &script, kept)?;
        }
        let kv = self.kv();
        for key in values {
            let kept = kept_value(api, &kv, &key).await?;
            settle(&mut self.books().values, &key, kept)?;
        }
        for namespace in namespaces {
            let kept = kept_namespace(api, &namespace).await?;
            settle(&mut self.books().namespaces, &namespace, kept)?;
        }
        Ok(())
    }
}

fn settle<T: Clone + std::fmt::Debug + PartialEq>(
    registers: &mut BTreeMap<String, Register<T>>,
    name: &str,
    kept: T,
) -> Result<()> {
    let register = registers.get_mut(name).context("an unknown name")?;
    ensure!(
        register.possible(Moment::MAX).any(|possible| *possible == kept),
        "`{name}` is {kept:?}, and it can only be one of {:?}; all that is known: {register:?}",
        register.possible(Moment::MAX).collect::<Vec<_>>()
    );
    register.settle(kept);
    Ok(())
}

pub(crate) fn own_scripts(client: usize) -> [String; 2] {
    [format!("own-{client}-a"), format!("own-{client}-b")]
}

pub(crate) fn own_keys(client: usize) -> [String; 3] {
    ["a", "b", "c"].map(|key| format!("key-{client}-{key}"))
}

pub(crate) fn own_namespace(client: usize) -> String {
    format!("temporary-{client}")
}

/// The path of a user Worker in the API.
pub(crate) fn path(namespace: &str, script: &str) -> String {
    format!("workers/dispatch/namespaces/{namespace}/scripts/{script}")
}

/// Uploads version `number`. When assets are part of an upload, they belong here, and say the same number.
pub(crate) async fn upload(api: &ApiClient, namespace: &str, script: &str, number: u64, kv: &str) -> Result<ApiAnswer> {
    let metadata = json!({
        "main_module": "index.js",
        "compatibility_date": "2026-01-01",
        "tags": [tag(number)],
        "bindings": [
            { "type": "plain_text", "name": "VARIABLE", "text": number.to_string() },
            { "type": "secret_text", "name": "SECRET", "text": number.to_string() },
            { "type": "kv_namespace", "name": "KV", "namespace_id": kv },
        ],
    });
    let parts = [
        Part::module("index.js", &USER.replace("NUMBER", &number.to_string())),
        Part::new("number.txt", "text/plain", filled(number)),
    ];
    api.upload(&path(namespace, script), &metadata, &parts).await
}

fn tag(number: u64) -> String {
    format!("version-{number}")
}

/// A number that is told some thousand times, so that it fills more than one page of the database.
pub(crate) fn filled(number: u64) -> String {
    format!("{number} ").repeat(2000)
}

/// The number that [`filled`] this text.
fn number_of(text: &str) -> Result<u64> {
    let number = text.split(' ').next().unwrap_or_default().parse()?;
    ensure!(text == filled(number), "a value was cut or mixed: {}…", &text[..text.len().min(100)]);
    Ok(number)
}

/// What the API says of a script, and whether it has the secret that is put by itself.
async fn kept_script(api: &ApiClient, namespace: &str, script: &str) -> Result<Option<(Deployed, bool)>> {
    let path = path(namespace, script);
    let answer = api.get(&format!("{path}/settings")).await?;
    if answer.status == 404 {
        return Ok(None);
    }
    let settings = answer.result()?;
    let strings = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let variable = settings["bindings"].as_array().into_iter().flatten().find(|binding| binding["name"] == "VARIABLE");
    let number: u64 = variable.and_then(|variable| variable["text"].as_str()).context("no variable")?.parse()?;
    let (own, marks): (Vec<_>, Vec<_>) =
        strings(&settings["tags"]).into_iter().partition(|tag| tag.starts_with("version-"));
    ensure!(own == [tag(number)], "`{script}`: the tags of version {number} are {settings}");
    let content = String::from_utf8(api.get(&format!("{path}/content")).await?.body)?;
    ensure!(
        content.contains(&format!("const CODE = {number};")) && content.contains(&filled(number)),
        "`{script}`: the modules of version {number} are {}…",
        &content[..content.len().min(1000)]
    );
    let secrets = api.get(&format!("{path}/secrets")).await?.result()?;
    let names: Vec<&str> = secrets.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    ensure!(names.contains(&"SECRET"), "`{script}`: the secrets of version {number} are {names:?}");
    // What is in it, only the Worker itself can say.
    let has_extra = names.contains(&"EXTRA");
    Ok(Some((Deployed { number, extra: None, marks: marks.into_iter().collect() }, has_extra)))
}

async fn kept_value(api: &ApiClient, kv: &str, key: &str) -> Result<Option<u64>> {
    let answer = api.get(&format!("storage/kv/namespaces/{kv}/values/{key}")).await?;
    match answer.status {
        404 => Ok(None),
        200 => Ok(Some(number_of(&String::from_utf8(answer.body)?)?)),
        _ => bail!("{answer:?}"),
    }
}

async fn kept_namespace(api: &ApiClient, namespace: &str) -> Result<Temporary> {
    let answer = api.get(&format!("workers/dispatch/namespaces/{namespace}")).await?;
    if answer.status == 404 {
        return Ok(Temporary::Absent);
    }
    answer.result()?;
    Ok(match kept_script(api, namespace, "inner").await? {
        Some((script, _)) => Temporary::Holding(script.number),
        None => Temporary::Empty,
    })
}

/// Calls the user Worker that the first label of the host names.
const DISPATCHER: &str = r#"
export default {
  async fetch(request, env) {
    try {
      return await env.DISPATCHER.get(new URL(request.url).hostname.split(".")[0]).fetch(request);
    } catch (error) {
      return new Response(error.message, { status: error.message.startsWith("Worker not found") ? 404 : 500 });
    }
  },
};
"#;

/// Says of itself what it is; `PUT /KEY` writes to KV.
const USER: &str = r#"
import text from "./number.txt";
const CODE = NUMBER;
export default {
  async fetch(request, env) {
    if (request.method === "PUT") {
      await env.KV.put(new URL(request.url).pathname.slice(1), await request.text());
      return new Response("written");
    }
    const module = Number(text.split(" ")[0]);
    const { VARIABLE: variable, SECRET: secret, EXTRA: extra } = env;
    return Response.json({ code: CODE, module, variable, secret, extra });
  },
};
"#;
